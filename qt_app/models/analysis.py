"""Questions about files and this machine, answered elsewhere, heard in the window's thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer

from omniaudio_studio.jobs.questions import Done, Failed, Progress, Questions

TICK_MS = 25


class Analysis(QObject):
    """`Questions` with a timer, which runs while any of them is open.

    Parameters
    ----------
    python, log, environment
        As for `Questions`.
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
        self._questions = Questions(python=python, log=log, environment=environment)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.poll)

    @property
    def pid(self) -> int | None:
        """The analyst's process id, None while it does not run."""
        return self._questions.pid

    @property
    def pending(self) -> int:
        """Questions that have no answer yet."""
        return self._questions.pending

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
        """As `Questions.ask`."""
        ticket = self._questions.ask(
            task, done, failed, priority=priority, progress=progress, **parameters
        )
        if self.pending:
            self._timer.start()
        return ticket

    def cancel(self, ticket: int) -> None:
        """Take a question back: neither ``done`` nor ``failed`` is called."""
        self._questions.cancel(ticket)

    def close(self) -> None:
        """End the process; nobody is called any more."""
        self._timer.stop()
        self._questions.close()

    def poll(self) -> None:
        """Hear what the analyst has said. The timer does this."""
        self._questions.poll()
        if not self.pending:
            self._timer.stop()
