"""The player on a real sink."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.foa.encoding import encode_plane_wave
from qt_app.models.player import Player
from qt_app.picture.look import LookModel
from tests.qt.sound.listening import Listener, level_db, source
from tests.qt.sound.offline import RATE, write
from tests.support.pulse import NullSink

pytestmark = pytest.mark.keeps_time  # sound is heard while it plays

if os.name == "nt":
    pytest.skip("PulseAudio is not for Windows", allow_module_level=True)


@pytest.fixture
def player(null_sink: NullSink, qtbot: Any) -> Iterator[Player]:
    player = Player(LookModel())
    yield player
    player.close()


@pytest.fixture
def tones(tmp_path: Path) -> dict[str, Path]:
    """A loud and a quiet tone and a field that comes from the left, ten seconds each."""
    time = np.arange(10 * RATE) / RATE
    tone = np.sin(2 * pi * 500 * time)
    return {
        "loud": write(tmp_path / "loud.wav", 0.5 * tone),
        "quiet": write(tmp_path / "quiet.wav", 0.05 * tone),
        "left": write(
            tmp_path / "left.wav", encode_plane_wave((0.5 * tone).astype("f4"), pi / 2, 0)
        ),
    }


def test_transport_and_what_it_says(player: Player, tones: dict[str, Path], qtbot: Any) -> None:
    said: dict[str, list[Any]] = {}
    for name in ("playing", "duration", "selected", "loop", "device", "devices"):
        said[name] = []
        getattr(player, f"{name}_changed").connect(said[name].append)
    with qtbot.waitSignals([player.duration_changed, player.sources_changed]):
        player.load([source(tones["loud"], "plain"), source(tones["left"], "field")], 10.0)
    qtbot.waitUntil(lambda: bool(said["device"]) and bool(said["devices"]), timeout=30_000)
    assert said["device"] == [player.output["name"]] and player.output["name"] in player.devices
    assert player.output["rate"] == RATE
    assert player.selected == "loud" and said["selected"] == ["loud"]
    player.toggle()
    qtbot.waitUntil(lambda: player.position > 0.3, timeout=15_000)
    player.toggle()
    assert said["playing"] == [True, False]
    qtbot.wait(100)
    rest = player.position
    qtbot.wait(100)
    assert player.position == rest
    with qtbot.waitSignal(player.position_changed) as moved:
        player.step(1.0)
    assert moved.args[0] == pytest.approx(rest + 1.0, abs=1e-3)
    player.set_loop((6.0, 5.0))
    assert player.loop == (5.0, 6.0)
    player.set_loop((5.0, 5.01))  # too short to be heard as one
    assert said["loop"] == [(5.0, 6.0), None]
    player.set_loop((2.0, 2.5))
    player.play()
    qtbot.waitUntil(lambda: player.position > 2.3, timeout=15_000)
    qtbot.wait(600)
    assert 2.0 <= player.position <= 2.5
    player.set_loop((7.0, 8.0))
    qtbot.waitUntil(lambda: player.position > 7.2, timeout=15_000)
    player.stop()
    assert player.position == 7.0
    player.set_loop(None)
    player.seek(9.9)
    player.play()
    qtbot.waitUntil(lambda: not player.playing, timeout=15_000)
    assert said["playing"] == [True, False] * 3
    player.play()  # from the beginning again
    qtbot.waitUntil(lambda: 0 < player.position < 1, timeout=15_000)


def test_choosing(player: Player, tones: dict[str, Path], qtbot: Any) -> None:
    player.load([source(path, "plain", key) for key, path in list(tones.items())[:2]], 10.0)
    player.select("nothing")
    assert player.selected == "loud"
    player.next_source()
    assert player.selected == "quiet"
    player.next_source()
    assert player.selected == "loud"
    player.swap_sources()
    assert player.selected == "quiet"
    # One more take of the same clip: nothing is interrupted.
    player.play()
    qtbot.waitUntil(lambda: player.position > 0.2, timeout=30_000)
    player.load([*player.sources, source(tones["left"], "field")], 10.0)
    assert player.playing and player.selected == "quiet"
    qtbot.waitUntil(lambda: player.position > 0.4, timeout=15_000)
    # Another clip.
    player.load([source(tones["left"], "field", "other")], 5.0)
    assert not player.playing and player.selected == "other" and player.position == 0.0
    player.load([], 0.0)
    assert player.selected == "" and player.sources == ()
    player.play()
    assert not player.playing


def test_sources_are_as_loud_as_the_quietest(
    player: Player, tones: dict[str, Path], null_sink: NullSink, qtbot: Any
) -> None:
    sources = [source(tones[key], "plain", key) for key in ("loud", "quiet")]
    player.load(sources, 10.0, {"loud": -9.0, "quiet": -29.0, "gone": -60.0})
    assert [round(item.gain_db, 6) for item in player.sources] == [-20.0, 0.0]
    with Listener(null_sink) as listener:
        player.play()
        qtbot.waitUntil(lambda: player.position > 0.8, timeout=30_000)
        loud = listener.sound()[:, -RATE // 4 :]
        player.select("quiet")
        qtbot.wait(500)
        quiet = listener.sound()[:, -RATE // 4 :]
    # 20 dB apart without gains; a busy machine may drop some milliseconds of the quarter second.
    assert level_db(loud) == pytest.approx(level_db(quiet), abs=0.5)
    assert level_db(quiet) == pytest.approx(-29.03, abs=0.5)
    # Loudness becomes known later: the gain glides, nothing starts anew.
    player.load(sources, 10.0)
    assert [item.gain_db for item in player.sources] == [0.0, 0.0] and player.playing


def test_volume(player: Player, tones: dict[str, Path], null_sink: NullSink, qtbot: Any) -> None:
    player.load([source(tones["loud"], "plain")], 10.0)
    player.set_volume(3.0)
    assert player.volume == 0.0  # no louder than the file
    player.set_volume(-20.0)
    with Listener(null_sink) as listener:
        player.play()
        qtbot.waitUntil(lambda: player.position > 0.5, timeout=30_000)
        assert level_db(listener.sound()[:, -RATE // 4 :]) == pytest.approx(-29.03, abs=0.1)


def test_a_look_to_the_other_side_is_heard(
    player: Player, tones: dict[str, Path], null_sink: NullSink, qtbot: Any
) -> None:
    look = LookModel()
    player.set_look(look)
    player.load([source(tones["left"], "field")], 10.0)
    player.play()
    with Listener(null_sink) as listener:
        qtbot.waitUntil(lambda: player.position > 0.5, timeout=30_000)
        ahead = listener.sound()[:, -RATE // 8 :]
        look.yaw = pi
        before = time.monotonic()
        qtbot.wait(300)
        behind = listener.sound()[:, -RATE // 8 :]
        turned = listener.sound(before, before + 0.3)
    assert np.subtract(*level_db(ahead)) > 3
    assert np.subtract(*level_db(behind)) < -3
    assert len(turned[0]) > RATE / 8


def test_problems_are_said(player: Player, tmp_path: Path, qtbot: Any) -> None:
    player.load([source(tmp_path / "absent.wav", "plain")], 5.0)
    with qtbot.waitSignal(player.problem, timeout=30_000) as said:
        player.play()
    assert "absent.wav" in said.args[0]
    qtbot.waitUntil(lambda: player.position > 0.3, timeout=30_000)
    with qtbot.waitSignal(player.problem, timeout=30_000) as said:
        player.set_hrtf(tmp_path / "absent.npz")
    assert "absent.npz" in said.args[0]
    with qtbot.waitSignal(player.problem, timeout=30_000) as said:
        player.set_device("No such thing")
    assert "No such thing" in said.args[0]
    before = player.position
    qtbot.waitUntil(lambda: player.position > before + 0.3, timeout=15_000)
    with qtbot.waitSignal(player.device_changed, timeout=30_000) as changed:
        player.set_device(None)
    assert changed.args[0]


def test_the_window_is_never_kept_waiting(
    player: Player, tones: dict[str, Path], qtbot: Any
) -> None:
    longest = 0.0
    player.load([source(tones["loud"], "plain")], 10.0)
    qtbot.waitUntil(lambda: bool(player.output), timeout=30_000)
    for turn in range(200):
        start = time.perf_counter()
        player.seek(turn / 25)
        player.toggle()
        player.next_source()
        player.set_loop((1.0, 2.0 + turn / 100))
        _ = player.position
        longest = max(longest, time.perf_counter() - start)
    assert longest < 0.02
