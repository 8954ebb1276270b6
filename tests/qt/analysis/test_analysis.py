"""Questions from a window's thread to a real analyst: order, deaths, cancelling, the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from PyQt6.QtCore import QThread, QTimer
from pytestqt.qtbot import QtBot

from qt_app.models.analysis import Analysis
from tests.support.small_clip import make_small_clip

PATIENCE = 60_000  # ms, for a loaded machine
posix = pytest.mark.skipif(os.name == "nt", reason="kills by signal")


class Heard:
    """What was called, in order, by the name that was given."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []
        self.failed: list[tuple[str, str]] = []
        self.parts: dict[str, list[float]] = {}

    def wants(self, name: str) -> dict[str, Callable[..., None]]:
        self.parts[name] = []
        return {
            "done": lambda answer: self.done.append((name, answer)),
            "failed": lambda line: self.failed.append((name, line)),
            "progress": self.parts[name].append,
        }

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.done]


@pytest.fixture
def analysis(qapp: Any, user_folders: Path) -> Iterator[Analysis]:
    one = Analysis()
    yield one
    one.close()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A silent field of six minutes: seconds to look through, hardly anything to store."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    with soundfile.SoundFile(path, "w", 48_000, 4, subtype="PCM_16") as writer:
        for _ in range(6):
            writer.write(np.zeros((60 * 48_000, 4), np.int16))
    return path


@pytest.fixture(scope="module")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_clip(tmp_path_factory.mktemp("other") / "other.mp4", seconds=1.0)


def started(qtbot: QtBot, heard: Heard, name: str) -> None:
    """Wait until the analyst is at this question."""
    qtbot.waitUntil(lambda: any(heard.parts[name]), timeout=PATIENCE)


def test_an_answer_comes_later_and_in_this_thread(
    analysis: Analysis, qtbot: QtBot, small_clip: Path
) -> None:
    answers: list[tuple[Any, Any]] = []
    assert analysis.pid is None  # nothing was asked yet
    analysis.ask(
        "probe", lambda a: answers.append((a, QThread.currentThread())), path=str(small_clip)
    )
    assert answers == []
    assert analysis.pending == 1
    qtbot.waitUntil(lambda: bool(answers), timeout=PATIENCE)
    answer, thread = answers[0]
    assert answer["width"] == 128
    assert thread is QThread.currentThread()
    assert analysis.pending == 0
    qtbot.wait(100)
    assert len(answers) == 1


def test_paths_may_be_paths(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path
) -> None:
    analysis.ask("probe", **heard.wants("probe"), path=small_clip)
    qtbot.waitUntil(lambda: heard.names == ["probe"], timeout=PATIENCE)


def test_failures_are_one_line(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, tmp_path: Path
) -> None:
    analysis.ask("probe", **heard.wants("gone"), path=str(tmp_path / "gone.mp4"))
    analysis.ask("horoscope", **heard.wants("unknown"))
    analysis.ask("probe", lambda _: None, path=str(tmp_path / "gone too.mp4"))  # nobody is told
    analysis.ask("probe", **heard.wants("there"), path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["there"], timeout=PATIENCE)
    assert [name for name, _ in heard.failed] == ["gone", "unknown"]
    assert all("\n" not in line for _, line in heard.failed)
    assert "gone.mp4" in heard.failed[0][1]


def test_what_matters_more_comes_first(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, other_clip: Path
) -> None:
    for name, task, priority, path in (
        ("first", "probe", 0, small_clip),  # goes over at once
        ("shots", "shots", 0, small_clip),
        ("thumbnail", "thumbnail", 10, small_clip),
        ("seen", "thumbnail", 20, other_clip),
        ("probe", "probe", 10, other_clip),
    ):
        analysis.ask(task, **heard.wants(name), priority=priority, path=str(path))
    qtbot.waitUntil(lambda: len(heard.done) == 5, timeout=PATIENCE)
    assert heard.names == ["first", "seen", "thumbnail", "probe", "shots"]


