"""The time ruler."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRect, Qt
from PyQt6.QtGui import QPainter, QPolygonF
from PyQt6.QtWidgets import QWidget

from qt_app.timeline.clock import short_clock_text
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.ticks import Ticks

_LABEL_REACH = 80  # a label may begin this far left of what is painted


class RulerLane(Lane):
    """Marks and times, and the playhead's handle."""

    wanted_height = 28
    title = "Time"
    playhead_reach = 7

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.setAccessibleName("Time ruler")
        self.setToolTip("Click or drag to move the playhead. Shift-drag selects a range.")

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        colours, height = self.colours(), self.height()
        view = self.model.view
        ticks = Ticks.spaced(view.scale)
        painter.setFont(self.small_font())
        start = view.time_at(rect.left() - GUTTER - _LABEL_REACH)
        end = min(view.time_at(rect.right() - GUTTER + 1), self.model.duration)
        for time, labelled in ticks.between(start, end):
            x = round(self.x_at(time))
            length = 9 if labelled else 5
            painter.fillRect(x, height - 1 - length, 1, length, colours.dim)
            if labelled:
                painter.setPen(colours.text)
                painter.drawText(
                    QRect(x + 4, 2, _LABEL_REACH, height - 10),
                    Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                    short_clock_text(time, ticks.decimals),
                )

    def paint_playhead(self, painter: QPainter, x: float) -> None:
        super().paint_playhead(painter, x)
        middle, height = round(x) + 0.5, self.height()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.colours().playhead)
        corners = [(-5.5, height - 13), (5.5, height - 13), (5.5, height - 7), (0.0, height - 1)]
        corners.append((-5.5, height - 7))
        painter.drawPolygon(QPolygonF([QPointF(middle + dx, y) for dx, y in corners]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
