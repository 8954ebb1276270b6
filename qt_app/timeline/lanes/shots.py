"""The shots: boxes that cover the clip, with edges to drag and values of their own."""

from __future__ import annotations

from bisect import bisect_left

from PyQt6.QtCore import QPoint, QPointF, QRect, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPolygonF
from PyQt6.QtWidgets import QWidget

from omniaudio_studio.jobs.request import Segment
from qt_app.timeline.colours import Colours, faded
from qt_app.timeline.drags import CutDrag, Drag, RangeDrag
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.model import TimelineModel

_REACH = 5  # pixels around a cut that grab it
_NARROW = 10  # pixels: thinner shots are plain boxes
_MOST_FLAGS = 80
_FAR = 30  # pixels outside the window where boxes still get their corners right


class ShotsLane(Lane):
    """Click selects a shot, a double click asks for its values, an edge can be dragged.

    `edit_requested` carries a shot's index; `pressed` says that keys are about shots from now on.
    """

    edit_requested = pyqtSignal(int)
    pressed = pyqtSignal()

    wanted_height = 46
    title = "Shots"
    range_fill = 0.1

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.setAccessibleName("Shots")
        self.setToolTip(
            "Drag an edge to move a cut, double-click a shot for its CFG and seed. S cuts at the "
            "playhead, Delete removes the selected shot, M merges it with the next."
        )
        model.shots_changed.connect(lambda _shots: self.update())
        model.selected_shot_changed.connect(lambda _index: self.update())
        model.suggestions_changed.connect(lambda _times: self.update())
        model.defaults_changed.connect(self.update)

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        model, colours = self.model, self.colours()
        painter.setFont(self.small_font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        index = model.shot_at(self.time_at(rect.left() - _FAR))
        last = model.shot_at(self.time_at(rect.right() + _FAR))
        narrow: list[QRectF] = []
        marked: list[QRectF] = []
        while index <= last:
            left, right = (self.x_at(time) for time in model.shot_span(index))
            if right - left >= _NARROW:
                self._paint_shot(painter, colours, index, left, right)
                index += 1
                continue
            x, width = int(left), max(1, int(right) - int(left) - 1)
            narrow.append(QRectF(x, 4, width, self.height() - 9))
            shot = model.shots[index]
            if shot.cfg is not None or shot.seed is not None:
                marked.append(QRectF(x, self.height() - 8, width, 2.5))
            # Shots that share a pixel: one box stands for them all.
            index = max(index + 1, bisect_left(model.shots, self.time_at(x + 3), key=_start) - 1)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        _fill(painter, narrow, faded(colours.shot_edge, 0.5))
        _fill(painter, marked, colours.accent)
        self._paint_suggestions(painter, colours, rect)

    def _paint_shot(
        self, painter: QPainter, colours: Colours, index: int, left: float, right: float
    ) -> None:
        model = self.model
        left, right = max(left, GUTTER - _FAR), min(right, self.width() + _FAR)
        gap = 0.75
        box = QRectF(left + gap, 4, right - left - 2 * gap, self.height() - 9)
        selected = index == model.selected_shot and len(model.shots) > 1
        own = _values(model.shots[index])
        painter.setPen(colours.accent if selected else faded(colours.shot_edge, 0.55))
        painter.setBrush(faded(colours.accent, 0.32) if selected else colours.shot)
        radius = min(4.0, box.width() / 2)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        if own:
            # A bar at the foot says "values of its own" without a word, where none fits.
            painter.fillRect(
                QRectF(box.left() + 3, box.bottom() - 4, box.width() - 6, 2.5), colours.accent
            )
        visible_left = max(box.left(), GUTTER)
        room = int(min(box.right(), self.width()) - visible_left) - 12
        if room < 10:
            return
        metrics = painter.fontMetrics()
        name = f"{index + 1}" if room < 44 else f"Shot {index + 1}"
        lines = [(name, colours.text)]
        if own and room > 40:
            lines.append((own, colours.text))
        elif room > 110 and not own:
            lines.append(("Clip’s CFG and seed", colours.dim))
        top = box.top() + (box.height() - (2 if own else 0) - len(lines) * metrics.height()) / 2
        for number, (text, colour) in enumerate(lines):
            painter.setPen(colour)
            painter.drawText(
                QRectF(visible_left + 6, top + number * metrics.height(), room, metrics.height()),
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(text, Qt.TextElideMode.ElideRight, room),
            )

    def _paint_suggestions(self, painter: QPainter, colours: Colours, rect: QRect) -> None:
        """Where the picture cuts and no shot does yet: flags, or lines where they are many."""
        model = self.model
        times = model.suggestions
        index = bisect_left(times, self.time_at(rect.left() - 6))
        latest = self.time_at(rect.right() + 6)
        lines: list[QRectF] = []
        while index < len(times) and times[index] <= latest:
            x = self.x_at(times[index])
            if model.shots[model.shot_at(times[index])].start != times[index]:
                lines.append(QRectF(round(x), 0, 1, self.height() - 6))
            index = max(index + 1, bisect_left(times, self.time_at(x + 3)))
        _fill(painter, lines, faded(colours.suggestion, 0.6))
        if len(lines) > _MOST_FLAGS:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(colours.suggestion)
        for line in lines:
            x = line.center().x()
            corners = [QPointF(x - 4, 0), QPointF(x + 4, 0), QPointF(x, 6)]
            painter.drawPolygon(QPolygonF(corners))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def cut_at(self, x: float) -> int | None:
        """Index of the shot whose start can be grabbed at a pixel."""
        model, near = self.model, None
        index = model.shot_at(self.time_at(x))
        for candidate in (index, index + 1):
            if 0 < candidate < len(model.shots):
                distance = abs(self.x_at(model.shots[candidate].start) - x)
                if distance <= _REACH and (near is None or distance < near[0]):
                    near = (distance, candidate)
        return None if near is None else near[1]

    def grab_at(self, position: QPoint, shift: bool) -> Drag | None:
        time = self.time_at(position.x())
        if shift:
            return RangeDrag(self.model, time)
        self.pressed.emit()
        cut = self.cut_at(position.x())
        if cut is not None:
            return CutDrag(self.model, cut)
        self.model.select_shot(self.model.shot_at(time))
        return None

    def hover(self, position: QPoint) -> None:
        over_cut = position.x() >= GUTTER and self.cut_at(position.x()) is not None
        if over_cut:
            self.setCursor(Qt.CursorShape.SplitHCursor)
        else:
            self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if event is None or self.model.duration <= 0 or event.position().x() < GUTTER:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self.edit_requested.emit(self.model.shot_at(self.time_at(event.position().x())))

    def shot_box(self, index: int) -> QRect:
        """Where a shot is on screen."""
        left, right = (self.x_at(time) for time in self.model.shot_span(index))
        left, right = max(left, float(GUTTER)), min(right, float(self.width()))
        return QRect(round(left), 0, max(1, round(right - left)), self.height())


def _fill(painter: QPainter, boxes: list[QRectF], colour: QColor) -> None:
    """Many at once: a call each would cost more than the painting."""
    if boxes:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRects(boxes[0], *boxes[1:])


def _start(shot: Segment) -> float:
    return shot.start


def _values(shot: Segment) -> str:
    """A shot's own values in words; empty without any."""
    parts = [] if shot.cfg is None else [f"CFG {shot.cfg:g}"]
    parts += [] if shot.seed is None else [f"Seed {shot.seed}"]
    return "  ·  ".join(parts)
