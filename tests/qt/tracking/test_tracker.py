"""Head tracking over real UDP sockets on this machine."""

from __future__ import annotations

import math
import os
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from qt_app.models.preferences import Preferences
from qt_app.models.tracking import TrackingFollower
from qt_app.tracking.tracker import HOST, PORT_IN, OscTracker


def message(address: str, *values: float) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value, OscMessageBuilder.ARG_TYPE_FLOAT)
    return bytes(builder.build().dgram)


class HeadTracker:
    """What a tracker's program does: sends datagrams."""

    def __init__(self, port: int) -> None:
        self.target = (HOST, port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, address: str, *values: float) -> None:
        self.raw(message(address, *values))

    def raw(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.target)


@pytest.fixture
def tracker(qtbot: QtBot) -> Iterator[OscTracker]:
    made = OscTracker()
    yield made
    made.close()


@pytest.fixture
def head(tracker: OscTracker) -> Iterator[HeadTracker]:
    assert tracker.start(0)
    assert tracker.port is not None
    made = HeadTracker(tracker.port)
    yield made
    made.socket.close()


def test_off_until_asked_for_and_on_this_machine_only(tracker: OscTracker) -> None:
    assert not tracker.listening and not tracker.sending
    assert tracker.status.text() == "Head tracking is off"
    assert tracker.start(0)
    address = tracker._receiver._socket.getsockname()  # type: ignore[union-attr]
    assert address[0] == "127.0.0.1"
    assert f"port {tracker.port}" in tracker.status.text()


def test_a_turned_head_arrives(qtbot: QtBot, tracker: OscTracker, head: HeadTracker) -> None:
    with qtbot.waitSignal(tracker.orientation, timeout=2000) as heard:
        head.send("/ypr", 30.0, -10.0, 5.0)
    assert [math.degrees(angle) for angle in heard.args] == pytest.approx([30, 10, 5], abs=1e-4)
    assert tracker.status.address == "/ypr"


def test_bundles_count_as_their_messages(
    qtbot: QtBot, tracker: OscTracker, head: HeadTracker
) -> None:
    bundle = OscBundleBuilder(IMMEDIATELY)
    for address, value in (("/yaw", 40.0), ("/pitch", 0.0), ("/battery", 0.9)):
        builder = OscMessageBuilder(address)
        builder.add_arg(value)
        bundle.add_content(builder.build())
    with qtbot.waitSignal(tracker.orientation, timeout=2000) as heard:
        head.raw(bundle.build().dgram)
    assert math.degrees(heard.args[0]) == pytest.approx(40, abs=1e-4)


def test_rubbish_is_counted_and_does_no_harm(
    qtbot: QtBot, tracker: OscTracker, head: HeadTracker
) -> None:
    rubbish = [
        b"",
        b"\x00",
        b"hello",
        os.urandom(300),
        b"#bundle\x00" + os.urandom(40),
        b"/ypr\x00\x00\x00\x00,fff\x00\x00\x00\x00\x01",  # cut off
        message("/ypr", math.nan, 0.0, 0.0),
        message("/ypr", 1.0),
        message("/somebody/else", 1.0, 2.0, 3.0),
        message("/SceneRotator/quaternions", 0.0, 0.0, 0.0, 0.0),
    ]
    for datagram in rubbish:
        head.raw(datagram)
    qtbot.waitUntil(lambda: tracker.status.ignored == len(rubbish), timeout=3000)
    assert tracker.status.packets == 0
    with qtbot.waitSignal(tracker.orientation, timeout=2000):
        head.send("/yaw", 10.0)
    assert "10 not understood" in tracker.status.text()


def test_a_taken_port_is_one_clear_line(qtbot: QtBot, tracker: OscTracker) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        with qtbot.waitSignal(tracker.problem, timeout=1000) as told:
            assert not tracker.start(port)
    assert str(port) in told.args[0] and "taken" in told.args[0] and "\n" not in told.args[0]
    assert not tracker.listening
    assert tracker.start(port), "free again, it can be had"


def test_another_machines_address_is_one_clear_line(qtbot: QtBot, tracker: OscTracker) -> None:
    with qtbot.waitSignal(tracker.problem, timeout=1000) as told:
        assert not tracker.start(0, "192.0.2.1")
    assert "not an address of this machine" in told.args[0]


@pytest.mark.keeps_time
def test_stopping_frees_the_port_at_once(tracker: OscTracker) -> None:
    assert tracker.start(0)
    port = tracker.port
    assert port is not None
    begun = time.monotonic()
    tracker.stop()
    assert time.monotonic() - begun < 0.15
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, port))


def test_taking_the_front(qtbot: QtBot, tracker: OscTracker, head: HeadTracker) -> None:
    with qtbot.waitSignal(tracker.orientation, timeout=2000):
        head.send("/ypr", 130.0, -12.0, 4.0)
    with qtbot.waitSignal(tracker.orientation, timeout=2000) as heard:
        tracker.take_front()
    assert heard.args == pytest.approx([0, 0, 0], abs=1e-6)
    with qtbot.waitSignal(tracker.orientation, timeout=2000) as heard:
        head.send("/ypr", 160.0, -12.0, 4.0)
    assert [math.degrees(angle) for angle in heard.args] == pytest.approx([30, 0, 0], abs=1e-3)


def test_reversed_angles(qtbot: QtBot, tracker: OscTracker, head: HeadTracker) -> None:
    tracker.set_flips(True, False, True)
    with qtbot.waitSignal(tracker.orientation, timeout=2000) as heard:
        head.send("/ypr", 30.0, -10.0, 5.0)
    assert [math.degrees(angle) for angle in heard.args] == pytest.approx([-30, 10, -5], abs=1e-4)


