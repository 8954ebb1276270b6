"""Samples of a task as a batch, as the loop makes one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from omniaudio_studio.training.batches import stacked
from omniaudio_studio.training.task import Arrays


def batch_of(
    draw: Callable[[np.random.Generator], Arrays], count: int, seed: int = 0
) -> dict[str, torch.Tensor]:
    """``count`` samples, each from a generator of its own."""
    return stacked([draw(np.random.default_rng([seed, number + 1])) for number in range(count)])
