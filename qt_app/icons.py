"""The app's icons, drawn as vectors in the theme's colours, sharp at every size and pixel ratio.

``icon("play")`` is a QIcon that repaints itself in the colours of the moment: it needs no renewal
when the theme changes. Every drawing lives in a square of 24 units.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import (
    QColor,
    QIcon,
    QIconEngine,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPixmap,
    QTransform,
)

from qt_app import theme

UNITS = 24.0
STROKE = 1.9  # units


def icon(name: str, tint: str | None = None) -> QIcon:
    """A named icon.

    Parameters
    ----------
    name
        A key of :data:`NAMES`; KeyError for another.
    tint
        Name of a theme colour; the text colour where None.
    """
    if name not in DRAWINGS:
        raise KeyError(name)
    return QIcon(_Engine(name, tint))


def pixmap(name: str, size: int, tint: str | None = None, ratio: float = 1.0) -> QPixmap:
    """A picture of an icon, ``size`` logical pixels wide, in the colours of the moment."""
    pixels = max(round(size * ratio), 1)
    made = QPixmap(pixels, pixels)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    paint(painter, name, QRectF(0, 0, pixels, pixels), theme.colour(tint or "text"))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def paint(painter: QPainter, name: str, rect: QRectF, colour: QColor) -> None:
    """Draw an icon into a rectangle, as large as fits, in the middle."""
    side = min(rect.width(), rect.height())
    scale = side / UNITS
    move = QTransform.fromTranslate(
        rect.x() + (rect.width() - side) / 2, rect.y() + (rect.height() - side) / 2
    )
    path = (QTransform.fromScale(scale, scale) * move).map(shape(name))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(path, colour)
    painter.restore()


def shape(name: str) -> QPainterPath:
    """The filled outline of an icon, in units."""
    made = _shapes.get(name)
    if made is None:
        made = _shapes[name] = DRAWINGS[name]()
    return made


_shapes: dict[str, QPainterPath] = {}


class _Engine(QIconEngine):
    """Paints a drawing in the theme's colours whenever it is asked for."""

    def __init__(self, name: str, tint: str | None) -> None:
        super().__init__()
        self._name, self._tint = name, tint

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._tint)

    def paint(
        self, painter: QPainter | None, rect: QRect, mode: QIcon.Mode, state: QIcon.State
    ) -> None:
        if painter is None:
            return
        if mode == QIcon.Mode.Disabled:
            name = "disabled"
        elif self._tint is not None:
            name = self._tint
        elif mode == QIcon.Mode.Selected:
            name = "selection text"
        else:
            name = "text"
        paint(painter, self._name, QRectF(rect), theme.colour(name))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return made


# Building blocks ------------------------------------------------------------------------------


def _stroked(path: QPainterPath, width: float = STROKE) -> QPainterPath:
    stroker = QPainterPathStroker()
    stroker.setWidth(width)
    stroker.setCapStyle(Qt.PenCapStyle.RoundCap)
    stroker.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    made = stroker.createStroke(path)
    made.setFillRule(Qt.FillRule.WindingFill)
    return made