@pytest.mark.keeps_time
def test_a_busy_window_gets_the_newest_only(
    qtbot: QtBot, tracker: OscTracker, head: HeadTracker
) -> None:
    heard: list[float] = []
    tracker.orientation.connect(lambda yaw, pitch, roll: heard.append(math.degrees(yaw)))
    for yaw in range(100):
        head.send("/yaw", float(yaw))
        time.sleep(0.001)  # a socket's buffer is not what is tested
    deadline = time.monotonic() + 3
    while tracker._receiver.packets < 100 and time.monotonic() < deadline:
        time.sleep(0.01)  # the window is busy all the while
    qtbot.waitUntil(lambda: bool(heard), timeout=1000)
    qtbot.wait(50)
    assert heard == pytest.approx([99.0], abs=1e-3)


@pytest.mark.keeps_time
def test_from_the_socket_to_the_window_in_milliseconds(
    qtbot: QtBot, tracker: OscTracker, head: HeadTracker
) -> None:
    arrived: list[float] = []
    tracker.orientation.connect(lambda *_: arrived.append(time.perf_counter()))
    delays = []
    for number in range(200):
        sent = time.perf_counter()
        head.send("/SceneRotator/quaternions", 1.0, 0.0, 0.0, number / 1000)
        qtbot.waitUntil(lambda n=number: len(arrived) == n + 1, timeout=2000)
        delays.append(arrived[-1] - sent)
    print(f"OSC in: median {statistics.median(delays) * 1e3:.2f} ms")
    # qtbot looks every 10 ms at most; the slot itself runs as soon as Qt's loop does.
    assert statistics.median(delays) < 0.012


class Rotator:
    """What a plug-in in a DAW does: listens."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.settimeout(0.3)
        self.port = self.socket.getsockname()[1]

    def next(self) -> tuple[str, list[float]] | None:
        try:
            packet = OscPacket(self.socket.recv(2000))
        except TimeoutError:
            return None
        only = packet.messages[0].message
        return only.address, list(only.params)


@pytest.fixture
def rotator() -> Iterator[Rotator]:
    made = Rotator()
    yield made
    made.socket.close()


def test_the_look_goes_out_reversed_for_a_scene_rotator(
    tracker: OscTracker, rotator: Rotator
) -> None:
    assert tracker.start_sending(rotator.port)
    tracker.send(math.radians(60), 0.0, 0.0)
    address, values = rotator.next() or ("", [])
    assert address == "/SceneRotator/quaternions"
    assert values == pytest.approx([math.cos(math.pi / 6), 0, 0, -math.sin(math.pi / 6)], abs=1e-6)


def test_the_look_goes_out_as_the_head_has_it(tracker: OscTracker, rotator: Rotator) -> None:
    assert tracker.start_sending(rotator.port, style="head")
    tracker.send(math.radians(60), math.radians(20), 0.0)
    assert rotator.next() == ("/ypr", pytest.approx([60, -20, 0], abs=1e-4))


@pytest.mark.keeps_time
def test_at_most_fifty_a_second_and_the_last_one_always(
    tracker: OscTracker, rotator: Rotator
) -> None:
    assert tracker.start_sending(rotator.port, style="head")
    begun = time.monotonic()
    steps = 0
    while time.monotonic() - begun < 0.6:
        steps += 1
        tracker.send(math.radians(steps % 360), 0.0, 0.0)
        time.sleep(0.001)
    tracker.send(math.radians(123), 0.0, 0.0)
    heard = []
    while (one := rotator.next()) is not None:
        heard.append(one)
    assert 10 <= len(heard) <= 0.6 * 50 + 3
    assert heard[-1][1][0] == pytest.approx(123, abs=1e-3)


def test_nobody_listening_is_no_trouble(qtbot: QtBot, tracker: OscTracker) -> None:
    told: list[str] = []
    tracker.problem.connect(told.append)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((HOST, 0))
        port = gone.getsockname()[1]
    assert tracker.start_sending(port)
    for _ in range(5):
        tracker.send(0.1, 0.0, 0.0)
        qtbot.wait(30)
    assert told == []


def test_an_unknown_computer_is_told_once(qtbot: QtBot, tracker: OscTracker) -> None:
    told: list[str] = []
    tracker.problem.connect(told.append)
    assert tracker.start_sending(9, "no-such-computer.invalid")
    for _ in range(4):
        tracker.send(0.1, 0.0, 0.0)
        qtbot.wait(100)
    qtbot.waitUntil(lambda: bool(told), timeout=8000)
    qtbot.wait(200)
    assert len(told) == 1 and "no-such-computer.invalid" in told[0]


def test_it_does_not_send_to_itself(qtbot: QtBot, tracker: OscTracker) -> None:
    assert tracker.start(0)
    with qtbot.waitSignal(tracker.problem, timeout=1000):
        assert not tracker.start_sending(tracker.port or 0)


def test_it_follows_the_preferences(qtbot: QtBot, tracker: OscTracker, tmp_path: Path) -> None:
    preferences = Preferences(tmp_path)
    assert not preferences.tracking and preferences.tracking_port == PORT_IN
    follower = TrackingFollower(preferences, tracker)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        preferences.tracking_port = port
        preferences.tracking = True
        assert not preferences.tracking, "the port is taken: the switch goes back"
    preferences.tracking = True
    assert tracker.port == port
    preferences.sending = True
    assert tracker.sending
    preferences.tracking = preferences.sending = False
    assert not tracker.listening and not tracker.sending
    assert follower is not None
