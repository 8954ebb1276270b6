"""A small form for the values of one keyframe or one hint."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from qt_app.sources.model import HINT, Picked, SourcesModel
from qt_app.timeline.clock import clock_text


class MarkEditor(QFrame):
    """Enter keeps the values, as one step; Esc leaves them."""

    def __init__(self, model: SourcesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.model = model
        self._picked: Picked | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName("Values of the keyframe or hint")
        self.title = QLabel(self)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.azimuth = _number(-180.0, 180.0, 5.0, "°", "Degrees to the left; right is negative")
        self.elevation = _number(-90.0, 90.0, 5.0, "°", "Degrees upwards")
        self.amount = _number(0.0, 1.0, 0.1, "", "")
        self.amount_label = QLabel()
        self.amount_label.setBuddy(self.amount)
        self.apply = QPushButton("Apply", self)
        self.apply.setDefault(True)
        self.apply.clicked.connect(self.accept)
        form = QFormLayout()
        form.addRow("Azimuth", self.azimuth)
        form.addRow("Elevation", self.elevation)
        form.addRow(self.amount_label, self.amount)
        for name, field in (("Azimuth", self.azimuth), ("Elevation", self.elevation)):
            field.setAccessibleName(name)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(10)
        layout.addWidget(self.title)
        layout.addLayout(form)
        layout.addLayout(buttons)
        self.setMinimumWidth(240)

    def open_for(self, picked: Picked, place: QPoint) -> None:
        """Show the values of a keyframe or hint, near a point of the screen."""
        self._picked = picked
        if picked.kind == HINT:
            hint = self.model.hints[picked.index]
            span = f"{clock_text(hint.start)} – {clock_text(hint.end)}"
            self.title.setText(f"Hint {picked.index + 1}   {span}")
            values = (hint.azimuth, hint.elevation, hint.strength)
            name, tip = "Strength", "How far the field is pulled there: 0 changes nothing"
        else:
            source = self.model.sources[picked.index]
            time, *rest = source.points[picked.point or 0]
            self.title.setText(f"{source.name}   {clock_text(time)}")
            values = (rest[0], rest[1], rest[2])
            name, tip = "Gain", "How much of its sound comes from there; the rest is everywhere"
        self.amount_label.setText(name)
        self.amount.setAccessibleName(name)
        self.amount.setToolTip(tip)
        for field, value in zip(self._fields(), values, strict=True):
            field.setValue(value)
        self.adjustSize()
        screen = self.screen()
        if screen is not None:
            room = screen.availableGeometry()
            place.setX(max(room.left(), min(place.x(), room.right() - self.width())))
            place.setY(max(room.top(), min(place.y(), room.bottom() - self.height())))
        self.move(place)
        self.show()
        self.azimuth.setFocus()
        self.azimuth.selectAll()

    def accept(self) -> None:
        """Keep the values."""
        picked = self._picked
        if picked is not None:
            azimuth, elevation, amount = (field.value() for field in self._fields())
            if picked.kind == HINT:
                self.model.set_hint(picked.index, azimuth, elevation, amount)
            else:
                point = picked.point or 0
                self.model.set_point(picked.index, point, azimuth, elevation, amount)
        self.close()

    def _fields(self) -> tuple[QDoubleSpinBox, QDoubleSpinBox, QDoubleSpinBox]:
        return self.azimuth, self.elevation, self.amount

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        elif event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)


def _number(low: float, high: float, step: float, unit: str, tip: str) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setRange(low, high)
    made.setDecimals(2)
    made.setSingleStep(step)
    made.setSuffix(unit)
    made.setToolTip(tip)
    return made
