"""A thousand clips: work is counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PyQt6.QtCore import QSize
from pytestqt.qtbot import QtBot

from qt_app.models.clip_files import BATCH
from qt_app.models.clip_questions import MAX_ASKED
from qt_app.models.library import Library
from qt_app.widgets import thumbnails
from qt_app.widgets.clip_view import ClipView
from qt_app.widgets.thumbnails import Thumbnails
from tests.qt.library.support import Answers

MANY = 1000


@pytest.fixture
def many(
    qtbot: QtBot, tmp_path: Path, small_clip: Path, open_library: Callable[..., Library]
) -> tuple[Library, Answers, Counter[str]]:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"clip{number}.mp4").write_bytes(b"x")
    answers = Answers(template=small_clip)
    library = open_library(analysis=answers)
    counts: Counter[str] = Counter()
    for name in ("rowsInserted", "dataChanged", "clip_changed", "settings_changed", "modelReset"):
        getattr(library, name).connect(lambda *_, n=name: counts.update([n]))
    library.add([folder])
    qtbot.waitUntil(lambda: len(library.clips) == MANY, timeout=20_000)
    return library, answers, counts


def test_rows_come_in_groups_and_questions_a_few_at_a_time(
    qtbot: QtBot, many: tuple[Library, Answers, Counter[str]]
) -> None:
    library, answers, counts = many
    assert counts["rowsInserted"] <= MANY // BATCH + 1
    assert counts["modelReset"] == counts["dataChanged"] == 0
    assert [clip.name for clip in library.clips[:3]] == ["clip0.mp4", "clip1.mp4", "clip2.mp4"]
    answers.answer()
    assert all(clip.ready for clip in library.clips)
    assert answers.counts["probe"] == MANY and answers.counts["thumbnail"] == 0
    assert answers.most_open <= MAX_ASKED
    assert counts["clip_changed"] == MANY  # one for each that was looked at, none for others
    qtbot.waitUntil(lambda: counts["dataChanged"] > 0, timeout=2000)
    assert counts["dataChanged"] == 1  # a view lays out all rows at each


def test_one_edit_of_all_is_one_signal(
    qtbot: QtBot, many: tuple[Library, Answers, Counter[str]]
) -> None:
    library, answers, counts = many
    answers.answer()
    qtbot.wait(60)
    counts.clear()
    library.change([clip.id for clip in library.clips], cfg=3.0)
    qtbot.waitUntil(lambda: counts["dataChanged"] > 0, timeout=2000)
    assert counts["dataChanged"] == counts["settings_changed"] == 1
    assert library.undo_stack.count() == 1
    counts.clear()
    library.remove([clip.id for clip in library.clips[::2]])
    assert len(library.clips) == MANY // 2


def test_only_what_is_on_screen_is_pictured(
    qtbot: QtBot, many: tuple[Library, Answers, Counter[str]]
) -> None:
    library, answers, _ = many
    view = ClipView(library)
    qtbot.addWidget(view)
    view.resize(300, 400)
    view.show()
    qtbot.waitExposed(view)
    qtbot.wait(50)
    answers.answer()
    qtbot.wait(50)
    answers.answer()
    shown = 400 // view.sizeHintForIndex(library.index(0)).height() + 2
    assert 0 < answers.counts["thumbnail"] <= shown
    pictured = {clip.name for clip in library.clips if clip.thumbnail is not None}
    assert "clip0.mp4" in pictured and "clip999.mp4" not in pictured
    view.scrollToBottom()
    qtbot.wait(50)
    answers.answer()
    assert library.clips[-1].thumbnail is not None
    assert answers.counts["thumbnail"] <= 2 * shown
    view.delegate.close()


def test_what_is_seen_is_asked_first(many: tuple[Library, Answers, Counter[str]]) -> None:
    library, answers, _ = many
    assert [name for _, name in answers.asked()] == [f"clip{n}.mp4" for n in range(MAX_ASKED)]
    library.seen(library.clips[900].id)
    question = answers.open.pop(0)
    answers._answer(*question[1:])
    assert answers.asked()[-1] == ("probe", "clip900.mp4")


def _is_here(kept: Thumbnails, path: Path) -> bool:
    return kept.get(path) is not None


def test_pictures_that_are_kept_are_bounded(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr(thumbnails, "KEPT", 8)
    paths = []
    for number in range(30):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", (320, 160), (number * 8, 90, 30)).save(path)
        paths.append(path)
    kept = Thumbnails(QSize(104, 52))
    for path in paths:
        assert kept.get(path) is None
        qtbot.waitUntil(partial(_is_here, kept, path), timeout=5000)
        assert len(kept) <= 8
    picture = kept.get(paths[-1])
    assert picture is not None and picture.size() == QSize(104, 52)
    red = picture.toImage().pixelColor(50, 25).red()
    assert abs(red - 29 * 8) < 8
    missing = tmp_path / "none.jpg"
    kept.get(missing)
    qtbot.waitUntil(lambda: missing in kept._kept, timeout=5000)
    assert kept.get(missing) is None  # and it is not tried again
    assert missing not in kept._wanted
    kept.close()
