"""Files and folders become clips: what is taken, what is left out and said."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytestqt.qtbot import QtBot

from qt_app.models.clip import NOT_360, UNREADABLE
from qt_app.models.clip_files import BATCH, natural_key, search
from qt_app.models.library import Library
from tests.qt.library.support import Answers, make_flat_clip, told


def names(library: Library) -> list[str]:
    return [clip.name for clip in library.clips]


def searched(qtbot: QtBot, library: Library) -> None:
    qtbot.waitUntil(lambda: not library.searching, timeout=5000)


def test_folders_are_searched_through(
    qtbot: QtBot, library: Library, clips: list[Path], answers: Answers
) -> None:
    folder = clips[0].parent
    below = folder / "day 2"
    below.mkdir()
    for name in ("deep.MOV", "original.insv", "original.360"):
        shutil.copy(clips[0], below / name)
    (below / "notes.txt").write_text("sun")
    (folder / ".hidden.mp4").write_bytes(b"")
    (folder / "._beach2.mp4").write_bytes(b"")
    hidden = folder / ".trash"
    hidden.mkdir()
    shutil.copy(clips[0], hidden / "gone.mp4")
    (below / "loop").symlink_to(folder)
    library.add([folder])
    searched(qtbot, library)
    expected = [
        "beach2.mp4",
        "beach10.mp4",
        "city.mp4",
        "deep.MOV",
        "original.360",
        "original.insv",
    ]
    assert names(library) == expected
    assert told(library) == []
    assert library.current is library.clips[0]
    answers.answer()
    assert all(clip.info is not None for clip in library.clips)
    original = library.clips[-1]
    assert original.problem_kind == NOT_360 or original.ready  # it carries metadata of its own


def test_overlays_of_takes_are_no_clips(qtbot: QtBot, library: Library, clips: list[Path]) -> None:
    folder = clips[0].parent
    shutil.copy(clips[0], folder / "beach2-take1.overlay.mp4")
    (folder / "beach2-take1.json").write_text("{}")
    shutil.copy(clips[0], folder / "film.overlay.mp4")  # somebody else's name for a film
    library.add([folder])
    searched(qtbot, library)
    assert names(library) == ["beach2.mp4", "beach10.mp4", "city.mp4", "film.overlay.mp4"]


def test_the_same_file_is_one_row(qtbot: QtBot, added: Library, clips: list[Path]) -> None:
    link = clips[0].parent.parent / "link.mp4"
    link.symlink_to(clips[1])
    added.set_current(added.clips[0].id)
    added.add([clips[2].parent / ".." / "clips" / "city.mp4"])
    searched(qtbot, added)
    added.add([link, link])
    searched(qtbot, added)
    assert len(added.clips) == 3
    assert told(added) == [
        "Left out: 1 clip already in the list.",
        "Left out: 2 clips already in the list.",
    ]
    assert added.current is added.clips[1]  # shown, since it is what was meant


def test_other_names_are_looked_at_first(
    qtbot: QtBot, library: Library, clips: list[Path], answers: Answers, tmp_path: Path
) -> None:
    odd = Path(shutil.copy(clips[0], tmp_path / "recording.dat"))
    text = tmp_path / "notes.txt"
    text.write_text("not a film\n" * 50)
    library.add([odd, text])
    searched(qtbot, library)
    assert names(library) == []
    answers.answer()
    assert names(library) == ["recording.dat"]
    assert told(library) == [
        "notes.txt is left out. It is text, not video, whatever its name says; give a video file."
    ]


def test_a_drop_goes_where_it_was_dropped(
    qtbot: QtBot, added: Library, small_clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(small_clip, folder / name)
    added.add([folder], 1)
    searched(qtbot, added)
    assert names(added) == ["beach2.mp4", "a.mp4", "b.mp4", "beach10.mp4", "city.mp4"]


def test_nothing_found_is_said(qtbot: QtBot, library: Library, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    library.add([empty])
    searched(qtbot, library)
    library.add([tmp_path / "never.mp4"])
    searched(qtbot, library)
    assert told(library) == [
        "No videos in empty.",
        "Left out: never.mp4, which is not there.",
    ]


def test_what_is_not_360_keeps_a_row_with_a_way_out(
    qtbot: QtBot, library: Library, answers: Answers, tmp_path: Path
) -> None:
    flat = make_flat_clip(tmp_path / "flat.mp4")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 4000)
    library.add([flat, broken])
    searched(qtbot, library)
    answers.answer()
    first, second = library.clips
    assert first.problem_kind == NOT_360 and "declare its projection" in str(first.problem)
    assert "160 × 90" in str(first.problem) and not first.ready
    assert second.problem_kind == UNREADABLE and second.info is None
    library.declare([first.id], "equirectangular")
    assert first.info is None and answers.asked() == [("probe", "flat.mp4")]
    answers.answer()
    assert first.ready and first.info["projection"] == "equirectangular"
    library.undo_stack.undo()
    answers.answer()
    assert first.problem_kind == NOT_360


def test_an_answer_about_the_projection_of_before_is_not_taken(
    qtbot: QtBot, library: Library, answers: Answers, tmp_path: Path
) -> None:
    library.add([make_flat_clip(tmp_path / "flat.mp4")])
    searched(qtbot, library)
    assert answers.asked() == [("probe", "flat.mp4")]
    library.declare([library.clips[0].id], "cubemap")  # while the first question is open
    answers.answer()
    info = library.clips[0].info
    assert info is not None and info["projection"] == "cubemap"
    assert answers.counts["probe"] == 2


def test_a_stopped_search_ends(small_clip: Path, tmp_path: Path) -> None:
    for number in range(3 * BATCH):
        (tmp_path / f"{number}.mp4").write_bytes(b"")
    batches: list[int] = []
    summary = search([tmp_path], lambda files: batches.append(len(files)), lambda: bool(batches))
    assert sum(batches) == BATCH and summary.found == BATCH


def test_names_are_in_natural_order() -> None:
    names = ["B1", "a10", "a2", "a", "10", "9", "a2b"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "a2", "a2b", "a10", "B1"]
