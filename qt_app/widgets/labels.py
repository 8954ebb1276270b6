"""Small labels in the theme's colours: badges, headings, secondary text. They follow the theme."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPalette
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

from qt_app import theme


class Badge(QWidget):
    """A word on a soft fill that must not be overlooked ("Demonstration").

    Parameters
    ----------
    text
        One or two words.
    fill
        Name of the theme colour behind it.
    """

    def __init__(self, text: str, fill: str = "info fill", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._fill = text, fill
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.signals.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return badge_size(self._text, self.font()).expandedTo(self.minimumSize())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        paint_badge(painter, QRectF(self.rect()), self._text, self._fill, self.font())
        painter.end()


def badge_font(font: QFont) -> QFont:
    """The font of a badge beside text in ``font``."""
    small = QFont(font)
    small.setPointSizeF(max(font.pointSizeF() * 0.86, 6.0))
    return small


def badge_size(text: str, font: QFont) -> QSize:
    """How large a badge is, in logical pixels."""
    metrics = QFontMetricsF(badge_font(font))
    return QSize(round(metrics.horizontalAdvance(text)) + 14, round(metrics.height()) + 4)


def paint_badge(painter: QPainter, rect: QRectF, text: str, fill: str, font: QFont) -> None:
    """Draw a badge into a rectangle."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour(fill))
    radius = min(rect.height() / 2, 8.0)
    painter.drawRoundedRect(rect, radius, radius)
    painter.setPen(theme.colour("text"))
    painter.setFont(badge_font(font))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


class _Secondary(QLabel):
    """Text that explains other text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        theme.signals.changed.connect(self._tint)
        self._tint()

    def _tint(self) -> None:
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, theme.colour("secondary"))
        self.setPalette(palette)


def secondary(text: str = "") -> QLabel:
    """A label for text that explains other text, wrapped, in the secondary colour."""
    return _Secondary(text)


def heading(text: str) -> QLabel:
    """A label that starts a section."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() * 1.08)
    label.setFont(font)
    return label
