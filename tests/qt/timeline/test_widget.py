"""Mouse and keys on a real window."""

from __future__ import annotations

from typing import Any

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.widget import TimelineWidget

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CTRL = Qt.KeyboardModifier.ControlModifier
NONE = Qt.KeyboardModifier.NoModifier


def at(lane: Lane, time: float) -> QPoint:
    return QPoint(round(lane.x_at(time)), lane.height() // 2)


def drag(
    qtbot: QtBot,
    lane: Lane,
    start: float,
    *stops: float,
    modifier: Qt.KeyboardModifier = NONE,
    release: bool = True,
) -> None:
    qtbot.mousePress(lane, LEFT, modifier, at(lane, start))
    for stop in stops:
        move(lane, at(lane, stop), modifier)
    if release:
        qtbot.mouseRelease(lane, LEFT, modifier, at(lane, stops[-1] if stops else start))


def move(lane: Lane, place: QPoint, modifier: Qt.KeyboardModifier = NONE) -> None:
    """A mouse move with the button held, as the window system sends it."""
    from PyQt6.QtCore import QEvent
    from PyQt6.QtGui import QMouseEvent

    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(lane.mapToGlobal(place)),
        Qt.MouseButton.NoButton,
        LEFT,
        modifier,
    )
    QApplication.sendEvent(lane, event)


