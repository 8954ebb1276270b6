"""The histogram of intensity directions: sources where they are, also where energy maps see one."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.errors import MissingDependencyError
from omniaudio_studio.evaluation.spatial.directions import (
    POINTS,
    SEPARATION,
    all_found,
    direction_histogram,
    highest_peaks,
)
from omniaudio_studio.evaluation.spatial.sphere import angles_between, even_points
from omniaudio_studio.foa.encoding import direction_vector, encode_plane_wave

pytest.importorskip("scipy")

RATE = 16000
CELL = np.sqrt(4 * np.pi / POINTS)


def band_noise(low: float, high: float, seed: int) -> np.ndarray:
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(2 * RATE))
    frequency = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    spectrum[(frequency < low) | (frequency >= high)] = 0
    return np.fft.irfft(spectrum).astype(np.float32)


def unit(azimuth: float, elevation: float) -> np.ndarray:
    return direction_vector(np.radians([azimuth]), np.radians([elevation]))


def wave(signal: np.ndarray, azimuth: float, elevation: float = 0.0) -> np.ndarray:
    return encode_plane_wave(signal, np.radians(azimuth), np.radians(elevation))


@pytest.mark.parametrize("direction", [(0, 0), (135, 30), (-170, -60), (20, 89)])
def test_one_plane_wave_is_one_peak(direction):
    signal = band_noise(100, 7000, 1)
    histogram = direction_histogram(wave(signal, *direction), RATE)
    peaks = highest_peaks(histogram, 2)
    assert peaks.shape == (3, 1)
    assert angles_between(peaks, unit(*direction))[0, 0] < CELL


def test_two_sources_of_different_bands_are_two_peaks_at_any_level():
    low, high = band_noise(100, 1000, 1), band_noise(2000, 6000, 2)
    truth = np.concatenate([unit(40, 10), unit(-35, -20)], axis=1)
    for gain in (1.0, 0.3):
        foa = wave(low, 40, 10) + wave(gain * high, -35, -20)
        peaks = highest_peaks(direction_histogram(foa, RATE), 2)
        assert angles_between(peaks, truth).min(axis=0).max() < CELL
        assert all_found(peaks, truth, np.radians(30))
    # The louder one is the higher peak.
    assert angles_between(peaks[:, :1], truth)[0].argmin() == 0


def test_w_alone_and_silence_have_no_direction():
    foa = np.zeros((4, RATE), np.float32)
    assert not direction_histogram(foa, RATE).any()
    foa[0] = band_noise(100, 7000, 1)[:RATE]
    histogram = direction_histogram(foa, RATE)
    assert histogram.shape == (POINTS,) and not histogram.any()
    assert highest_peaks(histogram, 2).shape == (3, 0)


def test_direct_bins_count_more():
    """Of one source at equal energy, half of it diffuse, less weight is left than half."""
    signal = band_noise(100, 7000, 1)
    direct = direction_histogram(wave(signal, 10), RATE).sum()
    rng = np.random.default_rng(3)
    diffuse = rng.standard_normal((4, signal.size)) * np.sqrt([[1], [1 / 3], [1 / 3], [1 / 3]])
    diffuse *= np.sqrt(np.mean(signal**2))
    assert direction_histogram(diffuse, RATE).sum() < 0.5 * direct


def test_turning_the_field_turns_the_peaks():
    signal = band_noise(100, 7000, 1)
    first = highest_peaks(direction_histogram(wave(signal, 0, 0), RATE), 1)
    second = highest_peaks(direction_histogram(wave(signal, 77, 0), RATE), 1)
    assert angles_between(first, second)[0, 0] == pytest.approx(np.radians(77), abs=2 * CELL)


def bumps(*places: tuple[float, float, float]) -> np.ndarray:
    """A histogram of kernels at (azimuth, elevation) with heights."""
    points = even_points(POINTS)
    total = np.zeros(POINTS)
    for azimuth, elevation, height in places:
        total += height * np.exp((unit(azimuth, elevation)[:, 0] @ points - 1) / 0.14**2)
    return total


def test_peaks_are_ordered_apart_and_no_shoulders():
    histogram = bumps((0, 0, 1.0), (90, 0, 0.4), (20, 0, 0.9), (-90, 0, 0.7))
    peaks = highest_peaks(histogram, 3)
    # The bump at 20 degrees belongs to the one in front: nothing of it counts, nor its shoulder.
    expected = np.concatenate([unit(5, 0), unit(-90, 0), unit(90, 0)], axis=1)
    assert np.diag(angles_between(peaks, expected)).max() < np.radians(10)
    assert highest_peaks(histogram, 9).shape == (3, 3)
    apart = angles_between(peaks, peaks)[~np.eye(3, dtype=bool)]
    assert apart.min() >= SEPARATION
    with pytest.raises(ValueError, match="2000 bins"):
        highest_peaks(histogram[1:], 1)


def test_every_source_needs_a_peak_of_its_own():
    truth = np.concatenate([unit(0, 0), unit(50, 0)], axis=1)
    between = unit(25, 0)
    tolerance = np.radians(30)
    assert not all_found(between, truth, tolerance)  # near both, but one
    assert all_found(np.concatenate([between, unit(20, 0)], axis=1), truth, tolerance)
    assert all_found(truth[:, ::-1], truth, tolerance)
    assert not all_found(np.concatenate([unit(0, 0), unit(81, 0)], axis=1), truth, tolerance)
    assert not all_found(np.zeros((3, 0)), truth, tolerance)


def test_without_scipy_the_message_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(MissingDependencyError, match=r"omniaudio-studio\[eval\]"):
        direction_histogram(np.zeros((4, RATE), np.float32), RATE)
