"""How much is painted, counted in pixels and numbers read: an hour must cost what a minute does."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import QPoint
from PyQt6.QtGui import QImage
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.request import Segment
from qt_app import theme
from qt_app.timeline.colours import Colours
from qt_app.timeline.field import FieldSummary
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.tiles import TILE
from qt_app.timeline.widget import TimelineWidget
from tests.qt.timeline.conftest import field_of

HOUR = 3600.0
SPOKEN = 4  # numbers read for the level that a screen reader is told, twice a second at most


@pytest.fixture(scope="module")
def hour() -> FieldSummary:
    return field_of(HOUR)


@pytest.fixture
def long_timeline(qtbot: QtBot, hour: FieldSummary) -> TimelineWidget:
    """An hour with a cut every two seconds and a suggestion between."""
    model = TimelineModel()
    widget = TimelineWidget(model)
    qtbot.addWidget(widget)
    widget.resize(1072, widget.sizeHint().height())
    shots = [Segment(2.0 * k, cfg=float(k % 9)) for k in range(1800)]
    model.load(HOUR, shots, [2.0 * k + 1 for k in range(1800)])
    model.set_field(hour)
    widget.show()
    qtbot.waitExposed(widget)
    settle()
    return widget


def settle() -> None:
    """Until what was asked for is painted: Qt does so some milliseconds later."""
    QTest.qWait(25)
    QApplication.processEvents()


class Work:
    """What was done since it was made."""

    def __init__(self, timeline: TimelineWidget) -> None:
        self.timeline = timeline
        self.before = self._now()

    def _now(self) -> np.ndarray:
        timeline, field = self.timeline, self.timeline.model.field
        assert field is not None
        assert field.anglegram is not None
        return np.array(
            [
                sum(lane.painted_pixels for lane in timeline.lanes),
                timeline.waveform.tiles.made + timeline.anglegram.tiles.made,
                field.peaks.reads + field.anglegram.reads,
            ]
        )

    def done(self) -> tuple[int, int, int]:
        """Pixels painted, tiles drawn, numbers read."""
        settle()
        pixels, tiles, reads = (self._now() - self.before).tolist()
        return pixels, tiles, reads


def test_playing_paints_the_playhead_and_nothing_else(long_timeline: TimelineWidget) -> None:
    model = long_timeline.model
    model.set_view(model.view.showing(100.0, 200.0))
    model.set_playhead(150.0)
    settle()
    height = sum(lane.height() for lane in long_timeline.lanes)
    for step in range(1, 90):  # three seconds, thirty times a second
        work = Work(long_timeline)
        model.set_playhead(150.0 + step / 30)
        pixels, tiles, reads = work.done()
        assert tiles == 0
        assert reads <= SPOKEN
        assert pixels <= 20 * height


def test_a_playhead_that_stays_on_its_pixel_paints_nothing(long_timeline: TimelineWidget) -> None:
    model = long_timeline.model
    model.set_playhead(1800.0)
    settle()
    work = Work(long_timeline)
    model.set_playhead(1800.4)  # 3.6 seconds are a pixel
    pixels, tiles, reads = work.done()
    assert (pixels, tiles) == (0, 0)
    assert reads <= SPOKEN


@pytest.mark.parametrize("span", [HOUR, 600.0, 60.0, 5.0, 0.6])
def test_a_zoom_level_costs_the_same_whatever_it_shows(
    long_timeline: TimelineWidget, span: float
) -> None:
    model = long_timeline.model
    model.set_view(model.view.showing(7.0, 8.0))
    settle()
    for lane in long_timeline.lanes:
        lane.forget_pictures()
    work = Work(long_timeline)
    model.set_view(model.view.showing(1000.0, 1000.0 + span))
    _, tiles, reads = work.done()
    assert 0 < tiles <= 2 * (1000 // TILE + 2)
    assert reads <= tiles * TILE * 4


def test_what_was_drawn_once_is_kept(long_timeline: TimelineWidget) -> None:
    model = long_timeline.model
    near, far = model.view.showing(100.0, 160.0), model.view.showing(1000.0, 1300.0)
    for view in (near, far):
        model.set_view(view)
        settle()
    work = Work(long_timeline)
    for view in (near, far, near.scrolled(5), far):
        model.set_view(view)
        pixels, tiles, reads = work.done()
        assert tiles == 0
        assert reads <= SPOKEN
        assert pixels > 0


def test_the_cache_does_not_grow_without_end(long_timeline: TimelineWidget) -> None:
    model = long_timeline.model
    for step in range(120):
        model.set_view(model.view.showing(10.0 * step, 10.0 * step + 30.0 + step))
        settle()
    tiles = long_timeline.waveform.tiles
    assert tiles.held_pixels <= tiles.limit
    assert tiles.made > 300


def grabbed(lane: Lane) -> np.ndarray:
    """(height, width, 3) of what is on screen, 0 to 255."""
    image = lane.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = image.constBits()
    assert rows is not None
    data = np.frombuffer(rows.asstring(image.sizeInBytes()), dtype=np.uint8)
    data = data.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    return data.reshape(image.height(), image.width(), 3).astype(int)


def test_scrolled_and_fresh_pictures_are_the_same(timeline: TimelineWidget, qtbot: QtBot) -> None:
    """Tiles meet without a seam: a scrolled view is the picture of the whole, moved."""
    model = timeline.model
    view = model.view.showing(20.0, 40.0)
    model.set_view(view)
    model.set_playhead(0.0)
    for lane in (timeline.waveform, timeline.anglegram):
        model.set_view(view)
        before = grabbed(lane)
        model.set_view(view.scrolled(137))
        after = grabbed(lane)
        assert (before[:, GUTTER + 137 :] == after[:, GUTTER:-137]).all()
        lane.forget_pictures()
        assert (grabbed(lane) == after).all()


def test_the_anglegram_has_left_above_and_moves_with_the_source(
    timeline: TimelineWidget,
) -> None:
    """The test's source goes from +180 degrees at the start to -180 at the end."""
    timeline.model.set_playhead(0.0)
    picture = grabbed(timeline.anglegram)
    background = np.array(_rgb(Colours.now().background))
    height = picture.shape[0] - 1
    for part in (0.25, 0.75):
        column = picture[:height, GUTTER + round(1000 * part)]
        loudest = int(np.abs(column - background).sum(axis=1).argmax())
        assert loudest == pytest.approx(part * height, abs=3)
    assert timeline.anglegram.y_at(90.0) == pytest.approx(0.25 * height, abs=1)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_colour_scale_goes_one_way(mode: str, qapp: QApplication) -> None:
    theme.apply(qapp, mode)
    try:
        table = Colours.now().anglegram_table()
        rgb = np.stack([table >> 16 & 255, table >> 8 & 255, table & 255]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear
        steps = np.diff(luminance)
        assert len(table) == 256
        assert (steps >= -1e-3).all() if mode == "dark" else (steps <= 1e-3).all()
        assert abs(luminance[-1] - luminance[0]) > 0.8
        assert [int(value * 255 + 0.5) for value in rgb[:, 0]] == _rgb(Colours.now().background)
    finally:
        theme.apply(qapp, "light")


def test_a_change_of_theme_paints_all_anew(timeline: TimelineWidget, qapp: QApplication) -> None:
    theme.apply(qapp, "light")
    settle()
    light = grabbed(timeline.waveform)
    theme.apply(qapp, "dark")
    try:
        settle()
        dark = grabbed(timeline.waveform)
        for picture, mode in ((light, 0), (dark, 1)):
            background = [int(theme.COLOURS["lane"][mode][k : k + 2], 16) for k in (1, 3, 5)]
            assert picture[2, GUTTER + 300].tolist() == background
        waves = [picture[40, GUTTER + 300].tolist() for picture in (light, dark)]
        assert waves[0] != waves[1]
    finally:
        theme.apply(qapp, "light")


def test_quiet_sounds_are_drawn_larger_and_the_gutter_says_so(timeline: TimelineWidget) -> None:
    peaks = np.full((2, 6000), 0.05, dtype=np.float32) * np.array([[-1], [1]], dtype=np.float32)
    timeline.model.set_field(FieldSummary.from_arrays({"peaks": peaks}))
    assert timeline.waveform.gain_db == 24.0
    picture = grabbed(timeline.waveform)[:-1, GUTTER + 500]
    marked = np.abs(picture - np.array(_rgb(Colours.now().background))).sum(axis=1) > 60
    # 0.05 and 24 dB are 0.79 of the lane's half.
    assert marked.sum() == pytest.approx(0.79 * len(picture), abs=6)


def test_full_scale_is_marked(timeline: TimelineWidget) -> None:
    peaks = np.full((2, 6000), 0.5, dtype=np.float32) * np.array([[-1], [1]], dtype=np.float32)
    peaks[1, 3000:3100] = 1.0
    timeline.model.set_field(FieldSummary.from_arrays({"peaks": peaks}))
    picture = grabbed(timeline.waveform)
    middle = picture.shape[0] // 2 - 6
    assert picture[middle, GUTTER + 508].tolist() == _rgb(Colours.now().over)
    assert picture[middle, GUTTER + 400].tolist() == _rgb(Colours.now().wave)


def test_high_density_screens_get_their_own_pixels(timeline: TimelineWidget) -> None:
    """Twice the pixels: tiles are drawn at that size, not blown up."""
    from PyQt6.QtCore import QRect
    from PyQt6.QtGui import QPainter, QPixmap

    target = QPixmap(2 * TILE, 2 * 83)
    target.setDevicePixelRatio(2.0)
    painter = QPainter(target)
    tiles = timeline.waveform.tiles
    tiles.paint(
        painter, QRect(0, 0, TILE, 83), left=0, start=0.0, scale=0.06, top=0, height=83, ratio=2.0
    )
    painter.end()
    image = target.toImage()
    columns = np.array([[image.pixel(x, y) for x in range(2 * TILE)] for y in range(20, 60)])
    # Noise peaks: neighbours that share a logical pixel still differ.
    pairs = columns.reshape(40, TILE, 2)
    assert (pairs[..., 0] != pairs[..., 1]).any(axis=0).mean() > 0.5


def test_a_lane_without_a_field_is_empty_not_broken(qtbot: QtBot) -> None:
    model = TimelineModel()
    model.load(10.0)
    widget = TimelineWidget(model)
    qtbot.addWidget(widget)
    widget.resize(600, widget.sizeHint().height())
    widget.show()
    qtbot.waitExposed(widget)
    picture = grabbed(widget.anglegram)
    assert picture[10, 300].tolist() == _rgb(Colours.now().background)
    assert widget.grab().toImage().pixel(QPoint(300, 40)) != 0


def _rgb(colour: object) -> list[int]:
    return [colour.red(), colour.green(), colour.blue()]  # type: ignore[attr-defined]


def test_height_to_spare_goes_to_the_curves(timeline: TimelineWidget) -> None:
    before = [lane.height() for lane in timeline.lanes]
    timeline.resize(timeline.width(), timeline.height() + 140)
    settle()
    grown = [lane.height() - old for lane, old in zip(timeline.lanes, before, strict=True)]
    assert grown[:3] == [0, 0, 0]
    assert min(grown[3:]) > 40
    assert sum(grown) == 140
    assert timeline.minimumSizeHint().height() < sum(before)
    picture = grabbed(timeline.anglegram)
    assert picture.shape[0] == timeline.anglegram.height()
