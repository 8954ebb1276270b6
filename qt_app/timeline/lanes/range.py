"""The selected range: a bar with two handles."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtGui import QPainter
from PyQt6.QtWidgets import QWidget

from qt_app.timeline.colours import faded
from qt_app.timeline.drags import Drag, RangeDrag, RangeMoveDrag, range_text
from qt_app.timeline.lanes.base import Lane
from qt_app.timeline.model import TimelineModel

_REACH = 6  # pixels around a handle that grab it


class RangeLane(Lane):
    """Drag to select; drag a handle or the bar to change or move what is selected."""

    wanted_height = 22
    title = "Range"
    follows_range = False

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.setAccessibleName("Range")
        self.setToolTip(
            "Drag to select a range, its ends or the whole bar. I and O set the ends at the "
            "playhead, Esc clears it, L repeats it."
        )
        model.loop_changed.connect(lambda _on: self.update())

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        colours = self.colours()
        painter.setFont(self.small_font())
        if self.model.range is None:
            painter.setPen(faded(colours.dim, 0.75))
            text = "Whole clip repeats" if self.model.loop else "Drag here to select a range"
            painter.drawText(
                self.body.adjusted(8, 0, -8, 0),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                text,
            )
            return
        left, right = (round(self.x_at(time)) for time in self.model.range)
        # Far outside the window Qt's coordinates would overflow.
        bar = QRect(max(left, -20), 3, min(right, self.width() + 20) - max(left, -20), 15)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colours.range)
        painter.setBrush(faded(colours.range, 0.45 if self.model.loop else 0.22))
        painter.drawRoundedRect(bar, 3, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.range)
        for x in (left, right - 4):
            if -20 < x < self.width() + 20:
                painter.drawRoundedRect(QRect(x, 3, 5, 15), 2, 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        text = range_text(self.model.range)
        if self.model.loop:
            text = f"Repeats  {text}"
        visible = bar & self.body
        metrics = painter.fontMetrics()
        if visible.width() < metrics.horizontalAdvance(text) + 20:
            text = f"{self.model.range[1] - self.model.range[0]:.3f} s"
            text = f"Repeats  {text}" if self.model.loop else text
        if visible.width() >= metrics.horizontalAdvance(text) + 20:
            painter.setPen(colours.text)
            painter.drawText(visible, Qt.AlignmentFlag.AlignCenter, text)

    def grab_at(self, position: QPoint, shift: bool) -> Drag | None:
        edge = self._edge_at(position)
        span = self.model.range
        if span is not None and edge is not None:
            return RangeDrag(self.model, span[1] if edge == 0 else span[0])
        time = self.time_at(position.x())
        if span is not None and not shift and span[0] <= time <= span[1]:
            return RangeMoveDrag(self.model, time)
        return RangeDrag(self.model, time)

    def hover(self, position: QPoint) -> None:
        span = self.model.range
        if self._edge_at(position) is not None:
            self.setCursor(Qt.CursorShape.SizeHorCursor)
        elif span is not None and span[0] <= self.time_at(position.x()) <= span[1]:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.unsetCursor()

    def _edge_at(self, position: QPoint) -> int | None:
        if self.model.range is None:
            return None
        distances = [abs(self.x_at(time) - position.x()) for time in self.model.range]
        nearest = 0 if distances[0] <= distances[1] else 1
        return nearest if distances[nearest] <= _REACH else None
