"""About this device: what the models run on here and why, versions, bundles, where the logs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from qt_app import icons
from qt_app.widgets.labels import Badge, heading, secondary
from qt_app.widgets.reveal import open_folder


class AboutDevice(QDialog):
    """Shows what the analyst's tasks "device" and "bundles" answer.

    Empty until :meth:`set_device` and :meth:`set_bundles` are called, which may be at any time.

    Parameters
    ----------
    log_folder
        Where the logs are.

    Signals
    -------
    unload_requested()
        The models are to leave the memory.
    refresh_requested()
        The answers are wanted again.
    """

    unload_requested = pyqtSignal()
    refresh_requested = pyqtSignal()

    def __init__(self, log_folder: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About this device")
        self.resize(620, 640)
        self._log = log_folder
        self._device: Mapping[str, Any] | None = None
        self._bundles: Sequence[Mapping[str, Any]] | None = None
        self._failure = ""
        body = QWidget()
        self._body = QVBoxLayout(body)
        self._body.setContentsMargins(20, 16, 20, 16)
        self._body.setSpacing(8)
        scroll = QScrollArea()
        scroll.setWidget(body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setAccessibleName("What this device has")
        self._unload = QPushButton(icons.icon("remove"), "Unload models")
        self._unload.setToolTip(
            "Frees the memory that warm models take. The next clip loads them again."
        )
        self._unload.clicked.connect(self.unload_requested)
        refresh = QPushButton(icons.icon("retry"), "Look again")
        refresh.setToolTip("Ask again what is there, for example after a driver was installed")
        refresh.clicked.connect(self.refresh_requested)
        copy = QPushButton(icons.icon("copy"), "Copy")
        copy.setAccessibleName("Copy everything as text")
        copy.setToolTip("Copy everything as text, for a report")
        copy.clicked.connect(self._copy)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(20, 8, 20, 14)
        buttons.setSpacing(8)
        for widget in (self._unload, refresh, copy):
            buttons.addWidget(widget)
        buttons.addStretch(1)
        buttons.addWidget(close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scroll, 1)
        outer.addLayout(buttons)
        self._fill()

    def set_device(self, answer: Mapping[str, Any]) -> None:
        """Show the answer of "device": providers, chosen, reason, versions."""
        self._device, self._failure = answer, ""
        self._fill()

    def set_bundles(self, answer: Sequence[Mapping[str, Any]]) -> None:
        """Show the answer of "bundles"."""
        self._bundles = answer
        self._fill()

    def set_failure(self, message: str) -> None:
        """Say that it could not be found out."""
        self._failure = message
        self._fill()

    def text(self) -> str:
        """Everything as lines of text."""
        lines = []
        device = self._device or {}
        if device:
            lines.append(f"Runs on {device.get('chosen')}: {device.get('reason')}")
            for one in device.get("providers", ()):
                lines.append(f"{one.get('name')}: {_state(one)}; {one.get('why')}")
            lines += [f"{name} {version}" for name, version in _versions(device)]
        for bundle in self._bundles or ():
            lines.append(f"bundle {bundle.get('name')}: {bundle.get('problem') or 'ready'}")
        if self._failure:
            lines.append(self._failure)
        if self._log is not None:
            lines.append(f"logs in {self._log}")
        return "\n".join(lines)

    # Inside

    def _fill(self) -> None:
        while (item := self._body.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._add_providers()
        self._add_bundles()
        self._add_versions()
        self._add_logs()
        self._body.addStretch(1)

    def _add_providers(self) -> None:
        self._body.addWidget(heading("Models run on"))
        if self._failure:
            self._body.addWidget(_wrapped(f"This could not be found out: {self._failure}"))
            return
        if self._device is None:
            self._body.addWidget(secondary("Looking at this device..."))
            return
        self._body.addWidget(
            _wrapped(f"{self._device.get('chosen')}: {self._device.get('reason')}")
        )
        for one in sorted(self._device.get("providers", ()), key=_rank):
            self._body.addWidget(_ProviderRow(one))

    def _add_bundles(self) -> None:
        self._body.addSpacing(10)
        self._body.addWidget(heading("Model bundles"))
        if self._bundles is None:
            self._body.addWidget(secondary("Looking for bundles..."))
        elif not self._bundles:
            self._body.addWidget(
                _wrapped("None was found. Name their folder in OMNIAUDIO_BUNDLES.")
            )
        for bundle in self._bundles or ():
            self._body.addWidget(_BundleRow(bundle))

    def _add_versions(self) -> None:
        pairs = _versions(self._device or {})
        if not pairs:
            return
        self._body.addSpacing(10)
        self._body.addWidget(heading("Versions"))
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(2)
        half = (len(pairs) + 1) // 2
        for place, (name, version) in enumerate(pairs):
            column = 2 * (place // half)
            grid.addWidget(secondary(name), place % half, column)
            label = QLabel(version)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(label, place % half, column + 1)
        grid.setColumnStretch(3, 1)
        self._body.addWidget(table)

    def _add_logs(self) -> None:
        if self._log is None:
            return
        self._body.addSpacing(10)
        self._body.addWidget(heading("Logs"))
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(_wrapped(str(self._log)), 1)
        button = QPushButton(icons.icon("folder"), "Open folder")
        button.setAccessibleName("Open the folder of the logs")
        folder = self._log
        button.clicked.connect(lambda: open_folder(folder))
        line.addWidget(button)
        self._body.addWidget(row)

    def _copy(self) -> None:
        if (board := QGuiApplication.clipboard()) is not None:
            board.setText(self.text())


class _ProviderRow(QFrame):
    """One provider: taken, there but not taken, or not there; and why."""

    def __init__(self, one: Mapping[str, Any]) -> None:
        super().__init__()
        name, why = str(one.get("name", "")), str(one.get("why") or "")
        fill = "good fill" if one.get("taken") else "hover"
        state = _state(one)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 3, 0, 3)
        row.setSpacing(10)
        badge = Badge(state, fill)
        badge.setMinimumWidth(96)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(QLabel(name))
        if why:
            words.addWidget(secondary(why))
        row.addWidget(badge, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self.setAccessibleName(f"{name}: {state}. {why}")


class _BundleRow(QFrame):
    """One bundle with its labels and its licence."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        super().__init__()
        title = str(bundle.get("title") or bundle.get("name"))
        licence = bundle.get("licence")
        licence = licence if isinstance(licence, Mapping) else {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 3, 0, 3)
        column.setSpacing(1)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(QLabel(title))
        if bundle.get("demonstration"):
            row.addWidget(Badge("Demonstration", "info fill"))
        if licence.get("commercial") is False:
            row.addWidget(Badge("No commercial use", "warning fill"))
        if bundle.get("problem"):
            row.addWidget(Badge("Cannot be used", "error fill"))
        row.addStretch(1)
        column.addLayout(row)
        lines = [str(bundle["problem"])] if bundle.get("problem") else []
        if licence:
            lines.append(f"Licence: {licence.get('name') or licence.get('id')}")
        lines.append(str(bundle.get("path", "")))
        column.addWidget(secondary("\n".join(lines)))
        self.setAccessibleName(f"{title}. " + ". ".join(lines))


def _state(one: Mapping[str, Any]) -> str:
    if one.get("taken"):
        return "In use"
    return "Available" if one.get("available") else "Not here"


def _rank(one: Mapping[str, Any]) -> int:
    """What is used first, then what could be, then the rest."""
    return 0 if one.get("taken") else (1 if one.get("available") else 2)


def _versions(device: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = device.get("versions")
    if not isinstance(versions, Mapping):
        return []
    return [(str(name), str(version)) for name, version in versions.items() if version]


def _wrapped(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
