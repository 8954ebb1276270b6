"""One window per user, with two real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from pytestqt.qtbot import QtBot

from qt_app.single import SingleInstance

HOLDER = """
import sys
from pathlib import Path
from PyQt6.QtCore import QCoreApplication
from qt_app.single import SingleInstance
app = QCoreApplication([])
single = SingleInstance(Path(sys.argv[1]))
print(single.claim(), flush=True)
single.asked.connect(lambda paths: print(paths, flush=True))
app.exec()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that has the window open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    return process


def test_a_second_start_hands_its_files_to_the_first(qtbot: QtBot, tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        second = SingleInstance(tmp_path)
        assert not second.claim()
        assert second.hand_over(["clip one.mp4", str(tmp_path / "zwei ü.mp4")])
        assert process.stdout is not None
        heard = process.stdout.readline()
        assert str(Path.cwd() / "clip one.mp4") in heard
        assert "zwei ü.mp4" in heard
    finally:
        process.kill()
        process.wait()


def test_a_killed_window_does_not_lock_its_user_out(qtbot: QtBot, tmp_path: Path) -> None:
    process = hold(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    after = SingleInstance(tmp_path)
    assert after.claim()
    after.release()


def test_nobody_answers_when_no_window_is_open(qtbot: QtBot, tmp_path: Path) -> None:
    assert not SingleInstance(tmp_path).hand_over(["clip.mp4"])


def test_a_released_window_can_be_opened_again(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.claim()
    first.release()
    second = SingleInstance(tmp_path)
    assert second.claim()
    second.release()
