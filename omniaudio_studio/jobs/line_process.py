"""A Python module in a process of its own, spoken to in JSON lines. Standard library only.

The worker, the analyst and the sound process are all started, heard and ended this way. The host
owns the loop: it polls, nothing blocks unless asked to, no callback arrives on another thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.protocol import DIED, decode, encode

CLOSE_SECONDS = 3.0
LOG_TAIL = 400  # characters
# Niceness of what yields: to the window, picture and sound; and also to what answers the window.
LOW_PRIORITY, LOWEST_PRIORITY = 10, 19

_Heard = tuple[subprocess.Popen[bytes], dict[str, Any] | None]


class LineProcess:
    """Start a module with ``python -m``, write dicts to its stdin, read dicts from its stdout.

    For one thread of the host. The module has to read its stdin all the time (in a thread of its
    own, if it works meanwhile): a line then never waits for anything.

    Parameters
    ----------
    module
        Its dotted name.
    arguments
        Its command line.
    python
        The Python that has it; this one by default.
    log
        Where its stderr goes (appended). By default a temporary file that is removed at `close`.
    environment
        Variables to add or change.
    package_path
        Folder to put on its module path, for a package that is not installed.
    niceness
        How far it yields to everything else on the machine, 0 to 19; more than this process does.
    """

    def __init__(
        self,
        module: str,
        *,
        arguments: Sequence[str] = (),
        python: str | os.PathLike[str] | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        package_path: Path | None = None,
        niceness: int = 0,
    ) -> None:
        self.module = module
        self.python = os.fspath(python or sys.executable)
        self.niceness = niceness
        self._arguments = list(arguments)
        self._environment = dict(environment or {})
        if package_path is not None:
            self._environment["PYTHONPATH"] = os.fspath(package_path)
        self._own_log = log is None
        if log is None:
            handle, name = tempfile.mkstemp(
                prefix=f"omniaudio-{module.rpartition('.')[2]}-", suffix=".log"
            )
            os.close(handle)
            log = Path(name)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: queue.Queue[_Heard] = queue.Queue()
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id, or None."""
        return self._process.pid if self._process is not None else None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def start(self) -> None:
        """Start it; does nothing while it runs.

        Raises
        ------
        WorkerError
            If the process cannot be started, or this object was closed.
        """
        if self._closed:
            raise WorkerError(f"the client of {self.module} is closed; make a new one")
        if self.alive:
            return
        environment = {
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }
        # No console window flashes up on Windows.
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        if self.niceness > 0:
            flags |= getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        try:
            with self.log.open("ab") as log:
                process = subprocess.Popen(
                    # -P: what lies in the current folder is not the package.
                    [self.python, "-P", "-m", self.module, *self._arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    creationflags=flags,
                )
        except OSError as error:
            raise WorkerError(f"cannot start {self.module} with {self.python}: {error}") from error
        if self.niceness > 0 and hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):
                own = os.getpriority(os.PRIO_PROCESS, 0)
                os.setpriority(os.PRIO_PROCESS, process.pid, max(own, self.niceness))
        self._process = process
        assert process.stdout is not None
        threading.Thread(
            target=self._read,
            args=(process, process.stdout),
            name=f"{self.module}-events",
            daemon=True,
        ).start()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line. To a process that is gone it says nothing: `poll` tells of its end."""
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(encode(message))
            process.stdin.flush()

    def poll(self, timeout: float = 0.0) -> list[dict[str, Any]]:
        """What it has said since the last call, in order.

        An end that was not asked for is ``{"event": "died", "message": ..., "returncode": ...}``;
        afterwards `start` starts another one.

        Parameters
        ----------
        timeout
            Seconds to wait for a first message; 0 returns at once.
        """
        messages: list[dict[str, Any]] = []
        while True:
            wait = timeout > 0 and not messages
            try:
                process, message = self._heard.get(wait, timeout if wait else None)
            except queue.Empty:
                return messages
            if message is not None:
                if process is self._process:
                    messages.append(message)
            elif process is self._process:
                self._process = None
                if not self._closed:
                    messages.append(self._farewell(process))

    def kill(self) -> None:
        """End it at once, for one that hangs; `poll` tells of its end as of any other."""
        if self._process is not None:
            self._process.kill()

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """End it: its stdin is closed, and after ``timeout`` seconds it is killed.

        Returns
        -------
        bool
            False where it had to be killed.
        """
        self._closed = True
        process = self._process
        gently = True
        if process is not None:
            if process.stdin is not None:
                with contextlib.suppress(OSError, ValueError):
                    process.stdin.close()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                gently = False
                process.kill()
                process.wait()
        if self._own_log:
            with contextlib.suppress(OSError):
                self.log.unlink()
        return gently

    def last_words(self) -> str:
        """The last line of its log, empty where there is none."""
        try:
            text = self.log.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            return ""
        return text.splitlines()[-1] if text else ""

    def _farewell(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        code = process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        words = self.last_words()
        line = f"{self.module.rpartition('.')[2]} stopped ({how})"
        if words:
            line += f": {words}"
        return {"event": DIED, "message": f"{line}; its log is {self.log}", "returncode": code}

    def _read(self, process: subprocess.Popen[bytes], source: IO[bytes]) -> None:
        """In a thread: put what it says into the queue, and its end as None."""
        with contextlib.suppress(OSError, ValueError):
            for line in source:
                message = decode(line)
                if message is not None:
                    self._heard.put((process, message))
        with contextlib.suppress(OSError):
            source.close()
        process.wait()
        self._heard.put((process, None))
