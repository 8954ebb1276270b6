"""The field in both frames: bits, places, turns, lengths."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.errors import Cancelled, MediaError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.wav import write_wav

RATE = 48000


def noise(samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((4, samples))).astype(np.float32)


@pytest.fixture
def field(tmp_path: Path) -> Path:
    write_wav(tmp_path / "field.wav", noise(100_000), RATE)
    return tmp_path / "field.wav"


def joined(blocks: Any) -> np.ndarray:
    return np.concatenate(list(blocks), axis=1)


def test_without_turn_and_start_both_frames_are_the_file(field: Path) -> None:
    source = DeliverySource(field)
    assert (source.rate(), source.length(RATE)) == (RATE, 100_000)
    for blocks in (source.blocks(RATE), source.blocks_in_clip(RATE, 100_000)):
        np.testing.assert_array_equal(joined(blocks), noise(100_000))


def test_blocks_have_the_size_asked_for(field: Path) -> None:
    sizes = [block.shape for block in DeliverySource(field).blocks(RATE, size=30_000)]
    assert sizes == [(4, 30_000)] * 3 + [(4, 10_000)]


@pytest.mark.parametrize("samples", [1, 99_999, 100_001, 250_000])
def test_they_are_cut_and_filled_up(field: Path, samples: int) -> None:
    source = DeliverySource(field)
    expected = np.zeros((4, samples), np.float32)
    expected[:, : min(samples, 100_000)] = noise(100_000)[:, :samples]
    np.testing.assert_array_equal(joined(source.blocks(RATE, samples)), expected)
    np.testing.assert_array_equal(joined(source.blocks_in_clip(RATE, samples)), expected)


@pytest.mark.parametrize("start", [0.5, -0.25, 3.0, -5.0])
def test_in_the_clip_the_field_lies_where_it_belongs(field: Path, start: float) -> None:
    clip = joined(DeliverySource(field, clip_start=start).blocks_in_clip(RATE, 2 * RATE))
    around = np.zeros((4, 20 * RATE), np.float32)
    zero = 10 * RATE  # the clip's first picture
    place = zero + round(start * RATE)
    around[:, place : place + 100_000] = noise(100_000)
    np.testing.assert_array_equal(clip, around[:, zero : zero + 2 * RATE])


def test_the_turn_is_undone_for_the_picture(tmp_path: Path) -> None:
    """A take that was turned by -yaw has at azimuth 0 what the clip shows at yaw."""
    sound = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    clip = encode_plane_wave(sound, math.radians(50), math.radians(10))
    yaw = 50.0
    write_wav(tmp_path / "take.wav", rotate_yaw(clip, -math.radians(yaw)), RATE)
    source = DeliverySource(tmp_path / "take.wav", yaw=yaw)
    alone, shown = joined(source.blocks(RATE)), joined(source.blocks_in_clip(RATE, RATE))
    assert math.degrees(direction_of_arrival(alone)[0]) == pytest.approx(0, abs=0.01)
    assert math.degrees(direction_of_arrival(shown)[0]) == pytest.approx(50, abs=0.01)
    np.testing.assert_allclose(shown, clip, atol=1e-5)


def test_another_rate_keeps_times_and_lengths(tmp_path: Path) -> None:
    time = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    write_wav(tmp_path / "a.wav", np.stack([tone, tone, 0 * tone, 0 * tone]), 44100)
    source = DeliverySource(tmp_path / "a.wav")
    assert source.length(RATE) == RATE
    found = joined(source.blocks(RATE))
    expected = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert found.shape == (4, RATE)
    np.testing.assert_allclose(found[0, 100:-100], expected[100:-100], atol=1e-3)


def test_a_convention_is_undone(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", from_ambix(noise(100), "fuma"), RATE)
    found = joined(DeliverySource(tmp_path / "a.wav", convention="fuma").blocks(RATE))
    np.testing.assert_allclose(found, noise(100), atol=1e-7)


def test_what_cannot_be_delivered_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "none.wav", np.zeros((4, 0), np.float32), RATE)
    with pytest.raises(MediaError, match="holds no samples"):
        joined(DeliverySource(tmp_path / "none.wav").blocks(RATE))
    write_wav(tmp_path / "stereo.wav", np.zeros((2, 10), np.float32), RATE)
    with pytest.raises(MediaError, match="2 channels"):
        DeliverySource(tmp_path / "stereo.wav").rate()


def test_it_stops_when_it_is_told(field: Path) -> None:
    def stop() -> None:
        raise Cancelled("enough")

    for blocks in (
        DeliverySource(field).blocks(RATE, cancel=SimpleNamespace(check=stop)),
        DeliverySource(field).blocks_in_clip(RATE, 10, cancel=SimpleNamespace(check=stop)),
    ):
        with pytest.raises(Cancelled):
            next(iter(blocks))
