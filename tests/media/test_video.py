"""Video files out, and the spherical boxes in them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.media.ambisonics import read_ambisonics
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.frames import iter_views, read_frame
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.spherical import read_spherical
from omniaudio_studio.media.video import VideoWriter, exact_rate
from omniaudio_studio.panorama.views import View
from tests.media.clips import level, number_of


def grey(number: int) -> np.ndarray:
    return np.full((32, 64, 3), level(number), np.uint8)


@pytest.mark.parametrize("fps", [1, 23.976, 25, 29.97, Fraction(60000, 1001), 120])
def test_pictures_come_back_in_their_time(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 64, 32, fps) as writer:
        for number in range(20):
            writer.write_frame(grey(number))
    rate = exact_rate(fps)
    info = probe(path)
    assert info.fps == pytest.approx(float(rate))
    assert info.duration == pytest.approx(float(20 / rate), abs=2e-5)
    times = [(number + 0.5) / float(rate) for number in range(20)]
    got = [number_of(v["v"]) for v in iter_views(info, times, [View("v", "equirect", 16, 8)])]
    assert got == list(range(20))


def test_rates() -> None:
    assert exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(59.94) == Fraction(60000, 1001)
    assert exact_rate(29.97002997) == Fraction(30000, 1001)
    assert exact_rate(30) == 30
    assert exact_rate(12.5) == Fraction(25, 2)
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="frame rate"):
            exact_rate(bad)


def test_times_of_its_own(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.55, 0.6, 2.0]
    with VideoWriter(tmp_path / "a.mp4", 64, 32, 30) as writer:
        for number, time in enumerate(times):
            writer.write_frame(grey(number), time)
    info = probe(tmp_path / "a.mp4")
    asked = [0.05, 0.5, 0.57, 1.9, 2.01]
    got = [number_of(v["v"]) for v in iter_views(info, asked, [View("v", "equirect", 16, 8)])]
    assert got == [0, 1, 2, 3, 4]


def test_colours_survive(tmp_path: Path) -> None:
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :32] = (200, 30, 60)
    image[:, 32:] = (20, 120, 220)
    with VideoWriter(tmp_path / "a.mp4", 64, 32, 30, crf=10) as writer:
        writer.write_frame(image)
    got = read_frame(probe(tmp_path / "a.mp4"), 0).astype(int)
    assert np.abs(got[:, 4:28].mean(axis=(0, 1)) - (200, 30, 60)).max() < 5
    assert np.abs(got[:, 36:60].mean(axis=(0, 1)) - (20, 120, 220)).max() < 5


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_sound_in_step(tmp_path: Path, channels: int) -> None:
    sound = np.zeros((channels, 96000), np.float32)
    for channel in range(channels):
        at = 12000 + 18000 * channel
        sound[channel, at : at + 200] = 0.7
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 64, 32, 30, audio_rate=48000, audio_channels=channels) as w:
        for number in range(60):
            w.write_frame(grey(number))
            w.write_audio(sound[:, number * 1600 : (number + 1) * 1600])
    info = probe(path)
    assert info.audio is not None and info.audio.channels == channels
    assert (read_ambisonics(path) is not None) == (channels == 4)
    read, _ = read_audio(info, None, 0, 2.0)
    for channel in range(channels):
        power = np.convolve(np.abs(read[channel]), np.ones(200), "valid")
        assert abs(int(power.argmax()) - 12000 - 18000 * channel) < 100
        assert np.abs(read[channel]).max() > 0.5


def test_spherical_metadata_is_there_unless_unwanted(tmp_path: Path) -> None:
    for spherical in (True, False):
        with VideoWriter(tmp_path / "a.mp4", 64, 48, 30, spherical=spherical) as writer:
            writer.write_frame(np.zeros((48, 64, 3), np.uint8))
        info = probe(tmp_path / "a.mp4")
        assert info.has_metadata == spherical
        assert info.projection == ("equirectangular" if spherical else "flat")
        found = read_spherical(tmp_path / "a.mp4")
        assert (found is not None) == spherical
        if found:
            assert (found.projection, found.stereo) == ("equirectangular", "mono")


@pytest.mark.parametrize("width, height", [(63, 32), (64, 31), (0, 0), (1, 1)])
def test_odd_sizes_are_refused(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(OptionError, match="even numbers"):
        VideoWriter(tmp_path / "a.mp4", width, height, 30)
    assert not list(tmp_path.iterdir())


def test_what_it_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="3 channels"):
        VideoWriter(tmp_path / "a.mp4", 64, 32, 30, audio_rate=48000, audio_channels=3)
    with pytest.raises(OptionError, match="12345 Hz"):
        VideoWriter(tmp_path / "a.mp4", 64, 32, 30, audio_rate=12345)
    with VideoWriter(tmp_path / "a.mp4", 64, 32, 30) as writer:
        with pytest.raises(ValueError, match=r"expected uint8 \(32, 64, 3\)"):
            writer.write_frame(np.zeros((32, 32, 3), np.uint8))
        with pytest.raises(ValueError, match="without sound"):
            writer.write_audio(np.zeros((2, 10)))
        writer.write_frame(grey(0))
    with pytest.raises(OutputError, match="closed"):
        writer.write_frame(grey(0))


def test_full_disk_and_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*none"):
        VideoWriter(tmp_path / "none" / "a.mp4", 64, 32, 30)
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    rng = np.random.default_rng(0)
    with (
        pytest.raises(OutputError, match="disk is full"),
        VideoWriter("/dev/full", 64, 32, 30) as writer,
    ):
        for _ in range(100):
            writer.write_frame(rng.integers(0, 255, (32, 64, 3)).astype(np.uint8))


def test_an_error_of_the_caller_passes_through(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        VideoWriter(tmp_path / "a.mp4", 64, 32, 30) as writer,
    ):
        writer.write_frame(grey(0))
        raise KeyError("mine")
