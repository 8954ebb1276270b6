"""Given directions: exact along the path, whatever the blocks; W is the recording."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from omniaudio_studio.foa.directed import DirectedEncoder, DirectedTrack
from omniaudio_studio.foa.encoding import direction_vector, encode_moving

RATE = 8000


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    sound = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return sound.astype(np.float32)


def track(*points: tuple[float, float, float, float]) -> DirectedTrack:
    """From degrees."""
    table = np.array(points)
    table[:, 1:3] = np.radians(table[:, 1:3])
    return DirectedTrack(table)


PATH = ((0.2, -170.0, 10.0, 1.0), (1.0, 160.0, 60.0, 1.0), (1.5, 20.0, -30.0, 1.0))


def test_a_moving_source_is_exact() -> None:
    """Across the back, the short way; as the encoder of moving plane waves has it."""
    sound = noise(0)
    foa, left = DirectedEncoder([track(*PATH)], [], RATE).encode(sound, [], 0)
    times, azimuth, elevation, _ = np.array(PATH).T
    expected = encode_moving(sound, times, np.radians(azimuth), np.radians(elevation), RATE)
    np.testing.assert_allclose(foa, expected, atol=1e-7)
    assert foa[0].tobytes() == sound.tobytes()
    assert not left.any()


def test_blocks_make_no_difference() -> None:
    encoder = DirectedEncoder([track(*PATH)], [track((0.0, 5.0, 6.0, 0.0), (2.0, 90, 0, 1))], RATE)
    sound, stem = noise(0), noise(1)
    whole, left = encoder.encode(sound, [stem], 100)
    edges = [0, 1, 700, 701, 9000, sound.size]
    parts = [encoder.encode(sound[a:b], [stem[a:b]], 100 + a) for a, b in pairwise(edges)]
    assert np.concatenate([part[0] for part in parts], axis=1).tobytes() == whole.tobytes()
    assert np.concatenate([part[1] for part in parts]).tobytes() == left.tobytes()


def test_there_is_no_zipper_noise() -> None:
    """A constant through a moving source has no steps: its second difference stays tiny."""
    sound = np.ones(2 * RATE, np.float32)
    foa, _ = DirectedEncoder([track(*PATH)], [], RATE).encode(sound, [], 0)
    turning = np.diff(foa[1:].astype(np.float64), axis=1)
    assert np.abs(turning).max() < 2 * math.pi / RATE
    corners = 3 * 3  # where the path begins, bends and ends
    assert np.sum(np.abs(np.diff(turning, axis=1)) > 1e-5) <= corners


def test_gains_are_linear_and_shared_where_they_are_too_much() -> None:
    sound = noise(0)
    left_one = track((0.0, 90.0, 0.0, 0.0), (2.0, 90.0, 0.0, 1.0))
    above = track((0.0, 0.0, 90.0, 1.0))
    foa, left = DirectedEncoder([left_one], [], RATE).encode(sound, [], 0)
    gain = np.arange(sound.size) / RATE / 2
    np.testing.assert_allclose(foa[1], sound * gain, atol=1e-7)
    np.testing.assert_allclose(left, 1 - gain, atol=1e-12)
    foa, left = DirectedEncoder([left_one, above], [], RATE).encode(sound, [], 0)
    np.testing.assert_allclose(foa[1], sound * gain / (1 + gain), atol=1e-7)
    np.testing.assert_allclose(foa[2], sound / (1 + gain), atol=1e-7)
    np.testing.assert_allclose(left, 0.0, atol=1e-12)


def test_a_stem_is_put_where_it_is_and_the_rest_is_what_it_leaves() -> None:
    sound, stem = noise(0), noise(1)
    encoder = DirectedEncoder([], [track((0.0, -90.0, 0.0, 0.5))], RATE)
    foa, left = encoder.encode(sound, [stem], 0)
    np.testing.assert_allclose(foa[1], -0.5 * stem, atol=1e-7)
    np.testing.assert_allclose(foa[2:], 0.0, atol=1e-7)
    assert foa[0].tobytes() == sound.tobytes()
    rest = encoder.rest(sound, [stem], 0, left)
    np.testing.assert_allclose(rest, sound - 0.5 * stem, atol=1e-7)


@pytest.mark.parametrize(
    ("tracks", "all_of_it"),
    [
        ([track(*PATH)], True),
        ([track((0.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.9))], False),
        # Each falls where the other rises; between two points they add up to 1.
        ([track((0, 0, 0, 1), (1, 0, 0, 0)), track((0, 9, 0, 0), (1, 9, 0, 1))], True),
        ([track((0, 0, 0, 1), (1, 0, 0, 0)), track((0, 9, 0, 0), (2, 9, 0, 1))], False),
        ([], False),
    ],
)
def test_whether_anything_is_left(tracks: list[DirectedTrack], all_of_it: bool) -> None:
    encoder = DirectedEncoder(tracks, [], RATE)
    assert encoder.places_all == all_of_it
    if all_of_it:
        assert np.abs(encoder.encode(noise(0), [], 0)[1]).max() < 1e-9


def test_the_axes() -> None:
    """Left is Y, above is Z, in front is X."""
    for azimuth, elevation in ((90, 0), (0, 90), (0, 0), (-120, 35)):
        foa, _ = DirectedEncoder([track((0.0, azimuth, elevation, 1.0))], [], RATE).encode(
            np.ones(3, np.float32), [], 0
        )
        x, y, z = direction_vector(math.radians(azimuth), math.radians(elevation))
        np.testing.assert_allclose(foa[:, 0], [1.0, y, z, x], atol=1e-7)


@pytest.mark.parametrize("points", [[], [[0.0, 0.0, 0.0]], [[1.0, 0, 0, 1], [0.0, 0, 0, 1]]])
def test_what_is_no_track_is_refused(points: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        DirectedTrack(points)
