"""A row of buttons of which one is down, drawn as one piece."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QPainter, QPainterPath, QPaintEvent
from PyQt6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from qt_app import theme

_PADDING = 12
_LEAST = 40  # pixels: below it a text says nothing
_RADIUS = 5.0


class Segment(QAbstractButton):
    """One of the row; its ends are round only at the row's ends."""

    def __init__(self, text: str, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = number
        self.first = self.last = False
        self.setText(text)
        self.setCheckable(True)
        self.setAccessibleName(text)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self.text()) + 2 * _PADDING
        return QSize(max(width, _LEAST), metrics.height() + 12)

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5 if self.last else 0.5, -0.5)
        path = _rounded(box, self.first, self.last)
        down = self.isChecked()
        if down:
            painter.fillPath(path, theme.colour("accent"))
        else:
            painter.fillPath(path, theme.colour("hover" if self.underMouse() else "button"))
        painter.setPen(theme.colour("accent" if down else "border"))
        painter.drawPath(path)
        text = "on accent" if down else "text" if self.isEnabled() else "disabled"
        painter.setPen(theme.colour(text))
        room = self.rect().adjusted(6, 0, -6, 0)
        # Names of takes differ at their ends.
        words = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideMiddle, room.width()
        )
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, words)
        if self.hasFocus():
            painter.setPen(theme.colour(text))
            painter.drawPath(_rounded(box.adjusted(2.5, 2.5, -2.5, -2.5), True, True))
        painter.end()

    def enterEvent(self, event: object) -> None:
        self.update()

    def leaveEvent(self, event: object) -> None:
        self.update()


class Segments(QWidget):
    """Choose one of several; `chosen` carries its key when the user does."""

    chosen = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys: tuple[str, ...] = ()
        self.buttons: tuple[Segment, ...] = ()
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._group.idClicked.connect(lambda number: self.chosen.emit(self._keys[number]))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)

    @property
    def keys(self) -> tuple[str, ...]:
        """In order."""
        return self._keys

    def set_choices(self, choices: Sequence[tuple[str, str, str]]) -> None:
        """Show other choices: (key, text, tooltip) each."""
        for button in self.buttons:
            self._group.removeButton(button)
            self._row.removeWidget(button)
            button.deleteLater()
        self._keys = tuple(key for key, _, _ in choices)
        made = []
        for number, (_, text, tip) in enumerate(choices):
            button = Segment(text, number, self)
            button.first, button.last = number == 0, number == len(choices) - 1
            button.setToolTip(tip)
            button.setAccessibleDescription(tip)
            self._group.addButton(button, number)
            self._row.addWidget(button)
            button.show()
            made.append(button)
        self.buttons = tuple(made)

    def set_chosen(self, key: str) -> None:
        """Show which one is chosen; an unknown key chooses none."""
        self._group.setExclusive(False)
        for known, button in zip(self._keys, self.buttons, strict=True):
            button.setChecked(known == key)
        self._group.setExclusive(True)


def _rounded(box: QRectF, first: bool, last: bool) -> QPainterPath:
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    path.addRoundedRect(box, _RADIUS, _RADIUS)
    half = box.width() / 2
    if not first:
        path.addRect(QRectF(box.left(), box.top(), half, box.height()))
    if not last:
        path.addRect(QRectF(box.left() + half, box.top(), half, box.height()))
    return path.simplified()
