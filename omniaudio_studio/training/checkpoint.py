"""Checkpoints that are whole or absent, and an average of the weights over training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch
from torch import nn

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import written_whole

#: Bytes from which on a checkpoint is mapped into memory.
_MAPPED = 1 << 30


class WeightAverage:
    """Exponential moving average of a module's parameters and buffers.

    The decay ramps up as (1 + n) / (10 + n), so that the first random weights are soon forgotten.
    A decay of 0 keeps the module itself and no copy.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = module
        if decay > 0:
            self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        if self.decay == 0:
            return
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
    """Write beside, then rename: a crash leaves the checkpoint before it.

    Raises
    ------
    OutputError
        If the disk is full or refuses.
    """
    with written_whole(path, overwrite=True) as temporary, temporary.open("wb") as file:
        patient = _Patient(file)
        torch.save(state, cast(IO[bytes], patient))
        if patient.refusal is not None:
            raise patient.refusal


class _Patient:
    """A file whose refusals wait: torch's writer would turn them into an internal error."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.refusal: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.refusal is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.refusal = error
        return len(data)

    def flush(self) -> None:
        if self.refusal is None:
            try:
                self._file.flush()
            except OSError as error:
                self.refusal = error


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
        # Large ones are read as they are needed, and not all at once beside the networks.
        mapped = path.stat().st_size > _MAPPED
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many kinds, and advises to run what the file holds
        state = None
        cause: Exception | None = error
    else:
        cause = None
    if not isinstance(state, dict):
        raise MediaError(
            f"{path} is not a checkpoint that can be read (damaged, or not written here); "
            "delete it to train that stage from its start"
        ) from cause
    return state


def load_average(path: Path, module: nn.Module) -> None:
    """Load a checkpoint's averaged weights into a module.

    Raises
    ------
    MissingFileError, MediaError
        If it is not there, is no checkpoint, or is one of other networks.
    """
    state = load_checkpoint(path)
    try:
        module.load_state_dict(state["average"]["weights"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise MediaError(misfit(path, error)) from error


def misfit(path: Path, error: Exception) -> str:
    """What to say when a checkpoint's contents are not those of the networks in hand."""
    if isinstance(error, KeyError):
        detail = f"it has no {error}"
    else:
        # torch's first line only names the class, the second the first weight that differs.
        lines = str(error).splitlines() or [type(error).__name__]
        detail = lines[min(1, len(lines) - 1)].strip().rstrip(".")
    return f"{path} does not fit this preset ({detail}); use the preset it was trained with"
