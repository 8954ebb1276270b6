"""A training run of seconds, in this process or in one of its own.

As a program: ``small_training.py CHECKPOINT STEPS SLEEP`` says "step N" once a step is done, and
"stopped: ..." when it was told to stop.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from omniaudio_studio.training.checkpoint import WeightAverage
from omniaudio_studio.training.loop import run_training
from omniaudio_studio.training.presets import StageSetup

SETUP = StageSetup(steps=12, batch=4, length=3, rate=1e-2, warmup=3, ema=0.9, seed=5)


class Small(nn.Module):
    """Dropout draws from torch's generator, the normalisation holds a counter and averages."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, width), nn.BatchNorm1d(width), nn.GELU(), nn.Dropout(0.3),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def small_module(width: int = 8) -> Small:
    torch.manual_seed(1)
    return Small(width)


class Fault(Exception):
    """What a test lets happen in the middle of a step."""


def train(
    checkpoint: Path,
    setup: StageSetup = SETUP,
    *,
    module: nn.Module | None = None,
    fail_at: int | None = None,
    save_every: float = 120.0,
    sleep: float = 0.0,
    say: bool = False,
) -> tuple[nn.Module, WeightAverage]:
    """Fit a sum of squares; ``fail_at`` raises `Fault` before that step."""
    network = small_module() if module is None else module
    count = 0

    def step(rng: np.random.Generator) -> dict[str, Tensor]:
        nonlocal count
        if fail_at is not None and count == fail_at:
            raise Fault
        count += 1
        x = torch.from_numpy(rng.standard_normal((setup.batch, 3)).astype(np.float32))
        x = x + 0.1 * torch.randn_like(x)
        error = ((network(x) - (x**2).sum(1, keepdim=True)) ** 2).mean()
        time.sleep(sleep)
        if say:
            print("step", count, flush=True)
        return {"loss": error, "twice": 2 * error}

    return network, run_training(network, step, setup, checkpoint, save_every=save_every)


if __name__ == "__main__":
    from dataclasses import replace

    from omniaudio_studio.errors import Cancelled

    torch.set_num_threads(1)
    try:
        train(
            Path(sys.argv[1]),
            replace(SETUP, steps=int(sys.argv[2])),
            sleep=float(sys.argv[3]),
            say=True,
        )
    except Cancelled as error:
        print("stopped:", error, flush=True)
        sys.exit(error.exit_code)
