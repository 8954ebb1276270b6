"""The whole app in a real window, with real processes, on an empty user folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from qt_app.app import open_window
from qt_app.models.preferences import Preferences
from qt_app.widgets.main_window import MainWindow

WAIT_MS = 30_000


def press(button: QAbstractButton) -> None:
    """A click; on a disabled button it would be lost without a word."""
    assert button.isEnabled(), f"the button {button.text()!r} is disabled"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@contextmanager
def job_done(window: MainWindow, qtbot: QtBot, timeout: int = WAIT_MS) -> Iterator[None]:
    """Until the job that is asked for inside is done; one that is not says what became of it."""
    queue = window.session.queue
    try:
        with qtbot.waitSignal(queue.job_finished, timeout=timeout):
            yield
    except qtbot.TimeoutError:
        jobs = [f"{job.label}: {job.state.name}, error {job.error!r}" for job in queue.jobs()]
        pytest.fail(
            f"no job was done within {timeout} ms; jobs: {jobs}, paused: {queue.paused}, "
            f"problem: {queue.problem!r}, the window says: {window.notices.text!r}"
        )


@pytest.fixture
def bundles(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bundle that the app finds by its name; returns the name."""
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(tiny_bundle.parent))
    return "tiny"


@pytest.fixture
def open_app(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., MainWindow]]:
    """Opens the window on a folder (always the same one by default); closed at the end."""
    windows: list[MainWindow] = []

    def open_one(folder: Path | None = None, **options: bool) -> MainWindow:
        home = folder or tmp_path / "app"
        home.mkdir(exist_ok=True)
        preferences = Preferences(home)
        # A busy machine would let a worker that yields to everything wait for ever.
        preferences.worker_low_priority = False
        assert preferences.save()
        window = open_window(home, **options)
        windows.append(window)
        qtbot.waitExposed(window)
        return window

    yield open_one
    for window in windows:
        window.close()
        window.deleteLater()
