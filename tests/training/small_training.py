"""A training run of seconds, in this process or in one of its own.

As a program: ``small_training.py CHECKPOINT STEPS SLEEP [DEVICES]`` says "step N" once a step is
done, and "stopped: ..." when it was told to stop.
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
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.presets import StageSetup
from omniaudio_studio.training.task import Arrays, Losses, Task

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


class SmallTask(Task):
    """Fit a sum of squares; ``fail_at`` raises `Fault` before that step."""

    def __init__(
        self,
        module: nn.Module,
        *,
        fail_at: int | None = None,
        sleep: float = 0.0,
        say: bool = False,
    ) -> None:
        super().__init__(module)
        self.count = 0
        self.fail_at, self.sleep, self.say = fail_at, sleep, say

    def row(self, plan: object, rng: np.random.Generator) -> Arrays:
        return {"x": rng.standard_normal(3).astype(np.float32)}

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        if self.count == self.fail_at:
            raise Fault
        self.count += 1
        x = batch["x"] + 0.1 * torch.randn_like(batch["x"])
        error = ((self.module(x) - (x**2).sum(1, keepdim=True)) ** 2).mean()
        time.sleep(self.sleep)
        if self.say:
            print("step", self.count, flush=True)
        return {"loss": error, "twice": 2 * error}


def train(
    checkpoint: Path,
    setup: StageSetup = SETUP,
    *,
    module: nn.Module | None = None,
    fail_at: int | None = None,
    save_every: float = 120.0,
    sleep: float = 0.0,
    say: bool = False,
    machine: Machine | None = None,
) -> tuple[nn.Module, WeightAverage]:
    """Run a `SmallTask` to its end."""
    network = small_module() if module is None else module
    task = SmallTask(network, fail_at=fail_at, sleep=sleep, say=say)
    return network, run_training(task, setup, checkpoint, machine, save_every=save_every)


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
            machine=Machine("cpu", devices=int(sys.argv[4]) if sys.argv[4:] else 1),
        )
    except Cancelled as error:
        print("stopped:", error, flush=True)
        sys.exit(error.exit_code)
