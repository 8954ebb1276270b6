"""The worker's client. Standard library only, so that any host program can import it.

The host owns the loop: it calls :meth:`WorkerClient.poll` from a timer and gets events. Nothing
here blocks unless asked to, and no callback arrives on another thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs import protocol
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.request import GenerateRequest

MAX_CRASHES = 3  # in a row, with no job done in between; then the client gives up
CLOSE_SECONDS = 3.0
LOG_TAIL = 400  # characters


class WorkerClient:
    """Start a worker, hand it jobs, hear what becomes of them. A context manager.

    Jobs run one after another. If the worker dies, the job it was running ends with an ``error``
    event (``kind`` "WorkerDied"), its temporary files are removed, and a new worker takes the
    next job.

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
    """

    def __init__(
        self,
        python: str | os.PathLike[str] | None = None,
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        package_path: Path | None = None,
    ) -> None:
        self.python = os.fspath(python or sys.executable)
        self._environment = dict(environment or {})
        if package_path is not None:
            self._environment["PYTHONPATH"] = os.fspath(package_path)
        self._own_log = log is None
        if log is None:
            handle, name = tempfile.mkstemp(prefix="omniaudio-worker-", suffix=".log")
            os.close(handle)
            log = Path(name)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: queue.Queue[tuple[subprocess.Popen[bytes] | None, dict[str, Any] | None]]
        self._heard = queue.Queue()
        self._waiting: deque[tuple[str, GenerateRequest]] = deque()
        self._current: str | None = None
        self._temporary: Path | None = None
        self._ready = False
        self._crashes = 0
        self._count = 0
        self._closed = False

    def __enter__(self) -> WorkerClient:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the worker's process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None."""
        return self._process.pid if self._process is not None else None

    @property
    def busy(self) -> bool:
        """Whether any job is running or waiting."""
        return self._current is not None or bool(self._waiting)

    def start(self) -> None:
        """Start the worker; does nothing while one runs.

        Raises
        ------
        WorkerError
            If the process cannot be started.
        """
        if self._closed:
            raise WorkerError("the worker's client is closed; make a new one")
        if self.alive:
            return
        environment = {
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }
        try:
            with self.log.open("ab") as log:
                process = subprocess.Popen(
                    # -P: what lies in the current folder is not the package.
                    [self.python, "-P", "-m", "omniaudio_studio.jobs.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    # No console window flashes up on Windows.
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise WorkerError(f"cannot start the worker with {self.python}: {error}") from error
        self._process, self._ready = process, False
        assert process.stdout is not None
        threading.Thread(
            target=self._read, args=(process, process.stdout), name="omniaudio-events", daemon=True
        ).start()

    def submit(self, request: GenerateRequest) -> str:
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
        """Cancel a job that runs or waits; its ``cancelled`` event follows."""
        if job == self._current:
            self._send({"command": protocol.CANCEL, "job": job})
            return
        for item in self._waiting:
            if item[0] == job:
                self._waiting.remove(item)
                self._inform({"event": protocol.CANCELLED, "job": job})
                return

    def unload(self) -> None:
        """Free the model's memory once the running job is over; the next job loads it again."""
        if self.alive:
            self._send({"command": protocol.UNLOAD})

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """What has happened since the last call, in order.

        Parameters
        ----------
        timeout
            Seconds to wait for a first event; 0 returns at once.
        """
        events: list[Event] = []
        while True:
            wait = timeout > 0 and not events
            try:
                process, message = self._heard.get(wait, timeout if wait else None)
            except queue.Empty:
                break
            if message is None:
                events += self._died(process)
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
        if self._closed:
            return
        self._closed = True
        process = self._process
        if process is not None:
            self._send({"command": protocol.CLOSE})
            self._shut(process.stdin)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self._clean_up()
        if self._own_log:
            with contextlib.suppress(OSError):
                self.log.unlink()

    def _send_next(self) -> None:
        """Hand over one job at a time: what waits here survives a crash over there."""
        if self._current is None and self._waiting and self.alive and self._ready:
            self._current, request = self._waiting.popleft()
            self._send(
                {"command": protocol.RUN, "job": self._current, "request": request.as_dict()}
            )

    def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        # A broken pipe is a dead worker: its reader says so.
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(protocol.encode(message))
            process.stdin.flush()

    def _inform(self, message: dict[str, Any]) -> None:
        self._heard.put((self._process, message))

    def _read(self, process: subprocess.Popen[bytes], source: IO[bytes]) -> None:
        """In a thread: put what the worker says into the queue, and its end as None."""
        with contextlib.suppress(OSError, ValueError):
            for line in source:
                message = protocol.decode(line)
                if message is not None:
                    self._heard.put((process, message))
        with contextlib.suppress(OSError):
            source.close()
        process.wait()
        self._heard.put((process, None))

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
            self._crashes = 0
        return event

    def _died(self, process: subprocess.Popen[bytes] | None) -> list[Event]:
        if process is None or process is not self._process:
            return []
        self._process, self._ready = None, False
        if self._closed:
            return []
        self._crashes += 1
        self._clean_up()
        code = process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        line = f"the worker stopped ({how}){self._last_words()}; its log is {self.log}"
        events = [Event(protocol.DIED, None, {"message": line, "returncode": code})]
        lost = [] if self._current is None else [self._current]
        self._current = None
        if self._crashes >= MAX_CRASHES:
            # Something is wrong with more than one job: don't start it again and again.
            lost += [job for job, _ in self._waiting]
            self._waiting.clear()
            self._crashes = 0
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

    def _last_words(self) -> str:
        try:
            text = self.log.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            return ""
        return f": {text.splitlines()[-1]}" if text else ""

    def _clean_up(self) -> None:
        """Remove what a killed worker could not."""
        if self._temporary is not None and self._temporary.name.endswith(".part"):
            shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary = None

    @staticmethod
    def _shut(stream: IO[bytes] | None) -> None:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
