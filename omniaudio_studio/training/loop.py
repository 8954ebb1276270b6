"""The training loop that every stage runs: progress, checkpoints, exact resume, SIGTERM saves."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from omniaudio_studio.errors import Cancelled, MediaError
from omniaudio_studio.training.checkpoint import (
    WeightAverage,
    load_checkpoint,
    misfit,
    save_checkpoint,
)
from omniaudio_studio.training.presets import StageSetup

#: A step's losses by name; "loss" is the one that is minimised.
Losses = dict[str, Tensor]
#: Called with (steps done, steps in all, latest averaged losses, seconds left).
Report = Callable[[int, int, dict[str, float], float], None]


def learning_rate(step: int, setup: StageSetup) -> float:
    """Linear warm-up, then half a cosine down to a fiftieth."""
    if step < setup.warmup:
        return setup.rate * (step + 1) / setup.warmup
    done = (step - setup.warmup) / max(1, setup.steps - setup.warmup)
    return setup.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def run_training(
    module: nn.Module,
    step: Callable[[np.random.Generator], Losses],
    setup: StageSetup,
    checkpoint: Path,
    *,
    report: Report | None = None,
    save_every: float = 120.0,
) -> WeightAverage:
    """Train ``module`` for ``setup.steps`` steps and return the average of its weights.

    Everything random in a step comes from its generator, which depends on the stage's seed and the
    step's number alone, so a resumed run walks exactly as an uninterrupted one. ``checkpoint`` is
    resumed if it exists, saved every ``save_every`` seconds, at the end, and when the process is
    told to stop.

    Raises
    ------
    Cancelled
        On SIGTERM or SIGINT, after saving.
    MediaError
        If the checkpoint is of other sizes or settings, or the loss or its gradient stops being a
        number.
    """
    optimizer = torch.optim.AdamW(module.parameters(), lr=setup.rate, betas=(0.9, 0.98))
    average = WeightAverage(module, setup.ema)
    first = 0
    if checkpoint.exists():
        first = _resume(checkpoint, module, optimizer, average, setup)
    log = checkpoint.with_suffix(".jsonl")

    def save(done: int) -> None:
        save_checkpoint(
            checkpoint,
            {
                "step": done,
                "setup": _identity(setup),
                "model": module.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.state_dict(),
            },
        )

    started = saved = time.monotonic()
    sums: dict[str, list[float]] = {}
    module.train()
    with _stop_signals() as stopped:
        for number in range(first, setup.steps):
            generator = np.random.default_rng([setup.seed, number])
            torch.manual_seed(int(generator.integers(2**62)))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(number, setup)
            optimizer.zero_grad(set_to_none=True)
            losses = step(generator)
            if not torch.isfinite(losses["loss"]):
                raise MediaError(_not_a_number("the loss", number, checkpoint))
            losses["loss"].backward()
            norm = nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            if not torch.isfinite(norm):
                # One step with it would make every weight, and the next checkpoint, useless.
                raise MediaError(_not_a_number("the gradient", number, checkpoint))
            optimizer.step()
            average.update(module)
            for name, value in losses.items():
                sums.setdefault(name, []).append(value.item())
            done = number + 1
            now = time.monotonic()
            if done % 20 == 0 or done == setup.steps:
                means = {name: sum(values) / len(values) for name, values in sums.items()}
                with log.open("a") as lines:
                    lines.write(json.dumps({"step": done, **means}) + "\n")
                if report is not None:
                    left = (now - started) / (done - first) * (setup.steps - done)
                    report(done, setup.steps, means, left)
                sums = {}
            if now - saved > save_every or done == setup.steps or stopped.is_set():
                save(done)
                saved = time.monotonic()
            if stopped.is_set() and done < setup.steps:
                raise Cancelled(f"stopped after step {done}; run the same command again to go on")
    return average


def _identity(setup: StageSetup) -> dict[str, float]:
    """What must not change between a run and its continuation."""
    return {"batch": setup.batch, "length": setup.length, "seed": setup.seed, "ema": setup.ema}


def _not_a_number(what: str, step: int, checkpoint: Path) -> str:
    if checkpoint.exists():
        return f"step {step}: {what} is not a number; the last good state is in {checkpoint}"
    return f"step {step}: {what} is not a number; try a smaller rate"


def _resume(
    checkpoint: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage,
    setup: StageSetup,
) -> int:
    state = load_checkpoint(checkpoint)
    if state.get("setup") != _identity(setup):
        raise MediaError(
            f"{checkpoint} was trained with {state.get('setup')}, asked for {_identity(setup)}: "
            "use the same settings, or another folder"
        )
    try:
        module.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise MediaError(misfit(checkpoint, error)) from error


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
