"""What is painted over the picture: front, compass, names of directions, messages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QPolygonF,
)

from qt_app import theme
from qt_app.picture import camera
from qt_app.picture.scene import Scene

COMPASS_RADIUS = 25.0  # logical pixels, as all sizes here
_MARGIN = 12.0
_HEAD = 18.0  # side of the arrowhead's image


@dataclass
class Shown:
    """What the overlay shows besides the look.

    Attributes
    ----------
    front : float
        Azimuth of the clip's front, radians.
    grid : bool
        Whether directions are named along the horizon.
    message : str
        One line; empty for none.
    has_picture : bool
        Without one the message stands in the middle.
    focused : bool
        Whether keys come here.
    """

    front: float = 0.0
    grid: bool = False
    message: str = ""
    has_picture: bool = False
    focused: bool = False


def compass_area(area: QRectF) -> QRectF:
    """Where the compass is painted; empty where there is no room for it."""
    side = 2 * COMPASS_RADIUS
    if area.width() < 4 * side or area.height() < 3 * side:
        return QRectF()
    return QRectF(area.right() - side - _MARGIN, area.bottom() - side - _MARGIN, side, side)


def paint(painter: QPainter, area: QRectF, scene: Scene, shown: Shown, accent: QPalette) -> None:
    """Paint all of it.

    Parameters
    ----------
    painter : QPainter
        In logical pixels.
    area : QRectF
        The whole view.
    scene : Scene
        Of which the look counts.
    shown : Shown
    accent : QPalette
        Its highlight colour frames a focused view.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if shown.has_picture:
        if shown.grid:
            _name_directions(painter, area, scene)
        _mark_front(painter, area, scene, shown.front)
        _paint_compass(painter, compass_area(area), scene, shown.front)
    if shown.message:
        _say(painter, area, shown.message, in_middle=not shown.has_picture)
    if shown.focused:
        painter.setPen(QPen(accent.color(QPalette.ColorRole.Highlight), 2.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(1, 1, -1, -1))


def _name_directions(painter: QPainter, area: QRectF, scene: Scene) -> None:
    for degrees in range(-150, 181, 30):
        where = placed(area, scene, camera.vector(math.radians(degrees), 0.0))
        if where is not None:
            side = "" if degrees in (0, 180) else " left" if degrees > 0 else " right"
            name = f"{abs(degrees)}°{side}"
            _text(painter, where + QPointF(4, -5), name, theme.colour("picture grid"))


def _mark_front(painter: QPainter, area: QRectF, scene: Scene, front: float) -> None:
    """An arrowhead under the front, pointing at it."""
    tip = placed(area, scene, camera.vector(front, 0.0))
    if tip is not None:
        image = _arrowhead(pixel_ratio(painter))
        painter.drawImage(tip - QPointF(_HEAD / 2, 1), image)


def _paint_compass(painter: QPainter, area: QRectF, scene: Scene, front: float) -> None:
    """From above, the viewer looking up: what is seen as a sector, the clip's front as a mark."""
    if not area.isEmpty():
        # Whole degrees: a turn of the head does not need a new image for every pixel.
        away = round(math.degrees(front - scene.look[0])) % 360
        image = _compass(away, round(math.degrees(scene.fov)), pixel_ratio(painter))
        painter.drawImage(area.topLeft(), image)


@lru_cache(maxsize=2)
def _arrowhead(ratio: float) -> QImage:
    image, painter = blank(_HEAD, ratio)
    middle = _HEAD / 2
    corners = [(middle, 1.0), (middle - 7, 13.0), (middle, 10.0), (middle + 7, 13.0)]
    painter.setPen(QPen(theme.colour("picture", 0.8), 1.5))
    painter.setBrush(theme.colour("front"))
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
    painter.end()
    return image


@lru_cache(maxsize=4)
def _compass(away: int, opening: int, ratio: float) -> QImage:
    """Painted as an image, since OpenGL's painter has no smooth edges; angles in degrees."""
    side = 2 * COMPASS_RADIUS
    image, painter = blank(side, ratio)
    area = QRectF(1, 1, side - 2, side - 2)
    middle, radius = area.center(), area.width() / 2
    painter.setPen(QPen(theme.colour("picture text", 0.55), 1.2))
    painter.setBrush(theme.colour("picture", 0.6))
    painter.drawEllipse(area)
    sector = QPainterPath(middle)
    # Qt counts counter-clockwise from the right.
    sector.arcTo(area.adjusted(4, 4, -4, -4), 90 - opening / 2, opening)
    sector.closeSubpath()
    painter.fillPath(sector, theme.colour("picture text", 0.35))
    angle = math.radians(away)
    out = QPointF(-math.sin(angle), -math.cos(angle))
    across = QPointF(out.y(), -out.x())
    base = middle + out * (radius - 13)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("front"))
    painter.drawPolygon(
        QPolygonF([middle + out * (radius - 2), base + across * 6, base - across * 6])
    )
    painter.setBrush(theme.colour("picture text"))
    painter.drawEllipse(middle, 2.5, 2.5)
    painter.end()
    return image


def blank(side: float, ratio: float) -> tuple[QImage, QPainter]:
    """A transparent square of so many logical pixels, and its painter."""
    pixels = math.ceil(side * ratio)
    image = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return image, painter


def pixel_ratio(painter: QPainter) -> float:
    device = painter.device()
    return 1.0 if device is None else device.devicePixelRatioF()


def placed(area: QRectF, scene: Scene, direction: camera.Vector) -> QPointF | None:
    """Where a direction is shown; None outside of the view."""
    seen = camera.turned_back(camera.matrix(*scene.look), direction)
    found = camera.place(seen, area.width(), area.height(), scene.fov)
    where = None if found is None else QPointF(*found)
    return where if where is not None and area.contains(where) else None


def _say(painter: QPainter, area: QRectF, message: str, in_middle: bool) -> None:
    metrics = QFontMetricsF(painter.font())
    room = area.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    if not in_middle:
        room.setRight(compass_area(area).left() - _MARGIN if compass_area(area) else room.right())
    flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignCenter
    needed = metrics.boundingRect(room, int(flags), message)
    place = QRectF(0, 0, needed.width() + 24, needed.height() + 14)
    place.moveCenter(room.center())
    if not in_middle:
        place.moveBottom(room.bottom())
        place.moveLeft(room.left())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("picture", 0.82))
        painter.drawRoundedRect(place, 6, 6)
    painter.setPen(theme.colour("picture text"))
    painter.drawText(place, int(flags), message)


def _text(painter: QPainter, where: QPointF, text: str, colour: QColor) -> None:
    painter.setPen(theme.colour("picture", 0.9))
    painter.drawText(where + QPointF(1, 1), text)
    painter.setPen(colour)
    painter.drawText(where, text)
