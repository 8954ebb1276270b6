"""What several tests of the queue need."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from omniaudio_studio.jobs.queue import Job, JobQueue
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.runner import QueueRunner

PATIENCE = 60.0  # seconds, for a loaded machine


def wanted(clip: Path, bundle: Path, folder: Path, count: int, **values: Any) -> list:
    """``count`` requests: 0.wav, 1.wav, ... in ``folder``, with seeds that differ."""
    folder.mkdir(exist_ok=True)
    values = {"device": "cpu", **values}
    return [
        GenerateRequest(clip, folder / f"{n}.wav", bundle=str(bundle), seed=n, **values)
        for n in range(count)
    ]


def step_until(
    runner: QueueRunner, found: Callable[[], object], patience: float = PATIENCE
) -> list[dict[str, Any]]:
    """Step until something is so; all that happened meanwhile."""
    happened: list[dict[str, Any]] = []
    end = time.monotonic() + patience
    while time.monotonic() < end:
        happened += runner.step(0.05)
        if found():
            return happened
    raise AssertionError(f"not so within {patience} s; happened: {happened}")


def work_off(runner: QueueRunner, patience: float = PATIENCE) -> list[dict[str, Any]]:
    """Step until every job is over."""
    return step_until(
        runner, lambda: all(job.state.finished for job in runner.queue.jobs()), patience
    )


def workers() -> list[psutil.Process]:
    """The workers that this process has started and that still run."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "omniaudio_studio.jobs.worker" in child.cmdline():
                found.append(child)
    return found


def states(queue: JobQueue) -> list[str]:
    """Of all jobs, by order."""
    return [job.state.value for job in queue.jobs()]


def job_of(queue: JobQueue, job: int) -> Job:
    """A job that is there."""
    found = queue.get(job)
    assert found is not None
    return found


def names(folder: Path) -> set[str]:
    """Everything in a folder, hidden files too."""
    return {path.name for path in folder.iterdir()}
