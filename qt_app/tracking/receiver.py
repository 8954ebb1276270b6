"""OSC in: a socket and a thread. What comes is an orientation, or tells of a DAW's time line, or is
counted and forgotten."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from omniaudio_studio.errors import DeviceError
from qt_app.tracking.addresses import Decoder
from qt_app.tracking.orientation import Quaternion
from qt_app.tracking.transport import Moment, read_transport

DATAGRAM = 65_536  # bytes: no UDP packet is longer
WAKE_SECONDS = 0.2  # how long a stop may take


class Receiver:
    """Listens on a UDP port and calls back for every orientation.

    Parameters
    ----------
    on_turn
        Called in the receiver's thread with a unit quaternion of the head, as the tracker has it.
    on_failure
        Called there with one line if listening ends by itself.
    on_moment
        Called there with what a message says of a DAW's time line.

    Attributes
    ----------
    packets, ignored
        Datagrams that held an orientation, and those that held nothing that is understood
        (malformed, another address).
    last_address
        Of the last orientation.
    """

    def __init__(
        self,
        on_turn: Callable[[Quaternion], None],
        on_failure: Callable[[str], None],
        on_moment: Callable[[Moment], None] = lambda moment: None,
    ) -> None:
        self._on_turn, self._on_failure, self._on_moment = on_turn, on_failure, on_moment
        self._decoder = Decoder()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.packets = 0
        self.ignored = 0
        self.last_address = ""

    @property
    def port(self) -> int | None:
        """The port that is listened on."""
        return None if self._socket is None else int(self._socket.getsockname()[1])

    def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises
        ------
        DeviceError
            One line: the port is taken, or the address is not this machine's.
        """
        self.stop()
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows shares ports otherwise
                made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            made.bind((host, port))
        except (OSError, OverflowError) as error:
            made.close()
            raise DeviceError(_refusal(host, port, error)) from error
        made.settimeout(WAKE_SECONDS)
        self._socket = made
        self._thread = threading.Thread(
            target=self._listen, args=(made,), name="head-tracking-in", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; the port is free again afterwards."""
        made, self._socket = self._socket, None
        thread, self._thread = self._thread, None
        if made is not None:
            # Wakes the thread at once instead of at its next look.
            try:
                port = made.getsockname()[1]
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                    waker.sendto(b"", (made.getsockname()[0].replace("0.0.0.0", "127.0.0.1"), port))
            except OSError:
                pass
        if thread is not None:
            thread.join(2 * WAKE_SECONDS)
        if made is not None:
            made.close()

    def _listen(self, made: socket.socket) -> None:
        try:
            from pythonosc.osc_packet import OscPacket
        except ImportError:
            self._on_failure(
                "head tracking needs python-osc, which is not installed; "
                'install it with pip install "omniaudio-studio[gui]"'
            )
            return
        while self._socket is made:
            try:
                datagram = made.recv(DATAGRAM)
            except TimeoutError:
                continue
            except OSError as error:
                if self._socket is not made:
                    return
                if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
                    continue  # an echo of a packet that someone else refused
                self._on_failure(f"head tracking stopped: {error.strerror or error}")
                return
            if self._socket is made:
                self._read(datagram, OscPacket)

    def _read(self, datagram: bytes, packet: Any) -> None:
        turn = None
        moments = []
        try:
            for message in _messages(packet(datagram)):
                found = self._decoder.decode(message.address, message.params)
                if found is not None:
                    turn = found
                    self.last_address = message.address
                elif (moment := read_transport(message.address, message.params)) is not None:
                    moments.append(moment)
        except Exception:  # whatever a parser makes of foreign bytes: it is nothing of ours
            turn, moments = None, []
        for moment in moments:
            self._on_moment(moment)
        if turn is not None:
            self.packets += 1
            self._on_turn(turn)
        elif not moments:
            self.ignored += 1


def _messages(packet: Any) -> Iterator[Any]:
    """Messages of a packet or of a bundle in it; times in bundles are not waited for."""
    for timed in packet.messages:
        yield timed.message


def _refusal(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, OverflowError):
        return f"expected a port from 1 to 65535, found {port}"
    if number in (errno.EADDRINUSE, 10048):
        return (
            f"port {port} is taken by another program; choose another port here and in the head "
            "tracker, or close the other program"
        )
    if number == errno.EACCES:
        return f"port {port} may not be used; choose one from 1024 to 65535"
    if number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return (
            f"{host} is not an address of this machine; use 127.0.0.1 for trackers on this "
            "machine, 0.0.0.0 for trackers in the network"
        )
    return f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}"
