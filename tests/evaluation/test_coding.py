"""What a VAE is compared with: latents' bits, sound without its phase, Opus."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.evaluation.spatial.mel import mel_distance
from omniaudio_studio.evaluation.starter.coding import (
    latent_bits,
    opus_round_trip,
    without_phase,
)
from omniaudio_studio.evaluation.starter.subject import Latents
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import encode_plane_wave

RATE = 48000


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    """Two seconds of a decaying chord from the left and above."""
    t = np.arange(2 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 554.4, 1318.5, 5000.0))
    signal = (0.1 * chord * np.exp(-t)).astype(np.float32)
    return encode_plane_wave(signal, np.radians(70), np.radians(20))


def test_bits_are_those_of_known_distributions():
    """A latent with spread 1/2 and mean 0 against a standard normal one: known in closed form."""
    zero = np.zeros((8, 100), np.float32)
    assert latent_bits(Latents(zero, np.ones_like(zero)), 2.0) == pytest.approx(0.0)
    half = 0.5 * (0.25 - 1) - np.log(0.5)
    expected = 8 * 100 * half / np.log(2) / 2.0
    assert latent_bits(Latents(zero, zero + 0.5), 2.0) == pytest.approx(expected)
    assert latent_bits(Latents(zero + 3, np.ones_like(zero)), 2.0) == pytest.approx(
        8 * 100 * 4.5 / np.log(2) / 2.0
    )
    assert latent_bits(Latents(zero, None), 2.0) is None


def test_without_phase_levels_and_direction_stay(field):
    made = without_phase(field)
    assert made.shape == field.shape and made.dtype == np.float32
    assert not np.allclose(made, field, atol=0.01)
    assert mel_distance(made, field, RATE) < 1.5
    np.testing.assert_allclose(direction_of_arrival(made), np.radians([70, 20]), atol=0.02)


def test_without_phase_silence_stays_silence():
    assert not without_phase(np.zeros((4, 5000), np.float32)).any()


def test_opus_comes_back_in_time_and_says_what_it_took(field):
    made, bits = opus_round_trip(field, 256_000)
    assert made.shape == field.shape
    assert np.corrcoef(made[0], field[0])[0, 1] > 0.99
    assert 100_000 < bits < 600_000  # what is tonal is given more than was asked for
    low, fewer = opus_round_trip(field, 24_000)
    assert fewer < bits
    assert mel_distance(low, field, RATE) > mel_distance(made, field, RATE)
