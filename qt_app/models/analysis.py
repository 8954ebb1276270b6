"""Questions about files and this machine, answered elsewhere, heard in the window's thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.line_process import LineProcess
from omniaudio_studio.jobs.protocol import DIED

MODULE = "omniaudio_studio.jobs.analyst"
TICK_MS = 25
MOST_TRIES = 2  # a question that the analyst died over is asked once more

Done = Callable[[Any], None]
Failed = Callable[[str], None]
Progress = Callable[[float], None]


@dataclass
class _Question:
    """One question, and everybody who waits for its answer."""

    task: str
    parameters: dict[str, Any]
    priority: int
    number: int
    tries: int = 0
    listeners: dict[int, tuple[Done, Failed | None, Progress | None]] = field(default_factory=dict)


class Analysis(QObject):
    """Ask the analyst's process; it starts with the first question and again after a crash.

    One question is with it at a time, so that what matters more comes next, whatever was asked
    before. The same question asked twice while it is open is answered once, to both.

    Parameters
    ----------
    python, log, environment
        As for `LineProcess`.
    """

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        python: str | Path | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._process = LineProcess(
            MODULE, python=python, log=log, environment=environment, low_priority=True
        )
        self._waiting: dict[str, _Question] = {}
        self._asked: tuple[str, _Question] | None = None
        self._tickets: dict[int, str] = {}
        self._count = 0
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.poll)

    @property
    def pid(self) -> int | None:
        """The analyst's process id, None while it does not run."""
        return self._process.pid

    @property
    def pending(self) -> int:
        """Questions that have no answer yet."""
        return len(self._waiting) + (self._asked is not None)

    def ask(
        self,
        task: str,
        done: Done,
        failed: Failed | None = None,
        *,
        priority: int = 0,
        progress: Progress | None = None,
        **parameters: Any,
    ) -> int:
        """Ask; later exactly one of ``done(answer)`` and ``failed(line)`` is called, never at once.

        Parameters
        ----------
        task, parameters
            As in `omniaudio_studio.jobs.analysis`.
        priority
            Higher ones come first; equal ones in the order they were asked.
        progress
            Takes the part done, 0 to 1.

        Returns
        -------
        int
            For `cancel`.
        """
        self._count += 1
        ticket = self._count
        key = json.dumps([task, parameters], sort_keys=True, default=str)
        question = self._waiting.get(key)
        if question is None and self._asked is not None and self._asked[0] == key:
            question = self._asked[1]
            if not question.listeners:
                question = None  # it was taken back: its answer will be "cancelled"
        if question is None:
            question = self._waiting[key] = _Question(task, parameters, priority, ticket)
        question.priority = max(question.priority, priority)
        question.listeners[ticket] = (done, failed, progress)
        self._tickets[ticket] = key
        self._next()
        self._timer.start()
        return ticket

    def cancel(self, ticket: int) -> None:
        """Take a question back: neither ``done`` nor ``failed`` is called."""
        key = self._tickets.pop(ticket, None)
        if key is None:
            return
        question = self._waiting.get(key)
        if question is not None and ticket in question.listeners:
            del question.listeners[ticket]
            if not question.listeners:
                del self._waiting[key]
        elif self._asked is not None and ticket in self._asked[1].listeners:
            question = self._asked[1]
            del question.listeners[ticket]
            if not question.listeners:
                self._process.send({"cancel": question.number})

    def close(self) -> None:
        """End the process; nobody is called any more."""
        self._timer.stop()
        self._waiting.clear()
        self._asked = None
        self._tickets.clear()
        self._process.close()

    def poll(self) -> None:
        """Hear what the analyst has said. The timer does this."""
        for message in self._process.poll():
            event = message.get("event")
            if event == DIED:
                self._died(str(message["message"]))
            elif self._asked is not None and message.get("ask") == self._asked[1].number:
                self._heard(event, message)
        self._next()
        if not self.pending:
            self._timer.stop()

    def _heard(self, event: Any, message: dict[str, Any]) -> None:
        assert self._asked is not None
        question = self._asked[1]
        if event == "progress":
            for _, _, progress in list(question.listeners.values()):
                if progress is not None:
                    progress(float(message["part"]))
        elif event == "answer":
            self._asked = None
            for done, _, _ in self._over(question):
                done(message.get("answer"))
        elif event == "failed":
            self._asked = None
            self._fail(question, str(message.get("message")))

    def _over(self, question: _Question) -> list[tuple[Done, Failed | None, Progress | None]]:
        """Everybody who waited for it; the question is closed."""
        for ticket in question.listeners:
            self._tickets.pop(ticket, None)
        listeners = list(question.listeners.values())
        question.listeners.clear()
        return listeners

    def _fail(self, question: _Question, line: str) -> None:
        for _, failed, _ in self._over(question):
            if failed is not None:
                failed(line)

    def _died(self, line: str) -> None:
        if self._asked is None:
            return
        key, question = self._asked
        self._asked = None
        if not question.listeners:
            return
        if question.tries < MOST_TRIES:
            self._waiting.setdefault(key, question)
        else:
            self._fail(question, f"the {line}")

    def _next(self) -> None:
        if self._asked is not None or not self._waiting:
            return
        if self._process.pid is not None and not self._process.alive:
            return  # its end has not been heard yet
        key = max(
            self._waiting, key=lambda k: (self._waiting[k].priority, -self._waiting[k].number)
        )
        question = self._waiting.pop(key)
        try:
            self._process.start()
        except WorkerError as error:
            line = str(error)
            # Not at once: who asks does not expect an answer before `ask` has returned.
            QTimer.singleShot(0, lambda: self._fail(question, line))
            return
        question.tries += 1
        self._asked = (key, question)
        self._process.send(
            {"ask": question.number, "task": question.task, "parameters": question.parameters}
        )
