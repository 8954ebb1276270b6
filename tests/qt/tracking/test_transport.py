"""A DAW's time line: messages over real sockets, a player that follows and leads."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QObject, pyqtSignal
from pytestqt.qtbot import QtBot

from qt_app.models.daw import DawTransport
from qt_app.models.preferences import Preferences
from qt_app.models.tracking import TrackingFollower
from qt_app.tracking.tracker import HOST, OscTracker
from qt_app.tracking.transport import Moment, read_transport, write_transport
from tests.qt.tracking.test_tracker import HeadTracker, Rotator


@pytest.mark.parametrize(
    ("address", "values", "found"),
    [
        ("/play", (1.0,), Moment(playing=True)),
        ("/play", (), Moment(playing=True)),
        ("/play", (0.0,), Moment(playing=False)),
        ("/stop", (1,), Moment(playing=False)),
        ("/stop", (0.0,), None),  # it is not stopped: /play says the rest
        ("/pause", (1.0,), Moment(playing=False)),
        ("/Time/", (12.5,), Moment(seconds=12.5)),
        ("/time", (-3.0,), Moment(seconds=0.0)),
        ("/time", (), None),
        ("/time", (math.nan,), None),
        ("/time", ("1:02",), None),
        ("/time/str", ("0:01.000",), None),
        ("/play", (True,), None),
        ("/record", (1.0,), None),
        ("/play", (1.0, 2.0), None),
    ],
)
def test_what_a_message_says(
    address: str, values: tuple[object, ...], found: Moment | None
) -> None:
    assert read_transport(address, values) == found


def test_what_is_sent_is_read_as_the_same() -> None:
    for moment in (Moment(True, 3.0), Moment(False, 2.0), Moment(seconds=1.0), Moment(True)):
        read = [read_transport(*message) for message in write_transport(moment)]
        assert all(read)
        playing = [one.playing for one in read if one and one.playing is not None]
        seconds = [one.seconds for one in read if one and one.seconds is not None]
        assert playing == ([] if moment.playing is None else [moment.playing])
        assert seconds == ([] if moment.seconds is None else [moment.seconds])
    # Its stop moves REAPER's cursor: the place comes after it, and before it plays.
    assert [name for name, _ in write_transport(Moment(False, 2.0))] == ["/stop", "/time"]
    assert [name for name, _ in write_transport(Moment(True, 2.0))] == ["/time", "/play"]


class Playing(QObject):
    """What of a player the link sees, on a clock of the test's own."""

    playing_changed = pyqtSignal(bool)
    position_changed = pyqtSignal(float)

    def __init__(self) -> None:
        super().__init__()
        self.duration, self.position, self.playing = 60.0, 0.0, False
        self.now = 100.0

    def play(self) -> None:
        if not self.playing:
            self.playing = True
            self.playing_changed.emit(True)

    def pause(self) -> None:
        if self.playing:
            self.playing = False
            self.playing_changed.emit(False)

    def seek(self, seconds: float) -> None:
        self.position = seconds
        self.position_changed.emit(seconds)

    def run(self, seconds: float) -> None:
        """Let time pass, as the player's timer tells of it."""
        for _ in range(round(seconds / 0.03)):
            self.now += 0.03
            if self.playing:
                self.position += 0.03
                self.position_changed.emit(self.position)


class Link:
    """A tracker on real sockets, a DAW's two ports, a player."""

    def __init__(self, folder: Path) -> None:
        self.preferences = Preferences(folder)
        self.tracker = OscTracker()
        self.daw = Rotator()
        self.player = Playing()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        self.preferences.tracking_port, self.preferences.daw_port = port, self.daw.port
        self.follower = TrackingFollower(self.preferences, self.tracker)
        self.transport = DawTransport(
            self.preferences,
            self.tracker,
            self.player,  # type: ignore[arg-type]
            clock=lambda: self.player.now,
        )
        self.out = HeadTracker(port)

    def told(self) -> list[tuple[str, list[float]]]:
        """What the DAW has heard since."""
        heard = []
        self.daw.socket.settimeout(0.1)
        while (one := self.daw.next()) is not None:
            heard.append(one)
        return heard

    def close(self) -> None:
        self.tracker.close()
        self.daw.socket.close()
        self.out.socket.close()


@pytest.fixture
def link(qtbot: QtBot, tmp_path: Path) -> Iterator[Link]:
    made = Link(tmp_path)
    yield made
    made.close()


