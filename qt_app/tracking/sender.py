"""OSC out: where the listener looks, to a rotator in a DAW, at most 50 times a second."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from qt_app.tracking.addresses import head_message, scene_message
from qt_app.tracking.orientation import Angles, from_angles

STYLES = ("scene", "head")
RATE = 50.0  # messages a second at most


class Sender:
    """Sends the newest orientation; older ones that had no turn are dropped.

    Parameters
    ----------
    host, port
        Where to.
    style
        "scene": /SceneRotator/quaternions, for IEM's SceneRotator. "head": /ypr, for SPARTA's
        plug-ins and others that ask for the head.
    on_failure
        Called in the sender's thread with one line, once per kind of trouble; sending goes on.
    """

    def __init__(self, host: str, port: int, style: str, on_failure: Callable[[str], None]) -> None:
        self._target = (host, port)
        self._style = style if style in STYLES else STYLES[0]
        self._on_failure = on_failure
        self._told = ""
        self._newest: Angles | None = None
        self._wanted = threading.Condition()
        self._closed = False
        self.sent = 0
        self._thread = threading.Thread(target=self._work, name="head-tracking-out", daemon=True)
        self._thread.start()

    def send(self, yaw: float, pitch: float, roll: float) -> None:
        """Hand over an orientation of the head in radians. Returns at once."""
        with self._wanted:
            self._newest = (yaw, pitch, roll)
            self._wanted.notify()

    def close(self) -> None:
        """Stop; what has not gone out stays here."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()
        self._thread.join(1.0)

    def _work(self) -> None:
        try:
            from pythonosc.osc_message_builder import OscMessageBuilder
        except ImportError:
            self._on_failure(
                "sending the look needs python-osc, which is not installed; "
                'install it with pip install "omniaudio-studio[gui]"'
            )
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while True:
                with self._wanted:
                    while self._newest is None and not self._closed:
                        self._wanted.wait()
                    if self._closed or self._newest is None:
                        return
                    angles, self._newest = self._newest, None
                if self._style == "scene":
                    address, values = scene_message(from_angles(*angles))
                else:
                    address, values = head_message(*angles)
                builder = OscMessageBuilder(address)
                for value in values:
                    builder.add_arg(value, OscMessageBuilder.ARG_TYPE_FLOAT)
                try:
                    out.sendto(builder.build().dgram, self._target)
                    self.sent += 1
                    self._told = ""
                except (OSError, OverflowError) as error:
                    self._fail(error)
                time.sleep(1.0 / RATE)

    def _fail(self, error: Exception) -> None:
        why = getattr(error, "strerror", None) or str(error)
        if why == self._told or isinstance(error, ConnectionRefusedError):
            return  # nobody listens yet: that is no trouble
        self._told = why
        host, port = self._target
        self._on_failure(f"cannot send the look to {host} port {port}: {why}")
