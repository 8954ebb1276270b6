"""Rows, selection, settings of many clips, undo, outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QModelIndex, QPersistentModelIndex, Qt, QUrl
from PyQt6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Segment
from qt_app.models.library import Library
from qt_app.models.library_rows import CLIPS_MIME, facts
from tests.qt.library.support import Answers


def names(library: Library) -> list[str]:
    return [clip.name for clip in library.clips]


def test_the_model_keeps_qt_rules(qtbot: QtBot, added: Library, clips: list[Path]) -> None:
    tester = QAbstractItemModelTester(
        added, QAbstractItemModelTester.FailureReportingMode.Fatal, added
    )
    first, second, third = (clip.id for clip in added.clips)
    added.move([third], 0)
    added.remove([first, second])
    added.undo_stack.undo()
    added.change([first, third], cfg=2.0)
    assert names(added) == ["city.mp4", "beach2.mp4", "beach10.mp4"]
    assert tester.model() is added


def test_a_change_of_many_is_one_step(added: Library) -> None:
    ids = [clip.id for clip in added.clips]
    seen: list[list[int]] = []
    added.settings_changed.connect(seen.append)
    added.change(ids, cfg=3.0, steps=12)
    added.change(ids[:1], yaw=30.0)
    assert [clip.settings.cfg for clip in added.clips] == [3.0] * 3
    assert seen == [ids, ids[:1]]
    assert added.undo_stack.count() == 2
    added.undo_stack.undo()
    added.undo_stack.undo()
    assert all(clip.settings.cfg is None and clip.settings.yaw == 0 for clip in added.clips)
    added.undo_stack.redo()
    assert [clip.settings.steps for clip in added.clips] == [12] * 3
    added.change(ids, cfg=3.0)  # nothing new: no step
    assert added.undo_stack.count() == 2 and added.undo_stack.index() == 1


def test_one_refusal_changes_none(added: Library) -> None:
    ids = [clip.id for clip in added.clips]
    with pytest.raises(OptionError, match="cfg must be"):
        added.change(ids, steps=3, cfg=101.0)
    assert all(clip.settings.steps is None for clip in added.clips)
    assert added.undo_stack.count() == 0


def test_a_drag_of_the_slider_is_one_step(added: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("qt_app.models.library_commands.time.monotonic", lambda: now[0])
    number = added.clips[0].id
    for step in range(20):
        now[0] += 0.1
        added.change([number], cfg=step / 10)
    assert added.undo_stack.count() == 1
    now[0] += 5.0
    added.change([number], cfg=9.0)
    now[0] += 0.1
    added.change([number], steps=9)
    assert added.undo_stack.count() == 3
    for _ in range(2):
        added.undo_stack.undo()
    assert added.clips[0].settings.cfg == 1.9
    added.undo_stack.undo()
    assert added.clips[0].settings.cfg is None


def test_undo_leaves_the_seed_of_a_run(added: Library) -> None:
    number = added.clips[0].id
    added.change([number], cfg=2.0)
    added.set_seeds({number: 77})
    assert added.undo_stack.count() == 1
    added.undo_stack.undo()
    assert added.clips[0].settings.seed == 77 and added.clips[0].settings.cfg is None


def test_removed_clips_come_back_as_they_were(
    qtbot: QtBot, added: Library, clips: list[Path]
) -> None:
    ids = [clip.id for clip in added.clips]
    added.change(ids[1:2], cfg=5.0)
    added.set_current(ids[1])
    added.set_selected(ids[:2])
    added.remove(ids[:2])
    assert names(added) == ["city.mp4"] and added.current is added.clip(ids[2])
    assert added.selected == [] and clips[0].exists()
    added.undo_stack.undo()
    assert [clip.id for clip in added.clips] == ids
    assert added.clip(ids[1]).settings.cfg == 5.0
    added.undo_stack.redo()
    added.add([clips[0]])  # anew: it is no duplicate any more
    qtbot.waitUntil(lambda: len(added.clips) == 2, timeout=5000)
    assert added.clips[-1].id not in ids
    added.undo_stack.undo()  # of the two only the other one can come back
    assert sorted(names(added)) == ["beach10.mp4", "beach2.mp4", "city.mp4"]


def test_order_is_the_users(added: Library) -> None:
    first, second, third = (clip.id for clip in added.clips)
    kept = QPersistentModelIndex(added.index_of(first))
    added.move([first, second], 3)
    assert [clip.id for clip in added.clips] == [third, first, second]
    assert kept.row() == 1
    added.move([second, third], 1)
    assert [clip.id for clip in added.clips] == [third, second, first]
    assert [added.row(n) for n in (third, second, first)] == [0, 1, 2]


def test_rows_are_dragged(added: Library, clips: list[Path]) -> None:
    data = added.mimeData([added.index(2), added.index(0)])
    assert [url.toLocalFile() for url in data.urls()] == [str(clips[0]), str(clips[2])]
    move = Qt.DropAction.MoveAction
    assert added.canDropMimeData(data, move, 1, 0, QModelIndex())
    added.dropMimeData(data, move, 2, 0, QModelIndex())
    assert names(added) == ["beach10.mp4", "beach2.mp4", "city.mp4"]
    wrong = QMimeData()
    wrong.setData(CLIPS_MIME, b"{")
    added.dropMimeData(wrong, move, 0, 0, QModelIndex())
    assert names(added) == ["beach10.mp4", "beach2.mp4", "city.mp4"]
    web = QMimeData()
    web.setUrls([QUrl("https://example.org/a.mp4")])
    assert not added.canDropMimeData(web, move, 0, 0, QModelIndex())


def test_current_and_selection_are_told(added: Library) -> None:
    first, second, third = (clip.id for clip in added.clips)
    current: list[object] = []
    selected: list[list[int]] = []
    added.current_changed.connect(current.append)
    added.selection_changed.connect(selected.append)
    added.set_selected([third, first, 999])
    added.set_selected([first, third])  # the same
    added.set_current(second)
    added.set_current(second)
    added.set_current(999)
    assert selected == [[first, third]]
    assert current == [added.clip(second), None]


def test_outputs_take_the_first_free_number(added: Library, clips: list[Path]) -> None:
    clip = added.clips[0]
    folder = clips[0].parent
    assert added.next_output(clip) == folder / "beach2-take1.wav"
    (folder / "beach2-take1.json").write_text("{}")  # a sidecar alone is in the way too
    assert added.next_output(clip).name == "beach2-take2.wav"
    queued = {folder / "beach2-take2.wav"}
    assert added.next_output(clip, queued.__contains__).name == "beach2-take3.wav"
    added.change([clip.id], takes=3, beside=("plot",))
    (folder / "beach2-take3-take2.png").write_bytes(b"")
    assert added.next_output(clip, queued.__contains__).name == "beach2-take4.wav"
    added.change([clip.id], output_folder=folder / "elsewhere")
    assert added.next_output(clip) == folder / "elsewhere" / "beach2-take1.wav"


def test_found_shots_become_settings(added: Library, answers: Answers) -> None:
    number = added.clips[0].id
    told: list[str] = []
    finished: list[int] = []
    added.shots.notice.connect(told.append)
    added.shots.finished.connect(finished.append)
    added.shots.find([number])
    added.shots.find([number])  # asked once
    assert answers.counts["shots"] == 1 and added.shots.part(number) == 0.0
    answers.answer("shots")
    clip = added.clips[0]
    assert clip.suggested_shots == clip.settings.shots == (Segment(0.0),)
    assert not clip.settings.use_shots and finished == [number]
    assert told == ["No cuts in beach2.mp4: it is one shot."]
    added.undo_stack.undo()
    assert clip.settings.shots == () and clip.suggested_shots
    added.shots.find([number])
    added.shots.stop([number])
    assert answers.cancelled and added.shots.part(number) is None


def test_facts_are_words(added: Library) -> None:
    assert facts(added.clips[0]) == ["0:02.0", "128 × 64", "equirectangular", "mono sound"]
    text = added.data(added.index(0), Qt.ItemDataRole.AccessibleTextRole)
    assert text == "beach2.mp4, 0:02.0, 128 × 64, equirectangular, mono sound"