def _lines(*points: tuple[float, float], width: float = STROKE) -> QPainterPath:
    """A stroked run of straight lines."""
    path = QPainterPath()
    path.moveTo(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(QPointF(*point))
    return _stroked(path, width)


def _polygon(*points: tuple[float, float], soften: float = 1.2) -> QPainterPath:
    """A filled polygon with rounded corners."""
    path = QPainterPath()
    path.moveTo(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(QPointF(*point))
    path.closeSubpath()
    return path.united(_stroked(path, soften)) if soften else path


def _box(x: float, y: float, width: float, height: float, radius: float = 1.0) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(QRectF(x, y, width, height), radius, radius)
    return path


def _frame(x: float, y: float, width: float, height: float, radius: float = 2.0) -> QPainterPath:
    return _stroked(_box(x, y, width, height, radius))


def _disc(x: float, y: float, radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(x, y), radius, radius)
    return path


def _ring(x: float, y: float, radius: float, width: float = STROKE) -> QPainterPath:
    return _stroked(_disc(x, y, radius), width)


def _arc(
    x: float, y: float, radius: float, start: float, sweep: float, width: float = STROKE
) -> QPainterPath:
    """Degrees, counter-clockwise from three o'clock."""
    path = QPainterPath()
    box = QRectF(x - radius, y - radius, 2 * radius, 2 * radius)
    path.arcMoveTo(box, start)
    path.arcTo(box, start, sweep)
    return _stroked(path, width)


def _joined(*paths: QPainterPath) -> QPainterPath:
    made = QPainterPath()
    made.setFillRule(Qt.FillRule.WindingFill)
    for path in paths:
        made = made.united(path)
    return made


def _mirrored(path: QPainterPath) -> QPainterPath:
    return QTransform(-1, 0, 0, 1, UNITS, 0).map(path)


# Drawings -------------------------------------------------------------------------------------


def _play() -> QPainterPath:
    return _polygon((8, 5.5), (18.5, 12), (8, 18.5))


def _pause() -> QPainterPath:
    return _joined(_box(6.5, 5, 4, 14, 1.2), _box(13.5, 5, 4, 14, 1.2))


def _stop() -> QPainterPath:
    return _box(6, 6, 12, 12, 1.6)


def _step_forward() -> QPainterPath:
    return _joined(_polygon((6.5, 6.5), (14, 12), (6.5, 17.5)), _box(16, 5.5, 2.4, 13, 1.0))


def _loop() -> QPainterPath:
    top = _lines((5, 12), (5, 10), (5.6, 8.4), (7, 7.5), (18, 7.5))
    bottom = _lines((19, 12), (19, 14), (18.4, 15.6), (17, 16.5), (6, 16.5))
    heads = _lines((15.5, 4.5), (18.6, 7.5), (15.5, 10.5))
    tails = _lines((8.5, 13.5), (5.4, 16.5), (8.5, 19.5))
    return _joined(top, bottom, heads, tails)


def _dice() -> QPainterPath:
    dots = [
        _disc(x, y, 1.35) for x, y in ((8.6, 8.6), (15.4, 8.6), (12, 12), (8.6, 15.4), (15.4, 15.4))
    ]
    return _joined(_frame(4.2, 4.2, 15.6, 15.6, 3.2), *dots)


def _lock(opened: bool = False) -> QPainterPath:
    body = _box(5, 10.6, 14, 9.6, 2.0).subtracted(_disc(12, 15.3, 1.5))
    shackle = QPainterPath()
    if opened:
        shackle.moveTo(8.2, 10.6)
        shackle.lineTo(8.2, 7.6)
        shackle.arcTo(QRectF(8.2, 3.6, 7.6, 7.6), 180, -160)
    else:
        shackle.moveTo(8.2, 10.6)
        shackle.lineTo(8.2, 7.6)
        shackle.arcTo(QRectF(8.2, 3.8, 7.6, 7.6), 180, -180)
        shackle.lineTo(15.8, 10.6)
    return _joined(body, _stroked(shackle))


def _star_outline() -> QPainterPath:
    points = []
    for index in range(10):
        radius = 8.6 if index % 2 == 0 else 3.9
        angle = math.pi / 2 + index * math.pi / 5
        points.append((12 + radius * math.cos(angle), 12.6 - radius * math.sin(angle)))
    return _polygon(*points, soften=0)


def _keep() -> QPainterPath:
    """A bookmark with a tick."""
    path = QPainterPath()
    path.moveTo(6.5, 4)
    path.lineTo(17.5, 4)
    path.lineTo(17.5, 20)
    path.lineTo(12, 16)
    path.lineTo(6.5, 20)
    path.closeSubpath()
    return _joined(_stroked(path), _lines((9.3, 9.6), (11.3, 11.6), (14.9, 7.8), width=1.7))


def _add() -> QPainterPath:
    return _lines((12, 5), (12, 19)).united(_lines((5, 12), (19, 12)))


def _folder() -> QPainterPath:
    path = QPainterPath()
    path.moveTo(3.8, 18.6)
    path.lineTo(3.8, 5.8)
    path.lineTo(9.6, 5.8)
    path.lineTo(11.8, 8.2)
    path.lineTo(20.2, 8.2)
    path.lineTo(20.2, 18.6)
    path.closeSubpath()
    return _stroked(path)


def _remove() -> QPainterPath:
    """A bin."""
    return _joined(
        _lines((4.5, 6.8), (19.5, 6.8)),
        _lines((9.3, 6.6), (9.8, 4.2), (14.2, 4.2), (14.7, 6.6)),
        _lines((6.3, 7), (7.2, 20), (16.8, 20), (17.7, 7)),
        _lines((10, 10.5), (10.3, 16.5), width=1.6),
        _lines((14, 10.5), (13.7, 16.5), width=1.6),
    )


def _retry() -> QPainterPath:
    return _joined(_arc(12, 12.4, 7, 60, 285), _lines((11.2, 3.2), (15.6, 6.1), (12.4, 9.9)))


def _cancel() -> QPainterPath:
    return _lines((6, 6), (18, 18)).united(_lines((18, 6), (6, 18)))


def _hold() -> QPainterPath:
    """Pause in a ring: waits until it is released."""
    return _joined(
        _ring(12, 12, 8.2), _lines((9.8, 8.8), (9.8, 15.2)), _lines((14.2, 8.8), (14.2, 15.2))
    )


def _up() -> QPainterPath:
    return _lines((12, 19), (12, 5.4)).united(_lines((6, 11), (12, 5), (18, 11)))


def _search() -> QPainterPath:
    return _ring(10.4, 10.4, 6).united(_lines((15, 15), (20, 20), width=2.3))


def _head_tracking() -> QPainterPath:
    """A head from above, nose forward, with arrows for turning."""
    nose = _polygon((10, 7.6), (12, 4.4), (14, 7.6), soften=1.2)
    arrows = _joined(
        _arc(12, 12, 9.6, 205, 50, 1.6),
        _arc(12, 12, 9.6, 285, 50, 1.6),
        _lines((1.4, 13.8), (3.3, 16.0), (6.0, 14.6), width=1.6),
        _lines((22.6, 13.8), (20.7, 16.0), (18, 14.6), width=1.6),
    )
    return _joined(_ring(12, 12, 4.6), nose, arrows)


def _headphones() -> QPainterPath:
    return _joined(
        _arc(12, 12.6, 7.8, 0, 180),
        _box(3.2, 12.2, 4.6, 7.6, 1.7),
        _box(16.2, 12.2, 4.6, 7.6, 1.7),
    )


def _settings() -> QPainterPath:
    """Sliders."""
    made = QPainterPath()
    for y, knob in ((6.5, 15.5), (12, 8.5), (17.5, 13.5)):
        line = _lines((4, y), (20, y)).subtracted(_disc(knob, y, 3.3))
        made = _joined(made, line, _ring(knob, y, 2.1, 1.8))
    return made


def _info() -> QPainterPath:
    return _joined(_ring(12, 12, 8.4), _disc(12, 7.9, 1.3), _lines((12, 11.4), (12, 16.4)))


def _warning() -> QPainterPath:
    path = QPainterPath()
    path.moveTo(12, 4)
    path.lineTo(20.8, 19.4)
    path.lineTo(3.2, 19.4)
    path.closeSubpath()
    return _joined(_stroked(path), _lines((12, 9.6), (12, 13.6)), _disc(12, 16.6, 1.2))


def _grid() -> QPainterPath:
    boxes = [_frame(x, y, 6.4, 6.4, 1.2) for x in (4.4, 13.2) for y in (4.4, 13.2)]
    return _joined(*boxes)


def _energy() -> QPainterPath:
    """A source with its lobes on a sphere."""
    return _joined(
        _disc(12, 12, 2.4),
        _arc(12, 12, 5.6, -50, 100, 1.8),
        _arc(12, 12, 5.6, 130, 100, 1.8),
        _arc(12, 12, 9.2, -42, 84, 1.8),
        _arc(12, 12, 9.2, 138, 84, 1.8),
    )


def _source() -> QPainterPath:
    """A mark in a direction, and a plus."""
    return _joined(
        _disc(9.5, 13.5, 4.2),
        _arc(9.5, 13.5, 7.6, 90, 270, 1.8),
        _lines((18, 3.2), (18, 10.8)),
        _lines((14.2, 7), (21.8, 7)),
    )


def _hint() -> QPainterPath:
    """A ring with a dot: a target."""
    return _joined(_disc(12, 12, 2.6), _arc(12, 12, 8.2, 0, 360, 2.6))


def _place() -> QPainterPath:
    """A recording's wave, and where it goes on the sphere."""
    return _joined(
        _lines((2.5, 9.5), (2.5, 14.5)),
        _lines((6, 6.5), (6, 17.5)),
        _lines((9.5, 10), (9.5, 14)),
        _disc(15.5, 12, 2.4),
        _arc(13.5, 12, 6.6, -60, 120, 1.8),
    )


def _generate() -> QPainterPath:
    """A wave that grows out of a spark."""
    spark = QPainterPath()
    spark.moveTo(8, 2.8)
    spark.quadTo(8.6, 7.4, 13.2, 8)
    spark.quadTo(8.6, 8.6, 8, 13.2)
    spark.quadTo(7.4, 8.6, 2.8, 8)
    spark.quadTo(7.4, 7.4, 8, 2.8)
    bars = [
        _lines((x, 16.5 - h), (x, 16.5 + h))
        for x, h in ((4.5, 0.6), (8.3, 1.5), (12.1, 3.2), (15.9, 5.0), (19.7, 2.4))
    ]
    return _joined(spark, *bars)


def _speaker() -> QPainterPath:
    return _joined(
        _polygon((4, 9.6), (7.6, 9.6), (11.8, 6), (11.8, 18), (7.6, 14.4), (4, 14.4)),
        _arc(12.4, 12, 4, -45, 90),
        _arc(12.4, 12, 7.6, -45, 90),
    )


def _copy() -> QPainterPath:
    back = _lines((6.2, 15.2), (4.6, 15.2), (4.6, 4.6), (15.2, 4.6), (15.2, 6.2))
    return _joined(_frame(8.8, 8.8, 10.6, 10.6, 1.6), back)


def _import() -> QPainterPath:
    """An arrow into a tray: settings taken over."""
    return _joined(
        _lines((12, 4), (12, 13.6)),
        _lines((7.8, 9.8), (12, 14), (16.2, 9.8)),
        _lines((4.5, 15), (4.5, 19.6), (19.5, 19.6), (19.5, 15)),
    )


def _export() -> QPainterPath:
    """An arrow out of a tray: files that leave."""
    return _joined(
        _lines((12, 13.6), (12, 4)),
        _lines((7.8, 8), (12, 3.8), (16.2, 8)),
        _lines((4.5, 15), (4.5, 19.6), (19.5, 19.6), (19.5, 15)),
    )


def _more() -> QPainterPath:
    return _joined(_disc(5.6, 12, 1.9), _disc(12, 12, 1.9), _disc(18.4, 12, 1.9))


def _flipped(draw: Callable[[], QPainterPath]) -> Callable[[], QPainterPath]:
    return lambda: QTransform(1, 0, 0, -1, 0, UNITS).map(draw())


DRAWINGS: dict[str, Callable[[], QPainterPath]] = {
    "play": _play,
    "pause": _pause,
    "stop": _stop,
    "step-forward": _step_forward,
    "step-back": lambda: _mirrored(_step_forward()),
    "loop": _loop,
    "dice": _dice,
    "lock": _lock,
    "unlock": lambda: _lock(opened=True),
    "star": lambda: _stroked(_star_outline(), 1.7),
    "star-filled": lambda: _star_outline().united(_stroked(_star_outline(), 1.7)),
    "keep": _keep,
    "add": _add,
    "folder": _folder,
    "remove": _remove,
    "retry": _retry,
    "cancel": _cancel,
    "hold": _hold,
    "up": _up,
    "down": _flipped(_up),
    "search": _search,
    "head-tracking": _head_tracking,
    "headphones": _headphones,
    "speaker": _speaker,
    "settings": _settings,
    "info": _info,
    "warning": _warning,
    "grid": _grid,
    "energy": _energy,
    "source": _source,
    "hint": _hint,
    "place": _place,
    "generate": _generate,
    "copy": _copy,
    "import": _import,
    "export": _export,
    "more": _more,
    "check": lambda: _lines((5, 12.6), (9.8, 17.4), (19, 7), width=2.2),
    "chevron-right": lambda: _lines((9.4, 6), (15.2, 12), (9.4, 18), width=2.1),
    "chevron-down": lambda: _lines((6, 9.4), (12, 15.2), (18, 9.4), width=2.1),
}
NAMES: tuple[str, ...] = tuple(DRAWINGS)
