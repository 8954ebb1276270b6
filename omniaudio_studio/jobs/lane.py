"""One device's worker and the job that it runs. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from omniaudio_studio.jobs import protocol
from omniaudio_studio.jobs.client import WorkerClient
from omniaudio_studio.jobs.estimate import Expected, JobClock
from omniaudio_studio.jobs.processes import process_mark
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.queue import Job
from omniaudio_studio.jobs.queued_request import QueuedRequest, model_of

LOG_BYTES = 4 << 20  # beyond that a log begins anew
_FROM_OUTSIDE = (-9, -15, -2)  # a worker that somebody killed says nothing about the installation
MAX_EARLY_DEATHS = 6  # of workers that never got ready
_LONGEST_PAUSE = 5.0  # seconds


@dataclass(frozen=True)
class Hiring:
    """How workers are started; see `WorkerClient`."""

    python: str | None
    log_folder: Path
    low_priority: bool
    environment: Mapping[str, str] = field(default_factory=dict)


class Lane:
    """A worker that is started when needed and kept warm, and at most one job of the queue.

    Attributes
    ----------
    job
        The job handed over, None while there is none.
    warm
        The bundle that the worker has loaded.
    charged
        Whether the last death was that of a worker that had the job in hand.
    not_before
        No job is handed over before this moment of the monotonic clock: workers that die while
        they start are not started again and again without a pause.
    """

    def __init__(self, device: str, hiring: Hiring) -> None:
        self.device = device
        self.job: Job | None = None
        self.clock: JobClock | None = None
        self.warm: str | None = None
        self.charged = False
        self.not_before = 0.0
        self.cancelled_at: float | None = None
        self.early_deaths = 0
        self._hiring = hiring
        self._client: WorkerClient | None = None
        self._name: str | None = None  # the job's, among the client's
        self._ready = False
        self._sent = False  # whether a worker has the job in hand
        self._pid: int | None = None

    def start(self) -> str | None:
        """Start the worker where none runs; returns its mark (see `processes`).

        Raises
        ------
        WorkerError
            If it cannot be started.
        """
        if self._client is None:
            hiring = self._hiring
            hiring.log_folder.mkdir(parents=True, exist_ok=True)
            log = hiring.log_folder / f"worker-{self.device}.log"
            with suppress(OSError):
                if log.stat().st_size > LOG_BYTES:
                    log.unlink()
            self._client = WorkerClient(
                hiring.python,
                log=log,
                environment=hiring.environment,
                low_priority=hiring.low_priority,
            )
        self._client.start()
        if self._client.pid != self._pid:  # the one before died unheard
            self._pid, self._ready, self.warm = self._client.pid, False, None
        return None if self._pid is None else process_mark(self._pid)

    def hand_over(self, job: Job, expected: Expected) -> None:
        """Give the worker a job; events of it follow.

        Raises
        ------
        OptionError, WorkerError
            If it is not valid, or the worker has gone.
        """
        assert self._client is not None
        # To one that died unheard the client hands nothing: the next one gets it.
        self._sent = self._ready and self._client.alive
        self._name = self._client.submit(job.request)
        self.job, self.cancelled_at, self.charged = job, None, False
        warm = self.is_warm_for(job.request)
        self.clock = JobClock(job.request, expected, warm=warm, now=time.monotonic())

    def is_warm_for(self, request: QueuedRequest) -> bool:
        """Whether the worker has loaded what a request needs."""
        return model_of(request) in (None, self.warm)

    def cancel(self) -> None:
        """Tell the worker to stop its job."""
        if self._client is not None and self._name is not None:
            self.cancelled_at = time.monotonic()
            self._client.cancel(self._name)

    def poll(self, timeout: float) -> list[Event]:
        """What the worker said; deaths are counted."""
        if self._client is None:
            return []
        events = self._client.poll(timeout)
        for event in events:
            if event.kind == protocol.READY:
                self._ready, self._pid = True, event.data.get("pid")
                self._sent = self.job is not None
                self.early_deaths = 0
            elif event.kind == protocol.DIED:
                self._died(event.data.get("returncode"))
        return events

    def is_mine(self, event: Event) -> bool:
        """Whether an event is of the job in hand."""
        return self.job is not None and event.job == self._name

    def mark(self) -> str | None:
        """The mark of the worker that runs now."""
        return None if self._pid is None else process_mark(self._pid)

    def over(self) -> None:
        """Forget the job."""
        self.job = self.clock = self._name = self.cancelled_at = None

    def unload(self) -> None:
        """Free the model's memory once the running job is over."""
        self.warm = None
        if self._client is not None:
            self._client.unload()

    def close(self, timeout: float) -> None:
        """End the worker, by force after ``timeout`` seconds; a new one is started when needed."""
        if self._client is not None:
            self._client.close(timeout)
        self._client, self._pid, self._ready, self.warm = None, None, False, None

    @property
    def hopeless(self) -> bool:
        """Whether workers of this installation cannot get ready."""
        return self.early_deaths >= MAX_EARLY_DEATHS

    def _died(self, code: int | None) -> None:
        self.charged = self._sent
        if not self._ready:
            if code not in _FROM_OUTSIDE:
                self.early_deaths += 1
            pause = 0.5 * 2 ** min(self.early_deaths, 4)
            self.not_before = time.monotonic() + min(pause, _LONGEST_PAUSE)
        self._ready, self._sent, self._pid, self.warm = False, False, None, None
