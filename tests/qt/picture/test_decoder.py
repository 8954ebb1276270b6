"""The right picture at the right time, without a wait for whoever asks."""

from __future__ import annotations

import bisect
import itertools
import random
import shutil
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from omniaudio_studio.media.probe import probe
from qt_app.picture.decoder import AHEAD, FrameSource
from qt_app.picture.frames import Picture
from tests.media.clips import LEVELS, PROPERTY, make_clip, number_of
from tests.support.material import material

pytestmark = pytest.mark.keeps_time  # pictures come when they are due

Ask = Callable[[float], Picture]


def info_of(path: Path) -> dict[str, Any]:
    return probe(path, projection="equirectangular", stereo="mono").as_dict()


def number(picture: Picture) -> int:
    """Which frame it is, modulo `LEVELS`; from limited range to the clip's brightness."""
    return number_of((picture.luma.astype(float) - 16) * 255 / 219)


def expected(times: list[Fraction], t: float) -> int:
    return max(0, bisect.bisect_right([float(k) for k in times], t) - 1) % LEVELS


@st.composite
def timings(draw: st.DrawFn) -> list[Fraction]:
    """Steady rates, or every gap another."""
    count = draw(st.integers(2, 90))
    if draw(st.booleans()):
        rate = draw(st.sampled_from([Fraction(24000, 1001), Fraction(30), Fraction(60000, 1001)]))
        return [k / rate for k in range(count)]
    gaps = draw(st.lists(st.integers(10, 300), min_size=count - 1, max_size=count - 1))
    return [Fraction(t, 1000) for t in itertools.accumulate(gaps, initial=0)]


@settings(PROPERTY, max_examples=25)
@given(timings(), st.sampled_from([4, 12, 250]), st.integers(0, 2), st.randoms())
def test_every_moment_shows_its_picture(
    tmp_path: Path, times: list[Fraction], gop: int, bframes: int, dice: random.Random
) -> None:
    """In any order of asking, for steady and varying rates, with and without B-frames."""
    path = make_clip(tmp_path / "clip.mp4", times, gop=gop, bframes=bframes)
    source = FrameSource()
    source.open(info_of(path))
    try:
        moments = [float(dice.choice(times)) + dice.uniform(0.002, 0.009) for _ in range(8)]
        for moment in [*moments, 0.0, float(times[-1]) + 100]:
            end = time.monotonic() + 20
            source.frame_at(moment)
            while not source.settled(moment):
                assert time.monotonic() < end, f"no picture for {moment} s"
                time.sleep(0.001)
            picture = source.frame_at(moment)
            assert picture is not None
            assert number(picture) == expected(times, moment)
    finally:
        source.close()


@pytest.mark.parametrize(
    "ending, codec, rate",
    [
        ("mkv", "libx264", Fraction(24000, 1001)),
        ("webm", "libvpx-vp9", Fraction(30)),
        ("mov", "libx264", Fraction(25)),
        ("avi", "mpeg4", Fraction(25)),
        ("ts", "libx264", Fraction(25)),
    ],
)
def test_containers(
    tmp_path: Path, source: FrameSource, exactly: Ask, ending: str, codec: str, rate: Fraction
) -> None:
    times = [k / rate for k in range(100)]
    path = make_clip(tmp_path / f"clip.{ending}", times, codec=codec, rate=rate)
    source.open(info_of(path))
    for k in (0, 3, 60, 99, 20, 21, 97, 0, 50):
        # Exactly at a picture's time it is that picture, rounded as times may be.
        assert number(exactly(float(times[k]))) == k % LEVELS
        assert number(exactly(float(times[k]) + 0.6 / float(rate))) == k % LEVELS


def test_plays_every_picture_in_order(tmp_path: Path, source: FrameSource, exactly: Ask) -> None:
    times = [Fraction(k, 30) for k in range(60)]
    source.open(info_of(make_clip(tmp_path / "clip.mp4", times)))
    exactly(0.0)
    began = time.monotonic()
    seen: list[Picture] = []
    while (t := time.monotonic() - began) < 1.9:
        picture = source.frame_at(t)
        assert picture is not None and picture.time <= t + 0.002
        if not seen or picture is not seen[-1]:
            seen.append(picture)
        time.sleep(0.004)
    assert [p.time for p in seen] == sorted(p.time for p in seen)
    assert len(seen) >= 50  # the machine is shared: a few may come late


def test_stays_ahead_and_no_further(tmp_path: Path, source: FrameSource, exactly: Ask) -> None:
    times = [Fraction(k, 30) for k in range(80)]
    source.open(info_of(make_clip(tmp_path / "clip.mp4", times)))
    exactly(1.0)
    time.sleep(0.3)
    ready = [k for k in range(80) if source.settled(float(times[k]) + 0.01)]
    ahead = [k for k in ready if k > 30]
    assert AHEAD <= len(ahead) <= AHEAD + 1
    assert ahead == list(range(31, max(ahead) + 1))


def test_asking_never_waits(tmp_path: Path, source: FrameSource) -> None:
    """4K that has to be sought all over: whoever asks gets an answer at once."""
    times = [Fraction(k, 5) for k in range(8)]
    path = make_clip(tmp_path / "clip.mp4", times, size=(3840, 1920), gop=8)
    info = info_of(path)
    dice = random.Random(1)
    worst = 0.0
    before = time.perf_counter()
    source.open(info)
    worst = max(worst, time.perf_counter() - before)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        before = time.perf_counter()
        picture = source.frame_at(dice.uniform(0, 1.5))
        worst = max(worst, time.perf_counter() - before)
        assert picture is None or picture.width == 1920
        time.sleep(0.01)
    assert worst < 0.1  # the thread never holds the lock while it decodes


