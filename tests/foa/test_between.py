"""Sound read between its samples: sines have a value everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.foa.between import reach, read_between

RATE = 48000
FIRST = -200
PLACES = 1000.37 + 1.0003 * np.arange(20000)  # every fraction of a sample


def sine(frequency: float, places: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * frequency / RATE * places + 0.4)


def level(signal: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(signal, dtype=np.float64)) / 0.5 + 1e-30))


def test_the_places_of_samples_have_their_values() -> None:
    sound = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    places = np.arange(100, 3000)
    np.testing.assert_allclose(read_between(sound, FIRST, places), sound[300:3200], atol=2e-6)


@pytest.mark.parametrize("frequency", [50.0, 1000.0, 8000.0, 16000.0, 18000.0])
def test_a_sine_is_itself_between_its_samples(frequency: float) -> None:
    sound = sine(frequency, np.arange(FIRST, 22000)).astype(np.float32)
    error = read_between(sound, FIRST, PLACES) - sine(frequency, PLACES)
    assert level(error) < -85.0


@pytest.mark.parametrize("speed", [1.5, 2.0, 3.0, -2.0])
def test_what_is_read_too_fast_does_not_fold_back(speed: float) -> None:
    places = 20000 + speed * np.arange(5000)
    counted = np.arange(5000, 40000)
    low, high = 0.75 * RATE / 2 / abs(speed), 1.3 * RATE / 2 / abs(speed)
    kept = read_between(sine(low, counted), 5000, places, speed)
    assert level(kept - sine(low, places)) < -60.0
    assert level(read_between(sine(high, counted), 5000, places, speed)) < -60.0
    # Without knowing the speed it would be there, at another frequency.
    assert level(read_between(sine(high, counted), 5000, places)) > -6.0


def test_speeds_may_change_from_sample_to_sample() -> None:
    sound = sine(1000.0, np.arange(FIRST, 22000))
    speeds = np.where(np.arange(PLACES.size) // 7 % 2, 1.0, 1.6)
    assert level(read_between(sound, FIRST, PLACES, speeds) - sine(1000.0, PLACES)) < -60.0


def test_a_sound_that_does_not_reach_is_refused() -> None:
    half = reach()
    sound = np.ones(1000)
    assert read_between(sound, 0, [half - 1, 999 - half]).shape == (2,)
    for place in (half - 2, 1000 - half):
        with pytest.raises(ValueError, match=f"expected {half} samples around"):
            read_between(sound, 0, [place])
    assert reach(4.0) == 4 * reach(1.0)
    assert read_between(sound, 0, []).shape == (0,)
