"""From the engine's blocks to the file: length, rate, front, bed and level are exact."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.mixing import Stream
from omniaudio_studio.jobs.result import Preview
from omniaudio_studio.jobs.writing import TakeWriter, copy_with_gain, loudness_gain


def blocks_of(foa: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    cuts = np.cumsum(sizes)
    return [np.ascontiguousarray(part) for part in np.split(foa, cuts[cuts < foa.shape[1]], axis=1)]


def test_blocks_arrive_in_the_file_bit_for_bit(tmp_path: Path) -> None:
    foa = np.random.default_rng(0).standard_normal((4, 5000)).astype(np.float32)
    path = tmp_path / "a.wav"
    with TakeWriter(path, source_rate=48000, rate=48000, samples=5000) as writer:
        for block in blocks_of(foa, [1, 999, 2000, 500]):
            writer(block)
        writer.finish()
    data, rate = soundfile.read(path, dtype="float32")
    assert rate == 48000
    np.testing.assert_array_equal(data.T, foa)


@settings(deadline=None, max_examples=20)
@given(
    source=st.sampled_from([16000, 44100, 48000]),
    rate=st.sampled_from([8000, 44100, 48000, 96000]),
    seconds=st.floats(0.01, 1.5),
    size=st.integers(100, 20000),
)
def test_the_length_is_exact_at_any_rate(
    tmp_path_factory: pytest.TempPathFactory, source: int, rate: int, seconds: float, size: int
) -> None:
    path = tmp_path_factory.mktemp("rates") / "a.wav"
    foa = np.ones((4, round(seconds * source)), np.float32)
    samples = round(seconds * rate)
    with TakeWriter(path, source_rate=source, rate=rate, samples=samples) as writer:
        for at in range(0, foa.shape[1], size):
            writer(foa[:, at : at + size])
        writer.finish()
    assert soundfile.info(path).frames == samples


def test_resampling_keeps_time_and_level(tmp_path: Path) -> None:
    seconds, source, rate = 1.0, 48000, 44100
    signal = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(int(seconds * source)) / source)
    path = tmp_path / "a.wav"
    with TakeWriter(path, source_rate=source, rate=rate, samples=rate) as writer:
        for block in blocks_of(encode_plane_wave(signal, 0.3, 0.1), [5000] * 9):
            writer(block)
        writer.finish()
    data, _ = soundfile.read(path, dtype="float32")
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    middle = slice(2000, -2000)
    np.testing.assert_allclose(data[middle, 0], wanted[middle], atol=2e-4)


def test_yaw_makes_what_is_there_the_front(tmp_path: Path) -> None:
    signal = np.random.default_rng(1).standard_normal(4800)
    path = tmp_path / "a.wav"
    left = math.radians(90)
    with TakeWriter(path, source_rate=48000, rate=48000, samples=4800, yaw=left) as writer:
        writer(encode_plane_wave(signal, left, 0.0))
        writer.finish()
    azimuth, elevation = direction_of_arrival(soundfile.read(path, dtype="float32")[0].T)
    assert azimuth == pytest.approx(0.0, abs=1e-3)
    assert elevation == pytest.approx(0.0, abs=1e-3)


def test_the_bed_is_in_w_alone_whatever_the_blocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    camera = rng.standard_normal((1, 3000)).astype(np.float32)
    foa = rng.standard_normal((4, 5000)).astype(np.float32)
    path = tmp_path / "a.wav"
    bed = Stream((np.float32(0.5) * block for block in blocks_of(camera, [700, 700, 700])), 1)
    with TakeWriter(path, source_rate=48000, rate=48000, samples=5000, bed=bed) as writer:
        for block in blocks_of(foa, [123, 1700, 2000]):
            writer(block)
        writer.finish()
    data = soundfile.read(path, dtype="float32")[0].T
    wanted = foa.copy()
    wanted[0, :3000] += np.float32(0.5) * camera[0]  # then the camera is silent
    np.testing.assert_array_equal(data, wanted)


def test_previews_say_where_and_how_loud(tmp_path: Path) -> None:
    heard: list[Preview] = []
    path = tmp_path / "a.wav"
    with TakeWriter(
        path, source_rate=100, rate=100, samples=200, on_preview=heard.append, take=3
    ) as writer:
        writer(encode_plane_wave(np.full(100, 0.1), 1.0, 0.5))
        writer(np.zeros((4, 100), np.float32))
        writer.finish()
    assert [(item.take, item.start, item.seconds) for item in heard] == [(3, 0, 1), (3, 1, 1)]
    assert heard[0].level == pytest.approx(-20.0, abs=1e-3)
    assert (heard[0].azimuth, heard[0].elevation) == pytest.approx((1.0, 0.5), abs=1e-3)
    assert heard[1].level == -120.0


def test_too_many_samples_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with TakeWriter(path, source_rate=100, rate=100, samples=150) as writer:
        writer(np.zeros((4, 100), np.float32))
        writer(np.zeros((4, 100), np.float32))
        writer.finish()
    assert soundfile.info(path).frames == 150


def test_a_sound_that_ends_early_is_a_fault_not_a_silence(tmp_path: Path) -> None:
    with (
        pytest.raises(OmniAudioError, match="50 samples early"),
        TakeWriter(tmp_path / "a.wav", source_rate=100, rate=100, samples=150) as writer,
    ):
        writer(np.zeros((4, 100), np.float32))
        writer.finish()


def test_the_meters_hear_all_four_channels(tmp_path: Path) -> None:
    rate = 48000
    tone = np.sin(2 * np.pi * 997 * np.arange(2 * rate) / rate)
    foa = np.stack([0.1 * tone, np.zeros_like(tone), np.zeros_like(tone), 0.5 * tone])
    with TakeWriter(
        tmp_path / "a.wav", source_rate=rate, rate=rate, samples=2 * rate, metered=True
    ) as writer:
        writer(foa.astype(np.float32))
        writer.finish()
    # BS.1770: a mono 997 Hz tone of amplitude 0.1 has -23.01 LUFS.
    assert writer.loudness() == pytest.approx(-23.0, abs=0.2)
    assert writer.true_peak() == pytest.approx(-6.0, abs=0.2)


def test_one_gain_reaches_the_target_but_no_peak_passes_minus_one() -> None:
    assert loudness_gain(-30.0, -23.0, -20.0) == pytest.approx(7.0)
    assert loudness_gain(-30.0, -16.0, -5.0) == pytest.approx(4.0)
    assert loudness_gain(-10.0, -23.0, 0.0) == pytest.approx(-13.0)
    assert loudness_gain(-math.inf, -23.0, -math.inf) == 0.0


def test_the_gain_is_the_same_for_every_channel(tmp_path: Path) -> None:
    foa = np.random.default_rng(3).standard_normal((4, 70000)).astype(np.float32) * 0.1
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    with TakeWriter(source, source_rate=48000, rate=48000, samples=70000) as writer:
        writer(foa)
        writer.finish()
    assert copy_with_gain(source, target, -6.0, "float32", lambda: None) == 0
    data = soundfile.read(target, dtype="float32")[0].T
    np.testing.assert_allclose(data, foa * 10 ** (-6 / 20), rtol=1e-6)
    assert copy_with_gain(source, target, 60.0, "pcm24", lambda: None) > 0
