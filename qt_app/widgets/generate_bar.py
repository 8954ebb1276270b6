"""The one button that matters, below the settings."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from qt_app import icons, theme


class GenerateBar(QWidget):
    """Generate, or generate several takes.

    Signals
    -------
    generate(), several()
        The buttons were pressed.
    """

    generate = pyqtSignal()
    several = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Generate")
        self.button = QPushButton("Generate spatial audio")
        self.button.setToolTip("Put the selected clips into the queue (Ctrl+Return)")
        self.button.setMinimumHeight(36)
        self.more = QPushButton("Several takes...")
        self.more.setToolTip("Several seeds and CFG values of this clip (Ctrl+Shift+Return)")
        self.more.setMinimumHeight(36)
        self.button.clicked.connect(self.generate)
        self.more.clicked.connect(self.several)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 10)
        row.addWidget(self.button, 1)
        row.addWidget(self.more)
        theme.signals.changed.connect(self._colour)
        self._colour()

    def show_choice(self, clips: int, ready: int) -> None:
        """How many clips are chosen, and how many of them can be generated for."""
        self.button.setEnabled(ready > 0)
        self.more.setEnabled(clips == 1 and ready == 1)
        self.button.setText(
            "Generate spatial audio" if ready < 2 else f"Generate spatial audio ({ready} clips)"
        )

    def _colour(self) -> None:
        self.button.setIcon(icons.icon("generate", "on accent"))
        accent, on = theme.colour("accent").name(), theme.colour("on accent").name()
        disabled, back = theme.colour("disabled").name(), theme.colour("button").name()
        self.button.setStyleSheet(
            f"QPushButton {{ background: {accent}; color: {on}; border: 0; border-radius: 6px;"
            " font-weight: 600; padding: 0 14px; }"
            f"QPushButton:disabled {{ background: {back}; color: {disabled}; }}"
            f"QPushButton:focus {{ border: 2px solid {theme.colour('text').name()}; }}"
        )
