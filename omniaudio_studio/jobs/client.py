"""The worker's client. Standard library only, so that any host program can import it.

The host owns the loop: it calls :meth:`WorkerClient.poll` from a timer and gets events. Nothing
here blocks unless asked to, and no callback arrives on another thread.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OutputError, WorkerError
from omniaudio_studio.jobs import protocol
from omniaudio_studio.jobs.line_process import CLOSE_SECONDS, LOWEST_PRIORITY, LineProcess
from omniaudio_studio.jobs.outputs import AnyRequest, all_outputs
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.staging import PART, finish

MODULE = "omniaudio_studio.jobs.worker"
MAX_CRASHES = 3  # in a row, with no job done in between; then the client gives up


class WorkerClient:
    """Start a worker, hand it jobs, hear what becomes of them. A context manager.

    Jobs run one after another. If the worker dies, the job it was running ends with an ``error``
    event (``kind`` "WorkerDied"), or with ``cancelled`` where that was asked for; its temporary
    files are removed, and a new worker takes the next job. After three crashes in a row the jobs
    that wait are given up too.

    Parameters
    ----------
    python
        The Python that has OmniAudio Studio installed; this one by default.
    log
        Where the worker's own words go (appended). By default a temporary file that is removed
        when the client is closed.
    environment
        Variables to add or change for the worker.
    package_path
        Folder to put on the worker's module path, for a package that is not installed.
    low_priority
        Whether the worker yields to everything else on the machine.
    """

    def __init__(
        self,
        python: str | os.PathLike[str] | None = None,
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        package_path: Path | None = None,
        low_priority: bool = False,
    ) -> None:
        self._worker = LineProcess(
            MODULE,
            python=python,
            log=log,
            environment=environment,
            package_path=package_path,
            niceness=LOWEST_PRIORITY if low_priority else 0,
        )
        self._waiting: deque[tuple[str, AnyRequest]] = deque()
        self._withdrawn: list[str] = []
        self._current: str | None = None
        self._temporary: Path | None = None
        self._finals: list[Path] = []  # what the current job is to write
        self._ready = False
        self._cancelling = False  # whether the current job is not wanted any more
        self._killed = False  # whether the worker's end was asked for
        self._crashes = 0
        self._count = 0

    def __enter__(self) -> WorkerClient:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def python(self) -> str:
        """The Python that runs the worker."""
        return self._worker.python

    @property
    def log(self) -> Path:
        """Where the worker's own words go."""
        return self._worker.log

    @property
    def alive(self) -> bool:
        """Whether the worker's process runs."""
        return self._worker.alive

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None."""
        return self._worker.pid

    @property
    def busy(self) -> bool:
        """Whether any job is running or waiting."""
        return self._current is not None or bool(self._waiting)

    @property
    def crashes(self) -> int:
        """How often the worker has died unasked since it last brought a job to its end."""
        return self._crashes

    def start(self) -> None:
        """Start the worker; does nothing while one runs.

        Raises
        ------
        WorkerError
            If the process cannot be started.
        """
        if self.alive:
            return
        if self.pid is not None and not self._worker.closed:
            return  # it has ended, and nobody has heard of it yet: `poll` starts the next one
        self._ready = False
        self._worker.start()

    def submit(self, request: AnyRequest) -> str:
        """Queue a request; returns the job's name, as found in its events.

        Raises
        ------
        OptionError
            If the request is not valid.
        WorkerError
            If no worker can be started.
        """
        request.validate()
        self.start()
        self._count += 1
        job = str(self._count)
        self._waiting.append((job, request))
        self._send_next()
        return job

    def cancel(self, job: str) -> None:
        """Cancel a job that runs or waits; its ``cancelled`` event follows.

        A job that was done or failed already before the worker heard of it ends so.
        """
        if job == self._current:
            self._cancelling = True
            self._worker.send({"command": protocol.CANCEL, "job": job})
            return
        for item in self._waiting:
            if item[0] == job:
                self._waiting.remove(item)
                self._withdrawn.append(job)
                return

    def kill(self) -> None:
        """End the worker at once, where a library does not let go; a later job gets a new one.

        Cancel its job first, for that to end with ``cancelled`` and not with an error.
        """
        self._killed = self.alive
        self._worker.kill()

    def unload(self) -> None:
        """Free the model's memory once the running job is over; the next job loads it again."""
        if self.alive:
            self._worker.send({"command": protocol.UNLOAD})

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """What has happened since the last call, in order.

        Parameters
        ----------
        timeout
            Seconds to wait for a first event; 0 returns at once.
        """
        events = [Event(protocol.CANCELLED, job) for job in self._withdrawn]
        self._withdrawn.clear()
        for message in self._worker.poll(0.0 if events else timeout):
            if message.get("event") == protocol.DIED:
                events += self._died(message)
            else:
                events.append(self._understood(message))
        self._send_next()
        return events

    def wait(self, job: str, timeout: float | None = None) -> Event:
        """Poll until the job is over; returns its last event. For scripts and tests.

        Raises
        ------
        WorkerError
            After ``timeout`` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while until is None or time.monotonic() < until:
            for event in self.poll(0.1):
                if event.job == job and event.final:
                    return event
        raise WorkerError(f"job {job} was not over after {timeout:g} s")

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """End the worker; a running job is cancelled and cleans up, or killed after ``timeout``."""
        if self._worker.closed:
            return
        self._worker.send({"command": protocol.CLOSE})
        if not self._worker.close(timeout):
            self._clean_up()

    def _send_next(self) -> None:
        """Hand over one job at a time: what waits here survives a crash over there."""
        if self._current is None and self._waiting and self.alive and self._ready:
            self._current, request = self._waiting.popleft()
            self._finals = all_outputs(request)
            self._worker.send(
                {
                    "command": protocol.RUN,
                    "job": self._current,
                    "kind": request.KIND,
                    "request": request.as_dict(),
                }
            )

    def _understood(self, message: dict[str, Any]) -> Event:
        data = {key: value for key, value in message.items() if key not in ("event", "job")}
        event = Event(str(message.get("event", "")), message.get("job"), data)
        if event.kind == protocol.READY:
            if data.get("protocol") != protocol.PROTOCOL:
                raise WorkerError(
                    f"{self.python} runs another version of OmniAudio Studio "
                    f"({data.get('version')}); install the same one"
                )
            self._ready = True
        elif event.kind == protocol.STARTED:
            self._temporary = Path(data["temporary"])
        if event.final and event.job == self._current:
            self._current, self._temporary = None, None
            self._cancelling = False
            self._crashes = 0
        return event

    def _died(self, message: dict[str, Any]) -> list[Event]:
        self._ready = False
        if not self._killed:
            self._crashes += 1
        self._clean_up()
        line = f"the {message['message']}"
        events = [
            Event(protocol.DIED, None, {"message": line, "returncode": message["returncode"]})
        ]
        lost = [] if self._current is None else [self._current]
        if self._cancelling:
            events += [Event(protocol.CANCELLED, job, {"message": line}) for job in lost]
            lost.clear()
        if not self._killed and self._crashes % MAX_CRASHES == 0:
            # Something is wrong with more than one job: don't start it again and again.
            lost += [job for job, _ in self._waiting]
            self._waiting.clear()
        self._current, self._cancelling, self._killed = None, False, False
        for job in lost:
            data = {"message": line, "kind": "WorkerDied", "exit_code": WorkerError.exit_code}
            events.append(Event(protocol.ERROR, job, data))
        if self._waiting:
            try:
                self.start()
            except WorkerError as error:
                for job, _ in self._waiting:
                    data = {"message": str(error), "kind": "WorkerError", "exit_code": 1}
                    events.append(Event(protocol.ERROR, job, data))
                self._waiting.clear()
        return events

    def _clean_up(self) -> None:
        """Remove what a killed worker could not; outputs half brought into place get there."""
        if self._temporary is not None and self._temporary.suffix == PART:
            with suppress(OutputError):
                finish(self._temporary, self._finals)
        self._temporary = None
