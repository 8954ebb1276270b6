"""The thread in which the queue is worked off: no disk and no worker is waited for in the window's.

It and the window exchange whole pictures of the queue, and commands as functions.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.jobs.estimate import JobProgress
from omniaudio_studio.jobs.queue import Job, JobQueue, JobState
from omniaudio_studio.jobs.runner import QueueRunner

BUSY_SECONDS = 0.04  # how long a command waits at most while a job runs
IDLE_SECONDS = 0.25  # between two looks at what other programs changed
REPORT_SECONDS = 0.1  # between two pictures while nothing but progress changes
RETRY_SECONDS = 2.0  # until a queue that cannot be opened is tried again
CLOSE_SECONDS = 1.0  # for a worker to stop when the window closes

Command = Callable[[JobQueue, QueueRunner], None]


@dataclass(frozen=True)
class Picture:
    """The queue at one moment.

    Attributes
    ----------
    jobs
        All of them, by order; None where they are as in the picture before.
    estimates
        Seconds that waiting jobs should take, by id.
    total
        Fraction (0 to 1) and seconds left (or None) of the round.
    commands
        How many commands are taken into account.
    """

    jobs: list[Job] | None
    progress: dict[int, JobProgress]
    estimates: dict[int, float]
    total: tuple[float, float | None]
    paused: bool
    problem: str | None
    commands: int


@dataclass(frozen=True)
class Settings:
    """How the queue is worked off; see `QueueRunner`."""

    path: Path
    log_folder: Path
    python: str | None = None
    low_priority: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


class Reports(QObject):
    """What the thread tells; delivered in the thread of whoever listens."""

    picture = pyqtSignal(object)
    finished = pyqtSignal(int, object)
    failed = pyqtSignal(int, str)
    refused = pyqtSignal(str)
    noticed = pyqtSignal(str)


class QueueThread(threading.Thread):
    """Opens the queue, works it off, does what it is told, until :meth:`stop`."""

    def __init__(self, settings: Settings, reports: Reports) -> None:
        super().__init__(name="omniaudio-queue", daemon=True)
        self._settings, self._reports = settings, reports
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._given = 0
        self._taken = 0
        self._stopping = False
        self._shown: tuple[int, str | None] | None = None
        self._shown_at = 0.0
        self._answered = 0  # commands in the last picture
        self._late = False  # whether a change is still to be shown

    def tell(self, command: Command) -> int:
        """Have something done; returns its number among the commands. Never blocks."""
        self._given += 1
        self._commands.put(command)
        return self._given

    def stop(self) -> None:
        """End soon; what runs waits again."""
        self._commands.put(None)

    def run(self) -> None:
        """The thread's life."""
        while not self._stopping:
            try:
                with JobQueue(self._settings.path) as jobs:
                    self._work_off(jobs)
            except OmniAudioError as error:
                self._fail(str(error))
            except Exception as error:  # a fault of ours: told, and what waits goes on
                traceback.print_exc()
                self._fail(f"the queue had to begin again: {type(error).__name__}: {error}")

    def _fail(self, why: str) -> None:
        self._show_unusable(why)
        self._refuse(why)

    def _work_off(self, jobs: JobQueue) -> None:
        settings = self._settings
        runner = QueueRunner(
            jobs,
            python=settings.python,
            log_folder=settings.log_folder,
            low_priority=settings.low_priority,
            environment=settings.environment,
        )
        try:
            while True:
                self._obey(jobs, runner)
                if self._stopping:
                    return
                happened = runner.step(BUSY_SECONDS if runner.busy else 0.0)
                # A job is seen to be over before it is told of.
                over = any(event["event"] in ("done", "failed") for event in happened)
                self._show(jobs, runner, now_please=over)
                for event in happened:
                    if event["event"] == "done":
                        self._reports.finished.emit(event["id"], event["result"])
                    elif event["event"] == "failed":
                        self._reports.failed.emit(event["id"], event["error"])
                    elif event["event"] == "worker":
                        self._reports.noticed.emit(event["message"])
        finally:
            runner.close(CLOSE_SECONDS)
            if self._stopping:
                self._show(jobs, runner, now_please=True)

    def _obey(self, jobs: JobQueue, runner: QueueRunner) -> None:
        """Do what is asked; with nothing to do wait for it a little."""
        wait = not runner.busy
        patience = REPORT_SECONDS if self._late else IDLE_SECONDS
        while True:
            try:
                command = self._commands.get(wait, patience if wait else None)
            except queue.Empty:
                return
            wait = False
            if command is None:
                self._stopping = True
                return
            self._taken += 1
            try:
                command(jobs, runner)
            except OmniAudioError as error:
                self._reports.refused.emit(str(error))

    def _refuse(self, why: str) -> None:
        """Without a queue nothing can be done; wait, then try to open it again."""
        until = time.monotonic() + RETRY_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                command = self._commands.get(True, left)
            except queue.Empty:
                return
            if command is None:
                self._stopping = True
                return
            self._taken += 1
            self._reports.refused.emit(why)

    def _show(self, jobs: JobQueue, runner: QueueRunner, *, now_please: bool = False) -> None:
        """Send a picture where something has changed, not more often than anybody can see."""
        try:
            revision = jobs.revision
            key = (revision, runner.problem)
            changed = key != self._shown
            self._late = changed
            soon = time.monotonic() - self._shown_at < REPORT_SECONDS
            answered = changed and self._taken != self._answered
            if not (now_please or answered) and (soon or not (changed or runner.busy)):
                return
            paused = jobs.paused
            every = runner.jobs()
            total = runner.total()
        except OmniAudioError as error:
            self._show_unusable(str(error))
            return
        self._shown, self._shown_at, self._late = key, time.monotonic(), False
        self._answered = self._taken
        waiting = (JobState.QUEUED, JobState.HELD)
        estimates = {
            job.id: seconds
            for job in every
            if job.state in waiting and (seconds := runner.estimate(job)) is not None
        }
        self._reports.picture.emit(
            Picture(
                jobs=list(every) if changed else None,
                progress=dict(runner.progress),
                estimates=estimates,
                total=total,
                paused=paused,
                problem=runner.problem,
                commands=self._taken,
            )
        )

    def _show_unusable(self, problem: str) -> None:
        key = (-1, problem)
        if key != self._shown:
            self._shown = key
            self._reports.picture.emit(
                Picture(None, {}, {}, (0.0, None), False, problem, self._taken)
            )
