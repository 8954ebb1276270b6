"""Parts of the library panel: what an empty one shows, and the bar for a clip in trouble."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from qt_app import theme
from qt_app.icons import pixmap
from qt_app.models.clip import MISSING, NOT_360, UNREADABLE, Clip

_WAYS = {
    MISSING: "&Locate...",
    UNREADABLE: "&Look again",
    NOT_360: "&Declare projection...",
}


class Invitation(QWidget):
    """What an empty library shows: where to drop clips."""

    def __init__(self) -> None:
        super().__init__()
        self._dragging = False
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = QLabel("Drop 360 clips or folders here")
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words.setWordWrap(True)
        font = words.font()
        font.setPointSizeF(font.pointSizeF() * 1.1)
        words.setFont(font)
        self.clips = QPushButton("Add clips...")
        self.folder = QPushButton("Add a folder...")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(10)
        layout.addStretch(1)
        layout.addWidget(self._picture)
        layout.addWidget(words)
        buttons = QVBoxLayout()
        buttons.setSpacing(6)
        for button in (self.clips, self.folder):
            buttons.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(4)
        layout.addLayout(buttons)
        layout.addStretch(1)
        theme.signals.changed.connect(self._repaint)
        self._repaint()

    def set_dragging(self, dragging: bool) -> None:
        """Whether something is held over it."""
        self._dragging = dragging
        self._repaint()

    def _repaint(self) -> None:
        tone = "accent" if self._dragging else "secondary"
        self._picture.setPixmap(pixmap("import", 40, tone, self.devicePixelRatioF()))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A dashed frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tone = theme.colour("accent" if self._dragging else "border")
        pen = QPen(tone, 1.6, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        if self._dragging:
            painter.setBrush(theme.colour("info fill"))
        painter.drawRoundedRect(self.rect().adjusted(10, 6, -10, -10), 8, 8)


class TroubleBar(QFrame):
    """What is wrong with the current clip, and the way out."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("trouble")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.button = QPushButton()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 10)
        layout.setSpacing(6)
        layout.addWidget(self.text)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        theme.signals.changed.connect(self._recolour)
        self._recolour()
        self.hide()

    def _recolour(self) -> None:
        self.setStyleSheet(f"#trouble {{ background: {theme.colour('warning fill').name()}; }}")

    def show_clip(self, clip: Clip | None) -> None:
        """Say what is wrong with a clip; nothing where all is well."""
        if clip is None or clip.problem is None:
            self.hide()
            return
        self.text.setText(f"{clip.name}: {clip.problem}")
        way = _WAYS.get(clip.problem_kind or "")
        self.button.setText(way or "")
        self.button.setVisible(way is not None)
        self.show()
