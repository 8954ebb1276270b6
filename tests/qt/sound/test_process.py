"""The sound process on a real sink: what is heard, when, and what happens when things go away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from omniaudio_studio.foa.encoding import encode_plane_wave
from qt_app.sound.client import SoundClient
from tests.qt.sound.listening import (
    Listener,
    lead_of_left,
    level_db,
    source,
    undisturbed,
    wait_event,
    wait_for,
)
from tests.qt.sound.offline import RATE, write
from tests.support.pulse import NullSink, missing_pulse

pytestmark = pytest.mark.keeps_time  # sound is heard while it plays

if os.name == "nt":
    pytest.skip("PulseAudio is not for Windows", allow_module_level=True)


@pytest.fixture
def listener(null_sink: NullSink) -> Iterator[Listener]:
    """Listens before anything plays: one that comes later changes the sink's latency."""
    with Listener(null_sink) as listener:
        yield listener


@pytest.fixture
def client(listener: Listener) -> Iterator[SoundClient]:
    client = SoundClient()
    client.start()
    yield client
    client.close()


def noise_from(azimuth: float, seconds: float, tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    signal = (0.1 * random.standard_normal(round(seconds * RATE))).astype(np.float32)
    return write(tmp_path / "noise.wav", encode_plane_wave(signal, azimuth, 0.0))


def sine(seconds: float, amplitude: float = 0.5, hertz: float = 1000.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * pi * hertz * time))[None]


def residual(sound: np.ndarray, hertz: float = 1000.0) -> np.ndarray:
    """What is left of a sine when its two samples before are known: clicks, gaps, level steps."""
    x = sound.astype(np.float64)
    return x[2:] - 2 * np.cos(2 * pi * hertz / RATE) * x[1:-1] + x[:-2]


def test_the_sound_turns_with_the_head(
    listener: Listener, client: SoundClient, tmp_path: Path
) -> None:
    client.load([source(noise_from(pi / 2, 20, tmp_path), "field")], 20.0)
    client.play()
    wait_for(client, lambda: client.position() > 0.3)
    heard = {}
    for degrees in (0, 90, 180, -90):
        client.set_orientation(np.radians(degrees), 0.0, 0.0)
        time.sleep(0.3)
        start = time.monotonic()
        time.sleep(0.7)
        heard[degrees] = listener.sound(start, time.monotonic())
    difference = {key: float(np.subtract(*level_db(sound))) for key, sound in heard.items()}
    lead = {key: lead_of_left(sound) for key, sound in heard.items()}
    # Left of a head that looks ahead, in front of one that looks left, right of one turned round.
    assert difference[0] > 3 and lead[0] > 0.2
    assert abs(difference[90]) < 1 and abs(lead[90]) < 0.1
    assert difference[180] < -3 and lead[180] < -0.2
    assert abs(difference[-90]) < 1 and abs(lead[-90]) < 0.1
    assert client.underflows() == 0 and client.counts().starved == 0


