"""Preferences, in pages. A change counts at once; there is nothing to confirm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qt_app import icons
from qt_app.models.preferences import THEMES, Preferences
from qt_app.tracking.tracker import OscTracker
from qt_app.widgets.labels import heading, secondary
from qt_app.widgets.tracking_page import TrackingPage

THEME_NAMES = {"system": "As the system has it", "light": "Light", "dark": "Dark"}


class PreferencesDialog(QDialog):
    """Shows and sets :class:`Preferences`; not modal.

    Parameters
    ----------
    preferences
        What is shown and set.
    tracker
        Its state is shown on the page for head tracking.
    sound_devices
        Names of the outputs there are.
    """

    def __init__(
        self,
        preferences: Preferences,
        tracker: OscTracker,
        sound_devices: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self.resize(720, 520)
        self._preferences = preferences
        self._refresh: list[Callable[[], None]] = []
        self._list = QListWidget()
        self._list.setAccessibleName("Pages")
        self._list.setFixedWidth(168)
        self._list.setIconSize(QSize(20, 20))
        self._list.setSpacing(2)
        self._stack = QStackedWidget()
        self._device = QComboBox()
        self.tracking_page = TrackingPage(preferences, tracker)
        self._add("General", "settings", self._general())
        self._add("Listening", "headphones", self._listening(sound_devices))
        self._add("Head tracking", "head-tracking", self.tracking_page)
        self._add("Generating", "generate", self._generating())
        self._list.currentRowChanged.connect(self._stack.setCurrentIndex)
        self._list.setCurrentRow(0)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self._list)
        row.addWidget(self._stack, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 12)
        column.addLayout(row, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 14, 0)
        foot.addWidget(close)
        column.addLayout(foot)
        preferences.changed.connect(self._follow)

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return self._stack.count()

    def show_page(self, page: int | str) -> None:
        """Turn to a page, by its number or its title."""
        if isinstance(page, str):
            titles = [self._title(row) for row in range(self.pages)]
            page = titles.index(page) if page in titles else 0
        self._list.setCurrentRow(page)

    def set_sound_devices(self, names: Sequence[str]) -> None:
        """Offer these outputs."""
        chosen = self._preferences.sound_device
        self._device.blockSignals(True)
        self._device.clear()
        self._device.addItem("The system's choice", None)
        for name in names:
            self._device.addItem(name, name)
        if chosen is not None and chosen not in names:
            self._device.addItem(f"{chosen} (not connected)", chosen)
        self._device.setCurrentIndex(max(self._device.findData(chosen), 0))
        self._device.blockSignals(False)

    # Pages

    def _general(self) -> QWidget:
        page, form = _page("General")
        look = QComboBox()
        look.setAccessibleName("Colours")
        for name in THEMES:
            look.addItem(THEME_NAMES[name], name)
        self._tie_combo("theme", look)
        form.addRow("&Colours", look)
        form.addRow(
            "&Takes go to",
            self._path_row("output_folder", "Output folder", "beside the clip", self._folder),
        )
        form.addRow("", secondary("Each clip can have an output folder of its own."))
        return page

    def _listening(self, names: Sequence[str]) -> QWidget:
        page, form = _page("Listening")
        self._device.setAccessibleName("Sound output")
        self._device.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_sound_devices(names)
        self._device.activated.connect(
            lambda: self._set("sound_device", self._device.currentData())
        )
        form.addRow("Sound &output", self._device)
        form.addRow(
            "&Personal HRTF",
            self._path_row("hrtf", "Personal HRTF", "the one that comes with the app", self._sofa),
        )
        form.addRow(
            "",
            secondary(
                "A SOFA file with your own head's filters makes directions clearer. Without one, "
                "those of a dummy head (MIT KEMAR) are used."
            ),
        )
        return page

    def _generating(self) -> QWidget:
        page, form = _page("Generating")
        low = QCheckBox("Let everything else on this machine go first")
        low.setAccessibleName("Generate at low priority")
        self._tie_check("worker_low_priority", low)
        form.addRow("Priority", low)
        form.addRow(
            "&Python",
            self._path_row("worker_python", "Python of the worker", "the app's own", self._python),
        )
        form.addRow(
            "",
            secondary(
                "Models run in a process of their own. Another Python can have another ONNX "
                "Runtime, for example one for the graphics card. It counts from the next start."
            ),
        )
        return page

    # Parts

    def _add(self, title: str, icon: str, page: QWidget) -> None:
        item = QListWidgetItem(icons.icon(icon), title)
        item.setSizeHint(QSize(150, 36))
        self._list.addItem(item)
        self._stack.addWidget(page)

    def _title(self, row: int) -> str:
        item = self._list.item(row)
        return "" if item is None else item.text()

    def _path_row(
        self, name: str, label: str, none: str, choose: Callable[[Path | None], Path | None]
    ) -> QWidget:
        """A path that can be chosen or given up."""
        field = QLineEdit()
        field.setReadOnly(True)
        field.setAccessibleName(label)
        field.setPlaceholderText(none)
        pick = QToolButton()
        pick.setIcon(icons.icon("folder"))
        pick.setToolTip("Choose...")
        pick.setAccessibleName(f"Choose: {label}")
        clear = QToolButton()
        clear.setIcon(icons.icon("cancel"))
        clear.setToolTip(f"Go back to {none}")
        clear.setAccessibleName(f"{label}: go back to {none}")

        def refresh() -> None:
            path = getattr(self._preferences, name)
            field.setText("" if path is None else str(path))
            field.setToolTip(field.text())
            clear.setEnabled(path is not None)

        def chosen() -> None:
            path = choose(getattr(self._preferences, name))
            if path is not None:
                self._set(name, path)

        pick.clicked.connect(chosen)
        clear.clicked.connect(lambda: self._set(name, None))
        self._refresh.append(refresh)
        refresh()
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(field, 1)
        line.addWidget(pick)
        line.addWidget(clear)
        row.setFocusProxy(pick)
        return row

    def _tie_combo(self, name: str, combo: QComboBox) -> None:
        def refresh() -> None:
            combo.setCurrentIndex(max(combo.findData(getattr(self._preferences, name)), 0))

        combo.activated.connect(lambda: self._set(name, combo.currentData()))
        self._refresh.append(refresh)
        refresh()

    def _tie_check(self, name: str, box: QCheckBox) -> None:
        def refresh() -> None:
            box.setChecked(getattr(self._preferences, name))

        box.clicked.connect(lambda: self._set(name, box.isChecked()))
        self._refresh.append(refresh)
        refresh()

    def _set(self, name: str, value: Any) -> None:
        setattr(self._preferences, name, value)

    def _follow(self, name: str) -> None:
        for refresh in self._refresh:
            refresh()
        if name == "sound_device":
            index = self._device.findData(self._preferences.sound_device)
            self._device.setCurrentIndex(max(index, 0))

    def _folder(self, now: Path | None) -> Path | None:
        start = now or self._preferences.last_folder
        name = QFileDialog.getExistingDirectory(
            self, "Where takes go", "" if start is None else str(start)
        )
        return Path(name) if name else None

    def _sofa(self, now: Path | None) -> Path | None:
        return self._file("Personal HRTF", "SOFA files (*.sofa)", now)

    def _python(self, now: Path | None) -> Path | None:
        return self._file("Python of the worker", "All files (*)", now)

    def _file(self, title: str, kinds: str, now: Path | None) -> Path | None:
        start = now or self._preferences.last_folder
        name, _ = QFileDialog.getOpenFileName(
            self, title, "" if start is None else str(start), kinds
        )
        return Path(name) if name else None


def _page(title: str) -> tuple[QWidget, QFormLayout]:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(22, 18, 22, 12)
    column.setSpacing(12)
    column.addWidget(heading(title))
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    form.setHorizontalSpacing(16)
    form.setVerticalSpacing(10)
    column.addLayout(form)
    column.addStretch(1)
    return page, form
