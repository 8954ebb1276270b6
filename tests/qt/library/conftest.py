"""Libraries in a user folder of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from qt_app.models.library import Library
from qt_app.models.presets import Presets
from tests.qt.library.support import Answers


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def open_library(
    qtbot: QtBot, tmp_path: Path, answers: Answers
) -> Iterator[Callable[..., Library]]:
    """Opens the library of a folder, loaded; all are closed at the end."""
    opened: list[Library] = []

    def open_(folder: Path | None = None, analysis: object | None = None) -> Library:
        library = Library(folder or tmp_path / "app", analysis or answers)  # type: ignore[arg-type]
        opened.append(library)
        library.told = []  # type: ignore[attr-defined]
        library.notice.connect(library.told.append)  # type: ignore[attr-defined]
        qtbot.waitUntil(lambda: library.is_loaded, timeout=5000)
        return library

    yield open_
    for library in opened:
        library.close()


@pytest.fixture
def library(open_library: Callable[..., Library]) -> Library:
    return open_library()


@pytest.fixture
def presets(qtbot: QtBot, tmp_path: Path) -> Iterator[Presets]:
    made = Presets(tmp_path / "app")
    with qtbot.waitSignal(made.loaded, timeout=5000):
        pass
    yield made
    made.close()


@pytest.fixture
def clips(tmp_path: Path, small_clip: Path) -> list[Path]:
    """Three real clips in a folder, named so that their order is not that of their letters."""
    folder = tmp_path / "clips"
    folder.mkdir()
    return [
        Path(shutil.copy(small_clip, folder / f"{name}.mp4"))
        for name in ("beach2", "beach10", "city")
    ]


@pytest.fixture
def added(qtbot: QtBot, library: Library, answers: Answers, clips: list[Path]) -> Library:
    """A library with the three clips, all looked at."""
    library.add(clips)
    qtbot.waitUntil(lambda: len(library.clips) == 3, timeout=5000)
    answers.answer()
    assert all(clip.ready for clip in library.clips)
    return library
