"""A recording and its placement into a field."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.foa.band_encoding import BandEncoder
from omniaudio_studio.foa.bands import mel_edges
from omniaudio_studio.foa.direction import angular_error, direction_of_arrival, direction_per_frame
from omniaudio_studio.foa.encoding import direction_vector, encode_plane_wave, vector_direction
from omniaudio_studio.foa.placement import Placement

RATE = 48_000
EDGES = mel_edges(20, 50.0, 18_000.0)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE)).astype(np.float32)


def placed(
    directions: list[tuple[float, float]], shares: np.ndarray, frames: int = 50
) -> Placement:
    """Still sources; shares (k,) or (k, bands)."""
    vectors = np.stack([direction_vector(*angles) for angles in directions])
    vectors = np.repeat(vectors[:, None], frames, axis=1).astype(np.float32)
    wide = np.broadcast_to(np.atleast_2d(np.transpose(shares)).T, (len(shares), 20))
    table = np.repeat(np.asarray(wide)[:, :, None], frames, axis=2).astype(np.float32)
    return Placement(
        (np.arange(frames) + 0.5) / 24, EDGES, vectors, table, np.ones((len(shares), frames), "f4")
    )


def encoded(
    placement: Placement,
    w: np.ndarray,
    blocks: list[int] | None = None,
    *,
    side: np.ndarray | None = None,
    width: float = 0.3,
    seed: int = 1,
    first: int = 0,
) -> np.ndarray:
    encoder = BandEncoder(placement, RATE, width=width, seed=seed, first=first)
    parts, place = [], 0
    for block in [*(blocks or []), w.size]:
        piece = slice(place, place + block)
        parts.append(encoder.push(w[piece], None if side is None else side[piece]))
        place += block
    return np.concatenate([*parts, encoder.finish()], axis=1)


def test_all_from_one_place_is_a_plane_wave() -> None:
    w = noise(1.3)
    foa = encoded(placed([(0.7, 0.3)], np.array([1.0])), w)
    np.testing.assert_allclose(foa, encode_plane_wave(w, 0.7, 0.3), atol=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("samples", [0, 1, 511, 3000, 40_001])
def test_w_is_the_recording_bit_for_bit(share: float, samples: int) -> None:
    w = noise(1)[:samples]
    foa = encoded(placed([(0.7, 0.3)], np.array([share])), w)
    np.testing.assert_array_equal(foa[0], w)


def test_blocks_make_no_difference() -> None:
    w, placement = noise(1), placed([(0.7, 0.3), (-2, 0)], np.array([0.5, 0.2]))
    once = encoded(placement, w)
    np.testing.assert_array_equal(once, encoded(placement, w, [1, 0, 7, 5000, 20_000]))


def test_what_comes_from_nowhere_is_isotropic_at_full_width() -> None:
    w = noise(4)
    foa = encoded(placed([(0, 0)], np.array([0.0]), 100), w, width=1.0)
    power = np.mean(foa.astype(float) ** 2, axis=1)
    np.testing.assert_allclose(power[1:] / power[0], 1 / 3, rtol=0.06)
    correlation = np.corrcoef(foa)
    assert np.abs(correlation - np.eye(4)).max() < 0.3


def test_no_width_leaves_it_in_w() -> None:
    foa = encoded(placed([(0, 0)], np.array([0.0])), noise(1), width=0.0)
    assert np.abs(foa[1:]).max() == 0


def test_the_seed_decides_the_spreading() -> None:
    w, placement = noise(0.5), placed([(0, 0)], np.array([0.2]))
    first = encoded(placement, w, seed=4)
    np.testing.assert_array_equal(first, encoded(placement, w, seed=4))
    assert np.abs(first - encoded(placement, w, seed=5)).max() > 1e-3


def test_stereo_keeps_its_own_left_and_right() -> None:
    left = noise(1)
    w, side = left / 2, left / 2  # a sound in the left channel alone
    foa = encoded(placed([(0, 0)], np.array([0.0])), w, side=side, width=0.5)
    azimuth, elevation = direction_of_arrival(foa)
    assert angular_error(azimuth, elevation, np.pi / 2, 0) < np.radians(8)


def test_bands_go_where_their_sources_are() -> None:
    low = (EDGES[1:] < 1000).astype(float)
    placement = placed([(np.pi / 2, 0), (-np.pi / 2, 0)], np.stack([low, 1 - low]))
    t = np.arange(RATE) / RATE
    bass = encoded(placement, np.sin(2 * np.pi * 200 * t).astype(np.float32))
    treble = encoded(placement, np.sin(2 * np.pi * 6000 * t).astype(np.float32))
    assert direction_of_arrival(bass)[0] == pytest.approx(np.pi / 2, abs=0.02)
    assert direction_of_arrival(treble)[0] == pytest.approx(-np.pi / 2, abs=0.02)


def test_a_moving_source_is_followed_and_first_shifts_it() -> None:
    times = (np.arange(96) + 0.5) / 24
    azimuth = np.radians(60) * times
    vectors = direction_vector(azimuth, 0.2).T[None].astype(np.float32)
    placement = Placement(
        times, EDGES, vectors, np.ones((1, 20, 96), np.float32), np.ones((1, 96), np.float32)
    )
    foa = encoded(placement, noise(2), first=RATE)
    heard = direction_per_frame(foa, RATE, 0.1)
    middle = 1 + (np.arange(20) + 0.5) / 10
    errors = angular_error(
        heard.azimuth[:20], heard.elevation[:20], np.radians(60) * middle, np.full(20, 0.2)
    )
    assert np.max(errors[1:-1]) < np.radians(1.5)
    assert vector_direction(vectors[0, 0])[0] == pytest.approx(azimuth[0], abs=1e-6)


def test_a_steady_tone_of_a_steady_source_gets_no_new_tones() -> None:
    t = np.arange(2 * RATE) / RATE
    foa = encoded(
        placed([(1.0, 0)], np.array([0.6])), np.sin(2 * np.pi * 997 * t).astype("f4"), width=0
    )
    spectrum = np.abs(np.fft.rfft(foa[1, RATE // 2 : RATE // 2 + RATE] * np.hanning(RATE)))
    spectrum[990:1005] = 0
    assert spectrum.max() < 1e-4 * RATE / 4
