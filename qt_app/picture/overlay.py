"""What is painted over the picture: front, compass, names of directions, messages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPalette, QPen, QPolygonF

from qt_app import theme
from qt_app.picture import camera
from qt_app.picture.look import LookModel

COMPASS_RADIUS = 25.0  # logical pixels, as all sizes here
_MARGIN = 12.0
_NAMES = {0: "Front", 90: "Left", 180: "Back", -90: "Right"}


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


def paint(painter: QPainter, area: QRectF, look: LookModel, shown: Shown, accent: QPalette) -> None:
    """Paint all of it.

    Parameters
    ----------
    painter : QPainter
        In logical pixels.
    area : QRectF
        The whole view.
    look : LookModel
    shown : Shown
    accent : QPalette
        Its highlight colour frames a focused view.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if shown.has_picture:
        if shown.grid:
            _name_directions(painter, area, look)
        _mark_front(painter, area, look, shown.front)
        _paint_compass(painter, compass_area(area), look, shown.front)
    if shown.message:
        _say(painter, area, shown.message, in_middle=not shown.has_picture)
    if shown.focused:
        painter.setPen(QPen(accent.color(QPalette.ColorRole.Highlight), 2.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(1, 1, -1, -1))


def _name_directions(painter: QPainter, area: QRectF, look: LookModel) -> None:
    for degrees in range(-150, 181, 30):
        where = look.place_of(
            camera.vector(math.radians(degrees), 0.0), area.width(), area.height()
        )
        if where is not None and area.contains(QPointF(*where)):
            name = _NAMES.get(degrees, f"{abs(degrees)}° {'left' if degrees > 0 else 'right'}")
            _text(painter, QPointF(where[0] + 4, where[1] - 5), name, theme.colour("picture grid"))


def _mark_front(painter: QPainter, area: QRectF, look: LookModel, front: float) -> None:
    """An arrowhead under the front, pointing at it."""
    where = look.place_of(camera.vector(front, 0.0), area.width(), area.height())
    if where is None or not area.contains(QPointF(*where)):
        return
    tip = QPointF(*where)
    head = QPolygonF([tip, tip + QPointF(-7, 12), tip + QPointF(0, 9), tip + QPointF(7, 12)])
    painter.setPen(QPen(theme.colour("picture", 0.8), 1.5))
    painter.setBrush(theme.colour("front"))
    painter.drawPolygon(head)


def _paint_compass(painter: QPainter, area: QRectF, look: LookModel, front: float) -> None:
    """From above, the viewer looking up: what is seen as a sector, the clip's front as a mark."""
    if area.isEmpty():
        return
    middle, radius = area.center(), area.width() / 2
    painter.setPen(QPen(theme.colour("picture text", 0.55), 1.2))
    painter.setBrush(theme.colour("picture", 0.6))
    painter.drawEllipse(middle, radius, radius)
    sector = QPainterPath(middle)
    inner = area.adjusted(4, 4, -4, -4)
    opening = math.degrees(look.fov)
    # Qt counts counter-clockwise from the right.
    sector.arcTo(inner, 90 - opening / 2, opening)
    sector.closeSubpath()
    painter.fillPath(sector, theme.colour("picture text", 0.35))
    away = front - look.yaw
    out = QPointF(-math.sin(away), -math.cos(away))
    across = QPointF(out.y(), -out.x())
    tip = middle + out * (radius - 2)
    base = middle + out * (radius - 13)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("front"))
    painter.drawPolygon(QPolygonF([tip, base + across * 6, base - across * 6]))
    painter.setBrush(theme.colour("picture text"))
    painter.drawEllipse(middle, 2.5, 2.5)


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
