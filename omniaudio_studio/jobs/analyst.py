"""The analyst: ``python -m omniaudio_studio.jobs.analyst`` answers a window's questions.

A process of its own, so that no picture, sound or model library is ever loaded by the window, and
nothing that takes long can stall it. It lives as long as its stdin is open and its parent there.
JSON lines in::

    {"ask": 7, "task": "thumbnail", "parameters": {"path": "clip.mp4", "width": 320}}
    {"cancel": 7}

and out::

    {"event": "ready", "pid": 4711}
    {"event": "progress", "ask": 7, "part": 0.25}
    {"event": "answer", "ask": 7, "answer": {...}}
    {"event": "failed", "ask": 7, "message": "one line", "kind": "MediaError"}

Questions are answered one after another; each gets exactly one answer or one "failed", whose kind
is "Cancelled" where it was taken back.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import IO, Any

from omniaudio_studio.errors import Cancelled, OmniAudioError, OptionError
from omniaudio_studio.files import remove_all_temporary
from omniaudio_studio.jobs.protocol import decode, encode

PARENT_SECONDS = 0.5
FAREWELL_SECONDS = 1.0  # for a question to be dropped at its next look at the cancel token
PROGRESS_SECONDS = 0.1


class _Token:
    """Whether the answer is still wanted."""

    def __init__(self) -> None:
        self.cancelled = False

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled("no longer wanted")


class Analyst:
    """Reads questions in a thread of its own, answers them in the caller's."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source, self._target = source, target
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._questions: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._tokens: dict[Any, _Token] = {}  # of questions that have no answer yet
        self._closing = False
        self._told = 0.0

    def serve(self) -> None:
        """Say ready, and answer until told to stop."""
        threading.Thread(target=self._listen, name="omniaudio-questions", daemon=True).start()
        self._send({"event": "ready", "pid": os.getpid()})
        while (question := self._questions.get()) is not None:
            self._answer(question)

    def leave(self) -> None:
        """Drop what is being done and end; by force where a library does not let go."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            for token in self._tokens.values():
                token.cancelled = True
        self._questions.put(None)
        threading.Thread(target=_end_by_force, name="omniaudio-end", daemon=True).start()

    def watch_parent(self) -> None:
        """Leave when the parent is gone (POSIX; elsewhere stdin ends)."""
        if os.name == "nt":
            return
        parent = os.getppid()

        def look() -> None:
            while os.getppid() == parent:
                time.sleep(PARENT_SECONDS)
            self.leave()

        threading.Thread(target=look, name="omniaudio-parent", daemon=True).start()

    def _answer(self, question: dict[str, Any]) -> None:
        from omniaudio_studio.jobs.analysis.tasks import Context, answer

        ask = question["ask"]
        with self._lock:
            token = self._tokens[ask]
        self._told = 0.0
        try:
            token.check()
            context = Context(token, lambda part: self._progress(ask, part))
            parameters = question.get("parameters") or {}
            if not isinstance(parameters, dict):
                raise OptionError("the parameters of a question are an object")
            found = answer(str(question.get("task")), context, parameters)
            message = {"event": "answer", "ask": ask, "answer": found}
        except Exception as error:
            expected = isinstance(error, OmniAudioError)
            if not expected:
                traceback.print_exc()
            line = str(error) if expected else f"unexpected {type(error).__name__}: {error}"
            message = {
                "event": "failed",
                "ask": ask,
                "message": " ".join(line.split()),
                "kind": type(error).__name__,
            }
        with self._lock:
            del self._tokens[ask]  # before anybody hears of it: the number may come again at once
        self._send(message)

    def _progress(self, ask: Any, part: float) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._send({"event": "progress", "ask": ask, "part": min(max(float(part), 0.0), 1.0)})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self._write_lock:
                self._target.write(encode(message))
                self._target.flush()
        except (OSError, ValueError):
            self.leave()  # nobody reads any more

    def _listen(self) -> None:
        try:
            for line in self._source:
                message = decode(line)
                if message is not None and isinstance(message.get("cancel"), int):
                    self._cancel(message["cancel"])
                elif message is not None and isinstance(message.get("ask"), int):
                    self._take(message)
                else:
                    print("not a question:", line[:200], file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass
        self.leave()

    def _take(self, question: dict[str, Any]) -> None:
        with self._lock:
            if question["ask"] in self._tokens:
                print("asked twice:", question["ask"], file=sys.stderr, flush=True)
                return
            token = self._tokens[question["ask"]] = _Token()
            token.cancelled = self._closing
        self._questions.put(question)

    def _cancel(self, ask: int) -> None:
        with self._lock:
            if ask in self._tokens:
                self._tokens[ask].cancelled = True


def _end_by_force() -> None:
    time.sleep(FAREWELL_SECONDS)
    remove_all_temporary()
    os._exit(1)


def main() -> None:
    """Serve on stdin and stdout; everything that prints goes to stderr instead."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # also what libraries print from C
    sys.stdout = sys.stderr
    # Ctrl-C in a terminal reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    analyst = Analyst(sys.stdin.buffer, answers)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=analyst.leave).start())
    analyst.watch_parent()
    analyst.serve()
    remove_all_temporary()
    os._exit(0)


if __name__ == "__main__":
    main()
