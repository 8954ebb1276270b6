"""The choice of a model: its title, whether it is a demonstration, and what its licence says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QStandardItemModel
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from qt_app.icons import icon
from qt_app.models.catalogue import NO_COMMERCIAL_USE, BundleChoice, Catalogue
from qt_app.models.settings import ClipSettings, sentence
from qt_app.widgets.form import Badge, CalmComboBox, Row, ToneLabel, tool_button
from qt_app.widgets.number_edit import SEVERAL_TEXT
from qt_app.widgets.setting_fields import SettingField, beside, common

DEMONSTRATION = "Demonstration"
DEMONSTRATION_TIP = (
    "A demonstration model shows the way from picture to sound, not the quality to expect of a "
    "large one."
)


class BundleField(SettingField):
    """Bundles of the catalogue; broken ones are shown with their problem and cannot be chosen.

    ``shown`` carries the bundle that all clips have, or None.
    """

    shown = pyqtSignal(object)

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__("bundle")
        self._catalogue = catalogue
        self._settings: Sequence[ClipSettings] = ()
        self.combo = CalmComboBox()
        self.refresh = tool_button("retry", "Look for models again")
        self.refresh.clicked.connect(catalogue.refresh)
        self.row = Row(
            "&Model",
            beside(self.combo, self.refresh),
            focus=self.combo,
            tip="The model bundle that makes the sound.",
        )
        self.demonstration = Badge(DEMONSTRATION, "info fill")
        self.demonstration.setToolTip(DEMONSTRATION_TIP)
        self.no_commerce = Badge(NO_COMMERCIAL_USE, "warning fill")
        self.licence = ToneLabel("secondary")
        self.broken = ToneLabel("warning")
        badges = QHBoxLayout()
        badges.setSpacing(6)
        badges.addWidget(self.demonstration)
        badges.addWidget(self.no_commerce)
        badges.addStretch(1)
        lines = QWidget()
        column = QVBoxLayout(lines)
        column.setContentsMargins(self.row.label.width() + 6, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(badges)
        column.addWidget(self.licence)
        column.addWidget(self.broken)
        self._column.addWidget(self.row)
        self._column.addWidget(lines)
        self.combo.activated.connect(lambda at: self._edit("bundle", self.combo.itemData(at)))
        catalogue.changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        self.combo.clear()
        for choice in self._catalogue.bundles:
            title = choice.title
            if choice.demonstration:
                title += f" ({DEMONSTRATION.lower()})"
            if choice.problem is None:
                self.combo.addItem(title, choice.value)
            else:
                self.combo.addItem(icon("warning", "warning"), f"{title}: broken", choice.value)
            at = self.combo.count() - 1
            self.combo.setItemData(at, _tip(choice), Qt.ItemDataRole.ToolTipRole)
            if choice.problem is not None:
                item = cast(QStandardItemModel, self.combo.model()).item(at)
                assert item is not None
                item.setEnabled(False)
        broken = [choice for choice in self._catalogue.bundles if choice.problem is not None]
        told = [f"{item.title} cannot be used. {item.reason}" for item in broken]
        if self._catalogue.problem is not None:
            told.append(self._catalogue.problem)
        self.broken.setText("\n".join(told))
        self.broken.setVisible(bool(told))
        self._show()

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """The model of the clips, or "several values"."""
        self._settings = settings
        self._show()

    def _show(self) -> None:
        same, found = common(self._settings, "bundle") if self._settings else (False, None)
        value = str(found)
        choice = self._catalogue.bundle(value) if same else None
        self.combo.setPlaceholderText(SEVERAL_TEXT if self._settings and not same else "")
        at = -1
        if choice is not None:
            at = self.combo.findData(choice.value)
        elif same:
            at = self.combo.findData(value)
            if at < 0:
                self.combo.addItem(value, value)
                at = self.combo.count() - 1
        self.combo.setCurrentIndex(at)
        self.row.show_problem((same and self._catalogue.bundle_problem(value)) or "")
        self.demonstration.setVisible(choice is not None and choice.demonstration)
        self.no_commerce.setVisible(choice is not None and not choice.commercial)
        line = "" if choice is None or not choice.licence else f"Licence: {choice.licence}."
        if choice is not None and choice.notice and not choice.commercial:
            line = f"{line} {sentence(choice.notice)}".strip()
        self.licence.setText(line)
        self.licence.setVisible(bool(line))
        self.licence.setToolTip("" if choice is None else choice.notice)
        self.combo.setToolTip("" if choice is None else _tip(choice))
        self.shown.emit(choice)

    def show_problem(self, name: str, text: str) -> None:
        """Below the choice."""
        self.row.show_problem(text)


def _tip(choice: BundleChoice) -> str:
    lines = [choice.title, str(choice.path)]
    if choice.problem is not None:
        lines.append(choice.reason)
    if choice.demonstration:
        lines.append(DEMONSTRATION_TIP)
    if choice.licence_line:
        lines.append(choice.licence_line)
    if choice.notice:
        lines.append(sentence(choice.notice))
    return "\n".join(lines)
