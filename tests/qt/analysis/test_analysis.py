"""Asking from the window's thread: order, sharing, taking back, a process that dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.media.wav import write_wav
from qt_app.models.analysis import Analysis

WAIT_MS = 30_000


@pytest.fixture
def analysis(qtbot: QtBot) -> Iterator[Analysis]:
    made = Analysis()
    yield made
    made.close()


@pytest.fixture
def long_sound(tmp_path: Path) -> Path:
    """Seconds of work."""
    path = tmp_path / "long.wav"
    write_wav(path, np.zeros((4, 400 * 48_000), np.float32), 48_000)
    return path


def never(value: Any) -> None:
    pytest.fail(f"this was not to be called: {value}")


def test_nothing_is_called_before_ask_returns_and_the_process_starts_late(
    analysis: Analysis, qtbot: QtBot, small_clip: Path
) -> None:
    assert analysis.pid is None
    answers: list[Any] = []
    analysis.ask("probe", answers.append, never, path=str(small_clip))
    assert answers == [] and analysis.pending == 1
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)
    assert answers[0]["width"] == 128 and analysis.pending == 0


def test_what_matters_more_comes_first(analysis: Analysis, qtbot: QtBot, small_clip: Path) -> None:
    order: list[str] = []
    analysis.ask("bundles", lambda _: order.append("first"), never)  # is with it already
    for name, priority in (("low", 0), ("high", 10), ("low 2", 0), ("higher", 20)):
        analysis.ask(
            "thumbnail",
            lambda _, name=name: order.append(name),
            never,
            priority=priority,
            path=str(small_clip),
            width=20 + len(order) + priority + len(name),
        )
    qtbot.waitUntil(lambda: len(order) == 5, timeout=WAIT_MS)
    assert order == ["first", "higher", "high", "low", "low 2"]


def test_the_same_question_is_answered_once_to_all(
    analysis: Analysis, qtbot: QtBot, small_clip: Path
) -> None:
    answers: list[Any] = []
    for _ in range(3):
        analysis.ask("thumbnail", answers.append, never, path=str(small_clip), width=40)
    assert analysis.pending == 1
    qtbot.waitUntil(lambda: len(answers) == 3, timeout=WAIT_MS)
    assert answers[0] is answers[1] is answers[2]


def test_a_question_taken_back_is_not_answered(
    analysis: Analysis, qtbot: QtBot, long_sound: Path, small_clip: Path
) -> None:
    parts: list[float] = []
    ticket = analysis.ask("field", never, never, progress=parts.append, path=str(long_sound))
    waiting = analysis.ask("shots", never, never, path=str(small_clip))
    qtbot.waitUntil(lambda: bool(parts), timeout=WAIT_MS)
    analysis.cancel(waiting)
    analysis.cancel(ticket)
    answers: list[Any] = []
    analysis.ask("probe", answers.append, never, path=str(small_clip))
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)
    assert 0.0 <= parts[0] <= 1.0 and analysis.pending == 0


def test_one_of_two_listeners_may_leave(analysis: Analysis, qtbot: QtBot, small_clip: Path) -> None:
    answers: list[Any] = []
    first = analysis.ask("probe", never, never, path=str(small_clip))
    analysis.ask("probe", answers.append, never, path=str(small_clip))
    analysis.cancel(first)
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)


def test_a_question_whose_process_is_killed_is_asked_once_more(
    analysis: Analysis, qtbot: QtBot, long_sound: Path
) -> None:
    parts: list[float] = []
    answers: list[Any] = []
    analysis.ask("field", answers.append, never, progress=parts.append, path=str(long_sound))
    qtbot.waitUntil(lambda: bool(parts), timeout=WAIT_MS)
    pid = analysis.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: bool(answers), timeout=2 * WAIT_MS)
    assert answers[0]["seconds"] == 400.0 and analysis.pid != pid


def test_a_question_that_kills_every_process_fails_in_one_line(
    analysis: Analysis, qtbot: QtBot, long_sound: Path, small_clip: Path
) -> None:
    failures: list[str] = []
    killed: set[int] = set()

    def kill(_: float) -> None:
        if analysis.pid is not None and analysis.pid not in killed:
            killed.add(analysis.pid)
            os.kill(analysis.pid, signal.SIGKILL)

    analysis.ask("field", never, failures.append, progress=kill, path=str(long_sound))
    qtbot.waitUntil(lambda: bool(failures), timeout=2 * WAIT_MS)
    assert len(killed) == 2 and "signal 9" in failures[0] and "\n" not in failures[0]
    answers: list[Any] = []
    analysis.ask("probe", answers.append, never, path=str(small_clip))
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)


def test_a_python_that_is_not_there_fails_later_and_once(qtbot: QtBot, tmp_path: Path) -> None:
    analysis = Analysis(python=tmp_path / "python")
    failures: list[str] = []
    analysis.ask("bundles", never, failures.append)
    assert failures == []
    qtbot.waitUntil(lambda: bool(failures), timeout=WAIT_MS)
    assert "cannot start" in failures[0]
    analysis.close()
