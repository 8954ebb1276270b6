"""Questions asked straight to the tasks, and to the analyst's process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import Cancelled
from omniaudio_studio.jobs.analysis.tasks import Context, answer
from omniaudio_studio.jobs.line_process import LOW_PRIORITY, LineProcess

PATIENCE = 60.0  # seconds, for a loaded machine


class Wanted:
    """A cancel token that says no after ``looks`` looks; by default never."""

    def __init__(self, looks: int | None = None) -> None:
        self.looks = looks
        self.count = 0

    def check(self) -> None:
        self.count += 1
        if self.looks is not None and self.count > self.looks:
            raise Cancelled("no longer wanted")


def ask(task: str, *, cancel: Wanted | None = None, **parameters: Any) -> Any:
    """The answer of a task in this process."""
    return answer(task, Context(cancel or Wanted(), lambda part: None), parameters)


def ask_with_progress(task: str, **parameters: Any) -> tuple[Any, list[float]]:
    """The answer, and the parts done that were told on the way."""
    parts: list[float] = []
    return answer(task, Context(Wanted(), parts.append), parameters), parts


class Asker:
    """The analyst's process, waited for."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.process = LineProcess(
            "omniaudio_studio.jobs.analyst", environment=environment, niceness=LOW_PRIORITY
        )
        self.process.start()
        self.heard: list[dict[str, Any]] = []

    def ask(self, number: int, task: str, **parameters: Any) -> None:
        self.process.send({"ask": number, "task": task, "parameters": parameters})

    def until(self, **expected: Any) -> dict[str, Any]:
        """The first message, from the last one asked for on, that has these values."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            while self.heard:
                message = self.heard.pop(0)
                if all(message.get(key) == value for key, value in expected.items()):
                    return message
            self.heard += self.process.poll(0.05)
        raise AssertionError(f"nothing with {expected} within {PATIENCE} s")


def gone_within(pid: int, seconds: float) -> bool:
    """Whether a process that is not our child ends in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return True
        if text.rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.05)
    return False


def start_orphan_maker(script: str) -> subprocess.Popen[str]:
    """A Python process that starts others, to be killed; its stdout is read."""
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
