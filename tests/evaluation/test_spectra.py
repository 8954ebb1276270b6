"""Distances between signals, where they are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.evaluation.spatial.spectra import (
    envelope,
    envelope_distance,
    log_spectral_distance,
    stft,
    stft_distance,
    two_sided,
)

RATE = 16000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 2 * RATE))


def test_equal_signals_have_no_distance(noise):
    assert stft_distance(noise, noise, RATE) == 0
    assert envelope_distance(noise, noise) == 0
    assert log_spectral_distance(noise, noise, RATE) == 0


def test_powers_of_a_spectrogram_are_mean_squares(noise):
    for rate in (RATE, 44100):  # windows of 400 in 512 and of 1102 in 2048
        spectra = stft(noise[0], rate)
        assert spectra.shape[1] == 1 + (512 if rate == RATE else 2048) // 2
        power = np.square(np.abs(spectra)) @ two_sided(spectra.shape[1])
        # Frames at the ends see half silence.
        assert power[2:-2].mean() == pytest.approx(np.mean(noise[0] ** 2), rel=0.02)


def test_a_frame_is_where_it_should_be():
    click = np.zeros(RATE)
    click[160 * 7] = 1.0
    power = np.square(np.abs(stft(click, RATE))).sum(axis=1)
    assert power.argmax() == 7
    # Hann windows of 400 samples reach one hop of 160 to both sides.
    assert np.flatnonzero(power > 1e-12).tolist() == [6, 7, 8]


@pytest.mark.parametrize("gain", [0.0, 0.5, 2.0, -1.0])
def test_a_gain_gives_the_known_stft_distance(noise, gain):
    """(1 - g)^2 of the signal's own power, which is its distance to silence."""
    power = stft_distance(np.zeros_like(noise), noise, RATE)
    assert power == pytest.approx(np.mean(noise**2), rel=0.02)
    assert stft_distance(gain * noise, noise, RATE) == pytest.approx((1 - gain) ** 2 * power)


def test_channels_are_averaged(noise):
    made = noise.copy()
    made[1] = 0
    one = stft_distance(np.zeros((1, noise.shape[1])), noise[1:2], RATE)
    assert stft_distance(made, noise, RATE) == pytest.approx(one / 3)
    assert envelope_distance(made, noise) == pytest.approx(
        envelope_distance(made[1:2], noise[1:2]) / 3
    )


def test_the_envelope_of_a_tone_is_its_amplitude():
    time = np.arange(RATE) / RATE
    tones = np.stack([0.3 * np.sin(2 * np.pi * 440 * time), 0.7 * np.cos(2 * np.pi * 1000 * time)])
    np.testing.assert_allclose(envelope(tones), [[0.3], [0.7]] * np.ones(RATE), atol=1e-9)
    # A phase is not heard: the envelope distance forgives what the STFT distance does not.
    turned = np.roll(tones, 4, axis=1)
    assert envelope_distance(turned, tones) == pytest.approx(0, abs=1e-9)
    assert stft_distance(turned, tones, RATE) > 0.1
    assert envelope_distance(0.5 * tones, tones) == pytest.approx((0.15 + 0.35) / 2)


def test_the_envelope_agrees_with_scipys(noise):
    signal = pytest.importorskip("scipy.signal")
    for samples in (999, 1000):
        expected = np.abs(signal.hilbert(noise[:, :samples]))
        np.testing.assert_allclose(envelope(noise[:, :samples]), expected, atol=1e-12)


@pytest.mark.parametrize("gain", [0.1, 0.5, 2.0])
def test_a_gain_gives_its_decibels_as_log_spectral_distance(noise, gain):
    expected = abs(20 * np.log10(gain))
    # The first and last frame may hold bins near the floor.
    assert log_spectral_distance(gain * noise, noise, RATE, 1e-14) == pytest.approx(expected)
    assert log_spectral_distance(-gain * noise, noise, RATE, 1e-14) == pytest.approx(expected)


def test_what_is_under_the_floor_does_not_count(noise):
    quiet = 1e-4 * noise  # 80 dB down, the floor is 60
    assert log_spectral_distance(np.zeros_like(quiet), quiet, RATE) < 0.2
    assert log_spectral_distance(np.zeros_like(noise), noise, RATE) > 50


def test_shapes_must_agree(noise):
    for distance in (
        lambda a, b: stft_distance(a, b, RATE),
        envelope_distance,
        lambda a, b: log_spectral_distance(a, b, RATE),
    ):
        with pytest.raises(ValueError, match="one shape"):
            distance(noise, noise[:, :-1])
        with pytest.raises(ValueError, match="one shape"):
            distance(noise[0], noise[0])
    with pytest.raises(ValueError, match="one channel"):
        stft(noise, RATE)
