"""Head tracking for the window: off until asked for, of this machine unless told otherwise."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from omniaudio_studio.errors import DeviceError
from qt_app.tracking.orientation import STRAIGHT, Front, Quaternion, to_angles
from qt_app.tracking.receiver import Receiver
from qt_app.tracking.sender import Sender
from qt_app.tracking.transport import Moment, write_transport

HOST = "127.0.0.1"
PORT_IN = 9000  # what SPARTA's plug-ins listen on, so what trackers are set to
PORT_OUT = 7000
PORT_DAW = 8000  # what REAPER offers to listen on
STATUS_MS = 500
SILENT_SECONDS = 2.0


@dataclass(frozen=True)
class TrackingStatus:
    """How things stand.

    Attributes
    ----------
    listening, port
        Whether it listens, and on which UDP port.
    packets, ignored
        Datagrams that held an orientation, and those that did not.
    address
        Of the last orientation; empty before the first.
    silent
        Whether nothing has come for two seconds.
    sending, sent
        Whether the look is sent, and how many messages went out.
    """

    listening: bool = False
    port: int | None = None
    packets: int = 0
    ignored: int = 0
    address: str = ""
    silent: bool = True
    sending: bool = False
    sent: int = 0

    def text(self) -> str:
        """One line for people."""
        if not self.listening:
            return "Head tracking is off"
        ignored = f", {self.ignored} not understood" if self.ignored else ""
        if self.packets == 0:
            return f"Waiting for a head tracker on UDP port {self.port}{ignored}"
        state = "no data now" if self.silent else f"receiving {self.address}"
        return f"Port {self.port}: {state}, {self.packets} packets{ignored}"


class OscTracker(QObject):
    """Orientations of the head in over OSC, the look out, and a DAW's time line both ways.

    Signals
    -------
    orientation(yaw, pitch, roll)
        Radians, of the head: left, up, tilted right. At most one waits for the window at a time:
        while it is busy the newest replaces the one before.
    status_changed()
        ``status`` is another; at most twice a second while packets come.
    problem(str)
        One line. Listening or sending has stopped, or did not start.
    moment(Moment)
        A DAW says whether its time line runs, or where it is.
    """

    orientation = pyqtSignal(float, float, float)
    status_changed = pyqtSignal()
    problem = pyqtSignal(str)
    moment = pyqtSignal(object)  # emitted in the receiver's thread, so that slots are queued
    _came = pyqtSignal()
    _failed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._receiver = Receiver(self._on_turn, self._failed.emit, self.moment.emit)
        self._sender: Sender | None = None
        self._heeds_head = True
        self._daw: socket.socket | None = None
        self._front = Front()
        self._flips = (False, False, False)
        self._lock = threading.Lock()
        self._raw: Quaternion = STRAIGHT
        self._waiting = False
        self._last = 0.0
        self._shown = TrackingStatus()
        self._came.connect(self._deliver)  # queued: emitted in other threads
        self._failed.connect(self._fail)  # queued: emitted in other threads
        self._timer = QTimer(self)
        self._timer.setInterval(STATUS_MS)
        self._timer.timeout.connect(self._look)

    # In

    @property
    def listening(self) -> bool:
        """Whether a port is open."""
        return self._receiver.port is not None

    @property
    def port(self) -> int | None:
        """The UDP port that is listened on."""
        return self._receiver.port

    def start(self, port: int = PORT_IN, host: str = HOST) -> bool:
        """Listen for a tracker; False after a ``problem`` where that cannot be.

        Parameters
        ----------
        port
            0 takes a free one.
        host
            127.0.0.1 hears this machine only, 0.0.0.0 the network.
        """
        try:
            self._receiver.start(host, port)
        except DeviceError as error:
            self.problem.emit(str(error))
            self._look()
            return False
        self._receiver.packets = self._receiver.ignored = 0
        self._receiver.last_address = ""
        self._timer.start()
        self._look()
        return True

    def stop(self) -> None:
        """Close the port. The look stays where it is."""
        self._receiver.stop()
        self._settle()

    def take_front(self) -> None:
        """Let where the head points now be straight ahead."""
        with self._lock:
            self._front.take(self._raw)
        self._deliver()

    def reset_front(self) -> None:
        """Take the tracker at its word again."""
        with self._lock:
            self._front.reset()
        self._deliver()

    def set_flips(self, yaw: bool, pitch: bool, roll: bool) -> None:
        """Reverse angles, for trackers whose signs are others."""
        self._flips = (yaw, pitch, roll)

    def heed_head(self, on: bool) -> None:
        """Whether orientations count; a port may also be open for a DAW alone."""
        self._heeds_head = on
        self._look()

    # A DAW

    @property
    def leading(self) -> bool:
        """Whether a DAW is told of the time line."""
        return self._daw is not None

    def start_leading(self, port: int = PORT_DAW) -> bool:
        """Tell a DAW on this machine of the time line; False after a ``problem``."""
        self.stop_leading()
        if port == self.port:
            self.problem.emit(
                f"port {port} is the one that this app listens on; a DAW listens on another port"
            )
            return False
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.connect((HOST, port))
        self._daw = made
        return True

    def stop_leading(self) -> None:
        """Tell no more."""
        made, self._daw = self._daw, None
        if made is not None:
            made.close()

    def tell_daw(self, moment: Moment) -> None:
        """Have the DAW do the same; returns at once. Nobody listening is no trouble."""
        if self._daw is None:
            return
        from pythonosc.osc_message_builder import OscMessageBuilder

        for address, values in write_transport(moment):
            builder = OscMessageBuilder(address)
            for value in values:
                builder.add_arg(value, OscMessageBuilder.ARG_TYPE_FLOAT)
            with suppress(OSError):
                self._daw.send(builder.build().dgram)

    # Out

    @property
    def sending(self) -> bool:
        """Whether the look is sent."""
        return self._sender is not None

    def start_sending(self, port: int = PORT_OUT, host: str = HOST, style: str = "scene") -> bool:
        """Send every change of the look; False after a ``problem``.

        Parameters
        ----------
        style
            "scene" for IEM's SceneRotator (the head's turn reversed), "head" for /ypr.
        """
        self.stop_sending()
        if port == self.port and host in ("127.0.0.1", "localhost", "0.0.0.0"):
            self.problem.emit(
                f"port {port} is the one that head tracking listens on; send to another port"
            )
            return False
        if not 1 <= port <= 65_535:
            self.problem.emit(f"expected a port from 1 to 65535, found {port}")
            return False
        self._sender = Sender(host, port, style, self._failed.emit)
        self._timer.start()
        self._look()
        return True

    def stop_sending(self) -> None:
        """Send no more."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()
        self._settle()

    def send(self, yaw: float, pitch: float, roll: float) -> None:
        """Send a look (radians) where sending is on; returns at once."""
        if self._sender is not None:
            self._sender.send(yaw, pitch, roll)

    def close(self) -> None:
        """Stop both ways."""
        self.stop()
        self.stop_sending()
        self.stop_leading()

    @property
    def status(self) -> TrackingStatus:
        """How things stand now."""
        receiver, sender = self._receiver, self._sender
        return TrackingStatus(
            listening=receiver.port is not None and self._heeds_head,
            port=receiver.port,
            packets=receiver.packets,
            ignored=receiver.ignored,
            address=receiver.last_address,
            silent=time.monotonic() - self._last > SILENT_SECONDS,
            sending=sender is not None,
            sent=0 if sender is None else sender.sent,
        )

    def _on_turn(self, turn: Quaternion) -> None:
        """In the receiver's thread."""
        if not self._heeds_head:
            return
        with self._lock:
            self._raw = turn
            self._last = time.monotonic()
            waiting, self._waiting = self._waiting, True
        if not waiting:
            self._came.emit()

    def _deliver(self) -> None:
        with self._lock:
            self._waiting = False
            turn = self._front.apply(self._raw)
        signs = [-1.0 if flip else 1.0 for flip in self._flips]
        yaw, pitch, roll = (s * angle for s, angle in zip(signs, to_angles(turn), strict=True))
        self.orientation.emit(yaw, pitch, roll)

    def _fail(self, text: str) -> None:
        if text.startswith("head tracking"):  # the receiver's thread has ended
            self._receiver.stop()
        self.problem.emit(text)
        self._settle()

    def _settle(self) -> None:
        if not self.listening and not self.sending:
            self._timer.stop()
        self._look()

    def _look(self) -> None:
        status = self.status
        if status != self._shown:
            self._shown = status
            self.status_changed.emit()
