"""What every lane does: a gutter with its name, the time axis, the mouse, range and playhead."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QPoint, QRect, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from qt_app.timeline.colours import Colours, faded
from qt_app.timeline.drags import Drag, RangeDrag, ScrubDrag
from qt_app.timeline.model import TimelineModel

GUTTER = 72
"""Logical pixels at the left of every lane, for its name."""

_ZOOM_PER_NOTCH = 1.25
_SCROLL_PER_NOTCH = 80


class Lane(QWidget):
    """A strip along the clip's time. Subclasses paint their body and may grab the mouse.

    `bubble` carries what to show beside the mouse while dragging ("" afterwards) and where.
    """

    bubble = pyqtSignal(str, QPoint)

    wanted_height = 40
    stretch = 0  # share of height to spare
    title = ""
    follows_range = True
    range_fill = 0.2  # opacity

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._drag: Drag | None = None
        self._pan: float | None = None
        self._mouse = QPoint()
        self._free = False
        self._drawn_playhead = self.x_at(model.playhead)
        self.painted_pixels = 0
        """Logical pixels painted so far: the work done, for measurements."""
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        grows = QSizePolicy.Policy.Expanding if self.stretch else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, grows)
        if self.stretch:
            self.setMinimumHeight(self.wanted_height * 2 // 3)
        else:
            self.setFixedHeight(self.wanted_height)
        self.setMouseTracking(True)
        self._edge_timer = QTimer(self)
        self._edge_timer.setInterval(40)
        self._edge_timer.timeout.connect(self._scroll_at_edge)
        model.view_changed.connect(self.update)
        model.duration_changed.connect(self.update)
        model.range_changed.connect(self.update)
        model.playhead_changed.connect(self._playhead_moved)

    # Geometry

    def sizeHint(self) -> QSize:
        return QSize(GUTTER + 400, self.wanted_height)

    def x_at(self, time: float) -> float:
        """Pixel of a time in this widget."""
        return GUTTER + self.model.view.x_at(time)

    def time_at(self, x: float) -> float:
        """Seconds at a pixel of this widget, inside the clip."""
        return self.model.view.clip_time_at(x - GUTTER)

    @property
    def body(self) -> QRect:
        """Where time is shown."""
        return QRect(GUTTER, 0, max(0, self.width() - GUTTER), self.height())

    # Painting

    def colours(self) -> Colours:
        """Of the theme in use."""
        return Colours.now()

    def paint_gutter(self, painter: QPainter, rect: QRect) -> None:
        """The lane's name at the left."""
        painter.setPen(self.colours().dim)
        painter.setFont(self.small_font())
        painter.drawText(
            rect.adjusted(10, 0, -6, 0),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            self.title,
        )

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        """What lies in ``rect``; subclasses."""

    def paint_playhead(self, painter: QPainter, x: float) -> None:
        """The line at the playhead."""
        painter.fillRect(QRect(round(x), 0, 1, self.height()), self.colours().playhead)

    playhead_reach = 2
    """Pixels that the playhead covers to either side."""

    def small_font(self) -> QFont:
        """For labels."""
        font = QFont(self.font())
        size = font.pointSizeF()
        font.setPointSizeF(max(6.5, size * 0.88))
        return font

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if event is None:
            return
        painter = QPainter(self)
        self._paint(painter, event.rect())
        painter.end()

    def _paint(self, painter: QPainter, rect: QRect) -> None:
        colours = self.colours()
        self.painted_pixels += rect.width() * rect.height()
        if rect.left() < GUTTER:
            gutter = QRect(0, 0, GUTTER, self.height())
            painter.setClipRect(rect & gutter)
            painter.fillRect(gutter, colours.gutter)
            self.paint_gutter(painter, gutter)
            painter.fillRect(GUTTER - 1, 0, 1, self.height(), colours.line)
        shown = rect & self.body
        if not shown.isEmpty():
            painter.setClipRect(shown)
            painter.fillRect(shown, colours.background)
            if self.model.duration > 0:
                self.paint_body(painter, shown)
                if self.follows_range:
                    self._paint_range(painter, colours)
                self.paint_playhead(painter, self._drawn_playhead)
        painter.setClipRect(rect)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colours.line)

    def _paint_range(self, painter: QPainter, colours: Colours) -> None:
        if self.model.range is None:
            return
        left, right = (round(self.x_at(time)) for time in self.model.range)
        left, right = max(left, GUTTER - 2), min(right, self.width() + 2)
        if right < GUTTER or left > self.width():
            return
        fill = faded(colours.range, self.range_fill)
        painter.fillRect(QRect(left, 0, right - left, self.height()), fill)
        edge = faded(colours.range, 0.8)
        painter.fillRect(left, 0, 1, self.height(), edge)
        painter.fillRect(right, 0, 1, self.height(), edge)

    def update_times(self, start: float, end: float, reach: int = 2) -> None:
        """Paint again what lies between two times."""
        left, right = self.x_at(start) - reach, self.x_at(end) + reach
        self.update(QRect(int(left), 0, int(right - left) + 2, self.height()) & self.body)

    def _playhead_moved(self, time: float) -> None:
        x = self.x_at(time)
        if round(x) == round(self._drawn_playhead):
            return
        for place in (self._drawn_playhead, x):
            reach = self.playhead_reach
            self.update(QRect(round(place) - reach, 0, 2 * reach + 1, self.height()) & self.body)
        self._drawn_playhead = x

    def update(self, *area: QRect) -> None:  # type: ignore[override]
        """Paint all, or an area; the playhead is where the model has it now."""
        if not area or not isinstance(area[0], QRect):
            self._drawn_playhead = self.x_at(self.model.playhead)
            super().update()
        elif not area[0].isEmpty():
            super().update(area[0])

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() in (
            QEvent.Type.PaletteChange,
            QEvent.Type.StyleChange,
            QEvent.Type.FontChange,
        ):
            self.forget_pictures()
            self.update()

    def forget_pictures(self) -> None:
        """Colours or data changed: nothing cached holds; subclasses with a cache."""

    # The mouse

    def grab_at(self, position: QPoint, shift: bool) -> Drag | None:
        """What a press does here. Shift selects a range, anything else moves the playhead."""
        time = self.time_at(position.x())
        return RangeDrag(self.model, time) if shift else ScrubDrag(self.model)

    @property
    def dragging(self) -> bool:
        """Whether a button is held down on something."""
        return self._drag is not None

    def cancel_drag(self) -> bool:
        """Put back what is being dragged; False when nothing is."""
        if self._drag is None:
            return False
        self._finish(keep=False)
        return True

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or self.model.duration <= 0 or self._drag is not None:
            return
        position = event.position().toPoint()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._pan = event.position().x()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            return
        if event.button() != Qt.MouseButton.LeftButton or position.x() < GUTTER:
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._drag = self.grab_at(position, shift)
        self._mouse = position
        self._free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if isinstance(self._drag, ScrubDrag):
            self._drag_on()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        if self._pan is not None:
            x = event.position().x()
            self.model.scroll(self._pan - x)
            self._pan = x
        elif self._drag is not None:
            self._mouse = event.position().toPoint()
            self._free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self._drag_on()
            beyond = not self.body.left() <= self._mouse.x() <= self.body.right()
            if beyond != self._edge_timer.isActive():
                if beyond:
                    self._edge_timer.start()
                else:
                    self._edge_timer.stop()
        else:
            self.hover(event.position().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        if event.button() == Qt.MouseButton.MiddleButton and self._pan is not None:
            self._pan = None
            self.unsetCursor()
        elif event.button() == Qt.MouseButton.LeftButton and self._drag is not None:
            self._finish(keep=True)

    def hover(self, position: QPoint) -> None:
        """The mouse moves with no button held; subclasses set their cursor."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is None:
            return
        across, along = event.angleDelta().x(), event.angleDelta().y()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if shift and not across:
            across, along = along, 0
        if abs(across) > abs(along):
            self.model.scroll(-across / 120 * _SCROLL_PER_NOTCH)
        elif along:
            x = max(0.0, event.position().x() - GUTTER)
            self.model.zoom(_ZOOM_PER_NOTCH ** (along / 120), x)
        event.accept()

    def _drag_on(self) -> None:
        if self._drag is not None:
            # Beyond an edge the hand holds what is at the edge while the view scrolls.
            x = min(max(self._mouse.x(), GUTTER), self.width())
            text = self._drag.move(self.time_at(x), self._free)
            self.bubble.emit(text, self.mapToGlobal(self._mouse))

    def _finish(self, keep: bool) -> None:
        drag, self._drag = self._drag, None
        self._edge_timer.stop()
        if drag is not None:
            drag.end(keep)
        self.bubble.emit("", QPoint())

    def _scroll_at_edge(self) -> None:
        x = self._mouse.x()
        beyond = x - self.body.right() if x > self.body.right() else x - self.body.left()
        self.model.scroll(max(-40.0, min(40.0, beyond / 2)))
        self._drag_on()
