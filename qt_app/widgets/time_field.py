"""A time that runs while the clip plays, and that can be typed over."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QFontDatabase, QKeyEvent
from PyQt6.QtWidgets import QLineEdit, QWidget

from qt_app.timeline.clock import clock_text, parse_clock


class TimeField(QLineEdit):
    """`entered` carries the seconds that were typed; what is no time is put back."""

    entered = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._time = 0.0
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF() * 1.1)
        self.setFont(font)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFixedWidth(self.fontMetrics().horizontalAdvance("00:00:00.000") + 16)
        self.setText(clock_text(0.0))
        self.returnPressed.connect(self._enter)

    @property
    def time(self) -> float:
        """Seconds shown, or that will be once typing ends."""
        return self._time

    def set_time(self, seconds: float) -> None:
        """Show a time; typing is not disturbed."""
        self._time = seconds
        if not self.isModified():
            text = clock_text(seconds)
            if text != self.text():
                selected = self.hasFocus() and self.selectedText() == self.text()
                self.setText(text)
                if selected:
                    self.selectAll()

    def _enter(self) -> None:
        seconds = parse_clock(self.text())
        self.setModified(False)
        if seconds is None:
            self.set_time(self._time)
        else:
            self.entered.emit(seconds)
            self.setText(clock_text(self._time))
        self.selectAll()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self._put_back()
            self.clearFocus()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        super().focusInEvent(event)
        self.selectAll()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        self._put_back()
        super().focusOutEvent(event)

    def _put_back(self) -> None:
        self.setModified(False)
        self.setText(clock_text(self._time))
        self.deselect()
