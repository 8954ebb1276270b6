"""Mel distance: by known gains, by known bands."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.evaluation.spatial.mel import mel_distance, mel_powers
from omniaudio_studio.foa.spectrum import mel_filters

RATE = 48000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((4, RATE))


def test_a_gain_is_its_decibels(noise):
    assert mel_distance(noise, noise, RATE) == 0
    assert mel_distance(2 * noise, noise, RATE) == pytest.approx(20 * np.log10(2), abs=0.01)


def test_it_is_the_mean_of_the_channels(noise):
    louder = noise * np.array([2.0, 1.0, 1.0, 1.0])[:, None]
    assert mel_distance(louder, noise, RATE) == pytest.approx(20 * np.log10(2) / 4, abs=0.01)


def test_what_nobody_hears_does_not_count(noise):
    faint = 1e-5 * np.random.default_rng(1).standard_normal(noise.shape)
    assert mel_distance(noise + faint, noise, RATE) < 0.01
    assert mel_distance(np.zeros_like(noise), np.zeros_like(noise), RATE) == 0


@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_tone_is_loudest_in_the_band_around_it(rate):
    bands = 40
    top = 2595 * np.log10(1 + 16000 / 700)
    centres = 700 * (10 ** (np.linspace(0, top, bands + 2)[1:-1] / 2595) - 1)
    for band in (10, 20, 35):
        tone = np.sin(2 * np.pi * centres[band] * np.arange(rate) / rate)
        assert int(mel_powers(tone, rate, bands)[50].argmax()) == band


def test_filters_are_means():
    filters = mel_filters(80, 1025, 48000.0)
    np.testing.assert_allclose(filters.sum(axis=0), 1)
    assert filters.min() >= 0


def test_other_shapes_are_refused(noise):
    with pytest.raises(ValueError, match="one shape"):
        mel_distance(noise, noise[:, 1:], RATE)
