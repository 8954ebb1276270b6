"""Rows of a comfortable height, and a bar in a table's cell."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QRect, QSize, Qt
from PyQt6.QtGui import QPainter
from PyQt6.QtWidgets import (
    QApplication,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionProgressBar,
    QStyleOptionViewItem,
)

from qt_app.models.queue import Role

_STEPS = 1000
_MARGIN = 3  # logical pixels
_ROOM = 4


class RowDelegate(QStyledItemDelegate):
    """Leaves room above and below a row's text."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """The text's size and a margin."""
        return super().sizeHint(option, index) + QSize(0, 2 * _ROOM)


class ProgressDelegate(RowDelegate):
    """Draws `Role.FRACTION` as the style's own bar; nothing where it is None."""

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one cell."""
        fraction = index.data(Role.FRACTION)
        style = QApplication.style()
        if fraction is None or painter is None or style is None:
            super().paint(painter, option, index)
            return
        # The row's background with its selection, without the text.
        plain = QStyleOptionViewItem(option)
        self.initStyleOption(plain, index)
        plain.text = ""
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, plain, painter, option.widget)
        bar = QStyleOptionProgressBar()
        bar.rect = QRect(option.rect).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        bar.palette = option.palette
        bar.fontMetrics = option.fontMetrics
        bar.direction = option.direction
        bar.state = option.state | QStyle.StateFlag.State_Horizontal
        bar.minimum, bar.maximum = 0, _STEPS
        bar.progress = round(_STEPS * fraction)
        bar.text = index.data(Qt.ItemDataRole.DisplayRole)
        bar.textVisible = True
        bar.textAlignment = Qt.AlignmentFlag.AlignCenter
        painter.save()
        style.drawControl(QStyle.ControlElement.CE_ProgressBar, bar, painter)
        painter.restore()
