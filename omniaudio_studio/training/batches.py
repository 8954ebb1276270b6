"""Batches of a task's samples: which process draws which, and how long it waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from omniaudio_studio.errors import OptionError
from omniaudio_studio.training.task import Arrays, Task

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from omniaudio_studio.training.machine import Machine
    from omniaudio_studio.training.presets import StageSetup


def stacked(rows: Sequence[Arrays]) -> dict[str, Tensor]:
    """Samples as a batch."""
    return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}


class Parts(Dataset[dict[str, Tensor]]):
    """Number n is the n-th part of a batch that one process takes: step n // parts."""

    def __init__(self, task: Task, setup: StageSetup, parts: int, rank: int, world: int) -> None:
        if setup.batch % (parts * world):
            raise OptionError(
                f"a batch of {setup.batch} does not divide into {world} devices x {parts} parts; "
                "choose a multiple of that"
            )
        self._task, self._seed, self._parts = task, setup.seed, parts
        self._rows = setup.batch // (parts * world)
        self._first = rank * setup.batch // world

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        step, part = divmod(index, self._parts)
        plan = self._task.plan(np.random.default_rng([self._seed, step]))
        begin = self._first + part * self._rows
        rows = [
            # From 1 on: a generator of (seed, step, 0) would be that of (seed, step).
            self._task.row(plan, np.random.default_rng([self._seed, step, row + 1]))
            for row in range(begin, begin + self._rows)
        ]
        return stacked(rows)


def batches(
    task: Task, setup: StageSetup, machine: Machine, fabric: Fabric, first: int
) -> DataLoader[dict[str, Tensor]]:
    """This process's parts of all batches from step ``first`` on, in order.

    Raises
    ------
    OptionError
        If a batch does not divide evenly.
    """
    parts = Parts(task, setup, machine.accumulate, fabric.global_rank, fabric.world_size)
    numbers = range(first * machine.accumulate, setup.steps * machine.accumulate)
    return DataLoader(
        parts,
        batch_size=None,
        sampler=numbers,
        num_workers=machine.workers,
        pin_memory=fabric.device.type == "cuda",
        prefetch_factor=4 if machine.workers else None,
    )
