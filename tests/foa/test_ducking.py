"""Ducking: how deep, how fast, relative to what, and the same whatever the blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.foa.ducking import (
    ATTACK_SECONDS,
    RELEASE_SECONDS,
    Ducker,
    RecordingLevel,
)

RATE = 48_000


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """White noise whose mean square is ``level`` dB."""
    rng = np.random.default_rng(seed)
    return (10 ** (level / 20) * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def measured(recording: np.ndarray, size: int = 10_000) -> float:
    level = RecordingLevel(RATE)
    for at in range(0, recording.size, size):
        level.push(recording[at : at + size])
    return level.finish()


def ducked(
    recording: np.ndarray, depth: float = 6.0, level: float | None = None, size: int = 10_000
) -> np.ndarray:
    """Gains in decibels."""
    ducker = Ducker(depth, measured(recording) if level is None else level, RATE)
    parts = [ducker.push(recording[at : at + size]) for at in range(0, recording.size, size)]
    return 20 * np.log10(np.concatenate([*parts, ducker.finish()]).astype(np.float64))


def at(seconds: float) -> int:
    return round(seconds * RATE)


@pytest.mark.parametrize("level", [-6.0, -30.0, -75.0])
@pytest.mark.parametrize("depth", [6.0, 20.0])
def test_a_steady_recording_ducks_in_full_however_quiet_it_is(level: float, depth: float) -> None:
    gains = ducked(noise(2.0, level), depth)
    np.testing.assert_allclose(gains[at(0.5) :], -depth, atol=1e-3)


@pytest.mark.parametrize("frequency", [25.0, 50.0, 440.0])
def test_a_deep_tone_is_as_steady_as_noise(frequency: float) -> None:
    tone = 0.1 * np.sin(2 * np.pi * frequency * np.arange(2 * RATE) / RATE)
    np.testing.assert_allclose(ducked(tone)[at(0.5) :], -6.0, atol=0.05)


def test_it_goes_and_returns_in_its_time() -> None:
    recording = np.concatenate([np.zeros(RATE), noise(1.0, -20.0), np.zeros(3 * RATE)])
    gains = ducked(recording)
    np.testing.assert_array_equal(gains[: at(1.0)], 0.0)
    # 63 % of the way after the time constant, 95 % after three of them.
    assert gains[at(1.0 + ATTACK_SECONDS)] == pytest.approx(-6 * (1 - math.exp(-1)), abs=0.05)
    assert gains[at(1.0 + 3 * ATTACK_SECONDS)] == pytest.approx(-6 * (1 - math.exp(-3)), abs=0.05)
    assert gains[at(1.999)] == pytest.approx(-6.0, abs=1e-3)
    assert gains[at(2.0 + RELEASE_SECONDS)] == pytest.approx(-6 * math.exp(-1), abs=0.05)
    assert gains[at(2.0 + 3 * RELEASE_SECONDS)] == pytest.approx(-6 * math.exp(-3), abs=0.05)
    assert gains[-1] == pytest.approx(0.0, abs=1e-3)


def test_a_murmur_below_the_recording_s_level_is_not_heard() -> None:
    """Speech at -20 dB over a background 30 dB below: the field is back in the pauses."""
    recording = noise(6.0, -50.0)
    for begin in (1.0, 3.0):
        recording[at(begin) : at(begin + 1)] = noise(1.0, -20.0, seed=1)
    assert measured(recording) == pytest.approx(-20.0, abs=0.1)
    gains = ducked(recording)
    assert gains[at(0.9)] == 0.0
    assert gains[at(1.9)] == pytest.approx(-6.0, abs=1e-3)
    assert gains[at(2.95)] > -0.3


@pytest.mark.parametrize(("below", "share"), [(9.0, 1.0), (15.0, 0.5), (21.0, 0.0)])
def test_between_10_and_20_db_below_it_ducks_in_part(below: float, share: float) -> None:
    gains = ducked(noise(2.0, -20.0 - below), level=-20.0)
    assert np.mean(gains[at(1.0) :]) == pytest.approx(-6.0 * share, abs=0.3)


def test_gains_change_smoothly() -> None:
    recording = np.concatenate([np.zeros(RATE), noise(1.0, -20.0), np.zeros(RATE)])
    steps = np.abs(np.diff(ducked(recording, 60.0)))
    # The steepest is the attack's beginning: depth / time constant.
    assert steps.max() < 60.0 / ATTACK_SECONDS / RATE


def test_silence_ducks_nothing() -> None:
    assert measured(np.zeros(RATE, np.float32)) == -math.inf
    assert measured(np.zeros(0, np.float32)) == -math.inf
    np.testing.assert_array_equal(ducked(np.zeros(RATE, np.float32)), 0.0)
    np.testing.assert_array_equal(ducked(noise(0.5, -97.0)), 0.0)  # the noise of 16 bits


@given(length=st.integers(1, 30_000), size=st.integers(1, 9000), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_the_blocks_do_not_matter(length: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sounding = (rng.random(length // 900 + 1) > 0.5).repeat(900)[:length]
    recording = (rng.standard_normal(length) * sounding).astype(np.float32)
    assert measured(recording, size) == measured(recording, length)
    gains = ducked(recording, level=-10.0, size=size)
    assert gains.shape == recording.shape
    np.testing.assert_array_equal(gains, ducked(recording, level=-10.0, size=length))


def test_the_level_leaves_pauses_out() -> None:
    for pause in (0.0, 5.0, 20.0):
        recording = np.concatenate([noise(2.0, -25.0), noise(pause, -70.0, seed=2)])
        assert measured(recording) == pytest.approx(-25.0, abs=0.1)
