"""Files that move, are renamed, change or come back: a clip stays the same clip."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from qt_app.models import clip_finder
from qt_app.models.clip import MISSING
from qt_app.models.clip_files import FileState, Stamp, look_for, stamp_of
from qt_app.models.library import Library
from tests.qt.library.support import Answers, make_flat_clip, told


def test_a_moved_clip_keeps_its_row_and_is_located(
    qtbot: QtBot, added: Library, clips: list[Path], tmp_path: Path, answers: Answers
) -> None:
    clip = added.clips[0]
    added.change([clip.id], cfg=4.5)
    info = clip.info
    elsewhere = tmp_path / "archive"
    elsewhere.mkdir()
    for path in clips[:2]:
        shutil.move(path, elsewhere / path.name)
    added.check_files()
    qtbot.waitUntil(lambda: clip.missing, timeout=5000)
    assert clip.problem_kind == MISSING and not clip.ready
    assert str(clips[0].parent) in str(clip.problem) and "Locate it" in str(clip.problem)
    assert not added.clips[2].missing

    added.locate(clip.id, tmp_path / "nowhere.mp4")
    qtbot.waitUntil(lambda: "There is no file" in str(told(added)[-1:]), timeout=5000)
    added.locate(clip.id, clips[2])
    qtbot.waitUntil(lambda: "in the list already" in str(told(added)[-1:]), timeout=5000)
    assert clip.missing

    added.locate(clip.id, elsewhere / "beach2.mp4")
    qtbot.waitUntil(lambda: not clip.missing, timeout=5000)
    assert clip.path == elsewhere / "beach2.mp4" and clip.settings.cfg == 4.5
    assert added.clips[1].path == elsewhere / "beach10.mp4"  # it went along, and is found too
    assert told(added)[-1] == "1 clip more found in the same folder."
    answers.answer()
    assert clip.ready and clip.info == {**info, "path": str(clip.path)}
    added.add([elsewhere])
    qtbot.waitUntil(lambda: not added.searching, timeout=5000)
    assert len(added.clips) == 3


def test_looks_do_not_pile_up_on_a_slow_disk(
    qtbot: QtBot, added: Library, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.wait(50)
    looked, answering = [], threading.Event()

    def slow(path: Path, stamp: Stamp | None) -> FileState:
        assert answering.wait(5.0)
        looked.append(path)
        return look_for(path, stamp)

    monkeypatch.setattr(clip_finder, "look_for", slow)
    added.check_files()
    for _ in range(20):  # the window comes to the front again and again
        added.check_files()
    clips[0].unlink()
    answering.set()
    qtbot.waitUntil(lambda: added.clips[0].missing, timeout=5000)
    qtbot.wait(100)
    assert len(looked) == 2 * len(clips)


def test_a_renamed_file_is_followed(qtbot: QtBot, added: Library, clips: list[Path]) -> None:
    clip = added.clips[0]
    number, info = clip.id, clip.info
    clips[0].rename(clips[0].with_name("sunset.mp4"))
    added.check_files()
    qtbot.waitUntil(lambda: clip.name == "sunset.mp4", timeout=5000)
    assert clip.id == number and clip.ready
    assert clip.info == {**info, "path": str(clip.path)}  # type: ignore[dict-item]
    assert told(added) == ["beach2.mp4 is now called sunset.mp4."]


def test_a_rename_while_the_app_is_closed_is_followed(
    qtbot: QtBot, added: Library, clips: list[Path], open_library: Callable[..., Library]
) -> None:
    added.change([added.clips[1].id], steps=7)
    added.close()
    clips[1].rename(clips[1].with_name("harbour.mp4"))
    clips[2].unlink()
    again = open_library()
    qtbot.waitUntil(lambda: again.clips[2].missing, timeout=5000)
    assert again.clips[1].name == "harbour.mp4" and again.clips[1].settings.steps == 7


def test_a_copy_is_not_taken_for_a_rename(qtbot: QtBot, added: Library, clips: list[Path]) -> None:
    shutil.copy2(clips[0], clips[0].with_name("copy.mp4"))  # same size and time, another file
    clips[0].unlink()
    added.check_files()
    qtbot.waitUntil(lambda: added.clips[0].missing, timeout=5000)


def test_a_clip_that_comes_back_is_well_again(
    qtbot: QtBot, added: Library, clips: list[Path], tmp_path: Path, answers: Answers
) -> None:
    clip = added.clips[0]
    aside = tmp_path / "aside.mp4"
    shutil.move(clips[0], aside)
    added.check_files()
    qtbot.waitUntil(lambda: clip.missing, timeout=5000)
    shutil.move(aside, clips[0])
    added.check_files()
    qtbot.waitUntil(lambda: not clip.missing, timeout=5000)
    answers.answer()
    assert clip.ready


def test_a_file_that_changed_is_looked_at_again(
    qtbot: QtBot, added: Library, clips: list[Path], answers: Answers
) -> None:
    clip = added.clips[0]
    asked = answers.counts["probe"]
    make_flat_clip(clips[0].with_suffix(".mkv"))
    clips[0].with_suffix(".mkv").replace(clips[0])
    added.check_files()
    qtbot.waitUntil(lambda: clip.info is None, timeout=5000)
    answers.answer()
    assert answers.counts["probe"] == asked + 1 and clip.problem_kind == "not 360"


def test_a_probe_that_fails_finds_out_that_the_file_went(
    qtbot: QtBot, library: Library, clips: list[Path], answers: Answers
) -> None:
    library.add(clips[:1])
    qtbot.waitUntil(lambda: len(library.clips) == 1, timeout=5000)
    clips[0].unlink()
    answers.answer()
    qtbot.waitUntil(lambda: library.clips[0].missing, timeout=5000)


def test_folders_and_nothing_are_no_files(tmp_path: Path) -> None:
    assert stamp_of(tmp_path) is None and stamp_of(tmp_path / "none") is None
    assert look_for(tmp_path / "gone" / "x.mp4", (1, 2, 3)).stamp is None
