"""Labelled marks in directions, painted over the picture and found under the mouse."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen

from qt_app import theme
from qt_app.picture import camera
from qt_app.picture.overlay import blank, pixel_ratio, placed
from qt_app.picture.scene import Scene

REACH = 15.0
"""Logical pixels around a mark's middle that are its own."""
_RADIUS = 9.0
_SIDE = 2 * (REACH + 2)
_FAINTEST = 0.35


@dataclass(frozen=True)
class Marker:
    """A mark at a direction.

    Attributes
    ----------
    key
        Whose it is; the view only hands it back.
    direction
        Unit vector of the picture's world.
    label, words
        Beside it, and said of it at more length.
    colour
        As "#rrggbb".
    ring
        A ring with a dot in place of a disc.
    chosen
        Whether keys act on it.
    strength
        0 (faint) to 1.
    """

    key: Hashable
    direction: camera.Vector
    label: str
    words: str
    colour: str
    ring: bool = False
    chosen: bool = False
    strength: float = 1.0


def paint_markers(painter: QPainter, area: QRectF, scene: Scene, markers: Iterable[Marker]) -> None:
    """Paint those that are in view, the chosen one last.

    Parameters
    ----------
    painter
        In logical pixels.
    area
        The whole view.
    scene
        Of which the look counts.
    """
    for marker in sorted(markers, key=lambda marker: marker.chosen):
        where = placed(area, scene, marker.direction)
        if where is None:
            continue
        image = _image(marker.colour, marker.ring, marker.chosen, pixel_ratio(painter))
        painter.setOpacity(_FAINTEST + (1 - _FAINTEST) * marker.strength)
        painter.drawImage(where - QPointF(_SIDE / 2, _SIDE / 2), image)
        painter.setOpacity(1.0)
        _label(painter, area, where, marker)


def marker_at(area: QRectF, scene: Scene, markers: Sequence[Marker], at: QPointF) -> Marker | None:
    """The mark nearest to a place of the view, None where none is in reach."""
    nearest: tuple[float, Marker] | None = None
    for marker in markers:
        where = placed(area, scene, marker.direction)
        if where is None:
            continue
        distance = math.hypot(where.x() - at.x(), where.y() - at.y())
        distance -= 0.5 * marker.chosen  # of two in one place the chosen one
        if distance <= REACH and (nearest is None or distance < nearest[0]):
            nearest = distance, marker
    return None if nearest is None else nearest[1]


def _label(painter: QPainter, area: QRectF, where: QPointF, marker: Marker) -> None:
    metrics = QFontMetricsF(painter.font())
    box = QRectF(0, 0, metrics.horizontalAdvance(marker.label) + 12, metrics.height() + 4)
    box.moveCenter(where)
    box.moveLeft(where.x() + _RADIUS + 6)
    if box.right() > area.right() - 2:
        box.moveRight(where.x() - _RADIUS - 6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("picture", 0.85 if marker.chosen else 0.62))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(theme.colour("picture text"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, marker.label)


@lru_cache(maxsize=64)
def _image(colour: str, ring: bool, chosen: bool, ratio: float) -> QImage:
    """Painted as an image, since OpenGL's painter has no smooth edges."""
    image, painter = blank(_SIDE, ratio)
    middle = QPointF(_SIDE / 2, _SIDE / 2)
    fill, light, dark = QColor(colour), theme.colour("picture text"), theme.colour("picture", 0.8)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if ring:
        for pen in (QPen(dark, 6.0), QPen(light, 4.4), QPen(fill, 2.6)):
            painter.setPen(pen)
            painter.drawEllipse(middle, _RADIUS - 1, _RADIUS - 1)
        painter.setPen(QPen(dark, 1.0))
        painter.setBrush(light)
        painter.drawEllipse(middle, 2.6, 2.6)
    else:
        painter.setPen(QPen(dark, 4.4))
        painter.drawEllipse(middle, _RADIUS, _RADIUS)
        painter.setPen(QPen(light, 2.0))
        painter.setBrush(fill)
        painter.drawEllipse(middle, _RADIUS, _RADIUS)
    if chosen:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(dark, 3.6), QPen(light, 1.8)):
            painter.setPen(pen)
            painter.drawEllipse(middle, _RADIUS + 5, _RADIUS + 5)
    painter.end()
    return image
