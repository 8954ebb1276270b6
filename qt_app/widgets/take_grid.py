"""Several takes in one go: every seed with every CFG value, as a small table to tick."""

from __future__ import annotations

import secrets

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import MAX_SEED
from qt_app import icons
from qt_app.models.settings import ClipSettings
from qt_app.models.take import MAX_GRID, grid, parse_cfgs, parse_seeds
from qt_app.widgets.labels import secondary

SEEDS = 4  # offered at first
ROLLED = 1_000_000  # rolled seeds stay short enough to be read aloud


class TakeGridDialog(QDialog):
    """Asks for seeds and CFG values; :meth:`chosen` says what was ticked.

    Parameters
    ----------
    settings
        Of the clip; all else is taken from them.
    default_cfg
        The bundle's own CFG, where known.
    """

    def __init__(
        self,
        settings: ClipSettings,
        default_cfg: float | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Generate several takes")
        self.resize(560, 420)
        self._base = settings
        self._made: list[list[ClipSettings]] = []
        cfg = settings.cfg if settings.cfg is not None else default_cfg
        # A seed that is not locked has been heard already: it is shown because it was used.
        first = min(settings.seed if settings.seed_locked else settings.seed + 1, MAX_SEED - SEEDS)
        self._seeds = QLineEdit(f"{first}-{first + SEEDS - 1}")
        self._seeds.setAccessibleName("Seeds")
        self._seeds.setPlaceholderText("for example 3, 7-9")
        self._dice = QToolButton()
        self._dice.setIcon(icons.icon("dice"))
        self._dice.setToolTip("Roll as many new seeds")
        self._dice.setAccessibleName("Roll new seeds")
        self._cfgs = QLineEdit("" if cfg is None else f"{cfg:g}")
        self._cfgs.setAccessibleName("CFG values")
        self._cfgs.setPlaceholderText("empty: the bundle's own; for example 3, 5, 7")
        row = QHBoxLayout()
        row.addWidget(self._seeds, 1)
        row.addWidget(self._dice)
        form = QFormLayout()
        label = QLabel("&Seeds")
        label.setBuddy(self._seeds)
        form.addRow(label, row)
        form.addRow("&CFG", self._cfgs)
        self._table = QTableWidget()
        self._table.setAccessibleName("Takes to generate: CFG values down, seeds across")
        self._table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self._table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._go = QPushButton(icons.icon("generate"), "Generate")
        self._buttons.addButton(self._go, QDialogButtonBox.ButtonRole.AcceptRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.addWidget(
            secondary(
                "Every seed is another take of the same scene; a higher CFG follows the picture "
                "more strictly. Untick what you do not want."
            )
        )
        column.addLayout(form)
        column.addWidget(self._table, 1)
        column.addWidget(self._note)
        column.addWidget(self._buttons)
        # Only in the dialog does a button become what Return presses; Cancel would else be it.
        self._go.setDefault(True)
        for button in self._buttons.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(button is self._go)
        self._seeds.textChanged.connect(self._fill)
        self._cfgs.textChanged.connect(self._fill)
        self._dice.clicked.connect(self._roll)
        self._table.itemChanged.connect(self._count)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._fill()

    def chosen(self) -> list[ClipSettings]:
        """The settings of every ticked take, row by row."""
        return [
            settings
            for row, line in enumerate(self._made)
            for column, settings in enumerate(line)
            if (item := self._table.item(row, column)) is not None
            and item.checkState() == Qt.CheckState.Checked
        ]

    def _roll(self) -> None:
        try:
            count = max(len(parse_seeds(self._seeds.text())), 1)
        except OptionError:
            count = SEEDS
        self._seeds.setText(", ".join(str(secrets.randbelow(ROLLED)) for _ in range(count)))

    def _fill(self) -> None:
        try:
            seeds = parse_seeds(self._seeds.text())
            cfgs: list[float | None] = list(parse_cfgs(self._cfgs.text())) or [None]
            made = grid(self._base, seeds, cfgs)
        except OptionError as error:
            self._made = []
            self._table.setRowCount(0)
            self._table.setColumnCount(0)
            self._say(f"{str(error)[:1].upper()}{str(error)[1:]}", 0)
            return
        self._made = [made[i : i + len(seeds)] for i in range(0, len(made), len(seeds))]
        self._table.blockSignals(True)
        self._table.setRowCount(len(cfgs))
        self._table.setColumnCount(len(seeds))
        self._table.setVerticalHeaderLabels(
            ["CFG: bundle's own" if cfg is None else f"CFG {cfg:g}" for cfg in cfgs]
        )
        self._table.setHorizontalHeaderLabels([f"Seed {seed}" for seed in seeds])
        for row, cfg in enumerate(cfgs):
            for column, seed in enumerate(seeds):
                item = QTableWidgetItem("")
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked)
                value = "the bundle's own CFG" if cfg is None else f"CFG {cfg:g}"
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"Seed {seed} with {value}")
                item.setToolTip(f"Seed {seed} with {value}")
                self._table.setItem(row, column, item)
        self._table.blockSignals(False)
        header = self._table.horizontalHeader()
        if header is not None:
            wide = len(seeds) <= 6
            mode = QHeaderView.ResizeMode
            header.setSectionResizeMode(mode.Stretch if wide else mode.ResizeToContents)
        self._count()

    def _count(self) -> None:
        number = len(self.chosen())
        limit = f" ({MAX_GRID} at most)" if number == MAX_GRID else ""
        self._say(
            "Tick at least one take" if number == 0 else f"They wait in the queue{limit}", number
        )

    def _say(self, text: str, number: int) -> None:
        self._note.setText(text)
        self._go.setEnabled(number > 0)
        self._go.setText(
            "Generate" if number == 0 else f"Generate {number} take" + "s"[: number > 1]
        )
