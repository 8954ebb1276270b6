"""An icon the other way round."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QSize, Qt
from PyQt6.QtGui import QIcon, QIconEngine, QPainter, QPixmap

from qt_app.icons import icon


def mirrored(name: str) -> QIcon:
    """A named icon, left and right exchanged."""
    return QIcon(_Mirrored(name))


class _Mirrored(QIconEngine):
    """Paints the icon of the moment, so it follows the theme as the original does."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._icon = name, icon(name)

    def clone(self) -> QIconEngine:
        return _Mirrored(self._name)

    def paint(
        self, painter: QPainter | None, rect: QRect, mode: QIcon.Mode, state: QIcon.State
    ) -> None:
        if painter is None:
            return
        painter.save()
        painter.translate(2 * rect.x() + rect.width(), 0)
        painter.scale(-1, 1)
        self._icon.paint(painter, rect, Qt.AlignmentFlag.AlignCenter, mode, state)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return made
