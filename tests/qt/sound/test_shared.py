"""The mapped file and the clock made of it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.foa.rotation import quaternion_from_angles
from qt_app.sound.client import SoundClient
from qt_app.sound.clock import DeviceClock
from qt_app.sound.shared import TURNS, Clock, SharedState
from qt_app.sound.source import SoundSource


def _write_for(path: Path, seconds: float) -> None:
    shared = SharedState(path)
    until = time.monotonic() + seconds
    value = 0.0
    while time.monotonic() < until:
        value += 1.0
        shared.write_orientation(value, value, value, value)


def test_an_orientation_is_never_half_of_two(tmp_path: Path) -> None:
    path = tmp_path / "state"
    shared = SharedState(path, create=True)
    shared.write_orientation(0.0, 0.0, 0.0, 0.0)
    writer = multiprocessing.get_context("spawn").Process(target=_write_for, args=(path, 2.0))
    writer.start()
    seen = set()
    try:
        while writer.is_alive():
            values = shared.read_orientation()
            if values is not None:
                assert len(set(values)) == 1
                seen.add(values[0])
    finally:
        writer.join()
    assert len(seen) > 1000
    shared.close()


def test_a_writer_that_died_half_way_does_not_lock_out_the_next(tmp_path: Path) -> None:
    shared = SharedState(tmp_path / "state", create=True)
    shared._q[0] |= 1
    assert shared.read_orientation() is None
    shared.write_orientation(1.0, 2.0, 3.0, 4.0)
    assert shared.read_orientation() == [1.0, 2.0, 3.0, 4.0]


def test_the_newest_turns_come_first(tmp_path: Path) -> None:
    shared = SharedState(tmp_path / "state", create=True)
    assert shared.read_turns() == []
    for index in range(3 * TURNS + 5):
        shared.write_turn(index, index / 10, 1.0, index)
    turns = shared.read_turns()
    assert [turn.serial for turn in turns] == list(range(3 * TURNS + 4, 2 * TURNS + 4, -1))


def test_the_clock_smooths_jitter_and_never_loses_the_device() -> None:
    random = np.random.default_rng(1)
    clock = DeviceClock(48_000)
    rate = 48_000 * (1 + 80e-6)  # the device's own idea of a second
    errors = []
    for block in range(10_000):
        frame = 256 * block
        true = 100.0 + frame / rate
        clock.update(frame, true + random.uniform(-0.004, 0.004))
        if block > 2000:
            errors.append(clock.time - true)
    assert np.abs(errors).max() < 0.0015
    assert clock.seconds_per_frame * rate == pytest.approx(1.0, abs=1e-3)
    # The device stood still for a while.
    clock.update(frame + 256, true + 1.0)
    assert clock.time == true + 1.0


@pytest.mark.skipif(os.name == "nt", reason="POSIX only: see remove_abandoned")
def test_files_of_killed_processes_go_and_those_of_living_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qt_app.sound.client.memory_folder", lambda: tmp_path)
    code = (
        "import sys, time; from pathlib import Path; import qt_app.sound.client as module\n"
        "module.memory_folder = lambda: Path(sys.argv[1])\n"
        "print(module.SoundClient()._shared.path, flush=True); time.sleep(60)\n"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(3)
    ]
    try:
        said = [item.stdout.readline() if item.stdout else "" for item in others]
        killed, zombie, living = (Path(line.strip()) for line in said)
        assert f"-{others[0].pid}-" in killed.name
        # Not ours to judge: no owner in the name, no such kind of file, not our name.
        kept = [
            tmp_path / "omniaudio-sound-x0k2atj4.state",
            tmp_path / f"other-{others[0].pid}-abc.state",
            tmp_path / f"omniaudio-sound-{others[0].pid}-link.state",
        ]
        kept[0].touch()
        kept[1].touch()
        kept[2].symlink_to(kept[1])
        others[0].kill()
        others[0].wait()
        others[1].kill()
        os.waitid(os.P_PID, others[1].pid, os.WEXITED | os.WNOWAIT)
        client = SoundClient()
        own = client._shared.path
        found = set(tmp_path.glob("*.state"))
        if not sys.platform.startswith("linux"):
            found.discard(zombie)
        assert found == {living, own, *kept}
        client.close()
        assert not own.exists() and living.exists()
    finally:
        for item in others:
            item.kill()
            item.communicate()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch):
    """A client without its process: this test writes what the process would."""
    client = SoundClient()
    client.load([SoundSource("a", "plain", Path("a.wav"), "A")], 10.0)
    yield client
    client.close()


def test_the_position_follows_turns_and_never_runs_back(
    client: SoundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = client._shared
    now = [1000.0]
    monkeypatch.setattr("qt_app.sound.client.time.monotonic", lambda: now[0])
    assert client.position() == 0.0
    shared.write_turn(0, 2.0, 0.0, 0)
    shared.write_clock(Clock(0, 1000.0, 1 / 48_000, 48_000, 48_000))
    assert client.position() == 2.0
    shared.write_turn(4800, 2.0, 1.0, 0)  # play, heard in 100 ms
    assert client.position() == 2.0
    now[0] += 0.1
    assert client.position() == pytest.approx(2.0, abs=1e-9)
    now[0] += 0.25
    assert client.position() == pytest.approx(2.25)
    # The clock finds that it was 3 ms ahead.
    shared.write_clock(Clock(16_800, now[0] + 0.003, 1 / 48_000, 48_000, 96_000))
    assert client.position() == pytest.approx(2.25)
    now[0] += 0.01
    assert client.position() == pytest.approx(2.257)
    # A loop's seam that is to come.
    shared.write_turn(4800 + 48_000, 2.0, 1.0, 0)
    assert client.position() == pytest.approx(2.257)
    shared.write_clock(Clock(4800 + 48_000 + 480, now[0], 1 / 48_000, 48_000, 53_760))
    assert client.position() == pytest.approx(2.01)
    # Nobody makes any more sound.
    now[0] += 60.0
    assert client.position() == pytest.approx(2.02)


def test_a_seek_is_where_it_goes_until_it_is_heard(
    client: SoundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = client._shared
    now = [1000.0]
    monkeypatch.setattr("qt_app.sound.client.time.monotonic", lambda: now[0])
    shared.write_turn(0, 1.0, 1.0, 0)
    shared.write_clock(Clock(48_000, 1000.0, 1 / 48_000, 48_000, 96_000))
    assert client.position() == pytest.approx(2.0)
    client.seek(7.0)
    serial = client._serial
    assert client.position() == 7.0
    now[0] += 0.02
    assert client.position() == 7.0
    shared.write_turn(49_920, 7.0, 1.0, serial)  # will be heard 20 ms from now
    assert client.position() == 7.0
    now[0] += 0.04
    assert client.position() == pytest.approx(7.02)
    client.seek(99.0)
    assert client.position() == 10.0
    client.seek(-1.0)
    assert client.position() == 0.0


def test_angles_and_quaternions_and_nonsense(client: SoundClient) -> None:
    client.set_orientation(0.4, -0.3, 1.2)
    expected = quaternion_from_angles(0.4, -0.3, 1.2)
    np.testing.assert_allclose(client._shared.read_orientation(), expected, atol=1e-12)
    client.set_orientation(*(2 * expected))
    np.testing.assert_allclose(client._shared.read_orientation(), expected, atol=1e-12)
    client.set_orientation(0.0, 0.0, 0.0, 0.0)
    client.set_orientation(float("nan"), 0.0, 0.0)
    client.set_orientation(float("inf"), 0.0, 0.0, 0.0)
    np.testing.assert_allclose(client._shared.read_orientation(), expected, atol=1e-12)
