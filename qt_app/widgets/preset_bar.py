"""Presets above the settings: apply, save, rename, delete, import, export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QMenu,
    QMessageBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from omniaudio_studio.errors import OmniAudioError
from qt_app.models.presets import Preset, Presets
from qt_app.models.settings import ClipSettings, sentence
from qt_app.widgets.form import CalmComboBox, Row, tool_button
from qt_app.widgets.setting_fields import beside

FILES = "Presets (*.json)"
OWN_SETTINGS = "own settings"


class PresetBar(QWidget):
    """Shows which preset the chosen clips are as, and applies another.

    ``applied`` carries the preset to apply.
    """

    applied = pyqtSignal(object)

    def __init__(self, presets: Presets, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._presets = presets
        self._settings: Sequence[ClipSettings] = ()
        self.combo = CalmComboBox()
        self.combo.setPlaceholderText(OWN_SETTINGS)
        self.combo.setModel(presets)
        self.menu_button = tool_button("more", "More about presets")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(self.menu_button)
        self.save_action = menu.addAction("Save as preset...", self.ask_and_save)
        self.rename_action = menu.addAction("Rename...", self.ask_and_rename)
        self.delete_action = menu.addAction("Delete...", self.ask_and_delete)
        menu.addSeparator()
        menu.addAction("Import...", self.ask_and_import)
        self.export_action = menu.addAction("Export...", self.ask_and_export)
        self.menu_button.setMenu(menu)
        self.row = Row(
            "&Preset",
            beside(self.combo, self.menu_button),
            focus=self.combo,
            tip="Settings under a name. They leave range, shots, seed and front as they are.",
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.row)
        self.combo.activated.connect(self._activated)
        presets.changed.connect(self._show)
        self._show()

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """The preset that all of these are as, or none."""
        self._settings = settings
        self._show()

    @property
    def shown(self) -> Preset | None:
        """The preset that the chosen clips are as."""
        at = self.combo.currentIndex()
        return self._presets.presets[at] if at >= 0 else None

    def _show(self) -> None:
        found = [self._presets.matching(item) for item in self._settings]
        same = bool(found) and all(item == found[0] for item in found)
        preset = found[0] if same else None
        at = -1 if preset is None else self._presets.presets.index(preset)
        self.combo.setCurrentIndex(at)
        self.combo.setToolTip("" if preset is None else preset.about)
        own = preset is not None and not preset.builtin
        for action in (self.rename_action, self.delete_action):
            if action is not None:
                action.setEnabled(own)
        if self.export_action is not None:
            self.export_action.setEnabled(any(not p.builtin for p in self._presets.presets))
        if self.save_action is not None:
            self.save_action.setEnabled(len(self._settings) > 0)

    def _activated(self, at: int) -> None:
        self.row.show_problem("")
        self.applied.emit(self._presets.presets[at])

    def ask_and_save(self) -> None:
        """Ask for a name and keep the settings of the first chosen clip under it."""
        name, wanted = QInputDialog.getText(self, "Save as preset", "Name of the preset:")
        if not wanted:
            return
        there = self._presets.find(name)
        if there is not None and not there.builtin and not self._sure(f"Replace {there.name}?"):
            return
        self._try(lambda: self._presets.save(name, self._settings[0]))

    def ask_and_rename(self) -> None:
        """Ask for another name of the shown preset."""
        preset = self.shown
        if preset is None:
            return
        name, wanted = QInputDialog.getText(
            self, "Rename preset", "New name of the preset:", text=preset.name
        )
        if wanted:
            self._try(lambda: self._presets.rename(preset.name, name))

    def ask_and_delete(self) -> None:
        """Delete the shown preset, if it is meant."""
        preset = self.shown
        if preset is not None and self._sure(f"Delete the preset {preset.name}?"):
            self._try(lambda: self._presets.delete(preset.name))

    def ask_and_import(self) -> None:
        """Take presets from a file."""
        path, _ = QFileDialog.getOpenFileName(self, "Import presets", "", FILES)
        if path:
            self._try(lambda: self._presets.take_in(Path(path)))

    def ask_and_export(self) -> None:
        """Write the shown preset, or all of the user's, to a file."""
        shown = self.shown
        own = [preset.name for preset in self._presets.presets if not preset.builtin]
        names = [shown.name] if shown is not None and not shown.builtin else own
        start = f"{names[0]}.json" if len(names) == 1 else "presets.json"
        path, _ = QFileDialog.getSaveFileName(self, "Export presets", start, FILES)
        if path:
            file = Path(path)
            file = file if file.suffix else file.with_suffix(".json")
            self._try(lambda: self._presets.export(names, file))

    def _sure(self, question: str) -> bool:
        yes = QMessageBox.StandardButton.Yes
        return QMessageBox.question(self, "Presets", question) == yes

    def _try(self, action: Callable[[], object]) -> None:
        self.row.show_problem("")
        try:
            action()
        except OmniAudioError as error:
            self.row.show_problem(sentence(str(error)))
