"""The training loop that every stage runs: progress, checkpoints, exact resume, SIGTERM saves."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from omniaudio_studio.errors import Cancelled, MediaError, OutputError
from omniaudio_studio.training.batches import batches
from omniaudio_studio.training.checkpoint import (
    WeightAverage,
    load_checkpoint,
    misfit,
    save_checkpoint,
)
from omniaudio_studio.training.log import RunLog
from omniaudio_studio.training.machine import Machine, share_gradients
from omniaudio_studio.training.presets import StageSetup
from omniaudio_studio.training.task import Losses, Task

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: Called with (steps done, steps in all, latest averaged losses, seconds left).
Report = Callable[[int, int, dict[str, float], float], None]
#: Seconds between sounds and pictures in the log.
SAMPLES_EVERY = 900.0
#: Seconds until a full disk is asked again at the end of a run.
RETRY = 10.0


def silent(_: str) -> None:
    """Where nobody listens."""


@dataclass
class Pace:
    """How fast a run went: seconds spent waiting for samples and in all, and samples."""

    waited: float = 0.0
    spent: float = 0.0
    samples: int = 0

    def lines(self) -> list[str]:
        """What `--profile` prints."""
        share = 100 * self.waited / max(self.spent, 1e-9)
        rate = self.samples / max(self.spent, 1e-9)
        return [f"{rate:.2f} samples a second; {share:.0f} % of the time waiting for data"]


def learning_rate(step: int, setup: StageSetup) -> float:
    """Linear warm-up, then half a cosine down to a fiftieth."""
    if step < setup.warmup:
        return setup.rate * (step + 1) / setup.warmup
    done = (step - setup.warmup) / max(1, setup.steps - setup.warmup)
    return setup.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def run_training(
    task: Task,
    setup: StageSetup,
    checkpoint: Path,
    machine: Machine | None = None,
    *,
    report: Report | None = None,
    say: Callable[[str], None] = silent,
    pace: Pace | None = None,
    save_every: float = 120.0,
) -> WeightAverage:
    """Train a task for ``setup.steps`` steps and return the average of its weights.

    Everything random in a step depends on the stage's seed and the step's number alone, so a
    resumed run walks exactly as an uninterrupted one. ``checkpoint`` is resumed if it exists, saved
    every ``save_every`` seconds, at the end, and when the process is told to stop. A disk that is
    full meanwhile is told of with ``say`` and tried again.

    Raises
    ------
    Cancelled
        On SIGTERM or SIGINT, after saving.
    MediaError
        If the checkpoint is of other sizes or settings, or the loss or its gradient stops being a
        number.
    OptionError
        If the machine has not what is asked of it, or a batch does not divide into its parts.
    OutputError
        If the disk is full when the process is told to stop.
    """
    machine = machine or Machine()
    fabric = machine.fabric(setup.precision)
    for trained in task.networks.values():
        fabric.to_device(trained.module)
    run = _Run(task, setup, checkpoint, fabric)
    if checkpoint.exists():
        run.resume()
    if run.done >= setup.steps:
        return run.average
    loader = iter(batches(task, setup, machine, fabric, run.done))
    first, started = run.done, time.monotonic()
    saved = sampled = started
    pace = pace or Pace()
    sums: dict[str, float] = {}
    counted = 0
    with ExitStack() as stack:
        stopped = stack.enter_context(_stop_signals())
        leads = fabric.is_global_zero
        log = stack.enter_context(RunLog(checkpoint, first)) if leads else None
        while run.done < setup.steps:
            losses = run.step(loader, machine.accumulate, pace)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            counted += 1
            ended, stop = run.done == setup.steps, _agreed(fabric, stopped.is_set())
            now = time.monotonic()
            if run.done % 20 == 0 or ended:
                means = {name: total / counted for name, total in sums.items()}
                if log is not None:
                    log.losses(run.done, means, learning_rate(run.done - 1, setup))
                if report is not None and leads:
                    left = (now - started) / (run.done - first) * (setup.steps - run.done)
                    report(run.done, setup.steps, means, left)
                sums, counted = {}, 0
            if log is not None and (now - sampled > SAMPLES_EVERY or ended):
                log.samples(run.done, task.samples(checkpoint.parent))
                sampled = time.monotonic()
            if leads and (ended or stop):
                run.save_at_last(stopped, say)
            elif leads and now - saved > save_every:
                run.save_if_possible(say)
                saved = time.monotonic()
            if ended or stop:
                fabric.barrier()  # the next stage reads what the first process has written
            if stop and not ended:
                raise Cancelled(
                    f"stopped after step {run.done}; run the same command again to go on"
                )
        pace.spent += time.monotonic() - started
    return run.average


class _Run:
    """Networks, optimisers and the average, as a checkpoint keeps them."""

    def __init__(self, task: Task, setup: StageSetup, checkpoint: Path, fabric: Fabric) -> None:
        self._task, self._setup, self._path, self._fabric = task, setup, checkpoint, fabric
        self._networks = task.networks
        self._optimizers = {
            name: torch.optim.AdamW(
                [p for p in trained.module.parameters() if p.requires_grad],
                lr=setup.rate * trained.rate,
                betas=(0.9, setup.beta2),
                weight_decay=setup.weight_decay,
            )
            for name, trained in self._networks.items()
        }
        self._stepping: dict[str, Any] = {
            name: fabric.setup_optimizers(optimizer) for name, optimizer in self._optimizers.items()
        }
        self.average = WeightAverage(task.module, setup.ema)
        self.done = 0

    def step(self, loader: Iterator[dict[str, Tensor]], parts: int, pace: Pace) -> dict[str, float]:
        """One batch; returns its losses, averaged over parts and processes."""
        fabric, number = self._fabric, self.done
        torch.manual_seed(hash((self._setup.seed, number)) & (2**62 - 1))  # for dropout
        for name, trained in self._networks.items():
            trained.module.train()
            self._stepping[name].zero_grad(set_to_none=True)
            for group in self._optimizers[name].param_groups:
                group["lr"] = learning_rate(number, self._setup) * trained.rate
        totals: Losses = {}
        for _ in range(parts):
            asked = time.monotonic()
            batch = fabric.to_device(next(loader))
            pace.waited += time.monotonic() - asked
            pace.samples += len(next(iter(batch.values()))) * fabric.world_size
            with fabric.autocast():
                losses = self._task.losses(batch)
            fabric.backward(losses["loss"] / parts)
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + value.detach().float() / parts
        if fabric.world_size > 1:
            totals = fabric.all_reduce(totals, reduce_op="mean")  # type: ignore[assignment]
        if not torch.isfinite(totals["loss"]):
            raise MediaError(self._not_a_number("the loss"))
        scaled = getattr(fabric.strategy.precision, "scaler", None) is not None
        for name, trained in self._networks.items():
            share_gradients(fabric, trained.module)
            norm = fabric.clip_gradients(
                trained.module, self._optimizers[name], max_norm=1.0, error_if_nonfinite=False
            )
            # In 16 bits the scale of the loss is found by trying: such a step is left out.
            if norm is not None and not torch.isfinite(norm) and not scaled:
                # One step with it would make every weight, and the next checkpoint, useless.
                raise MediaError(self._not_a_number("the gradient"))
        for optimizer in self._stepping.values():
            optimizer.step()
        self.average.update(self._task.module)
        self.done += 1
        return {name: float(value) for name, value in totals.items()}

    def resume(self) -> None:
        state = load_checkpoint(self._path)
        if state.get("setup") != _identity(self._setup):
            raise MediaError(
                f"{self._path} was trained with {state.get('setup')}, asked for "
                f"{_identity(self._setup)}: use the same settings, or another folder"
            )
        try:
            for name, trained in self._networks.items():
                trained.module.load_state_dict(state["networks"][name])
                self._optimizers[name].load_state_dict(state["optimizers"][name])
            self.average.load_state_dict(state["average"])
            self._fabric.strategy.precision.load_state_dict(state["precision"])
            self.done = int(state["step"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise MediaError(misfit(self._path, error)) from error

    def save(self) -> None:
        networks = {name: each.module.state_dict() for name, each in self._networks.items()}
        optimizers = {name: each.state_dict() for name, each in self._optimizers.items()}
        save_checkpoint(
            self._path,
            {
                "step": self.done,
                "setup": _identity(self._setup),
                "networks": networks,
                "optimizers": optimizers,
                "average": self.average.state_dict(),
                "precision": self._fabric.strategy.precision.state_dict(),
            },
        )

    def save_if_possible(self, say: Callable[[str], None]) -> None:
        """Training goes on where the disk is full for a while; the checkpoint before stays."""
        try:
            self.save()
        except OutputError as error:
            say(f"step {self.done} is not saved ({error}); training goes on and tries again")

    def save_at_last(self, stopped: threading.Event, say: Callable[[str], None]) -> None:
        """Hours of training are not thrown away for want of room: it waits until there is some."""
        while True:
            try:
                return self.save()
            except OutputError as error:
                say(f"step {self.done} is not saved ({error}); make room: trying again")
                if stopped.wait(RETRY):
                    raise

    def _not_a_number(self, what: str) -> str:
        if self._path.exists():
            good = f"the last good state is in {self._path}"
        else:
            good = "try a smaller rate"
        return f"step {self.done}: {what} is not a number; {good}"


def _identity(setup: StageSetup) -> dict[str, float]:
    """What must not change between a run and its continuation."""
    return {"batch": setup.batch, "length": setup.length, "seed": setup.seed, "ema": setup.ema}


def _agreed(fabric: Fabric, stop: bool) -> bool:
    """Whether any process was told to stop: then all do, after the same step."""
    if fabric.world_size == 1:
        return stop
    told = fabric.all_reduce(torch.tensor(float(stop), device=fabric.device), reduce_op="sum")
    assert isinstance(told, Tensor)
    return bool(told > 0)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set (only the main thread can listen to signals)."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda *_: stopped.set()) for number in numbers]
    try:
        yield stopped
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
