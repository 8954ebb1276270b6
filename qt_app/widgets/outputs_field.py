"""What is to be made beside the WAV: a box for each deliverable, its description as its tip."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QWidget

from omniaudio_studio.jobs.deliverables import DELIVERABLES, OFFERED
from qt_app.models.settings import ClipSettings
from qt_app.widgets.form import Row
from qt_app.widgets.setting_fields import SettingField, show_switch

_COLUMNS = 2


class OutputsField(SettingField):
    """Boxes that are on, off, or (for several clips) partly.

    Signals
    -------
    switched(str, bool)
        A deliverable is wanted, or no longer, for all the clips; what else each wants stays.
    """

    switched = pyqtSignal(str, bool)

    def __init__(self) -> None:
        super().__init__("beside")
        self.boxes: dict[str, QCheckBox] = {}
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 2)
        grid.setHorizontalSpacing(2)
        grid.setVerticalSpacing(4)
        for number, name in enumerate(OFFERED):
            box = output_box(name)
            box.setAccessibleName(f"Also make: {box.text()}")
            box.clicked.connect(lambda _=False, n=name, b=box: self._clicked(n, b))
            grid.addWidget(box, number // _COLUMNS, number % _COLUMNS)
            self.boxes[name] = box
        self.row = Row("Also make", holder, focus=self.boxes[OFFERED[0]], high=True)
        self.boxes[OFFERED[0]].setAccessibleName(f"Also make: {self.boxes[OFFERED[0]].text()}")
        self._column.addWidget(self.row)

    def _clicked(self, name: str, box: QCheckBox) -> None:
        # From "partly" a click leads to on for all.
        self.switched.emit(name, box.checkState() != Qt.CheckState.Unchecked)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """Each box as the clips have it."""
        self.row.show_problem("")
        for name, box in self.boxes.items():
            wanted = {name in item.beside for item in settings}
            show_switch(box, wanted.pop() if len(wanted) == 1 else None)

    def show_problem(self, name: str, text: str) -> None:
        """Below the boxes."""
        self.row.show_problem(text)


def output_box(name: str) -> QCheckBox:
    """A box for one deliverable."""
    row = DELIVERABLES[name]
    box = QCheckBox(row.short)
    box.setToolTip(f"{row.label}. {row.description}")
    return box