def test_scrubbing_shows_something_all_along(tmp_path: Path, source: FrameSource) -> None:
    """A long group of pictures: on the way to the exact one others are shown."""
    times = [Fraction(k, 30) for k in range(240)]
    path = make_clip(tmp_path / "clip.mp4", times, size=(1280, 640), gop=240)
    source.open(info_of(path))
    shown: set[float] = set()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        t = 8 * abs((time.monotonic() % 2) - 1)  # back and forth, all over
        picture = source.frame_at(t)
        if picture is not None:
            shown.add(picture.time)
        time.sleep(0.01)
    assert len(shown) >= 8


def test_loop_starts_again_at_once(tmp_path: Path, source: FrameSource, exactly: Ask) -> None:
    """The start of the loop stays at hand, though its group of pictures began long before."""
    times = [Fraction(k, 30) for k in range(150)]
    path = make_clip(tmp_path / "clip.mp4", times, size=(640, 320), gop=250)
    source.open(info_of(path))
    source.set_loop((3.0, 4.0))
    exactly(3.0)
    for t in (3.2, 3.5, 3.9, 4.0):
        exactly(t)
    picture = source.frame_at(3.0)
    assert source.settled(3.0) and picture is not None and number(picture) == 90 % LEVELS
    source.set_loop(None)
    exactly(4.5)
    assert not source.settled(3.0)


def test_missing_file(tmp_path: Path, qtbot: QtBot, source: FrameSource) -> None:
    info = {"path": str(tmp_path / "gone.mp4"), "projection": "equirectangular"}
    with qtbot.waitSignal(source.failed) as told:
        source.open(info)
    assert "no such file" in told.args[0] and "\n" not in told.args[0]
    assert source.problem == told.args[0]
    assert source.frame_at(0.0) is None


def test_broken_file(tmp_path: Path, qtbot: QtBot, source: FrameSource) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20)
    with qtbot.waitSignal(source.failed) as told:
        source.open({"path": str(path)})
    assert str(path) in told.args[0] and "\n" not in told.args[0]


def test_a_file_that_moved_leaves_the_last_picture(
    tmp_path: Path, qtbot: QtBot, source: FrameSource, exactly: Ask
) -> None:
    path = make_clip(tmp_path / "clip.mp4", [Fraction(k, 30) for k in range(30)])
    info = info_of(path)
    source.open(info)
    last = exactly(0.5)
    shutil.move(path, tmp_path / "elsewhere.mp4")
    with qtbot.waitSignal(source.failed):
        source.open(info)
    assert source.frame_at(0.5) is last
    # Another clip's picture would be a lie.
    with qtbot.waitSignal(source.failed):
        source.open({**info, "path": str(tmp_path / "other.mp4")})
    assert source.frame_at(0.5) is None
    source.open({**info, "path": str(tmp_path / "elsewhere.mp4")})
    assert number(exactly(0.5)) == 15
    assert source.problem is None


def test_damaged_later(tmp_path: Path, qtbot: QtBot, source: FrameSource, exactly: Ask) -> None:
    """The second half cannot be decoded: what is left is shown, and what is missing is said."""
    times = [Fraction(k, 10) for k in range(60)]
    noise = np.random.default_rng(1).integers(0, 255, (128, 256, 3), np.uint8)
    path = make_clip(tmp_path / "clip.mp4", times, size=(256, 128), image=noise)
    info = info_of(path)
    content = bytearray(path.read_bytes())
    index = content.index(b"moov")
    assert index > len(content) // 2  # at the end, so that the damage is in the pictures
    content[index // 2 : index - 8] = bytes(index - 8 - index // 2)
    path.write_bytes(content)
    with qtbot.waitSignal(source.failed, timeout=20_000) as told:
        source.open(info)
        exactly(1.0)
        source.frame_at(5.0)
    assert "cannot be read" in told.args[0] and str(path) in told.args[0]
    picture = exactly(5.0)
    assert 1.0 < picture.time < 5.0


def test_another_clip_while_busy(tmp_path: Path, source: FrameSource, exactly: Ask) -> None:
    clips = []
    for index in range(4):
        times = [Fraction(k, 30) for k in range(index, 30)]
        times = [t - times[0] for t in times]
        clips.append(make_clip(tmp_path / f"{index}.mp4", times, size=(64 + 16 * index, 32)))
    infos = [info_of(path) for path in clips]
    for k in range(40):
        source.open(infos[k % 4])
        source.frame_at(0.3)
    assert exactly(0.3).width == 64 + 16 * 3
    source.open(None)
    assert source.frame_at(0.3) is None and source.clip is None


def test_close_ends_the_thread(tmp_path: Path, exactly: Ask, source: FrameSource) -> None:
    source.open(info_of(make_clip(tmp_path / "clip.mp4", [Fraction(k, 30) for k in range(30)])))
    exactly(0.2)
    thread = source._thread._thread
    assert thread is not None and thread.is_alive()
    source.close()
    assert not thread.is_alive()


def test_arrival_is_told_when_paused(
    tmp_path: Path, qtbot: QtBot, source: FrameSource, exactly: Ask
) -> None:
    source.open(info_of(make_clip(tmp_path / "clip.mp4", [Fraction(k, 30) for k in range(90)])))
    exactly(0.0)
    with qtbot.waitSignal(source.arrived):
        source.frame_at(2.5)


def test_real_clip(source: FrameSource, exactly: Ask) -> None:
    path = material("clips/ricoh_360_mono_40s.mp4")
    source.open(probe(path).as_dict())
    for t in (0.0, 17.02, 39.9, 5.5):
        picture = exactly(t)
        assert picture.time <= t + 0.001 < picture.time + 0.034
        assert (picture.width, picture.height) == (640, 322)
