"""The worker: ``python -m omniaudio_studio.jobs.worker`` runs requests sent as JSON lines.

It lives in a process of its own so that a crash costs one job and never the host program, keeps
the model warm between jobs, opens no port, and ends with its parent. See `jobs.protocol`.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from omniaudio_studio import __version__
from omniaudio_studio.errors import Cancelled, OmniAudioError, OptionError, WorkerError
from omniaudio_studio.jobs import protocol
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.engine.generate import Generator

PARENT_SECONDS = 0.5  # between two looks at whether the parent is still there
FAREWELL_SECONDS = 2.0  # for a job to clean up once nobody wants it any more
PROGRESS_SECONDS = 0.05  # at most this often per stage


class Worker:
    """Reads commands from ``source`` in a thread of its own, runs jobs in the caller's.

    Parameters
    ----------
    source
        Commands, one JSON object a line; its end means that the parent is gone.
    write
        Takes one encoded event.
    """

    def __init__(self, source: IO[bytes], write: Callable[[bytes], None]) -> None:
        self._source = source
        self._write = write
        self._write_lock = threading.Lock()
        self._jobs: queue.Queue[tuple[str, Any, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._running: tuple[str, CancelToken] | None = None
        self._unwanted: set[str] = set()
        self._closing = False
        self._generator: Generator | None = None
        self._spoken = ("", "", 0.0)

    def serve(self) -> None:
        """Say ready and run jobs until told to close or left alone."""
        threading.Thread(target=self._listen, name="omniaudio-commands", daemon=True).start()
        self.send(
            {
                "event": protocol.READY,
                "pid": os.getpid(),
                "version": __version__,
                "protocol": protocol.PROTOCOL,
            }
        )
        while (item := self._jobs.get()) is not None:
            job, kind, request = item
            if job == "":
                self._generator = None
            else:
                self._run(job, kind, request)

    def send(self, message: dict[str, Any]) -> None:
        """Write one event; a parent that no longer reads is a parent that is gone."""
        try:
            with self._write_lock:
                self._write(protocol.encode(message))
        except (OSError, ValueError):
            self._leave()

    def _run(self, job: str, kind: Any, data: Any) -> None:
        from omniaudio_studio.engine.cancel import CancelToken

        token = CancelToken()
        with self._lock:
            self._running = (job, token)
            if job in self._unwanted or self._closing:
                token.cancel()
        try:
            result = self._work(job, kind, data, token)
            self.send({"event": protocol.DONE, "job": job, "result": result})
        except Cancelled:
            self.send({"event": protocol.CANCELLED, "job": job})
        except Exception as error:
            expected = isinstance(error, OmniAudioError)
            if not expected:
                traceback.print_exc()
            message = str(error) if expected else f"unexpected {type(error).__name__}: {error}"
            self.send(
                {
                    "event": protocol.ERROR,
                    "job": job,
                    "message": " ".join(message.split()),
                    "kind": type(error).__name__,
                    "exit_code": error.exit_code if isinstance(error, OmniAudioError) else 70,
                }
            )
            if isinstance(error, MemoryError):
                self._generator = None
        finally:
            with self._lock:
                self._running = None
                self._unwanted.discard(job)

    def _work(self, job: str, kind: Any, data: Any, token: CancelToken) -> dict[str, Any]:
        def progress(progress: Any) -> None:
            stage, now = progress.stage, time.monotonic()
            last_job, last_stage, last = self._spoken
            soon = (job, stage) == (last_job, last_stage) and now - last < PROGRESS_SECONDS
            if soon and progress.done < progress.total:
                return
            self._spoken = (job, stage, now)
            self.send(
                {
                    "event": protocol.PROGRESS,
                    "job": job,
                    "stage": stage,
                    "done": progress.done,
                    "total": progress.total,
                    "eta": progress.eta,
                }
            )

        def started(folder: Path) -> None:
            self.send({"event": protocol.STARTED, "job": job, "temporary": str(folder)})

        if kind == GenerateRequest.KIND:
            return self._generate(job, data, token, progress, started)
        if kind == DeliverRequest.KIND:
            request = DeliverRequest.from_dict(data)
            token.check()
            from omniaudio_studio.jobs.deliver import run_deliver

            return run_deliver(request, progress=progress, cancel=token, started=started).as_dict()
        if kind == SpatializeRequest.KIND:
            wanted = SpatializeRequest.from_dict(data)
            token.check()
            from omniaudio_studio.jobs.spatialize import run_spatialize

            return run_spatialize(
                wanted, progress=progress, cancel=token, started=started
            ).as_dict()
        names = (GenerateRequest.KIND, DeliverRequest.KIND, SpatializeRequest.KIND)
        kinds = ", ".join(map(repr, names))
        raise OptionError(f"a job of the kind {kind!r} is not known; known are {kinds}")

    def _generate(
        self,
        job: str,
        data: Any,
        token: CancelToken,
        progress: Callable[[Any], None],
        started: Callable[[Path], None],
    ) -> dict[str, Any]:
        request = GenerateRequest.from_dict(data)
        token.check()
        from omniaudio_studio.jobs.run import open_generator, run_request

        # The model stays for the next job, also where this one fails.
        self._generator = open_generator(request, self._generator)
        result = run_request(
            request,
            progress=progress,
            cancel=token,
            generator=self._generator,
            preview=lambda preview: self.send(
                {"event": protocol.PREVIEW, "job": job, **vars(preview)}
            ),
            started=started,
        )
        return result.as_dict()

    def _listen(self) -> None:
        try:
            for line in self._source:
                message = protocol.decode(line)
                if message is None:
                    print("not a command:", line[:200], file=sys.stderr, flush=True)
                    continue
                command, job = message.get("command"), str(message.get("job", ""))
                if command == protocol.RUN and job:
                    self._jobs.put((job, message.get("kind"), message.get("request")))
                elif command == protocol.CANCEL and job:
                    self._cancel(job)
                elif command == protocol.UNLOAD:
                    self._jobs.put(("", None, None))
                elif command == protocol.CLOSE:
                    break
                else:
                    print("unknown command:", message, file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass
        self._leave()

    def _cancel(self, job: str) -> None:
        with self._lock:
            if self._running is not None and self._running[0] == job:
                self._running[1].cancel()
            else:
                self._unwanted.add(job)

    def _leave(self) -> None:
        """Stop the running job and end; by force where a library does not let go."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            if self._running is not None:
                self._running[1].cancel()
        self._jobs.put(None)
        threading.Thread(target=_end_by_force, name="omniaudio-end", daemon=True).start()

    def watch_parent(self) -> None:
        """Leave when the process that started this one is gone (POSIX; elsewhere stdin ends)."""
        if not hasattr(os, "getppid") or os.name == "nt":
            return
        parent = os.getppid()

        def look() -> None:
            while os.getppid() == parent:
                time.sleep(PARENT_SECONDS)
            self._leave()

        threading.Thread(target=look, name="omniaudio-parent", daemon=True).start()


def _end_by_force() -> None:
    from omniaudio_studio.jobs.staging import remove_all

    time.sleep(FAREWELL_SECONDS)
    remove_all()
    os._exit(1)


def main() -> None:
    """Serve on stdin and stdout; everything that prints goes to stderr instead."""
    if len(sys.argv) > 1:
        raise SystemExit(WorkerError("the worker takes no arguments: it reads JSON lines on stdin"))
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # also what libraries print from C
    sys.stdout = sys.stderr
    # Ctrl-C in a terminal reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def write(line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[events.write(view) or 0 :]

    worker = Worker(sys.stdin.buffer, write)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=worker._leave).start())
    worker.watch_parent()
    worker.serve()
    # Sessions may take their time to be torn down; nothing is left to be saved.
    os._exit(0)


if __name__ == "__main__":
    main()