@pytest.mark.keeps_time
def test_a_long_question_makes_room(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    analysis.ask("field", **heard.wants("field"), priority=-1, path=str(long_sound))
    started(qtbot, heard, "field")
    asked = time.monotonic()
    analysis.ask("thumbnail", **heard.wants("thumbnail"), priority=10, path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["thumbnail"], timeout=PATIENCE)
    assert time.monotonic() - asked < 3.0
    qtbot.waitUntil(lambda: heard.names == ["thumbnail", "field"], timeout=PATIENCE)
    assert heard.failed == []
    assert 0.0 in heard.parts["field"][1:]  # it began again, and said so


def test_a_long_question_comes_to_an_end_all_the_same(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    """However much is asked meanwhile, it is put off three times at most."""
    analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    count = 0

    def next_one(_: Any = None) -> None:
        nonlocal count
        count += 1
        width = 16 + count
        analysis.ask("thumbnail", lambda _: None, priority=10, path=str(small_clip), width=width)

    timer = QTimer()
    timer.timeout.connect(next_one)
    started(qtbot, heard, "field")
    timer.start(400)
    qtbot.waitUntil(lambda: heard.names == ["field"], timeout=PATIENCE)
    timer.stop()
    assert heard.parts["field"].count(0.0) <= 3


def test_the_same_question_is_asked_once(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    analysis.ask("field", **heard.wants("a"), path=str(long_sound))
    started(qtbot, heard, "a")
    analysis.ask("field", **heard.wants("b"), path=str(long_sound))  # it is being answered
    analysis.ask("thumbnail", **heard.wants("c"), width=64, path=str(small_clip))
    analysis.ask("thumbnail", **heard.wants("d"), path=str(small_clip), width=64)
    assert analysis.pending == 2
    qtbot.waitUntil(lambda: len(heard.done) == 4, timeout=PATIENCE)
    assert sorted(heard.names[:2]) == ["a", "b"]
    assert heard.done[0][1] == heard.done[1][1]
    assert heard.parts["b"]
    assert heard.done[2][1] == heard.done[3][1]


@pytest.mark.keeps_time
def test_taken_back_nobody_is_called_and_the_next_comes_soon(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    ticket = analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    waiting = analysis.ask("shots", **heard.wants("shots"), path=str(small_clip))
    started(qtbot, heard, "field")
    analysis.cancel(waiting)
    analysis.cancel(ticket)
    analysis.cancel(ticket)
    analysis.cancel(12345)
    begin = time.monotonic()
    analysis.ask("probe", **heard.wants("probe"), path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["probe"], timeout=PATIENCE)
    assert time.monotonic() - begin < 1.5
    qtbot.wait(200)
    assert heard.names == ["probe"]
    assert heard.failed == []
    assert analysis.pending == 0


def test_taken_back_by_one_the_other_is_told(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path
) -> None:
    one = analysis.ask("shots", **heard.wants("one"), path=str(small_clip))
    analysis.ask("shots", **heard.wants("other"), path=str(small_clip))
    analysis.cancel(one)
    qtbot.waitUntil(lambda: heard.names == ["other"], timeout=PATIENCE)


def test_taken_back_and_asked_again(
    analysis: Analysis, qtbot: QtBot, heard: Heard, long_sound: Path
) -> None:
    ticket = analysis.ask("field", **heard.wants("first"), path=str(long_sound))
    started(qtbot, heard, "first")
    analysis.cancel(ticket)
    analysis.ask("field", **heard.wants("second"), path=str(long_sound))
    qtbot.waitUntil(lambda: heard.names == ["second"], timeout=PATIENCE)
    assert heard.failed == []


def test_who_is_called_may_take_the_others_back(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path
) -> None:
    tickets: list[int] = []
    analysis.ask("probe", lambda _: analysis.cancel(tickets[0]), path=str(small_clip))
    tickets.append(analysis.ask("probe", **heard.wants("other"), path=str(small_clip)))
    analysis.ask("shots", **heard.wants("shots"), path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["shots"], timeout=PATIENCE)


@posix
def test_killed_once_the_question_is_asked_again(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    analysis.ask("probe", **heard.wants("probe"), path=str(small_clip))
    started(qtbot, heard, "field")
    first = analysis.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(lambda: len(heard.done) == 2, timeout=PATIENCE)
    assert heard.names == ["field", "probe"]
    assert heard.failed == []
    assert analysis.pid != first


@posix
def test_killed_twice_it_fails_with_one_line_and_the_rest_is_answered(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    analysis.ask("probe", **heard.wants("probe"), path=str(small_clip))
    for _ in range(2):
        heard.parts["field"].clear()
        started(qtbot, heard, "field")
        assert analysis.pid is not None
        os.kill(analysis.pid, signal.SIGKILL)
        qtbot.wait(150)
    qtbot.waitUntil(lambda: heard.names == ["probe"], timeout=PATIENCE)
    assert len(heard.failed) == 1
    name, line = heard.failed[0]
    assert name == "field"
    assert "the analyst stopped (signal 9)" in line
    assert "\n" not in line


@posix
def test_killed_while_nothing_is_asked(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, other_clip: Path
) -> None:
    analysis.ask("probe", **heard.wants("before"), path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["before"], timeout=PATIENCE)
    assert analysis.pid is not None
    os.kill(analysis.pid, signal.SIGKILL)
    qtbot.wait(100)
    analysis.ask("probe", **heard.wants("after"), path=str(other_clip))
    qtbot.waitUntil(lambda: heard.names == ["before", "after"], timeout=PATIENCE)


@posix
def test_one_that_does_not_let_go_is_ended(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    """As a library on a disk that does not answer: the process is stopped in its tracks."""
    ticket = analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    started(qtbot, heard, "field")
    assert analysis.pid is not None
    os.kill(analysis.pid, signal.SIGSTOP)
    analysis.cancel(ticket)
    analysis.ask("probe", **heard.wants("probe"), path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["probe"], timeout=PATIENCE)
    assert heard.failed == []


@posix
def test_put_off_by_force_is_no_fault_of_the_question(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    started(qtbot, heard, "field")
    assert analysis.pid is not None
    os.kill(analysis.pid, signal.SIGSTOP)
    analysis.ask("probe", **heard.wants("probe"), priority=10, path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["probe"], timeout=PATIENCE)
    heard.parts["field"].clear()
    started(qtbot, heard, "field")
    os.kill(analysis.pid, signal.SIGKILL)  # the first death that counts
    qtbot.waitUntil(lambda: heard.names == ["probe", "field"], timeout=PATIENCE)
    assert heard.failed == []


def test_a_python_that_is_not_there(
    qapp: Any, qtbot: QtBot, heard: Heard, small_clip: Path
) -> None:
    analysis = Analysis(python="/no/such/python")
    analysis.ask("probe", **heard.wants("a"), path=str(small_clip))
    back = analysis.ask("shots", **heard.wants("b"), path=str(small_clip))
    assert heard.failed == []  # never at once
    analysis.cancel(back)
    qtbot.waitUntil(lambda: bool(heard.failed), timeout=PATIENCE)
    assert [name for name, _ in heard.failed] == ["a"]
    assert "/no/such/python" in heard.failed[0][1]
    analysis.ask("probe", **heard.wants("c"), path=str(small_clip))
    qtbot.waitUntil(lambda: len(heard.failed) == 2, timeout=PATIENCE)
    assert analysis.pending == 0
    analysis.close()


def test_an_analyst_that_cannot_start_is_not_tried_for_ever(
    qapp: Any, qtbot: QtBot, heard: Heard, small_clip: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os\nopen({str(marks)!r}, 'a').write('x')\nos.write(2, b'no luck')\nos._exit(4)\n",
        encoding="utf-8",
    )
    analysis = Analysis(environment={"PYTHONPATH": str(tmp_path)})
    for name in ("probe", "shots", "thumbnail"):
        analysis.ask(name, **heard.wants(name), path=str(small_clip))
    qtbot.waitUntil(lambda: len(heard.failed) == 3, timeout=PATIENCE)
    assert marks.read_text() == "xx"
    assert all("exit code 4" in line and "no luck" in line for _, line in heard.failed)
    assert analysis.pending == 0
    (tmp_path / "sitecustomize.py").unlink()  # repaired meanwhile
    analysis.ask("probe", **heard.wants("again"), path=str(small_clip))
    qtbot.waitUntil(lambda: heard.names == ["again"], timeout=PATIENCE)
    analysis.close()


@pytest.mark.keeps_time
def test_closed_nobody_is_called_and_the_process_is_gone(
    qapp: Any, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    analysis = Analysis()
    analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    analysis.ask("probe", **heard.wants("probe"), path=str(small_clip))
    started(qtbot, heard, "field")
    pid = analysis.pid
    begin = time.monotonic()
    analysis.close()
    assert time.monotonic() - begin < 2.0
    assert pid is not None and not psutil.pid_exists(pid)
    analysis.ask("probe", **heard.wants("late"), path=str(small_clip))
    analysis.close()
    qtbot.wait(150)
    assert heard.done == heard.failed == []


def test_the_window_goes_on_meanwhile(
    analysis: Analysis, qtbot: QtBot, heard: Heard, small_clip: Path, long_sound: Path
) -> None:
    """Asking, hearing and cancelling take no time from the event loop."""
    spent: list[float] = []
    poll = analysis.poll

    def timed() -> None:
        begin = time.thread_time()
        poll()
        spent.append(time.thread_time() - begin)

    analysis._timer.timeout.disconnect(analysis.poll)
    analysis._timer.timeout.connect(timed)
    for width in range(16, 56):
        analysis.ask("thumbnail", **heard.wants(str(width)), width=width, path=str(small_clip))
    analysis.ask("field", **heard.wants("field"), path=str(long_sound))
    qtbot.waitUntil(lambda: len(heard.done) == 41, timeout=PATIENCE)
    assert max(spent) < 0.02  # seconds of processor time; the first starts a process


def test_asking_loads_no_widget_and_no_media_library() -> None:
    code = (
        "import sys, qt_app.models.analysis as a\n"
        "bad = {'PyQt6.QtWidgets', 'PyQt6.QtGui', 'numpy', 'av', 'soundfile', 'onnxruntime'}\n"
        "print(sorted(bad & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
