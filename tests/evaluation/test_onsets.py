"""Onsets: of clicks at known moments, and of envelopes as pictures show them."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.datasets.envelope import arrange, follow
from omniaudio_studio.evaluation.onsets import (
    matched,
    matched_by_chance,
    visible_onsets,
)
from omniaudio_studio.foa.onsets import sound_onsets

RATE = 48000
SECONDS = 6.0
MOMENTS = np.array([0.7, 1.6, 2.5, 4.1, 5.2])


@pytest.fixture(scope="module")
def barks() -> np.ndarray:
    """Bursts of noise of 0.2 s that begin at MOMENTS and die away."""
    rng = np.random.default_rng(0)
    decay = np.exp(-np.arange(round(0.2 * RATE)) / (0.05 * RATE))
    burst = (0.3 * rng.standard_normal(decay.size) * decay).astype(np.float32)
    return arrange(burst, [(moment, 0.0, 0.2) for moment in MOMENTS], round(SECONDS * RATE))


@pytest.mark.parametrize("gain", [1.0, 1e-3])
def test_each_burst_is_one_onset_at_its_time(barks, gain):
    found = sound_onsets(gain * barks, RATE)
    np.testing.assert_allclose(found, MOMENTS, atol=0.03)


def test_the_finder_does_not_depend_on_the_rate(barks):
    import soxr

    found = sound_onsets(soxr.resample(barks, RATE, 44100), 44100)
    np.testing.assert_allclose(found, MOMENTS, atol=0.03)


def test_bursts_are_found_in_noise_and_noise_alone_has_few(barks):
    noise = 0.003 * np.random.default_rng(1).standard_normal(barks.size)
    np.testing.assert_allclose(sound_onsets(barks + noise, RATE), MOMENTS, atol=0.03)
    assert sound_onsets(np.zeros(RATE), RATE).size == 0


def test_the_picture_shows_them_at_the_same_time(barks):
    np.testing.assert_allclose(visible_onsets(follow(barks, SECONDS)), MOMENTS, atol=0.04)


def test_what_begins_and_stays_is_no_impulsive_event():
    rain = 0.1 * np.random.default_rng(2).standard_normal(round(SECONDS * RATE))
    rain[: 2 * RATE] = 0
    assert visible_onsets(follow(rain.astype(np.float32), SECONDS)).size == 0
    rain[round(2.5 * RATE) :] = 0
    assert visible_onsets(follow(rain.astype(np.float32), SECONDS)) == pytest.approx(2.0, abs=0.05)


def test_every_onset_counts_once():
    assert matched([1.0, 1.1], [1.05]) == 1
    assert matched([1.0, 1.1], [1.05, 1.2]) == 2
    assert matched([1.0, 2.0], [1.16, 1.86]) == 1
    assert matched([], [1.0]) == matched([1.0], []) == 0


def test_chance_is_what_the_density_of_onsets_gives():
    """One event in ten seconds: an onset that is anywhere is within 0.15 s in 3 % of the cases."""
    assert matched_by_chance([5.0], [5.0], 10.0) == pytest.approx(0.03, abs=0.011)
    assert matched_by_chance([5.0], np.arange(0, 10, 0.25), 10.0) == 1.0