def wheel(lane: Lane, x: float, notches: float, modifier: Qt.KeyboardModifier = NONE) -> None:
    place = QPointF(x, lane.height() / 2)
    event = QWheelEvent(
        place,
        lane.mapToGlobal(place),
        QPoint(),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(lane, event)


def signals(timeline: TimelineWidget) -> dict[str, list[Any]]:
    seen: dict[str, list[Any]] = {"scrubbed": [], "range_changed": [], "shots_changed": []}
    for name, values in seen.items():
        getattr(timeline, name).connect(values.append)
    return seen


def test_click_and_drag_scrub_on_every_curve(qtbot: QtBot, timeline: TimelineWidget) -> None:
    seen = signals(timeline)
    for lane in (timeline.ruler, timeline.waveform, timeline.anglegram):
        drag(qtbot, lane, 12.0)
        assert seen["scrubbed"][-1] == pytest.approx(12.0, abs=0.05)
        drag(qtbot, lane, 12.0, 30.0, 45.0)
        assert timeline.model.playhead == pytest.approx(45.0, abs=0.05)
        assert not timeline.model.scrubbing
    assert seen["range_changed"] == seen["shots_changed"] == []


def test_escape_puts_the_playhead_back(qtbot: QtBot, timeline: TimelineWidget) -> None:
    timeline.model.set_playhead(5.0)
    drag(qtbot, timeline.waveform, 12.0, 30.0, release=False)
    qtbot.keyClick(timeline, Qt.Key.Key_Escape)
    assert timeline.model.playhead == 5.0
    assert not timeline.waveform.dragging
    assert timeline.bubble.isHidden()


def test_shift_drag_selects_on_every_lane(qtbot: QtBot, timeline: TimelineWidget) -> None:
    seen = signals(timeline)
    for lane in timeline.lanes:
        drag(qtbot, lane, 30.0, 25.0, modifier=SHIFT)
        assert timeline.model.range == pytest.approx((25.0, 30.0), abs=0.05)
        assert seen["range_changed"][-1] == timeline.model.range
        qtbot.keyClick(timeline, Qt.Key.Key_Escape)
        assert timeline.model.range is None
        assert seen["range_changed"][-1] is None
    assert seen["scrubbed"] == seen["shots_changed"] == []


def test_a_cut_is_dragged_and_its_time_shown(qtbot: QtBot, timeline: TimelineWidget) -> None:
    seen = signals(timeline)
    drag(qtbot, timeline.shots, 20.0, 22.0, 26.4, release=False)
    shown = timeline.model.shots[1].start
    assert shown == pytest.approx(26.4, abs=0.05)
    assert timeline.bubble.isVisible()
    assert timeline.bubble.text() == f"0:00:{shown:06.3f}"
    assert seen["shots_changed"] == []  # not before it is done
    qtbot.mouseRelease(timeline.shots, LEFT, NONE, at(timeline.shots, 26.4))
    assert seen["shots_changed"] == [timeline.model.shots]
    assert timeline.bubble.isHidden()
    qtbot.keyClick(timeline, Qt.Key.Key_Z, CTRL)
    assert timeline.model.shots[1].start == 20.0


def test_a_cut_snaps_to_playhead_and_suggestions_but_not_with_alt(
    qtbot: QtBot, timeline: TimelineWidget
) -> None:
    timeline.model.set_playhead(25.0)
    drag(qtbot, timeline.shots, 20.0, 25.3)
    assert timeline.model.shots[1].start == 25.0
    drag(qtbot, timeline.shots, 25.0, 32.7, release=False)
    assert timeline.model.shots[1].start == 33.0
    assert "suggested cut" in timeline.bubble.text()
    move(timeline.shots, at(timeline.shots, 32.7), ALT)
    assert timeline.model.shots[1].start == pytest.approx(32.7, abs=0.04)
    qtbot.mouseRelease(timeline.shots, LEFT)


def test_a_cut_stops_at_its_neighbours(qtbot: QtBot, timeline: TimelineWidget) -> None:
    drag(qtbot, timeline.shots, 20.0, 55.0)
    assert timeline.model.shots[1].start == pytest.approx(39.95)
    assert [shot.start for shot in timeline.model.shots] == sorted(
        shot.start for shot in timeline.model.shots
    )


def test_the_range_is_moved_by_bar_and_handles(qtbot: QtBot, timeline: TimelineWidget) -> None:
    model, lane = timeline.model, timeline.range
    drag(qtbot, lane, 5.0, 9.0)
    assert model.range == pytest.approx((5.0, 9.0), abs=0.05)
    length = model.range[1] - model.range[0]  # type: ignore[index]
    drag(qtbot, lane, 7.0, 12.0)
    assert model.range == pytest.approx((10.0, 14.0), abs=0.1)
    assert model.range[1] - model.range[0] == pytest.approx(length)  # type: ignore[index]
    drag(qtbot, lane, model.range[1], 17.0)  # type: ignore[index]
    assert model.range == pytest.approx((10.0, 17.0), abs=0.1)
    # A handle may pass the other one.
    drag(qtbot, lane, model.range[0], 19.0)  # type: ignore[index]
    assert model.range == pytest.approx((17.0, 19.0), abs=0.1)
    # The bar stops at the clip's end, whole.
    drag(qtbot, lane, 18.0, 59.9)
    assert model.range == pytest.approx((58.0, 60.0), abs=0.1)


def test_the_wheel_zooms_about_the_cursor_and_scrolls_with_shift(timeline: TimelineWidget) -> None:
    model, lane = timeline.model, timeline.waveform
    x = GUTTER + 700
    time = lane.time_at(x)
    wheel(lane, x, 3)
    assert model.view.scale == pytest.approx(0.06 / 1.25**3)
    assert lane.x_at(time) == pytest.approx(x)
    before = model.view.start
    wheel(lane, x, -1, SHIFT)
    assert model.view.start > before
    wheel(lane, x, -40)
    assert model.view.is_fitted


def test_dragging_beyond_the_edge_scrolls(qtbot: QtBot, timeline: TimelineWidget) -> None:
    timeline.model.set_view(timeline.model.view.showing(0.0, 10.0))
    drag(qtbot, timeline.waveform, 5.0, release=False)
    move(timeline.waveform, QPoint(timeline.width() + 60, 10))
    qtbot.waitUntil(lambda: timeline.model.view.start > 1.0, timeout=3000)
    assert timeline.model.playhead == pytest.approx(timeline.model.view.end, abs=0.5)
    qtbot.mouseRelease(timeline.waveform, LEFT)


def test_every_action_has_a_key(qtbot: QtBot, timeline: TimelineWidget) -> None:
    model = timeline.model
    press = lambda key, modifier=NONE: qtbot.keyClick(timeline, key, modifier)  # noqa: E731
    press(Qt.Key.Key_Right)
    assert model.playhead == 1.0
    press(Qt.Key.Key_Right, CTRL)
    assert (model.playhead, model.selected_shot) == (20.0, 1)
    press(Qt.Key.Key_Right, CTRL)
    assert (model.playhead, model.selected_shot) == (40.0, 2)
    press(Qt.Key.Key_Left, CTRL)
    assert (model.playhead, model.selected_shot) == (20.0, 1)
    press(Qt.Key.Key_Right, ALT)
    assert model.shots[1].start == pytest.approx(20.01)
    press(Qt.Key.Key_Left, ALT)
    press(Qt.Key.Key_Left, ALT)
    assert model.shots[1].start == pytest.approx(19.99)
    press(Qt.Key.Key_Left)
    press(Qt.Key.Key_S)
    assert [shot.start for shot in model.shots] == pytest.approx([0, 19, 19.99, 40])
    press(Qt.Key.Key_M)
    assert [shot.start for shot in model.shots] == pytest.approx([0, 19, 40])
    press(Qt.Key.Key_Delete)
    assert [shot.start for shot in model.shots] == pytest.approx([0, 40])
    press(Qt.Key.Key_Z, CTRL)
    assert len(model.shots) == 3
    press(Qt.Key.Key_Y, CTRL)
    assert len(model.shots) == 2
    press(Qt.Key.Key_I)
    press(Qt.Key.Key_Right)
    press(Qt.Key.Key_O)
    assert model.range == (19.0, 20.0)
    press(Qt.Key.Key_L)
    assert model.loop
    press(Qt.Key.Key_Z)
    assert model.view.contains(19.5)
    assert not model.view.contains(25.0)
    press(Qt.Key.Key_PageDown)
    assert not model.view.contains(19.5)
    press(Qt.Key.Key_F)
    assert model.view.is_fitted
    press(Qt.Key.Key_Plus)
    assert not model.view.is_fitted
    press(Qt.Key.Key_Minus)
    assert model.view.is_fitted
    press(Qt.Key.Key_End)
    assert model.playhead == 60.0
    press(Qt.Key.Key_Home)
    assert model.playhead == 0.0
    press(Qt.Key.Key_Right, SHIFT)
    press(Qt.Key.Key_Right, SHIFT)
    assert model.range == (0.0, 2.0)
    press(Qt.Key.Key_Escape)
    assert model.range is None


def test_the_form_gives_a_shot_its_own_values(qtbot: QtBot, timeline: TimelineWidget) -> None:
    timeline.model.set_defaults(4.5, 99)
    qtbot.mouseDClick(timeline.shots, LEFT, NONE, at(timeline.shots, 30.0))
    form = timeline.editor
    assert form.isVisible()
    assert (form.cfg.text(), form.seed.text()) == ("3", "7")
    assert "4.5" in form.cfg.placeholderText()
    assert "99" in form.seed.placeholderText()
    form.cfg.clear()
    qtbot.keyClicks(form.cfg, "6.25")
    qtbot.mouseClick(form.dice, LEFT)
    drawn = int(form.seed.text())
    qtbot.keyClick(form.seed, Qt.Key.Key_Return)
    assert form.isHidden()
    assert (timeline.model.shots[1].cfg, timeline.model.shots[1].seed) == (6.25, drawn)
    # Empty: the clip's own values again.
    timeline.edit_shot(1)
    qtbot.mouseClick(form.reset, LEFT)
    qtbot.mouseClick(form.apply, LEFT)
    assert (timeline.model.shots[1].cfg, timeline.model.shots[1].seed) == (None, None)


def test_the_form_says_what_is_wrong_and_stays(qtbot: QtBot, timeline: TimelineWidget) -> None:
    timeline.edit_shot(1)
    form = timeline.editor
    form.cfg.setText("250")
    qtbot.keyClick(form.cfg, Qt.Key.Key_Return)
    assert form.isVisible()
    assert "100" in form.error.text()
    assert timeline.model.shots[1].cfg == 3.0
    qtbot.keyClick(form.cfg, Qt.Key.Key_Escape)
    assert form.isHidden()
    assert timeline.model.shots[1].cfg == 3.0


def menu_texts(timeline: TimelineWidget, qtbot: QtBot) -> dict[str, Any]:
    timeline.open_menu()
    menu = next(menu for menu in timeline.findChildren(QMenu) if menu.isVisible())
    return {action.text().split("\t")[0]: action for action in menu.actions()}


def test_the_menu_asks_for_parts_to_be_generated(qtbot: QtBot, timeline: TimelineWidget) -> None:
    actions = menu_texts(timeline, qtbot)
    assert not actions["Generate again from here to there"].isEnabled()
    QApplication.activePopupWidget().close()  # type: ignore[union-attr]
    timeline.model.set_range(4.0, 9.0)
    for text, signal in (
        ("Generate again from here to there", timeline.reroll_requested),
        ("Generate only this range", timeline.limit_requested),
    ):
        actions = menu_texts(timeline, qtbot)
        with qtbot.waitSignal(signal) as caught:
            actions[text].trigger()
        assert caught.args == [4.0, 9.0]
        QApplication.activePopupWidget().close()  # type: ignore[union-attr]


def test_suggested_cuts_are_taken_from_the_menu(qtbot: QtBot, timeline: TimelineWidget) -> None:
    actions = menu_texts(timeline, qtbot)
    actions["Cut where the picture does (2 places)"].trigger()
    QApplication.activePopupWidget().close()  # type: ignore[union-attr]
    assert [shot.start for shot in timeline.model.shots] == [0, 10, 20, 33, 40]


def test_without_a_clip_nothing_acts(qtbot: QtBot) -> None:
    widget = TimelineWidget(TimelineModel())
    qtbot.addWidget(widget)
    widget.resize(800, 300)
    widget.show()
    qtbot.waitExposed(widget)
    seen = signals(widget)
    for lane in widget.lanes:
        qtbot.mouseClick(lane, LEFT, NONE, QPoint(300, 5))
        qtbot.mouseDClick(lane, LEFT, NONE, QPoint(300, 5))
        wheel(lane, 300, 2)
    for key in (Qt.Key.Key_S, Qt.Key.Key_I, Qt.Key.Key_Delete, Qt.Key.Key_E, Qt.Key.Key_End):
        qtbot.keyClick(widget, key)
    widget.open_menu()
    assert not widget.editor.isVisible()
    assert seen == {"scrubbed": [], "range_changed": [], "shots_changed": []}
    assert widget.accessibleDescription() == "No clip"


def test_screen_readers_hear_where_things_are(qtbot: QtBot, timeline: TimelineWidget) -> None:
    assert all(lane.accessibleName() for lane in timeline.lanes)
    timeline.model.scrub(25.0)
    timeline.model.set_range(10.0, 12.5)
    qtbot.waitUntil(lambda: "25 s of 1 min 0 s" in timeline.accessibleDescription(), timeout=3000)
    assert "From 10 s to 12.5 s" in timeline.range.accessibleDescription()
    assert "3 shots" in timeline.shots.accessibleDescription()
    assert "dB" in timeline.waveform.accessibleDescription()
    assert "degrees left" in timeline.anglegram.accessibleDescription()


def test_the_scroll_bar_and_the_view_go_together(timeline: TimelineWidget) -> None:
    assert not timeline.bar.isEnabled()
    timeline.model.set_view(timeline.model.view.showing(30.0, 40.0))
    assert timeline.bar.isEnabled()
    timeline.bar.setValue(0)
    assert timeline.model.view.start == 0.0
    timeline.bar.setValue(timeline.bar.maximum())
    assert timeline.model.view.end == pytest.approx(60.0, abs=0.001)
