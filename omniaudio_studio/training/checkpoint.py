"""Checkpoints that are whole or absent, and an average of the weights over training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import written_whole


class WeightAverage:
    """Exponential moving average of a module's parameters and buffers.

    The decay ramps up as (1 + n) / (10 + n), so that the first random weights are soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        source = module.state_dict()
        for name, value in self.module.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(source[name].to(value.dtype), 1 - decay)
            else:
                value.copy_(source[name])

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "weights": self.module.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        self.module.load_state_dict(state["weights"])


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write beside, then rename: a crash leaves the checkpoint before it."""
    with written_whole(path, overwrite=True) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of ours; nothing in it is executed.

    Raises
    ------
    MissingFileError, MediaError
        If it is not there, or is no checkpoint.
    """
    if not path.is_file():
        raise MissingFileError(f"no checkpoint at {path}: train that stage first")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise MediaError(f"{path} is not a checkpoint that can be read: {error}") from error
    return state