def test_off_until_asked_for(qtbot: QtBot, link: Link) -> None:
    assert not link.tracker.leading and link.tracker.port is None
    link.player.play()
    assert link.told() == []


def test_the_player_follows(qtbot: QtBot, link: Link) -> None:
    link.preferences.daw = True
    link.out.send("/time", 12.5)
    qtbot.waitUntil(lambda: link.player.position == 12.5, timeout=2000)
    link.out.send("/play", 1.0)
    qtbot.waitUntil(lambda: link.player.playing, timeout=2000)
    link.player.run(2.0)
    # A little apart is no reason to jump; far apart is.
    with qtbot.waitSignal(link.tracker.moment, timeout=2000):
        link.out.send("/time", link.player.position + 0.05)
    assert link.player.position == pytest.approx(14.5, abs=0.02)
    link.out.send("/time", 40.0)
    qtbot.waitUntil(lambda: link.player.position == 40.0, timeout=2000)
    link.out.send("/stop", 1.0)
    qtbot.waitUntil(lambda: not link.player.playing, timeout=2000)
    assert link.told() == [], "what comes from the DAW is not sent back to it"


def test_the_daw_follows(qtbot: QtBot, link: Link) -> None:
    link.preferences.daw = True
    link.player.seek(3.0)
    assert link.told() == [("/time", [3.0])]
    link.player.play()
    assert link.told() == [("/time", [3.0]), ("/play", [1.0])]
    link.player.run(1.0)
    assert link.told() == [], "running is nothing new"
    link.player.seek(20.0)
    assert link.told() == [("/time", [20.0])]
    link.player.pause()
    assert link.told() == [("/stop", [1.0]), ("/time", [20.0])]


def test_its_echo_moves_nothing(qtbot: QtBot, link: Link) -> None:
    """REAPER says where its cursor went back to on /stop, before it goes where it was told."""
    link.preferences.daw = True
    link.player.seek(20.0)
    with qtbot.waitSignal(link.tracker.moment, timeout=2000):
        link.out.send("/time", 5.0)
    assert link.player.position == 20.0
    link.player.run(0.5)
    link.out.send("/time", 5.0)
    qtbot.waitUntil(lambda: link.player.position == 5.0, timeout=2000)


def test_the_clips_end_is_not_the_daws(qtbot: QtBot, link: Link) -> None:
    link.preferences.daw = True
    link.player.seek(59.5)
    link.player.play()
    link.told()
    link.player.position = 60.0
    link.player.pause()
    assert link.told() == []
    link.player.run(1.0)
    with qtbot.waitSignal(link.tracker.moment, timeout=2000):
        link.out.send("/play", 1.0)
    assert not link.player.playing, "there is nothing left to be played"
    link.out.send("/time", 75.0)
    qtbot.wait(50)
    assert link.player.position == 60.0


def test_one_port_serves_head_and_daw_each_by_its_own_switch(qtbot: QtBot, link: Link) -> None:
    turns: list[float] = []
    link.tracker.orientation.connect(lambda yaw, pitch, roll: turns.append(yaw))
    link.preferences.daw = True
    assert link.tracker.port == link.preferences.tracking_port
    assert link.tracker.status.text() == "Head tracking is off"
    with qtbot.waitSignal(link.tracker.moment, timeout=2000):
        link.out.send("/ypr", 30.0, 0.0, 0.0)
        link.out.send("/time", 1.0)
    assert turns == []
    link.preferences.tracking = True
    with qtbot.waitSignal(link.tracker.orientation, timeout=2000):
        link.out.send("/ypr", 30.0, 0.0, 0.0)
    link.preferences.daw = False
    assert link.tracker.listening and not link.tracker.leading
    link.out.send("/time", 30.0)
    qtbot.wait(100)
    assert link.player.position == 1.0


def test_a_daw_that_is_not_there_is_no_trouble(qtbot: QtBot, link: Link) -> None:
    told: list[str] = []
    link.tracker.problem.connect(told.append)
    link.preferences.daw = True
    link.daw.socket.close()
    for second in range(5):
        link.player.seek(float(second))
        qtbot.wait(20)
    assert told == [] and link.preferences.daw


def test_its_own_port_is_no_daws(qtbot: QtBot, link: Link) -> None:
    link.preferences.daw_port = link.preferences.tracking_port
    with qtbot.waitSignal(link.tracker.problem, timeout=1000) as told:
        link.preferences.daw = True
    assert "another port" in told.args[0]
    assert not link.preferences.daw and link.tracker.port is None
