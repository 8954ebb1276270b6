"""Marks on the 360 view: where they are drawn, dragging, keys; looking around stays as it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from omniaudio_studio.media.probe import probe
from qt_app.picture import camera
from qt_app.picture.decoder import FrameSource
from qt_app.picture.look import LookModel
from qt_app.picture.markers import Marker, marker_at, paint_markers
from qt_app.picture.scene import Scene
from qt_app.picture.view import SphereView, make_sphere_view
from qt_app.sources.markers import markers_at
from qt_app.sources.model import HINT, SOURCE, Picked, SourcesModel
from qt_app.timeline.model import TimelineModel
from qt_app.widgets.source_hands import SourceHands

SIZE = (640, 360)
LEFT = Qt.MouseButton.LeftButton
AREA = QRectF(0, 0, *SIZE)


def marker(azimuth: float, elevation: float = 0.0, **values: object) -> Marker:
    direction = camera.vector(math.radians(azimuth), math.radians(elevation))
    return Marker("m", direction, "Dog", "Dog", "#ff0000", **values)  # type: ignore[arg-type]


def painted(markers: list[Marker], scene: Scene) -> QImage:
    image = QImage(*SIZE, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    paint_markers(painter, AREA, scene, markers)
    painter.end()
    return image


@pytest.mark.parametrize(
    ("azimuth", "elevation", "place"),
    # 90 degrees over 640 pixels: half the width is tan(45 degrees).
    [
        (0, 0, (320, 180)),
        (26.565, 0, (160, 180)),
        (-26.565, 0, (480, 180)),
        (0, 14.036, (320, 100)),
    ],
)
def test_a_mark_is_where_its_direction_is_shown(
    qapp: object, azimuth: float, elevation: float, place: tuple[int, int]
) -> None:
    image = painted([marker(azimuth, elevation)], Scene())
    assert QColor(image.pixel(*place)).red() > 200
    found = marker_at(AREA, Scene(), [marker(azimuth, elevation)], QPointF(*place))
    assert found is not None


@pytest.mark.parametrize("azimuth", [50.0, 90.0, 180.0, -130.0])
def test_outside_of_the_view_nothing_is_drawn(qapp: object, azimuth: float) -> None:
    image = painted([marker(azimuth)], Scene())
    assert image == painted([], Scene())
    assert marker_at(AREA, Scene(), [marker(azimuth)], QPointF(0, 180)) is None


def test_a_chosen_and_a_faint_mark_look_different(qapp: object) -> None:
    plain = painted([marker(0)], Scene())
    assert painted([marker(0, chosen=True)], Scene()) != plain
    assert painted([marker(0, strength=0.0)], Scene()) != plain
    assert painted([marker(0, ring=True)], Scene()) != plain


@pytest.fixture
def model(qapp: object) -> SourcesModel:
    timeline = TimelineModel()
    timeline.load(3.0, frame_rate=30.0)
    return SourcesModel(timeline)


@pytest.fixture
def asked() -> list[object]:
    return []


@pytest.fixture(params=[False, True], ids=["gl", "software"])
def view(
    request: pytest.FixtureRequest,
    qtbot: QtBot,
    source: FrameSource,
    model: SourcesModel,
    small_clip: Path,
    asked: list[object],
) -> Iterator[SphereView]:
    """On the screen, with a clip, tied to the model."""
    look = LookModel()
    made = make_sphere_view(
        look, source, lambda: model.timeline.playhead, software=bool(request.param)
    )
    hands = SourceHands(made, model, asked.append, look.recentre)
    qtbot.addWidget(made)
    made.resize(*SIZE)
    made.show()
    qtbot.waitExposed(made)
    source.open(probe(small_clip).as_dict())
    qtbot.waitUntil(lambda: made.picture is not None, timeout=60_000)
    yield made
    hands.deleteLater()
    made.close_view()


def place_of(view: SphereView, azimuth: float, elevation: float) -> QPoint:
    direction = camera.vector(math.radians(azimuth), math.radians(elevation))
    found = view._look.place_of(direction, *SIZE)
    assert found is not None
    return QPoint(round(found[0]), round(found[1]))


def drag(qtbot: QtBot, view: SphereView, start: QPoint, *stops: QPoint, drop: bool = True) -> None:
    qtbot.mousePress(view, LEFT, pos=start)
    for stop in stops:
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(stop),
            QPointF(view.mapToGlobal(stop)),
            Qt.MouseButton.NoButton,
            LEFT,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(view, event)
    if drop:
        qtbot.mouseRelease(view, LEFT, pos=stops[-1])


def test_a_drag_makes_a_keyframe_at_the_playhead_in_one_step(
    qtbot: QtBot, view: SphereView, model: SourcesModel
) -> None:
    model.add_source(10.0, 0.0)
    model.timeline.scrub(1.0)
    view.refresh()
    steps = model.timeline.undo_stack.count()
    drag(
        qtbot,
        view,
        place_of(view, 10.0, 0.0),
        place_of(view, 20.0, 5.0),
        place_of(view, -30.0, 12.0),
    )
    assert model.timeline.undo_stack.count() == steps + 1
    (first, second) = model.sources[0].points
    assert first == (0.0, 10.0, 0.0, 1.0)
    assert second[0] == 1.0
    assert second[1:3] == pytest.approx((-30.0, 12.0), abs=0.4)  # to the pixel
    assert (view._look.yaw, view._look.pitch) == (0.0, 0.0)
    assert model.picked == Picked(SOURCE, 0, 1)
    model.timeline.undo_stack.undo()
    assert model.sources[0].points == (first,)


def test_beside_marks_the_mouse_looks_around(
    qtbot: QtBot, view: SphereView, model: SourcesModel
) -> None:
    model.add_source(0.0, 0.0)
    before, steps = model.sources, model.timeline.undo_stack.count()
    drag(qtbot, view, QPoint(100, 300), QPoint(200, 300))
    assert abs(view._look.yaw) > 0.1
    assert model.sources == before
    assert model.timeline.undo_stack.count() == steps
    assert model.picked is not None  # only a click lets go
    qtbot.mouseClick(view, LEFT, pos=QPoint(100, 300))
    assert model.picked is None


def test_a_double_click_adds_a_source_there(
    qtbot: QtBot, view: SphereView, model: SourcesModel
) -> None:
    view._look.set_orientation(math.radians(60), 0.0)
    qtbot.mouseDClick(view, LEFT, pos=place_of(view, 80.0, -10.0))
    assert model.sources[0].points[0][1:3] == pytest.approx((80.0, -10.0), abs=0.4)
    assert view._look.yaw == pytest.approx(math.radians(60))


def test_keys_add_choose_move_and_remove(
    qtbot: QtBot, view: SphereView, model: SourcesModel
) -> None:
    view.setFocus()
    view._look.set_orientation(math.radians(90), 0.0)
    qtbot.keyClick(view, Qt.Key.Key_N)
    qtbot.keyClick(view, Qt.Key.Key_H)
    assert model.sources[0].points[0][1:3] == pytest.approx((90.0, 0.0), abs=0.01)
    assert model.picked == Picked(HINT, 0)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.keyClick(view, Qt.Key.Key_Left)  # nothing is chosen: the look turns
    assert view._look.yaw > math.radians(91)
    qtbot.keyClick(view, Qt.Key.Key_M)
    assert model.picked == Picked(SOURCE, 0)
    yaw = view._look.yaw
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert model.sources[0].points[0][1:3] == pytest.approx((91.0, 5.0), abs=0.01)
    assert view._look.yaw == yaw
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert model.sources == ()


def test_escape_puts_a_drag_back(qtbot: QtBot, view: SphereView, model: SourcesModel) -> None:
    model.add_source(0.0, 0.0)
    before = model.sources
    drag(qtbot, view, place_of(view, 0, 0), place_of(view, 20, 0), drop=False)
    assert model.sources != before
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert model.sources == before
    qtbot.mouseRelease(view, LEFT, pos=place_of(view, 20, 0))
    assert model.sources == before


def test_control_click_puts_what_is_chosen(
    qtbot: QtBot, view: SphereView, model: SourcesModel
) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.mouseClick(view, LEFT, control, place_of(view, 10, 0))
    model.timeline.scrub(2.0)
    qtbot.mouseClick(view, LEFT, control, place_of(view, -20, 5))
    assert len(model.sources) == 1
    times = [point[0] for point in model.sources[0].points]
    assert times == [0.0, 2.0]


def test_marks_follow_the_playhead_and_are_said(view: SphereView, model: SourcesModel) -> None:
    model.add_source(0.0, 0.0)
    model.timeline.scrub(2.0)
    model.place(Picked(SOURCE, 0), 40.0, 0.0)
    model.timeline.scrub(1.0)
    view.refresh_markers()
    (mark,) = view.marking.markers
    assert np.degrees(camera.angles(mark.direction)[0]) == pytest.approx(20.0, abs=0.01)
    assert "Source 1, 20° left" in view.accessibleDescription()
    assert "N adds a source" in view.accessibleDescription()


def test_a_hint_is_shown_while_it_holds_or_is_chosen(model: SourcesModel) -> None:
    model.timeline.set_range(1.0, 2.0)
    model.add_hint(30.0, 0.0)
    assert [m.chosen for m in markers_at(model, 0.0)] == [True]
    model.pick(None)
    assert markers_at(model, 0.0) == ()
    assert markers_at(model, 1.5)[0].ring
