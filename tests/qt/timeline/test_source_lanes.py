"""Lanes of sources and hints on a real window."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from qt_app.sources.menu import mark_menu
from qt_app.sources.model import HINT, SOURCE, Picked, SourcesModel
from qt_app.timeline.lanes.sources import SourceLane
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.widget import TimelineWidget
from tests.qt.timeline.test_widget import ALT, LEFT, at, drag

WIDTH = 1072


@pytest.fixture
def sources(qapp: object) -> SourcesModel:
    """A path of three keyframes and a hint, in a clip of ten seconds."""
    timeline = TimelineModel()
    timeline.load(10.0, frame_rate=25.0)
    model = SourcesModel(timeline)
    model.add_source(0.0, 0.0)
    for time, azimuth in ((4.0, 40.0), (8.0, 80.0)):
        timeline.scrub(time)
        model.place(Picked(SOURCE, 0), azimuth, 0.0)
    timeline.set_range(2.0, 5.0)
    model.add_hint(-30.0, 0.0)
    timeline.clear_range()
    timeline.scrub(0.0)
    model.pick(None)
    return model


@pytest.fixture
def timeline(qtbot: QtBot, sources: SourcesModel) -> TimelineWidget:
    widget = TimelineWidget(sources.timeline, None, sources)
    qtbot.addWidget(widget)
    widget.resize(WIDTH, widget.sizeHint().height())
    widget.show()
    qtbot.waitExposed(widget)
    assert sources.timeline.view.width == 1000
    return widget


def lane_of(timeline: TimelineWidget, index: int = 0) -> SourceLane:
    return timeline.marks.lanes[index]


def times(sources: SourcesModel) -> list[float]:
    return [point[0] for point in sources.sources[0].points]


def test_a_lane_for_each_source_and_one_for_hints(
    timeline: TimelineWidget, sources: SourcesModel
) -> None:
    assert len(timeline.marks.lanes) == 1 and timeline.marks.hints.isVisible()
    sources.add_source(90.0, 0.0)
    sources.rename(1, "Helicopter")
    assert [lane.title for lane in timeline.marks.lanes] == ["Source 1", "Helicopter"]
    assert "1 keyframe" in lane_of(timeline, 1).accessibleDescription()
    sources.remove_all()
    assert timeline.marks.lanes == [] and not timeline.marks.isVisible()
    sources.timeline.undo_stack.undo()
    assert len(timeline.marks.lanes) == 2 and timeline.marks.isVisible()


def test_a_keyframe_is_dragged_in_time_in_one_step(
    qtbot: QtBot, timeline: TimelineWidget, sources: SourcesModel
) -> None:
    steps = sources.timeline.undo_stack.count()
    drag(qtbot, lane_of(timeline), 4.0, 5.0, 6.013)
    assert times(sources) == [0.0, 6.0, 8.0]  # on a frame
    assert sources.timeline.undo_stack.count() == steps + 1
    sources.timeline.undo_stack.undo()
    assert times(sources) == [0.0, 4.0, 8.0]
    sources.timeline.undo_stack.redo()
    assert times(sources) == [0.0, 6.0, 8.0]


def test_escape_calls_a_drag_off(
    qtbot: QtBot, timeline: TimelineWidget, sources: SourcesModel
) -> None:
    drag(qtbot, lane_of(timeline), 4.0, 6.0, release=False)
    assert times(sources)[1] == 6.0
    timeline.setFocus()
    qtbot.keyClick(timeline, Qt.Key.Key_Escape)
    assert times(sources) == [0.0, 4.0, 8.0]


def test_double_clicks_add_a_keyframe_or_ask_for_its_values(
    qtbot: QtBot, timeline: TimelineWidget, sources: SourcesModel
) -> None:
    lane = lane_of(timeline)
    qtbot.mouseDClick(lane, LEFT, pos=at(lane, 2.0))
    assert times(sources) == [0.0, 2.0, 4.0, 8.0]
    assert sources.sources[0].points[1][1] == pytest.approx(20.0)
    qtbot.mouseDClick(lane, LEFT, pos=at(lane, 2.0))
    editor = timeline.mark_editor
    assert editor.isVisible()
    editor.azimuth.setValue(-45.0)
    editor.amount.setValue(0.25)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert not editor.isVisible()
    assert sources.sources[0].points[1] == (2.0, -45.0, 0.0, 0.25)


def test_keys_remove_move_and_ask(
    qtbot: QtBot, timeline: TimelineWidget, sources: SourcesModel
) -> None:
    lane = lane_of(timeline)
    qtbot.mouseClick(lane, LEFT, pos=at(lane, 4.0))
    assert sources.picked == Picked(SOURCE, 0, 1)
    timeline.setFocus()
    qtbot.keyClick(timeline, Qt.Key.Key_Right, ALT)
    assert times(sources)[1] == pytest.approx(4.04)
    qtbot.keyClick(timeline, Qt.Key.Key_E)
    assert timeline.mark_editor.isVisible()
    qtbot.keyClick(timeline.mark_editor, Qt.Key.Key_Escape)
    qtbot.keyClick(timeline, Qt.Key.Key_Delete)
    assert times(sources) == [0.0, 8.0]
    # Once a shot was pressed, Delete is about shots again.
    sources.timeline.add_cut(5.0)
    sources.pick(Picked(SOURCE, 0))
    qtbot.mouseClick(timeline.shots, LEFT, pos=at(timeline.shots, 7.0))
    qtbot.keyClick(timeline, Qt.Key.Key_Delete)
    assert len(sources.timeline.shots) == 1 and times(sources) == [0.0, 8.0]


def test_a_hint_and_its_ends_are_dragged(
    qtbot: QtBot, timeline: TimelineWidget, sources: SourcesModel
) -> None:
    lane = timeline.marks.hints
    drag(qtbot, lane, 5.0, 7.0)
    drag(qtbot, lane, 2.0, 1.0)
    hint = sources.hints[0]
    assert (hint.start, hint.end) == pytest.approx((1.0, 7.0), abs=0.011)
    drag(qtbot, lane, 3.0, 4.0)
    hint = sources.hints[0]
    assert (hint.start, hint.end) == pytest.approx((2.0, 8.0), abs=0.011)
    qtbot.mouseDClick(lane, LEFT, pos=at(lane, 5.0))
    timeline.mark_editor.amount.setValue(0.9)
    qtbot.keyClick(timeline.mark_editor, Qt.Key.Key_Return)
    assert sources.hints[0].strength == 0.9
    sources.pick(Picked(HINT, 0))
    timeline.setFocus()
    qtbot.keyClick(timeline, Qt.Key.Key_Delete)
    assert sources.hints == () and not lane.isVisible()


def test_the_menu_does_what_it_says(timeline: TimelineWidget, sources: SourcesModel) -> None:
    asked: list[Picked] = []
    menu = mark_menu(timeline, sources, Picked(SOURCE, 0, 1), asked.append)
    acts = {action.text().split("\t")[0]: action for action in menu.actions()}
    acts["Direction and gain…"].trigger()
    assert asked == [Picked(SOURCE, 0, 1)]
    acts["Remove this keyframe"].trigger()
    assert times(sources) == [0.0, 8.0]
    sources.timeline.scrub(4.0)
    menu = mark_menu(timeline, sources, Picked(SOURCE, 0), asked.append)
    acts = {action.text().split("\t")[0]: action for action in menu.actions()}
    assert "Remove this keyframe" not in acts
    acts["Remove the source"].trigger()
    assert sources.sources == ()


def test_lanes_are_painted_at_any_zoom(timeline: TimelineWidget, sources: SourcesModel) -> None:
    lane = lane_of(timeline)
    whole = lane.grab().toImage()
    sources.timeline.zoom(40.0, 400.0)
    assert lane.grab().toImage() != whole
    sources.timeline.zoom_to_fit()
    assert lane.grab().toImage() == whole
    place = QPoint(round(lane.x_at(4.0)), 8)  # full gain is high up
    assert lane.grab().toImage().pixelColor(place) != whole.pixelColor(place + QPoint(60, 10))
