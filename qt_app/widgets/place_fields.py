"""Shots and the output folder: fields that ask for more than a value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QFileDialog, QPushButton

from qt_app.models.settings import ClipSettings
from qt_app.widgets.form import CalmComboBox, Row
from qt_app.widgets.number_edit import SEVERAL_TEXT
from qt_app.widgets.setting_fields import SettingField, beside, common, show_switch


class ShotsField(SettingField):
    """Whether generation starts afresh at cuts, and the button that finds them."""

    wanted = pyqtSignal()
    stopped = pyqtSignal()

    def __init__(self) -> None:
        super().__init__("use_shots", "shots")
        self._searching = False
        self.box = QCheckBox("Use shots")
        self.box.setToolTip("Start afresh at every cut; shots can be edited on the timeline.")
        self.button = QPushButton("F&ind shots")
        self.button.setToolTip("Look for cuts in the picture.")
        self.row = Row("Shots", beside(self.box, self.button), focus=self.box)
        self.box.setAccessibleName("Use shots")
        self._column.addWidget(self.row)
        self.box.clicked.connect(lambda: self._edit("use_shots", self.box.checkState().value != 0))
        self.button.clicked.connect(self._clicked)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """On or off, and how many there are."""
        self.row.show_problem("")
        same, value = common(settings, "use_shots")
        show_switch(self.box, value if same else None)
        counts = {len(item.shots) for item in settings}
        if len(counts) > 1:
            self.row.show_note(f"{min(counts)} to {max(counts)} shots.")
            return
        count = counts.pop()
        own = sum(shot.cfg is not None or shot.seed is not None for shot in settings[0].shots)
        text = "No shots yet: the clip is one." if len(settings) == 1 else "No shots yet."
        if count:
            text = f"{count} shot{'' if count == 1 else 's'}"
            if own and len(settings) == 1:
                text += f", {own} with {'its' if own == 1 else 'their'} own CFG or seed"
            text += "."
        self.row.show_note(text)

    def _clicked(self) -> None:
        (self.stopped if self._searching else self.wanted).emit()

    def show_search(self, part: float | None) -> None:
        """How far the search is, None where there is none."""
        self._searching = part is not None
        if part is None:
            self.button.setText("F&ind shots")
        else:
            self.button.setText(f"Stop ({round(part * 100)} %)")

    def show_problem(self, name: str, text: str) -> None:
        """Below the switch."""
        self.row.show_problem(text)


_BESIDE, _CHOSEN, _OTHER = "beside", "chosen", "other"


class FolderField(SettingField):
    """Takes go beside the clip, or into a folder."""

    def __init__(self) -> None:
        super().__init__("output_folder")
        self._settings: Sequence[ClipSettings] = ()
        self._usual: Path | None = None
        self.combo = CalmComboBox()
        self.combo.setPlaceholderText(SEVERAL_TEXT)
        self.row = Row(
            "Save &to", self.combo, tip="Where takes are saved. Nothing is ever overwritten."
        )
        self._column.addWidget(self.row)
        self.combo.activated.connect(self._chosen)

    def _chosen(self, at: int) -> None:
        what = self.combo.itemData(at)
        if what == _BESIDE:
            self._edit("output_folder", None)
        elif what == _OTHER:
            self.choose()
        else:
            self._edit("output_folder", Path(self.combo.itemText(at)))

    def set_usual(self, folder: Path | None) -> None:
        """The folder that a preference gives to clips without one; None: beside the clip."""
        self._usual = folder
        if self._settings:
            self.show_settings(self._settings)

    def choose(self) -> None:
        """Ask for a folder."""
        same, folder = common(self._settings, "output_folder")
        start = str(folder) if same and folder is not None else ""
        chosen = QFileDialog.getExistingDirectory(self, "Save takes to", start)
        if chosen:
            self._edit("output_folder", Path(chosen))
        elif self._settings:
            self.show_settings(self._settings)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """The folder, or "several values"."""
        self._settings = settings
        self.row.show_problem("")
        folders = {item.output_folder for item in settings if item.output_folder is not None}
        self.combo.clear()
        usual = self._usual
        self.combo.addItem(
            "Beside the clip" if usual is None else f"{usual.name or usual} (as preferred)", _BESIDE
        )
        for folder in sorted(folders)[:8]:
            self.combo.addItem(str(folder), _CHOSEN)
        self.combo.addItem("Choose a folder...", _OTHER)
        same, value = common(settings, "output_folder")
        self.combo.setCurrentIndex(-1 if not same else 0 if value is None else 1)
        self.combo.setToolTip(str(value) if same and value is not None else "")

    def show_problem(self, name: str, text: str) -> None:
        """Below the folder."""
        self.row.show_problem(text)
