"""What one stage trains, seen from the loop: networks, samples and a loss.

The loop knows nothing of sound or pictures. It asks a task for the samples of a step, one by one,
and for the loss of a batch of them. Everything random in a sample comes from the generator that it
is handed, which depends on the stage's seed, the step and the sample's place in the batch alone: a
batch is the same whether one process draws it or eight, at once or in parts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

#: A step's losses by name; "loss" is the one that is minimised.
Losses = dict[str, Tensor]
#: One sample, or a batch of them: arrays by name.
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Trained:
    """A network with an optimiser of its own; ``rate`` multiplies the stage's learning rate."""

    module: nn.Module
    rate: float = 1.0


@dataclass(frozen=True)
class Sample:
    """Something to look at or to listen to in the log.

    ``kind`` "sound": float ``(N,)`` or ``(channels, N)`` within -1..1 at ``rate``; "image": uint8
    ``(H, W, 3)``.
    """

    kind: str
    data: NDArray[Any]
    rate: int = 0


class Task(ABC):
    """One stage of training."""

    def __init__(self, module: nn.Module) -> None:
        #: What the stage is about: its weights are averaged and go into the bundle.
        self.module = module

    @property
    def networks(self) -> dict[str, Trained]:
        """All that is trained, by the names that a checkpoint keeps them under."""
        return {"model": Trained(self.module)}

    def plan(self, rng: np.random.Generator) -> Any:
        """What the samples of one step share (their length, say). Called once a step."""
        return None

    @abstractmethod
    def row(self, plan: Any, rng: np.random.Generator) -> Arrays:
        """One sample: NumPy arrays that stack with those of the step's other samples.

        Noise, times and masks are drawn here too, never on a device.
        """

    @abstractmethod
    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Losses of a batch ``[B, ...]``, each the mean of its samples' own losses.

        ("Of its samples' own": a mean over all masked frames of a batch, say, would change when the
        batch is drawn in parts.) Everything has been moved to the networks' device.
        """

    def samples(self, folder: Path) -> dict[str, Sample]:
        """What the log shows of the networks as they are now; may write into ``folder``."""
        return {}
