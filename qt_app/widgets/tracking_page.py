"""The page for head tracking: in and out, how it stands, which messages are understood; and for
playing together with a DAW."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QPalette
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from qt_app import icons, theme
from qt_app.models.preferences import Preferences
from qt_app.tracking.addresses import KNOWN
from qt_app.tracking.tracker import OscTracker
from qt_app.widgets.labels import heading, secondary

FLIPS = ("Yaw (left and right)", "Pitch (up and down)", "Roll (tilt)")
STYLE_NAMES = {
    "scene": "IEM SceneRotator (/SceneRotator/quaternions)",
    "head": "SPARTA and others (/ypr)",
}


class TrackingPage(QScrollArea):
    """Shows and sets the preferences for head tracking, and what the tracker says."""

    def __init__(
        self, preferences: Preferences, tracker: OscTracker, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._preferences, self._tracker = preferences, tracker
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setAccessibleName("Head tracking")
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._on = QCheckBox("Let a head tracker turn the view and the sound (OSC in)")
        self._port = _port_box("Port to listen on")
        self._network = QCheckBox("Also from other devices in the network")
        self._network.setToolTip(
            "Off: only programs on this machine are heard (127.0.0.1).\n"
            "On: anything in your network can turn the view (0.0.0.0)."
        )
        self._front = QPushButton(
            icons.icon("head-tracking"), "Take the current position as &front"
        )
        self._front.setToolTip("Look straight ahead, then press this")
        self._flips = [QCheckBox(name) for name in FLIPS]
        self._send = QCheckBox("Send where I look to other programs (OSC out)")
        self._send_host = QLineEdit()
        self._send_host.setAccessibleName("Send to this computer")
        self._send_port = _port_box("Port to send to")
        self._style = QComboBox()
        self._style.setAccessibleName("Kind of message")
        for style, name in STYLE_NAMES.items():
            self._style.addItem(name, style)
        self._daw = QCheckBox("Play, stop and move together with a DAW on this machine")
        self._daw.setToolTip(
            "REAPER's messages: /play, /stop, /pause and /time, both ways.\n"
            "The clip begins at 0 of the DAW's time line."
        )
        self._daw_port = _port_box("Port that the DAW listens on")
        self._daw_back = secondary("")
        self._lay_out()
        self._connect()
        self._show()
        self._show_status()

    def _lay_out(self) -> None:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(22, 18, 22, 12)
        column.setSpacing(8)
        column.addWidget(heading("Head tracking"))
        column.addWidget(self._on)
        port = QHBoxLayout()
        port.addWidget(self._port)
        port.addSpacing(12)
        port.addWidget(self._network)
        port.addStretch(1)
        flips = QHBoxLayout()
        flips.setSpacing(14)
        for box in self._flips:
            flips.addWidget(box)
        flips.addStretch(1)
        form = _form()
        form.addRow(_label("UDP &port", self._port), port)
        form.addRow("State", self._status)
        form.addRow("Reverse", flips)
        form.addRow("", self._front)
        column.addLayout(form)
        column.addSpacing(10)
        column.addWidget(heading("Send the look"))
        column.addWidget(self._send)
        target = QHBoxLayout()
        target.setSpacing(8)
        target.addWidget(self._send_host, 1)
        target.addWidget(self._send_port)
        out = _form()
        out.addRow(_label("&To", self._send_host), target)
        out.addRow(_label("&As", self._style), self._style)
        column.addLayout(out)
        column.addSpacing(10)
        column.addWidget(heading("A DAW"))
        column.addWidget(self._daw)
        daw_port = QHBoxLayout()
        daw_port.addWidget(self._daw_port)
        daw_port.addSpacing(12)
        daw_port.addWidget(self._daw_back, 1)
        daw = _form()
        daw.addRow(_label("It &listens on", self._daw_port), daw_port)
        column.addLayout(daw)
        column.addSpacing(10)
        column.addWidget(heading("Messages that are understood"))
        column.addWidget(_addresses())
        column.addStretch(1)
        self.setWidget(body)

    def _connect(self) -> None:
        wanted = self._preferences
        self._on.clicked.connect(lambda: setattr(wanted, "tracking", self._on.isChecked()))
        self._port.editingFinished.connect(
            lambda: setattr(wanted, "tracking_port", self._port.value())
        )
        self._network.clicked.connect(
            lambda: setattr(
                wanted, "tracking_host", "0.0.0.0" if self._network.isChecked() else "127.0.0.1"
            )
        )
        for box in self._flips:
            box.clicked.connect(
                lambda: setattr(
                    wanted, "tracking_flips", tuple(one.isChecked() for one in self._flips)
                )
            )
        self._front.clicked.connect(self._tracker.take_front)
        self._send.clicked.connect(lambda: setattr(wanted, "sending", self._send.isChecked()))
        self._send_host.editingFinished.connect(self._set_host)
        self._send_port.editingFinished.connect(
            lambda: setattr(wanted, "sending_port", self._send_port.value())
        )
        self._style.activated.connect(
            lambda: setattr(wanted, "sending_style", self._style.currentData())
        )
        self._daw.clicked.connect(lambda: setattr(wanted, "daw", self._daw.isChecked()))
        self._daw_port.editingFinished.connect(
            lambda: setattr(wanted, "daw_port", self._daw_port.value())
        )
        wanted.changed.connect(self._show)
        self._tracker.status_changed.connect(self._show_status)
        self._tracker.problem.connect(self._show_problem)
        theme.signals.changed.connect(self._show_status)

    def _set_host(self) -> None:
        try:
            self._preferences.sending_host = self._send_host.text()
        except ValueError:
            self._show()  # what was typed is no computer: back to what was

    def _show(self) -> None:
        wanted = self._preferences
        self._on.setChecked(wanted.tracking)
        self._port.setValue(wanted.tracking_port)
        self._network.setChecked(wanted.tracking_host != "127.0.0.1")
        for box, flip in zip(self._flips, wanted.tracking_flips, strict=True):
            box.setChecked(flip)
        self._send.setChecked(wanted.sending)
        self._send_host.setText(wanted.sending_host)
        self._send_port.setValue(wanted.sending_port)
        self._style.setCurrentIndex(max(self._style.findData(wanted.sending_style), 0))
        self._daw.setChecked(wanted.daw)
        self._daw_port.setValue(wanted.daw_port)
        self._daw_back.setText(f"and has to send to port {wanted.tracking_port}, the one above")

    def _show_status(self) -> None:
        status = self._tracker.status
        receiving = status.listening and not status.silent and status.packets > 0
        self._say(status.text(), "good" if receiving else "text")
        self._front.setEnabled(status.packets > 0)

    def _show_problem(self, text: str) -> None:
        self._say(text[:1].upper() + text[1:], "error")

    def _say(self, text: str, tint: str) -> None:
        self._status.setText(text)
        self._status.setAccessibleName(f"State of head tracking: {text}")
        palette = QPalette(self._status.palette())
        palette.setColor(QPalette.ColorRole.WindowText, theme.colour(tint))
        self._status.setPalette(palette)


def _port_box(name: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 65_535)
    box.setGroupSeparatorShown(False)
    box.setAccessibleName(name)
    box.setToolTip(name)
    return box


def _label(text: str, buddy: QWidget) -> QLabel:
    label = QLabel(text)
    label.setBuddy(buddy)
    return label


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setContentsMargins(20, 0, 0, 0)
    form.setHorizontalSpacing(16)
    form.setVerticalSpacing(8)
    return form


def _addresses() -> QWidget:
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(2)
    for row, known in enumerate(KNOWN):
        address = QLabel(known.address)
        address.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        grid.addWidget(address, row, 0)
        grid.addWidget(secondary(known.values), row, 1)
        used = secondary(known.used_by)
        grid.addWidget(used, row, 2)
    grid.setColumnStretch(2, 1)
    return table
