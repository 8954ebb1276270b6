"""Questions about files and this machine, answered by the analyst. Standard library only.

The host owns the loop: it calls :meth:`Questions.poll` from a timer, and answers arrive in there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.line_process import LOW_PRIORITY, LineProcess
from omniaudio_studio.jobs.protocol import DIED

MODULE = "omniaudio_studio.jobs.analyst"
MOST_TRIES = 2  # a question that the analyst died over is asked once more
MOST_EARLY_DEATHS = 2  # in a row, before it was ready: it cannot be started here
CANCEL_SECONDS = 2.0  # for the analyst to drop a question; then it is ended by force
MOST_POSTPONED = 3  # times that one question makes room: it comes to an end all the same
# What takes long, and makes room for what matters more.
LONG = ("shots", "field", "sound")

Done = Callable[[Any], None]
Failed = Callable[[str], None]
Progress = Callable[[float], None]


@dataclass
class _Listener:
    done: Done
    failed: Failed | None
    progress: Progress | None


@dataclass
class _Question:
    """One question, and everybody who waits for its answer."""

    key: str
    task: str
    parameters: dict[str, Any]
    priority: int
    number: int
    tries: int = 0
    postponed: int = 0
    listeners: dict[int, _Listener] = field(default_factory=dict)


class Questions:
    """Ask the analyst's process; it starts with the first question and again after a crash.

    One question is with it at a time, so that what matters more comes next, whatever was asked
    before; a long one is put off for it. The same question asked twice while it is open is answered
    once, to both.

    Parameters
    ----------
    python, log, environment, package_path
        As for `LineProcess`.
    """

    def __init__(
        self,
        *,
        python: str | Path | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        package_path: Path | None = None,
    ) -> None:
        self._process = LineProcess(
            MODULE,
            python=python,
            log=log,
            environment=environment,
            package_path=package_path,
            niceness=LOW_PRIORITY,
        )
        self._waiting: dict[str, _Question] = {}
        self._asked: _Question | None = None
        self._refused: list[tuple[_Question, str]] = []
        self._tickets: dict[int, _Question] = {}
        self._count = 0
        self._ready = False
        self._early_deaths = 0
        self._cancelled_at: float | None = None  # when the one that is asked was
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The analyst's process id, None while it does not run."""
        return self._process.pid

    @property
    def pending(self) -> int:
        """Questions that have no answer yet."""
        return len(self._waiting) + (self._asked is not None) + len(self._refused)

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
            Takes the part done, 0 to 1; back to 0 where a question had to begin again.

        Returns
        -------
        int
            For `cancel`.
        """
        self._count += 1
        ticket = self._count
        if self._closed:
            return ticket
        key = json.dumps([task, parameters], sort_keys=True, default=str)
        question = self._waiting.get(key)
        # One that everybody has taken back is being dropped over there: not to be joined.
        if question is None and self._asked is not None and self._asked.listeners:
            question = self._asked if self._asked.key == key else None
        if question is None:
            plain = json.loads(json.dumps(parameters, default=str))
            question = self._waiting[key] = _Question(key, task, plain, priority, ticket)
        question.priority = max(question.priority, priority)
        question.listeners[ticket] = _Listener(done, failed, progress)
        self._tickets[ticket] = question
        self._next()
        self._make_room()
        return ticket

    def cancel(self, ticket: int) -> None:
        """Take a question back: neither ``done`` nor ``failed`` is called."""
        question = self._tickets.pop(ticket, None)
        if question is None:
            return
        question.listeners.pop(ticket, None)
        if question.listeners:
            return
        if self._waiting.get(question.key) is question:
            del self._waiting[question.key]
        elif question is self._asked:
            self._stop()

    def close(self) -> None:
        """End the process; nobody is called any more."""
        self._closed = True
        self._waiting.clear()
        self._refused.clear()
        self._asked = None
        for question in self._tickets.values():
            question.listeners.clear()
        self._tickets.clear()
        self._process.close()

    def poll(self) -> None:
        """Hear what the analyst has said; to be called often while anything is `pending`."""
        refused, self._refused = self._refused, []
        for question, line in refused:
            self._fail(question, line)
        for message in self._process.poll():
            event = message.get("event")
            if event == DIED:
                self._died(f"the {message['message']}")
            elif event == "ready":
                self._ready, self._early_deaths = True, 0
                if self._cancelled_at is not None:
                    self._cancelled_at = time.monotonic()  # it can hear of it only now
            elif self._asked is not None and message.get("ask") == self._asked.number:
                self._heard(self._asked, message)
        since = self._cancelled_at
        if self._ready and since is not None and time.monotonic() - since > CANCEL_SECONDS:
            self._process.kill()  # a library that does not let go, a disk that does not answer
        self._next()

    def _heard(self, question: _Question, message: dict[str, Any]) -> None:
        event = message.get("event")
        if event == "progress":
            self._went_on(question, float(message["part"]))
        elif event == "answer":
            self._asked = self._cancelled_at = None
            for listener in self._over(question):
                listener.done(message.get("answer"))
        elif event == "failed":
            self._asked = self._cancelled_at = None
            if message.get("kind") == "Cancelled" and question.listeners:
                question.tries -= 1
                self._put_off(question)
            else:
                self._fail(question, str(message.get("message")))

    def _went_on(self, question: _Question, part: float) -> None:
        for listener in list(question.listeners.values()):
            if listener.progress is not None:
                listener.progress(part)

    def _over(self, question: _Question) -> Iterator[_Listener]:
        """Everybody who waits for it, one by one: who is called may cancel the next."""
        while question.listeners:
            ticket = next(iter(question.listeners))
            self._tickets.pop(ticket, None)
            yield question.listeners.pop(ticket)

    def _fail(self, question: _Question, line: str) -> None:
        for listener in self._over(question):
            if listener.failed is not None:
                listener.failed(line)

    def _died(self, line: str) -> None:
        question, self._asked = self._asked, None
        put_off, self._cancelled_at = self._cancelled_at is not None, None
        early, self._ready = not self._ready, False
        if question is not None and question.listeners:
            if early or put_off:
                question.tries -= 1  # it has not been looked at, or was doing well
            if question.tries < MOST_TRIES:
                self._put_off(question)
            else:
                self._fail(question, line)
        if early:
            self._early_deaths += 1
            if self._early_deaths >= MOST_EARLY_DEATHS:
                self._early_deaths = 0
                self._refuse_all(line)

    def _put_off(self, question: _Question) -> None:
        """Ask it again, in its turn."""
        same = self._waiting.setdefault(question.key, question)
        if same is not question:
            same.listeners.update(question.listeners)
            self._tickets.update(dict.fromkeys(question.listeners, same))
            same.priority = max(same.priority, question.priority)
        self._went_on(same, 0.0)

    def _refuse_all(self, line: str) -> None:
        """Nothing can be answered; who asked hears of it at the next tick, never at once."""
        self._refused += [(question, line) for question in self._waiting.values()]
        self._waiting.clear()

    def _stop(self) -> None:
        """Have the question that is with the analyst dropped."""
        if self._asked is not None and self._cancelled_at is None:
            self._process.send({"cancel": self._asked.number})
            self._cancelled_at = time.monotonic()

    def _make_room(self) -> None:
        """A long question is put off where something more important waits."""
        asked = self._asked
        if (
            asked is not None
            and asked.task in LONG
            and asked.postponed < MOST_POSTPONED
            and self._cancelled_at is None
            and any(other.priority > asked.priority for other in self._waiting.values())
        ):
            asked.postponed += 1
            self._stop()

    def _next(self) -> None:
        if self._asked is not None or not self._waiting or self._closed:
            return
        if self._process.pid is not None and not self._process.alive:
            return  # its end has not been heard yet
        key = max(
            self._waiting, key=lambda k: (self._waiting[k].priority, -self._waiting[k].number)
        )
        try:
            self._process.start()
        except WorkerError as error:
            self._refuse_all(str(error))
            return
        question = self._waiting.pop(key)
        question.tries += 1
        self._asked = question
        self._process.send(
            {"ask": question.number, "task": question.task, "parameters": question.parameters}
        )
