"""Meters: how needles move, and that only what moves is painted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPaintEvent
from pytestqt.qtbot import QtBot

from qt_app import theme
from qt_app.models.meters import FLOOR, HOLD, MeterNeedles, Needle, deflection
from qt_app.models.player import Player
from qt_app.sound.shared import Meters as Levels
from qt_app.sound.source import SoundSource
from qt_app.widgets.meters import CHANNELS, INTERVAL, Meters

levels = st.floats(0, 4)


def uniform(peak: float, rms: float) -> Levels:
    return Levels((peak,) * len(CHANNELS), (rms,) * len(CHANNELS))


def test_the_scale_is_the_standards() -> None:
    for db, percent in ((0, 100), (-6, 85), (-10, 75), (-20, 50), (-30, 30), (-40, 15), (-50, 7.5)):
        assert deflection(db) == pytest.approx(percent / 100)
    assert deflection(6.0) == 1.0
    assert deflection(-80) == deflection(float("-inf")) == deflection(float("nan")) == 0.0
    marks = [deflection(db) for db in np.linspace(-70, 0, 200)]
    assert all(a <= b for a, b in itertools.pairwise(marks))


@settings(deadline=None)
@given(st.lists(st.tuples(levels, levels, st.floats(0.001, 0.2)), max_size=40))
def test_needles_rise_at_once_and_fall_evenly(steps: list[tuple[float, float, float]]) -> None:
    needle = Needle()
    for peak, rms, elapsed in steps:
        before = (needle.peak, needle.rms)
        needle.feed(peak, rms, elapsed)
        for value, old, level in ((needle.peak, before[0], peak), (needle.rms, before[1], rms)):
            exact = max(FLOOR, 20 * np.log10(level)) if level > 0 else FLOOR
            assert value >= exact - 1e-9
            assert value == pytest.approx(max(exact, old - 20 * elapsed, FLOOR))
        assert needle.hold >= needle.peak
    assert needle.over == any(peak >= 1 for peak, _, _ in steps)


def test_a_peak_is_held_then_falls() -> None:
    needle = Needle()
    needle.feed(0.5, 0.1, 0.03)
    top = needle.hold
    assert top == pytest.approx(-6.02, abs=0.01)
    for _ in range(int(HOLD / 0.03) - 1):
        needle.feed(0.0, 0.0, 0.03)
        assert needle.hold == top
    for _ in range(200):
        needle.feed(0.0, 0.0, 0.03)
    assert needle.hold == needle.peak == FLOOR
    assert needle.at_rest


def test_over_stays_until_it_is_cleared() -> None:
    needles = MeterNeedles(2)
    needles.feed((1.0, 0.999), (0.5, 0.5), 0.03)
    needles.feed((0.0, 0.0), (0.0, 0.0), 60.0)
    assert [needle.over for needle in needles.needles] == [True, False]
    needles.clear()
    assert not any(needle.over for needle in needles.needles)


@pytest.fixture
def meters(qtbot: QtBot, player: Player) -> Meters:
    widget = Meters(player)
    qtbot.addWidget(widget)
    widget.resize(180, 260)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_bars_show_the_levels_of_what_plays(
    meters: Meters, player: Player, sources: list[SoundSource], qtbot: QtBot
) -> None:
    player.load(sources, 10.0)
    player.play()
    # A sine at 0.25: -12 dB peak, -15 dB mean, in all four channels.
    needles = meters.needles.needles
    qtbot.waitUntil(lambda: needles[0].rms > -16, timeout=15_000)
    for needle in needles[:4]:
        assert needle.peak == pytest.approx(-12.04, abs=1.5)
        assert needle.rms == pytest.approx(-15.05, abs=1.5)
    assert needles[4].peak > -40
    qtbot.waitUntil(lambda: "omnidirectional -12 dB" in meters.accessibleDescription())
    player.pause()
    qtbot.waitUntil(lambda: not meters._timer.isActive(), timeout=15_000)
    assert meters.needles.at_rest


def test_not_more_than_thirty_looks_a_second() -> None:
    assert 1000 / INTERVAL <= 30


class Counting(Meters):
    """Counts what is painted."""

    painted: list[tuple[int, int]]

    def paintEvent(self, event: QPaintEvent | None) -> None:
        assert event is not None
        self.painted = [
            *getattr(self, "painted", []),
            (event.rect().width(), event.rect().height()),
        ]
        super().paintEvent(event)


def test_only_bars_that_moved_are_painted(qtbot: QtBot, player: Player) -> None:
    widget = Counting(player)
    qtbot.addWidget(widget)
    widget.resize(180, 260)
    widget.show()
    qtbot.waitExposed(widget)
    widget._timer.stop()
    widget.feed(uniform(0.5, 0.2), 0.03)
    qtbot.wait(50)
    widget.painted = []
    widget.feed(uniform(0.5, 0.2), 0.03)  # nothing moved
    qtbot.wait(50)
    assert widget.painted == []
    widget.feed(uniform(0.9, 0.2), 0.03)
    qtbot.waitUntil(lambda: bool(widget.painted))
    assert widget.painted == [(widget.bars.width(), widget.bars.height())]


def test_the_lamp_lights_and_a_click_or_key_clears_it(meters: Meters, qtbot: QtBot) -> None:
    meters._timer.stop()
    lamp = theme.colour("meter high").name()
    for clear in (
        lambda: qtbot.mouseClick(meters, Qt.MouseButton.LeftButton),
        lambda: qtbot.keyClick(meters, Qt.Key.Key_Return),
    ):
        meters.feed(uniform(1.2, 0.2), 0.03)
        place = meters.bars.topLeft()
        place.setX(place.x() + 8)
        place.setY(place.y() + 4)
        assert QColor(meters.grab().toImage().pixel(place)).name() == lamp
        clear()
        assert QColor(meters.grab().toImage().pixel(place)).name() != lamp


def test_loudness_in_words(meters: Meters) -> None:
    assert meters.loudness_text == "– LUFS"
    meters.set_loudness(-18.04, "Take 2")
    assert meters.loudness_text == "−18.0 LUFS"
    assert "−18.0 LUFS" in meters.accessibleDescription()
    meters.set_loudness(float("-inf"))
    assert meters.loudness_text == "– LUFS"


def test_hidden_meters_rest(meters: Meters) -> None:
    meters.hide()
    assert not meters._timer.isActive()
    meters.show()
    assert meters._timer.isActive()
