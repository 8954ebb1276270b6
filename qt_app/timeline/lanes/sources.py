"""A lane for each source, with its keyframes, and one for the hints."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QPointF, QRect, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QContextMenuEvent, QMouseEvent, QPainter, QPen, QPolygonF
from PyQt6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from qt_app import theme
from qt_app.sources.markers import direction_text
from qt_app.sources.model import HINT, SOURCE, Picked, SourcesModel
from qt_app.timeline.clock import spoken_time
from qt_app.timeline.colours import faded
from qt_app.timeline.drags import Drag
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.source_drags import HintDrag, PointDrag

_REACH = 7  # pixels around a keyframe or an end that grab it
_DIAMOND = 5.5
_MARGIN = 7  # pixels above and below the gains
_ABOUT_SOURCE = (
    "Drag a keyframe in time, double-click it for direction and gain. A double click elsewhere "
    "adds a keyframe; Delete removes it. The line is the gain."
)


class MarkLane(Lane):
    """A lane of sources or hints.

    `edit_wanted` carries a `Picked` whose values are to be asked for, `menu_wanted` one whose menu
    is wanted; both a place on the screen.
    """

    edit_wanted = pyqtSignal(object, QPoint)
    menu_wanted = pyqtSignal(object, QPoint)

    wanted_height = 27
    range_fill = 0.1

    def __init__(self, sources: SourcesModel, parent: QWidget | None = None) -> None:
        super().__init__(sources.timeline, parent)
        self.sources = sources
        sources.changed.connect(self.show_marks)
        sources.picked_changed.connect(self.update)

    def show_marks(self) -> None:
        """Something is new to show."""
        self.update()

    def picked_at(self, position: QPoint) -> Picked | None:
        """What is at a place of the lane; None for nothing."""
        raise NotImplementedError

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        picked = None if event is None else self.picked_at(event.pos())
        if event is None or picked is None or self.model.duration <= 0:
            return
        self.sources.pick(picked)
        self.menu_wanted.emit(picked, event.globalPos())
        event.accept()


class SourceLane(MarkLane):
    """One source: keyframes as diamonds at the height of their gain, and how sure they were."""

    def __init__(self, sources: SourcesModel, index: int, parent: QWidget | None = None) -> None:
        super().__init__(sources, parent)
        self.index = index
        self.show_marks()

    def show_marks(self) -> None:
        """Its name and keyframes, also for a screen reader."""
        if self.index >= len(self.sources.sources):
            return
        source = self.sources.sources[self.index]
        self.title = source.name
        self.setAccessibleName(f"Source {source.name}")
        sure = " The shade is how sure its directions were." if source.confidence else ""
        self.setToolTip(f"{source.name}. {_ABOUT_SOURCE}{sure}")
        said = [
            f"{spoken_time(time)}: {direction_text(az, el)}, gain {gain:.2f}"
            for time, az, el, gain in source.points[:20]
        ]
        count = len(source.points)
        words = "1 keyframe" if count == 1 else f"{count} keyframes"
        self.setAccessibleDescription(f"{words}. {'; '.join(said)}")
        self.update()

    def paint_gutter(self, painter: QPainter, rect: QRect) -> None:
        if self.index >= len(self.sources.sources):
            return
        source = self.sources.sources[self.index]
        picked = self.sources.picked
        chosen = picked is not None and (picked.kind, picked.index) == (SOURCE, self.index)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.series(source.colour))
        painter.drawEllipse(QPointF(14, rect.center().y() + 0.5), 4, 4)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        colours = self.colours()
        painter.setPen(colours.text if chosen else colours.dim)
        painter.setFont(self.small_font())
        room = rect.adjusted(22, 0, -2, 0)
        name = painter.fontMetrics().elidedText(
            source.name, Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        if self.index >= len(self.sources.sources):
            return
        source, colour = (
            self.sources.sources[self.index],
            theme.series(self.sources.sources[self.index].colour),
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if source.confidence:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faded(colour, 0.22))
            curve = self._line(source.confidence, 1)
            low = self.height() - 1.0
            corners = [QPointF(curve[0].x(), low), *curve, QPointF(curve[-1].x(), low)]
            painter.drawPolygon(QPolygonF(corners))
        painter.setPen(QPen(faded(colour, 0.9), 1.4))
        line = self._line(source.points, 3)
        ends = [QPointF(GUTTER - 5, line[0].y()), *line, QPointF(self.width() + 5, line[-1].y())]
        painter.drawPolyline(QPolygonF(ends))
        picked = self.sources.picked
        for number, middle in enumerate(line):
            if not rect.left() - 8 <= middle.x() <= rect.right() + 8:
                continue
            chosen = picked == Picked(SOURCE, self.index, number)
            size = _DIAMOND + 1.5 * chosen
            painter.setPen(QPen(self.colours().text if chosen else colour, 1.6 if chosen else 1.0))
            painter.setBrush(colour)
            painter.drawPolygon(
                QPolygonF(
                    [
                        middle + QPointF(dx * size, dy * size)
                        for dx, dy in ((0, -1), (1, 0), (0, 1), (-1, 0))
                    ]
                )
            )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _line(self, rows: tuple[tuple[float, ...], ...], column: int) -> list[QPointF]:
        """Where a value from 0 to 1 is, over time."""
        high = self.height() - 1 - 2 * _MARGIN
        return [
            # Far outside the window Qt's coordinates would overflow.
            QPointF(min(max(self.x_at(row[0]), -1e5), 1e5), _MARGIN + (1 - row[column]) * high)
            for row in rows
        ]

    def point_at(self, x: float) -> int | None:
        """The keyframe that can be grabbed at a pixel."""
        distances = [
            (abs(self.x_at(point[0]) - x), number)
            for number, point in enumerate(self.sources.sources[self.index].points)
        ]
        distance, number = min(distances)
        return number if distance <= _REACH else None

    def picked_at(self, position: QPoint) -> Picked | None:
        point = self.point_at(position.x()) if position.x() >= GUTTER else None
        return Picked(SOURCE, self.index, point)

    def grab_at(self, position: QPoint, shift: bool) -> Drag | None:
        point = self.point_at(position.x())
        if shift:
            return super().grab_at(position, shift)
        if point is not None:
            return PointDrag(self.sources, self.index, point)
        self.sources.pick(Picked(SOURCE, self.index))
        return super().grab_at(position, shift)

    def hover(self, position: QPoint) -> None:
        if position.x() >= GUTTER and self.point_at(position.x()) is not None:
            self.setCursor(Qt.CursorShape.SizeHorCursor)
        else:
            self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if event is None or self.model.duration <= 0:
            return
        position = event.position().toPoint()
        if event.button() != Qt.MouseButton.LeftButton or position.x() < GUTTER:
            return
        picked = self.picked_at(position)
        if picked is not None and picked.point is not None:
            self.sources.pick(picked)
            self.edit_wanted.emit(picked, self.mapToGlobal(position))
        else:
            self.sources.add_point(self.index, self.time_at(position.x()))


class HintLane(MarkLane):
    """The hints: bars over their time."""

    title = "Hints"

    def __init__(self, sources: SourcesModel, parent: QWidget | None = None) -> None:
        super().__init__(sources, parent)
        self.setAccessibleName("Hints")
        self.setToolTip(
            "Where generated sound is pulled to. Drag a hint or its ends, double-click it for "
            "direction and strength; Delete removes it."
        )
        self.show_marks()

    def show_marks(self) -> None:
        """The hints, also for a screen reader."""
        said = [
            f"Hint {number}, {spoken_time(hint.start)} to {spoken_time(hint.end)}, "
            f"{direction_text(hint.azimuth, hint.elevation)}, strength {hint.strength:.2f}"
            for number, hint in enumerate(self.sources.hints, 1)
        ]
        self.setAccessibleDescription("; ".join(said))
        self.update()

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        colours, tint = self.colours(), theme.colour("star")
        painter.setFont(self.small_font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        picked = self.sources.picked
        for number, hint in enumerate(self.sources.hints):
            box = self._box(number)
            if not box.intersects(QRectF(rect)):
                continue
            chosen = picked is not None and (picked.kind, picked.index) == (HINT, number)
            painter.setPen(QPen(colours.text if chosen else tint, 1.4 if chosen else 1.0))
            painter.setBrush(faded(tint, 0.12 + 0.4 * hint.strength))
            painter.drawRoundedRect(box, 3, 3)
            words = f"{number + 1}  {direction_text(hint.azimuth, hint.elevation)}"
            visible = box & QRectF(self.body)
            room = int(visible.width()) - 14
            if room > 16:
                painter.setPen(colours.text)
                text = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room)
                painter.drawText(
                    visible.adjusted(7, 0, -7, 0),
                    Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                    text,
                )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _box(self, number: int) -> QRectF:
        hint = self.sources.hints[number]
        left = max(self.x_at(hint.start), GUTTER - 20.0)
        right = min(self.x_at(hint.end), self.width() + 20.0)
        return QRectF(left, 4, max(2.0, right - left), self.height() - 9)

    def picked_at(self, position: QPoint) -> Picked | None:
        found = self._at(position)
        return None if found is None else Picked(HINT, found[0])

    def _at(self, position: QPoint) -> tuple[int, int | None] | None:
        """The hint at a place and its end there (0 or 1; None between them)."""
        time = self.time_at(position.x())
        for number in reversed(range(len(self.sources.hints))):
            hint = self.sources.hints[number]
            ends = [abs(self.x_at(t) - position.x()) for t in (hint.start, hint.end)]
            if min(ends) <= _REACH:
                return number, ends.index(min(ends))
            if hint.start <= time <= hint.end:
                return number, None
        return None

    def grab_at(self, position: QPoint, shift: bool) -> Drag | None:
        found = None if shift else self._at(position)
        if found is None:
            return super().grab_at(position, shift)
        return HintDrag(self.sources, *found, self.time_at(position.x()))

    def hover(self, position: QPoint) -> None:
        found = self._at(position) if position.x() >= GUTTER else None
        if found is None:
            self.unsetCursor()
        elif found[1] is None:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.setCursor(Qt.CursorShape.SizeHorCursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        picked = self.picked_at(event.position().toPoint())
        if picked is not None:
            self.sources.pick(picked)
            self.edit_wanted.emit(picked, event.globalPosition().toPoint())


class MarkLanes(QWidget):
    """As many lanes as there are sources, and one for hints where there are some.

    `grown` carries by how many pixels they have become higher, or lower.
    """

    grown = pyqtSignal(int)
    bubble = pyqtSignal(str, QPoint)
    edit_wanted = pyqtSignal(object, QPoint)
    menu_wanted = pyqtSignal(object, QPoint)

    def __init__(self, sources: SourcesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sources = sources
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.lanes: list[SourceLane] = []
        self.hints = HintLane(sources, self)
        self._add(self.hints)
        sources.changed.connect(self._fit)
        self._fit()

    def every(self) -> list[MarkLane]:
        """All lanes."""
        return [*self.lanes, self.hints]

    def cancel_drag(self) -> bool:
        """Put back what is being dragged; False when nothing is."""
        return any(lane.cancel_drag() for lane in self.every())

    def _fit(self) -> None:
        wanted = len(self.sources.sources)
        while len(self.lanes) < wanted:
            lane = SourceLane(self.sources, len(self.lanes), self)
            self.lanes.append(lane)
            self._add(lane, len(self.lanes) - 1)
        while len(self.lanes) > wanted:
            lane = self.lanes.pop()
            self._column.removeWidget(lane)
            lane.hide()
            lane.deleteLater()
        shown = [*self.lanes, self.hints] if self.sources.hints else self.lanes
        self.hints.setVisible(bool(self.sources.hints))
        before = 0 if self.isHidden() else self.height()
        height = sum(lane.wanted_height for lane in shown)
        self.setFixedHeight(height)
        self.setVisible(height > 0)
        if height != before:
            self.grown.emit(height - before)

    def _add(self, lane: MarkLane, at: int = 0) -> None:
        lane.setFocusProxy(self.focusProxy())
        lane.bubble.connect(self.bubble)
        lane.edit_wanted.connect(self.edit_wanted)
        lane.menu_wanted.connect(self.menu_wanted)
        self._column.insertWidget(at, lane)
        lane.show()
