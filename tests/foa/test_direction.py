"""Direction: arrival, energy map, anglegram, streaming frames, bands."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.foa.convention import Foa, from_ambix
from omniaudio_studio.foa.covariance import FrameCovariances, covariance, frame_covariances
from omniaudio_studio.foa.direction import (
    anglegram,
    angular_error,
    azimuth_bins,
    direction_of_arrival,
    direction_per_band,
    direction_per_frame,
    energy_map,
    energy_map_from_covariance,
    intensity_vector,
)
from omniaudio_studio.foa.encoding import (
    diffuse_field,
    direction_vector,
    encode_moving,
    encode_plane_wave,
)

azimuths = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)
NOISE = np.random.default_rng(21).standard_normal(480).astype(np.float32)


@given(azimuth=azimuths, elevation=elevations)
def test_arrival_is_where_the_source_is(azimuth: float, elevation: float) -> None:
    foa = encode_plane_wave(NOISE, azimuth, elevation)
    assert angular_error(*direction_of_arrival(foa), azimuth, elevation) < 1e-5
    np.testing.assert_allclose(
        intensity_vector(foa),
        np.mean(NOISE.astype(float) ** 2) * direction_vector(azimuth, elevation),
        atol=1e-6,
    )


@given(azimuth=azimuths, elevation=elevations)
def test_the_energy_map_peaks_where_the_source_is(azimuth: float, elevation: float) -> None:
    width, height = 64, 32
    energy = energy_map(encode_plane_wave(NOISE, azimuth, elevation), width, height)
    assert energy.shape == (height, width)
    v, u = np.unravel_index(np.argmax(energy), energy.shape)
    peak = np.pi - 2 * np.pi * (u + 0.5) / width, np.pi / 2 - np.pi * (v + 0.5) / height
    # Half a pixel's diagonal at most.
    assert angular_error(*peak, azimuth, elevation) < np.hypot(np.pi / 64, np.pi / 64) + 1e-6


def test_energy_map_is_its_definition() -> None:
    foa = np.random.default_rng(2).standard_normal((4, 50)).astype(np.float32)
    width, height = 7, 5
    expected = np.empty((height, width))
    w, y, z, x = foa.astype(float)
    for v in range(height):
        for u in range(width):
            d = direction_vector(
                np.pi - 2 * np.pi * (u + 0.5) / width, np.pi / 2 - np.pi * (v + 0.5) / height
            )
            expected[v, u] = np.mean((w + 3 * (x * d[0] + y * d[1] + z * d[2])) ** 2)
    np.testing.assert_allclose(energy_map(foa, width, height), expected, rtol=1e-6)
    stack = np.stack([covariance(foa), 2 * covariance(foa)])
    np.testing.assert_allclose(
        energy_map_from_covariance(stack, width, height), [expected, 2 * expected], rtol=1e-6
    )


def test_peak_of_a_plane_wave_is_sixteen_times_its_power() -> None:
    foa = encode_plane_wave(NOISE, *(np.pi - np.pi * 0.5 / 18, np.pi / 2 - np.pi * 3.5 / 18))
    power = np.mean(NOISE.astype(float) ** 2)
    assert energy_map(foa, 36, 18).max() == pytest.approx(16 * power, rel=1e-5)


def test_anglegram_is_the_energy_map_averaged_over_elevation() -> None:
    rate, bins = 1000, 12
    foa = np.random.default_rng(3).standard_normal((4, 250)).astype(np.float32)
    gram = anglegram(foa, rate, bins=bins, frame_seconds=0.1)
    assert gram.shape == (bins, 3)
    height = 400
    weight = np.cos(np.pi / 2 - np.pi * (np.arange(height) + 0.5) / height)
    for frame, part in enumerate(np.split(foa, [100, 200], axis=1)):
        energy = energy_map(part, bins, height)
        expected = (weight[:, None] * energy).sum(axis=0) / weight.sum()
        np.testing.assert_allclose(gram[:, frame], expected, rtol=1e-4)


def test_anglegram_follows_a_source() -> None:
    rate = 8000
    noise = np.random.default_rng(0).standard_normal(4 * rate)
    foa = encode_moving(noise, [0, 2, 4], [-1.5, 0.5, 2.5], [0, 0.3, 0], rate)
    gram = anglegram(foa, rate, bins=90, frame_seconds=0.1)
    peaks = azimuth_bins(90)[np.argmax(gram, axis=0)]
    frames = direction_per_frame(foa, rate, 0.1)
    assert np.abs(peaks - frames.azimuth).max() < 2 * np.pi / 90 + 0.01
    assert peaks[0] == pytest.approx(-1.45, abs=0.1)
    assert peaks[-1] == pytest.approx(2.45, abs=0.1)


def test_left_is_in_the_left_half_of_the_map() -> None:
    energy = energy_map(encode_plane_wave(NOISE, np.pi / 2, 0.5), 8, 4)
    v, u = np.unravel_index(np.argmax(energy), energy.shape)
    assert u in (1, 2)
    assert v == 1
    assert azimuth_bins(4) == pytest.approx(np.array([3, 1, -1, -3]) * np.pi / 4)


def test_directions_frame_by_frame() -> None:
    rate = 1000
    rng = np.random.default_rng(1)
    parts: list[Foa] = [
        encode_plane_wave(rng.standard_normal(500), 1.0, 0.2),
        np.zeros((4, 500), np.float32),
        encode_plane_wave(0.1 * rng.standard_normal(250), -2.0, -0.7),
    ]
    track = direction_per_frame(np.concatenate(parts, axis=1), rate, 0.5)
    np.testing.assert_allclose(track.times, [0.25, 0.75, 1.125])
    np.testing.assert_allclose(track.azimuth, [1.0, 0.0, -2.0], atol=1e-6)
    np.testing.assert_allclose(track.elevation, [0.2, 0.0, -0.7], atol=1e-6)
    np.testing.assert_allclose(track.diffuseness, [0, 1, 0], atol=1e-6)
    assert track.energy[1] == 0
    assert track.energy[0] == pytest.approx(np.mean(parts[0][0].astype(float) ** 2))


def test_diffuseness_of_a_diffuse_field_is_one() -> None:
    rng = np.random.default_rng(6)
    independent = rng.standard_normal((4, 200000)) / np.sqrt([[1], [3], [3], [3]])
    assert direction_per_frame(independent, 48000, 5).diffuseness[0] > 0.98
    assert direction_per_frame(diffuse_field(NOISE, rng), 48000, 5).diffuseness[0] < 1


@given(
    samples=st.integers(0, 500),
    rate=st.sampled_from([97.0, 1000.0, 44100 / 60]),
    seconds=st.floats(0.02, 0.7),
    cuts=st.lists(st.integers(0, 500), max_size=5),
)
def test_frames_are_the_same_in_blocks(
    samples: int, rate: float, seconds: float, cuts: list[int]
) -> None:
    foa = np.random.default_rng(8).standard_normal((4, samples)).astype(np.float32)
    times, whole = frame_covariances(foa, rate, seconds)
    frames = FrameCovariances(rate, seconds)
    edges = [0, *sorted(min(cut, samples) for cut in cuts), samples]
    blocks = [frames.push(foa[:, a:b]) for a, b in itertools.pairwise(edges)]
    blocks.append(frames.finish())
    np.testing.assert_allclose(np.concatenate(blocks), whole, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(frames.times(), times)
    assert frames.samples == samples
    # Their weighted sum is the covariance of the whole.
    borders = [round(k * seconds * rate) for k in range(len(whole))]
    lengths = np.diff([*borders, samples])
    if samples:
        mean = np.einsum("k,kij->ij", lengths, whole) / samples
        np.testing.assert_allclose(mean, covariance(foa), rtol=1e-9, atol=1e-12)


def test_frames_stay_true_to_the_clock() -> None:
    """At 44.1 kHz a frame of 1/90 s is no whole number of samples: no drift over an hour."""
    frames = FrameCovariances(44100, 1 / 59.94)
    block = np.zeros((4, 44100), dtype=np.float32)
    count = sum(len(frames.push(block)) for _ in range(600))
    assert count == int(600 * 59.94)
    assert frames.times()[-1] == pytest.approx((count - 0.5) / 59.94, abs=1e-4)


@pytest.mark.parametrize(("rate", "seconds"), [(48000, 0), (48000, 1e-9), (0, 1), (48000, np.nan)])
def test_frames_must_hold_a_sample(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        FrameCovariances(rate, seconds)


def test_bands_are_told_apart() -> None:
    rate = 48000
    times = np.arange(2 * rate) / rate
    low, high = np.sin(2 * np.pi * 200 * times), 0.5 * np.sin(2 * np.pi * 3000 * times)
    foa = encode_plane_wave(low, 1.0, 0.5) + encode_plane_wave(high, -2.0, -0.3)
    bands = direction_per_band(foa, rate, [0, 1000, 8000, 24001])
    np.testing.assert_allclose(bands.azimuth[:2], [1.0, -2.0], atol=1e-3)
    np.testing.assert_allclose(bands.elevation[:2], [0.5, -0.3], atol=1e-3)
    np.testing.assert_allclose(bands.energy, [0.5, 0.125, 0], atol=2e-3)
    np.testing.assert_array_equal(bands.low, [0, 1000, 8000])
    np.testing.assert_array_equal(bands.high, [1000, 8000, 24001])


@given(samples=st.integers(1, 3000), seed=st.integers(0, 1000))
def test_bands_add_up_to_the_whole(samples: int, seed: int) -> None:
    foa = np.random.default_rng(seed).standard_normal((4, samples)).astype(np.float32)
    band = direction_per_band(foa, 48000, [0, 24001], window=256)
    matrix = covariance(foa)
    assert band.energy[0] == pytest.approx(np.trace(matrix) / 2, rel=1e-5)
    azimuth, elevation = direction_of_arrival(foa)
    assert angular_error(band.azimuth[0], band.elevation[0], azimuth, elevation) < 1e-3


@pytest.mark.parametrize("edges", [[100], [200, 100], [1, 1], [[1, 2]], [0, np.nan]])
def test_band_edges_must_ascend(edges: list[float]) -> None:
    with pytest.raises(ValueError, match="ascending band edges"):
        direction_per_band(np.zeros((4, 10)), 48000, edges)


def test_angular_error_is_exact_everywhere() -> None:
    tiny = 1e-9
    assert angular_error(0, 0, tiny, 0) == pytest.approx(tiny)
    assert angular_error(0, 0, np.pi - tiny, 0) == pytest.approx(np.pi - tiny, abs=1e-15)
    assert angular_error(0.3, np.pi / 2, -2, np.pi / 2) == pytest.approx(0, abs=1e-15)
    errors = angular_error(np.zeros((3, 1)), 0, [0.1, 0.2], 0)
    assert errors.shape == (3, 2)
    np.testing.assert_allclose(errors, np.tile([0.1, 0.2], (3, 1)))


def test_random_directions_are_half_pi_apart_on_average() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-np.pi, np.pi, (2, 20000))
    c, d = np.arcsin(rng.uniform(-1, 1, (2, 20000)))
    assert np.mean(angular_error(a, c, b, d)) == pytest.approx(np.pi / 2, abs=0.02)


@pytest.mark.filterwarnings("ignore:.*sph_harm:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Sounddevice:UserWarning")
def test_agrees_with_spaudiopy() -> None:
    spaudiopy = pytest.importorskip("spaudiopy")
    rng = np.random.default_rng(12)
    sources = [(0.4, 0.2), (0.9, -0.1), (-1.0, 0.6)]
    foa = sum(encode_plane_wave(rng.standard_normal(2000), *source) for source in sources)
    # Its steered beams on our pixels: the energy map, up to one factor.
    width, height = 16, 8
    azimuth = np.tile(azimuth_bins(width), height)
    zenith = np.repeat(np.pi * (np.arange(height) + 0.5) / height, width)
    harmonics = spaudiopy.sph.sh_matrix(1, azimuth, zenith)
    n3d = from_ambix(foa, "n3d").astype(float)
    beams = np.mean((harmonics @ n3d) ** 2, axis=1).reshape(height, width)
    np.testing.assert_allclose(energy_map(foa, width, height), 4 * np.pi * beams, rtol=1e-4)
    # Its estimator of one source (MUSIC), on a fine grid, and our direction of arrival.
    single = encode_plane_wave(rng.standard_normal(2000), *sources[0])
    single += 0.05 * rng.standard_normal(single.shape).astype(np.float32)
    azimuth, elevation = map(np.ravel, np.meshgrid(np.arange(0, 1, 0.02), np.arange(-1, 1, 0.02)))
    music = spaudiopy.parsa.sh_music(
        covariance(from_ambix(single, "n3d")), 1, azimuth, np.pi / 2 - elevation
    )
    best = np.argmax(music)
    ours = direction_of_arrival(single)
    assert angular_error(*ours, azimuth[best], elevation[best]) < 0.03


def test_silence_and_emptiness() -> None:
    for field in (np.zeros((4, 0)), np.zeros((4, 100))):
        assert direction_of_arrival(field) == (0.0, 0.0)
        assert np.all(energy_map(field, 4, 2) == 0)
        assert direction_per_band(field, 48000, [0, 100]).diffuseness == pytest.approx([1])
    assert anglegram(np.zeros((4, 0)), 48000).shape == (72, 0)
    assert len(direction_per_frame(np.zeros((4, 0)), 48000, 1).times) == 0


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-1, 2)])
def test_a_map_has_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 x 1"):
        energy_map(np.zeros((4, 1)), *size)


def test_long_fields_are_worked_on_in_blocks() -> None:
    """Ten times the field doesn't cost ten times the memory."""
    foa = np.ones((4, 2_000_000), dtype=np.float32)
    tracemalloc.start()
    try:
        direction_of_arrival(foa)
        energy_map(foa, 64, 32)
        anglegram(foa, 48000)
        direction_per_band(foa, 48000, [0, 1000, 24001])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < foa.nbytes / 4
