"""More files of a take that is there: a table of what can be made, to tick."""

from __future__ import annotations

from PyQt6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from omniaudio_studio.jobs.deliverables import DELIVERABLES, OFFERED
from qt_app import icons
from qt_app.models.take import Take
from qt_app.widgets.labels import secondary


class DeliverDialog(QDialog):
    """Asks what is to be made of a take; :meth:`chosen` says what was ticked.

    Parameters
    ----------
    take
        Its files are looked at: what is there is marked, and replaced where it is ticked.
    """

    def __init__(self, take: Take, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Deliver {take.title}")
        self.boxes: dict[str, QCheckBox] = {}
        self._there = {
            name
            for name in OFFERED
            if any(path.exists() for path in DELIVERABLES[name].paths(take.wav))
        }
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        for number, name in enumerate(OFFERED):
            row = DELIVERABLES[name]
            box = QCheckBox(row.label)
            box.setToolTip(" or ".join(path.name for path in row.paths(take.wav)))
            box.setAccessibleDescription(row.description)
            box.toggled.connect(self._count)
            told = row.description
            if name in self._there:
                told += " It is there; ticked, it is made anew."
            grid.addWidget(box, number, 0)
            grid.addWidget(secondary(told), number, 1)
            self.boxes[name] = box
        self.setMinimumWidth(560)
        self.origin = QCheckBox("State in the files how their sound was made")
        self.origin.setChecked(True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.go = QPushButton(icons.icon("export"), "Make files")
        self._buttons.addButton(self.go, QDialogButtonBox.ButtonRole.AcceptRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(10)
        column.addWidget(secondary("They are put beside the take; nothing is generated again."))
        column.addLayout(grid)
        column.addWidget(self.origin)
        column.addWidget(self._buttons)
        # Only in the dialog does a button become what Return presses; Cancel would else be it.
        self.go.setDefault(True)
        for button in self._buttons.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(button is self.go)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._count()

    def chosen(self) -> tuple[str, ...]:
        """The ticked deliverables."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def replaces(self) -> bool:
        """Whether something that is there is ticked."""
        return bool(self._there & set(self.chosen()))

    def _count(self) -> None:
        number = len(self.chosen())
        self.go.setEnabled(number > 0)
        self.go.setText(
            "Make files" if number == 0 else f"Make {number} deliverable{'s' if number > 1 else ''}"
        )