def test_the_position_is_what_is_heard(
    listener: Listener, client: SoundClient, tmp_path: Path
) -> None:
    sound = np.zeros((1, 20 * RATE))
    sound[0, RATE // 2 :: RATE // 2] = 0.9  # a click every half second
    client.load([source(write(tmp_path / "clicks.wav", sound), "plain")], 20.0)
    wait_event(client, "device")
    said = []
    client.play()
    wait_for(client, lambda: client.position() > 0)
    while client.position() < 4.2:
        said.append((time.monotonic(), client.position()))
        time.sleep(0.002)
    client.seek(11.8)
    wait_for(client, lambda: client.position() > 11.8)
    after = []
    while client.position() < 14.2:
        after.append((time.monotonic(), client.position()))
        time.sleep(0.002)
    heard, times = listener.sound(), listener.times()
    for part, clicks in ((said, np.arange(1, 9) / 2), (after, np.arange(24, 29) / 2)):
        moments, positions = np.array(part).T
        assert np.all(np.diff(positions) >= 0)
        # Continuous: it never moves otherwise than time does.
        # (The two are read one after the other: now and then something comes between.)
        assert np.quantile(np.abs(np.diff(positions) - np.diff(moments)), 0.9) < 0.001
        expected = np.interp(clicks, positions, moments)
        found = times[np.flatnonzero(heard[0] > 0.5)]
        found = found[(found > moments[0]) & (found < moments[-1])]
        assert len(found) == len(clicks)
        error = found - expected
        print("position ahead of what is recorded, ms:", np.round(1000 * error, 1))
        # One click may come while the machine looks away.
        assert np.sort(np.abs(error))[-2] < 0.02


def test_switching_sources_has_no_gap_and_no_level_step(
    listener: Listener, client: SoundClient, tmp_path: Path
) -> None:
    loud = source(write(tmp_path / "loud.wav", sine(20, 0.5)), "plain", gain_db=-12.0412)
    quiet = source(write(tmp_path / "quiet.wav", sine(20, 0.125)), "plain")
    client.load([loud, quiet], 20.0)
    client.play()
    wait_for(client, lambda: client.position() > 0.3)

    def switch() -> np.ndarray:
        client.seek(1.0)
        time.sleep(0.2)
        start = time.monotonic()
        for turn in range(8):
            client.select(("quiet", "loud")[turn % 2])
            time.sleep(0.15)
        return listener.sound(start, time.monotonic())[0]

    heard = undisturbed(client, switch)
    assert len(heard) > RATE and level_db(heard) == pytest.approx(-21.07, abs=0.1)
    assert np.abs(residual(heard)).max() < 1e-4
    assert client.counts().starved == 0


def test_a_loop_goes_round_without_a_seam(
    listener: Listener, client: SoundClient, tmp_path: Path
) -> None:
    client.load([source(write(tmp_path / "sine.wav", sine(20)), "plain")], 20.0)
    client.loop(3.0, 3.25)
    client.seek(2.9)
    client.play()
    wait_for(client, lambda: client.position() > 3.0)
    positions: list[float] = []

    def listen() -> np.ndarray:
        positions.clear()
        start = time.monotonic()
        while time.monotonic() < start + 1.5:
            positions.append(client.position())
            time.sleep(0.004)
        return listener.sound(start, time.monotonic())[0]

    heard = undisturbed(client, listen)
    assert min(positions) >= 3.0 and max(positions) <= 3.25
    assert sum(b < a for a, b in pairwise(positions)) in (5, 6)
    assert level_db(heard) == pytest.approx(-9.03, abs=0.1)
    assert np.abs(residual(heard)).max() < 1e-4


def test_seek_while_paused_and_the_end(client: SoundClient, tmp_path: Path) -> None:
    client.load([source(write(tmp_path / "sine.wav", sine(5)), "plain")], 5.0)
    client.seek(3.0)
    assert client.position() == 3.0
    wait_event(client, "device")
    time.sleep(0.2)
    assert client.position() == pytest.approx(3.0, abs=1e-4)
    client.seek(4.6)
    client.play()
    assert wait_event(client, "playing")["playing"] is False
    time.sleep(0.1)
    assert client.position() == pytest.approx(5.0, abs=1e-4)
    assert not client.playing


def test_loudness_of_the_meters(client: SoundClient, tmp_path: Path) -> None:
    field = encode_plane_wave(sine(5)[0], pi / 2, 0.0)
    client.load([source(write(tmp_path / "field.wav", field), "field")], 5.0)
    client.play()
    wait_for(client, lambda: client.position() > 1.5)
    meters = client.meters()
    np.testing.assert_allclose(meters.peak[:4], [0.5, 0.5, 0, 0], atol=0.01)
    np.testing.assert_allclose(meters.rms[:2], 0.5 / np.sqrt(2), rtol=0.05)
    assert meters.rms[4] > meters.rms[5] > 0.01


def test_a_crash_is_heard_as_a_short_gap(
    null_sink: NullSink, client: SoundClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qt_app.sound.client.CRASH_SECONDS", 0.0)
    one, two = (write(tmp_path / f"{name}.wav", sine(60)) for name in "ab")
    client.load([source(one, "plain"), source(two, "mono")], 60.0)
    client.select("b")
    client.seek(20.0)
    client.play()
    wait_for(client, lambda: client.position() > 20.5)
    pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    events = wait_for(client, lambda: client.pid not in (pid, None))
    assert [event["event"] for event in events][:1] == ["problem"]
    wait_for(client, lambda: client.position() > 21.5)
    assert client.playing
    assert level_db(null_sink.record(0.3)).min() > -12
    # A second time at once: it gives up, and says so.
    monkeypatch.setattr("qt_app.sound.client.CRASH_SECONDS", 60.0)
    os.kill(client.pid or 0, signal.SIGKILL)
    message = wait_event(client, "problem")["message"]
    assert message.startswith("playback stopped working") and "\n" not in message
    assert not client.playing and 21.0 < client.position() < 30.0
    # Unless it is asked for.
    client.start()
    client.play()
    wait_for(client, lambda: client.position() > 22.5)
    assert level_db(null_sink.record(0.3)).min() > -12


def test_a_crash_without_a_way_back_stops_playing(
    null_sink: NullSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qt_app.sound.client.CRASH_SECONDS", 0.0)
    python = tmp_path / "python"  # an installation that goes away while it is in use
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    client = SoundClient(python=python)
    try:
        client.start()
        client.load([source(write(tmp_path / "sine.wav", sine(60)), "plain")], 60.0)
        client.play()
        wait_for(client, lambda: client.position() > 0.2)
        python.unlink()
        os.kill(client.pid or 0, signal.SIGKILL)
        events = wait_for(client, lambda: client.pid is None)
        assert [event["event"] for event in events] == ["problem", "playing"]
        assert "cannot start" in events[0]["message"] and events[1]["playing"] is False
        assert not client.playing and not client.alive
    finally:
        client.close()


@pytest.fixture
def own_sink(tmp_path: Path) -> Iterator[NullSink]:
    """A sink that this test may take away."""
    reason = missing_pulse()
    if reason is not None:
        pytest.skip(reason)
    (tmp_path / "own").mkdir()
    sink = NullSink(tmp_path / "own", sink="own")
    sink.start()
    yield sink
    sink.stop()


def test_without_a_device_the_time_line_runs_and_sound_comes_with_one(
    own_sink: NullSink, tmp_path: Path
) -> None:
    own_sink.stop()
    client = SoundClient(environment=own_sink.environment)
    try:
        client.start()
        client.load([source(write(tmp_path / "sine.wav", sine(60)), "plain")], 60.0)
        client.play()
        message = wait_event(client, "problem")["message"]
        assert "no sound device" in message or "cannot be opened" in message
        assert "\n" not in message
        start, position = time.monotonic(), client.position()
        wait_for(client, lambda: client.position() > 1.0)
        assert time.monotonic() - start == pytest.approx(1.0 - position, abs=0.6)
        own_sink.start()
        client.device(None)
        while wait_event(client, "device")["name"] is None:
            pass
        with Listener(own_sink) as listener:
            time.sleep(0.5)
            assert level_db(listener.sound()[:, -RATE // 4 :]).min() > -12
        # Unplugged.
        before = client.position()
        own_sink.stop()
        events = wait_device(client)
        assert events[-1]["name"] is None and "is gone" in events[0]["message"]
        wait_for(client, lambda: client.position() > before + 3.0)
        assert client.playing
        # Plugged in again: nobody has to ask for it.
        own_sink.start()
        before = client.position()
        with Listener(own_sink) as listener:
            events = wait_device(client)
            assert [event["event"] for event in events] == ["device"] and events[0]["name"]
            time.sleep(0.5)
            assert level_db(listener.sound()[:, -RATE // 4 :]).min() > -12
        assert client.playing and before < client.position() < 60.0
    finally:
        client.close()


def wait_device(client: SoundClient) -> list[dict[str, Any]]:
    """What is said until the output is another one."""
    events: list[dict[str, Any]] = []
    until = time.monotonic() + 20.0
    while not (events and events[-1]["event"] == "device"):
        assert time.monotonic() < until, f"the output stays as it is; heard {events}"
        for event in client.poll():
            if event["event"] != "devices":  # comes after the device
                events.append(event)
        time.sleep(0.005)
    return events


def hold(server: NullSink, number: signal.Signals) -> None:
    """Stop the sound server, or let it run on."""
    daemon = server._daemon
    assert daemon is not None
    daemon.send_signal(number)


def test_a_server_that_pauses_is_waited_for(own_sink: NullSink, tmp_path: Path) -> None:
    client = SoundClient(environment=own_sink.environment)
    try:
        with Listener(own_sink) as listener:
            client.start()
            client.load([source(write(tmp_path / "sine.wav", sine(60)), "plain")], 60.0)
            client.play()
            assert wait_device(client)[-1]["name"] is not None
            wait_for(client, lambda: client.position() > 0.5)
            # A hiccup. The silent clock takes over, though the device cannot even be closed.
            hold(own_sink, signal.SIGSTOP)
            stopped, before = time.monotonic(), client.position()
            assert wait_for(client, lambda: client.position() > before + 1.5) == []
            assert time.monotonic() - stopped < 6.0
            hold(own_sink, signal.SIGCONT)
            events = wait_device(client)
            assert [event["event"] for event in events] == ["device"] and events[0]["name"]
            time.sleep(0.5)
            assert level_db(listener.sound()[:, -RATE // 4 :]).min() > -12
            assert client.playing and client.position() > before + 1.5
            # A long one is told of, and commands are followed meanwhile.
            hold(own_sink, signal.SIGSTOP)
            events = wait_device(client)
            assert [event["event"] for event in events] == ["problem", "device"]
            assert "is gone" in events[0]["message"] and events[1]["name"] is None
            client.seek(40.0)
            wait_for(client, lambda: client.position() > 41.0)
            client.pause()
            hold(own_sink, signal.SIGCONT)
            assert wait_device(client)[-1]["name"] is not None
            client.play()
            wait_for(client, lambda: client.position() > 42.0)
    finally:
        hold(own_sink, signal.SIGCONT)
        client.close()


def test_without_portaudio_there_is_a_message(tmp_path: Path) -> None:
    """The package without its library raises OSError when it is imported."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    here = str(Path(__file__).parents[3])
    client = SoundClient(environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{here}"})
    try:
        client.start()
        client.load([], 10.0)
        client.play()
        assert "PortAudio" in wait_event(client, "problem")["message"]
        wait_for(client, lambda: client.position() > 0.5)
    finally:
        client.close()


def test_it_ends_with_its_parent(null_sink: NullSink) -> None:
    code = (
        "import time\n"
        "from qt_app.sound.client import SoundClient\n"
        "client = SoundClient(); client.start(); print(client.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    child.wait(5.0)


def test_closing_is_quick_and_leaves_nothing(null_sink: NullSink) -> None:
    client = SoundClient()
    client.start()
    path, pid = client._shared.path, client.pid
    wait_event(client, "device")
    start = time.monotonic()
    client.close()
    assert time.monotonic() - start < 2.0
    assert not path.exists() and pid is not None and not psutil.pid_exists(pid)
