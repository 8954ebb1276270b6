"""The buttons that matter, below the settings."""

from __future__ import annotations

from PyQt6.QtCore import QSize, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from qt_app import icons, theme

_PLACE_TIP = "Give the clip's own sound its directions, as set under My own sound (Ctrl+Alt+Return)"


class GenerateBar(QWidget):
    """Generate, generate several takes, or place the clip's own sound.

    Signals
    -------
    generate(), several(), place()
        The buttons were pressed.
    """

    generate = pyqtSignal()
    several = pyqtSignal()
    place = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Generate")
        self.button = QPushButton("Generate spatial audio")
        self.button.setToolTip("Put the selected clips into the queue (Ctrl+Return)")
        self.button.setMinimumHeight(36)
        self.more = QPushButton("Several takes...")
        self.more.setToolTip("Several seeds and CFG values of this clip (Ctrl+Shift+Return)")
        self.more.setMinimumHeight(36)
        self.own = QPushButton("Place my own sound")
        self.own.setIcon(icons.icon("place"))
        self.own.setIconSize(QSize(20, 20))
        self.own.setMinimumHeight(30)
        self.button.clicked.connect(self.generate)
        self.more.clicked.connect(self.several)
        self.own.clicked.connect(self.place)
        row = QHBoxLayout()
        row.addWidget(self.button, 1)
        row.addWidget(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 10)
        column.addLayout(row)
        column.addWidget(self.own)
        theme.signals.changed.connect(self._colour)
        self._colour()
        self.show_placing(0, None)

    def show_choice(self, clips: int, ready: int) -> None:
        """How many clips are chosen, and how many of them can be generated for."""
        self.button.setEnabled(ready > 0)
        self.more.setEnabled(clips == 1 and ready == 1)
        self.button.setText(
            "Generate spatial audio" if ready < 2 else f"Generate spatial audio ({ready} clips)"
        )

    def show_placing(self, possible: int, reason: str | None) -> None:
        """How many clips have a sound that can be placed; where none has, why not."""
        self.own.setEnabled(possible > 0)
        tip = reason if possible == 0 and reason else _PLACE_TIP
        self.own.setToolTip(tip)
        self.own.setAccessibleDescription(tip)
        self.own.setText(
            "Place my own sound" if possible < 2 else f"Place my own sound ({possible} clips)"
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
