"""Placed sources against closed forms: direction, level, delay; and whatever the blocks are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import direction_vector, encode_moving, vector_direction
from omniaudio_studio.foa.placed import NEAR, SPEED_OF_SOUND, PlacedPath, distance_gain

RATE = 48000
NOISE = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)


def whole(path: PlacedPath, sound: np.ndarray) -> np.ndarray:
    """The field of a sound that begins at 0 s, as long as it."""
    return path.encode(np.pad(sound, (path.before, path.after)), 0)


def test_the_distance_law_is_openal_s() -> None:
    assert distance_gain(1.0) == 1.0
    assert distance_gain(0.2) == 1.0  # clamped at the reference
    assert distance_gain(10.0) == pytest.approx(0.1)  # the inverse law
    assert distance_gain(10.0, reference=2.0) == pytest.approx(0.2)
    assert distance_gain(10.0, rolloff=0.0) == 1.0
    assert distance_gain(10.0, 2.0, 0.5) == pytest.approx(2.0 / (2.0 + 0.5 * 8.0))
    assert distance_gain(10.0, 1.0, 1.0, 5.0) == pytest.approx(0.2)
    assert distance_gain(10.0, 2.0, 1.0, 2.0) == 1.0


def test_the_level_follows_law_and_gain_for_every_sample() -> None:
    """From 1 to 9 m straight ahead while the gain falls from 1 to a half."""
    path = PlacedPath([(0.5, 1, 0, 0, 1.0), (2.5, 9, 0, 0, 0.5)], RATE, reference=2.0, rolloff=0.7)
    foa = whole(path, np.ones(3 * RATE, np.float32))
    part = np.clip((np.arange(3 * RATE) / RATE - 0.5) / 2.0, 0.0, 1.0)
    distance = np.maximum(1.0 + 8.0 * part, 2.0)
    wanted = (1.0 - 0.5 * part) * 2.0 / (2.0 + 0.7 * (distance - 2.0))
    np.testing.assert_allclose(foa[0], wanted, rtol=1e-6)
    np.testing.assert_allclose(foa[3], wanted, rtol=1e-6)
    np.testing.assert_allclose(foa[1:3], 0.0, atol=1e-7)


def test_a_moving_source_is_heard_where_it_is() -> None:
    """Past the listener from the left in front to the right behind, above: within half a degree."""
    times = np.linspace(0.0, 3.0, 91)
    places = np.stack([3 - 2 * times, 4 - 3 * times, np.full(91, 1.5)], axis=1)
    path = PlacedPath(np.column_stack([times, places, np.ones(91)]), RATE)
    foa = whole(path, NOISE)
    for when in np.arange(0.05, 2.95, 0.1):
        begin = round((when - 0.01) * RATE)
        found = direction_of_arrival(foa[:, begin : begin + round(0.02 * RATE)])
        truth = np.array([3 - 2 * when, 4 - 3 * when, 1.5])
        cosine = direction_vector(*found) @ (truth / np.linalg.norm(truth))
        assert math.degrees(math.acos(min(1.0, float(cosine)))) < 0.5


def test_directions_follow_the_same_arcs_as_a_moving_plane_wave() -> None:
    points = [(0.2, 1, 0, 0, 1), (1.2, 0, 2, 1, 1), (2.0, -3, -1, 0, 1)]
    azimuth, elevation = vector_direction(np.array(points)[:, 1:4].T)
    foa = whole(PlacedPath(points, RATE, rolloff=0.0), NOISE)
    times = [0.2, 1.2, 2.0]
    np.testing.assert_allclose(
        foa, encode_moving(NOISE, times, azimuth, elevation, RATE), atol=1e-6
    )


def measured_delay(heard: np.ndarray, frequency: float, about: float) -> float:
    """Samples by which a sine lags, from its phase; ``about`` settles the whole periods."""
    phase = 2 * np.pi * frequency / RATE * np.arange(heard.size)
    lag = -np.angle(np.sum(heard * np.exp(-1j * phase)) * 1j)  # of sin
    period = RATE / frequency
    found = lag / (2 * np.pi) * period
    return float(found + period * round((about - found) / period))


@pytest.mark.parametrize("distance", [0.0, 0.5, 3.43, 17.0, 100.0])
def test_the_delay_is_exact_to_a_hundredth_of_a_sample(distance: float) -> None:
    path = PlacedPath([(0.0, 0.0, distance, 0.0, 1.0)], RATE, rolloff=0.0, delay=True)
    frequency = 1000.0
    sine = np.sin(2 * np.pi * frequency / RATE * np.arange(2 * RATE)).astype(np.float32)
    late = distance / SPEED_OF_SOUND * RATE
    heard = whole(path, sine)[0, RATE : 2 * RATE - path.after].astype(np.float64)
    heard = heard[: heard.size // 48 * 48]  # whole periods
    assert measured_delay(heard, frequency, late) == pytest.approx(late, abs=0.01)


@pytest.mark.parametrize("speed", [20.0, -20.0, 100.0])
def test_what_comes_near_sounds_higher(speed: float) -> None:
    """At v m/s towards the listener: by 1 + v / 343, without a click."""
    path = PlacedPath(
        [(0.0, 150.0, 0, 0, 1.0), (1.0, 150.0 - speed, 0, 0, 1.0)], RATE, rolloff=0.0, delay=True
    )
    sound = np.sin(2 * np.pi * 1000.0 / RATE * np.arange(-RATE, 2 * RATE)).astype(np.float32)
    begin = RATE - path.before
    heard = path.encode(sound[begin : begin + path.before + RATE + path.after], 0)[0]
    now = np.arange(RATE)
    late = (150.0 - speed * now / RATE) / SPEED_OF_SOUND * RATE
    wanted = np.sin(2 * np.pi * 1000.0 / RATE * (now - late))
    np.testing.assert_allclose(heard, wanted, atol=2e-4)
    # Its phase runs at the shifted frequency.
    shifted = 1000.0 * (1.0 + speed / SPEED_OF_SOUND)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(RATE)))
    assert abs(int(np.argmax(spectrum)) - shifted) <= 1.0


blocks = st.lists(st.integers(1, 9000), min_size=1, max_size=12)


@settings(deadline=None, max_examples=20)
@given(blocks, st.booleans(), st.integers(-5000, 100_000))
def test_the_blocks_make_no_difference(sizes: list[int], delay: bool, first: int) -> None:
    points = [
        (0.1, 1, 0, 0, 1.0),
        (0.3, 0, 8, 1, 0.3),
        (0.9, 0, 0, 0, 1.0),
        (1.0, -4, 0, -2, 0.9),
        (1.2, -4, 0, 40, 0.9),  # faster than sound
    ]
    path = PlacedPath(points, RATE, delay=delay)
    count = sum(sizes)
    sound = np.resize(NOISE, count + path.before + path.after)
    at_once = path.encode(sound, first)
    parts, begin = [], 0
    for size in sizes:
        piece = sound[begin : begin + size + path.before + path.after]
        parts.append(path.encode(piece, first + begin))
        begin += size
    np.testing.assert_allclose(np.concatenate(parts, axis=1), at_once, atol=1e-6)


def test_at_the_listener_a_source_comes_from_nowhere_in_particular() -> None:
    """From the front through the head to the right: W as loud as ever, the others fade to 0."""
    points = [(0.0, 1, 0, 0, 1), (1.0, 0, 0, 0, 1), (2.0, 0, -1, 0, 1)]
    foa = whole(PlacedPath(points, RATE), np.ones(2 * RATE, np.float32))
    assert np.isfinite(foa).all()
    np.testing.assert_array_equal(foa[0], 1.0)
    np.testing.assert_array_equal(foa[1:, RATE], 0.0)
    # In front before, right behind; a head's radius away the direction is whole.
    early, later = RATE - round(NEAR * RATE), RATE + round(NEAR * RATE)
    np.testing.assert_allclose(foa[3, : early + 1], 1.0, atol=1e-6)
    np.testing.assert_allclose(foa[1, later:], -1.0, atol=1e-6)
    # Smoothly: no step from one sample to the next, though the direction jumps at 0.
    assert np.abs(np.diff(foa[1:], axis=1)).max() < 1.6 / (NEAR * RATE)


@pytest.mark.parametrize("count", [1, 3])
def test_a_source_that_never_leaves_the_listener_is_in_w_alone(count: int) -> None:
    points = [(float(k), 0, 0, 0, 0.5) for k in range(count)]
    for delay in (False, True):
        foa = whole(PlacedPath(points, RATE, delay=delay), NOISE)
        np.testing.assert_allclose(foa[0], 0.5 * NOISE, atol=2e-6)
        np.testing.assert_array_equal(foa[1:], 0.0)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "k > 0"),
        ([(0, 1, 2, 3)], "shape"),
        ([(1, 1, 0, 0, 1), (1, 2, 0, 0, 1)], "ascending"),
    ],
)
def test_what_is_no_path_is_refused(points: list, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PlacedPath(points, RATE)


def test_a_block_without_its_surroundings_is_refused() -> None:
    path = PlacedPath([(0.0, 5, 0, 0, 1)], RATE, delay=True)
    with pytest.raises(ValueError, match=f"{path.before} samples before"):
        path.encode(np.zeros(path.before), 0)
