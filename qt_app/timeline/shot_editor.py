"""A small form for one shot's CFG and seed."""

from __future__ import annotations

import secrets

from PyQt6.QtCore import QPoint, QRegularExpression, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QRegularExpressionValidator
from PyQt6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from omniaudio_studio.errors import OptionError
from qt_app.icons import icon
from qt_app.timeline.clock import clock_text
from qt_app.timeline.model import TimelineModel

DICE_SIDES = 1_000_000
"""Seeds that the dice throws are short enough to be read out."""


class ShotEditor(QFrame):
    """Enter keeps the values, Esc leaves them; an empty field stands for the clip's own value."""

    closed = pyqtSignal()

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.model = model
        self._index = 0
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName("Values of the shot")
        self.title = QLabel(self)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.cfg = QLineEdit(self)
        self.cfg.setValidator(_allowed(r"\d{0,3}([.,]\d{0,4})?", self))
        self.cfg.setAccessibleName("CFG of the shot")
        self.cfg.setToolTip(
            "How closely the sound follows the picture, 0 to 100. Empty: the clip's."
        )
        self.seed = QLineEdit(self)
        self.seed.setValidator(_allowed(r"\d{0,20}", self))
        self.seed.setAccessibleName("Seed of the shot")
        self.seed.setToolTip("The same seed gives the same sound again. Empty: the clip's.")
        self.dice = QToolButton(self)
        self.dice.setIcon(icon("dice"))
        self.dice.setAccessibleName("Draw a seed")
        self.dice.setToolTip("Draw a seed at random")
        self.dice.clicked.connect(lambda: self.seed.setText(str(secrets.randbelow(DICE_SIDES))))
        self.error = QLabel(self)
        self.error.setWordWrap(True)
        self.error.hide()
        self.reset = QPushButton("Use the clip’s", self)
        self.reset.setToolTip("Empty both fields")
        self.reset.clicked.connect(self._empty)
        self.apply = QPushButton("Apply", self)
        self.apply.setDefault(True)
        self.apply.clicked.connect(self.accept)
        self._lay_out()

    def _lay_out(self) -> None:
        seed_row = QHBoxLayout()
        seed_row.setContentsMargins(0, 0, 0, 0)
        seed_row.addWidget(self.seed, 1)
        seed_row.addWidget(self.dice)
        form = QFormLayout()
        form.addRow("CFG", self.cfg)
        form.addRow("Seed", seed_row)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reset)
        buttons.addStretch(1)
        buttons.addWidget(self.apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(10)
        layout.addWidget(self.title)
        layout.addLayout(form)
        layout.addWidget(self.error)
        layout.addLayout(buttons)
        self.setMinimumWidth(270)

    def open_for(self, index: int, place: QPoint) -> None:
        """Show the values of a shot, with the form's top left corner at a point of the screen."""
        self._index = index
        shot = self.model.shots[index]
        start, end = self.model.shot_span(index)
        self.title.setText(f"Shot {index + 1}   {clock_text(start)} – {clock_text(end)}")
        self.cfg.setText("" if shot.cfg is None else f"{shot.cfg:g}")
        self.seed.setText("" if shot.seed is None else str(shot.seed))
        cfg, seed = self.model.default_cfg, self.model.default_seed
        self.cfg.setPlaceholderText("As the clip" if cfg is None else f"As the clip: {cfg:g}")
        self.seed.setPlaceholderText("As the clip" if seed is None else f"As the clip: {seed}")
        self.error.hide()
        self.adjustSize()
        screen = self.screen()
        if screen is not None:
            room = screen.availableGeometry()
            place.setX(max(room.left(), min(place.x(), room.right() - self.width())))
            place.setY(max(room.top(), min(place.y(), room.bottom() - self.height())))
        self.move(place)
        self.show()
        self.cfg.setFocus()
        self.cfg.selectAll()

    def accept(self) -> None:
        """Keep the values; a wrong one is said and the form stays."""
        cfg, seed = self.cfg.text().strip().replace(",", "."), self.seed.text().strip()
        try:
            self.model.set_shot_values(
                self._index,
                float(cfg) if cfg and cfg != "." else None,
                int(seed) if seed else None,
            )
        except OptionError as error:
            self.error.setText(str(error))
            self.error.show()
            self.adjustSize()
            return
        self.close()

    def _empty(self) -> None:
        self.cfg.clear()
        self.seed.clear()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        elif event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: object) -> None:
        self.closed.emit()


def _allowed(pattern: str, parent: QWidget) -> QRegularExpressionValidator:
    return QRegularExpressionValidator(QRegularExpression(pattern), parent)
