"""What was found, told as directions that may be given again."""

from __future__ import annotations

import math

import numpy as np

from omniaudio_studio.engine.spatialize.found import Found
from omniaudio_studio.foa.directed import DirectedTrack
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.placement import Placement
from omniaudio_studio.jobs.found_sources import found_sources, given_sources
from omniaudio_studio.jobs.result import FoundSource
from omniaudio_studio.jobs.spatialize_request import DirectedSource

FRAMES = 600
TIMES = 3.0 + (np.arange(FRAMES) + 0.5) / 12


def found(
    azimuth: np.ndarray, elevation: np.ndarray, shares: np.ndarray, sure: np.ndarray
) -> Found:
    """``shares`` are (k, B, T), the others (k, T); in degrees."""
    directions = direction_vector(np.radians(azimuth), np.radians(elevation))
    placement = Placement(
        TIMES,
        np.linspace(0, 24_000, shares.shape[1] + 1),
        np.moveaxis(directions, 0, -1).astype(np.float32),
        shares.astype(np.float32),
        sure.astype(np.float32),
    )
    return Found(placement, tuple(f"source {k + 1}" for k in range(len(azimuth))), 0.5)


def test_a_still_source_is_two_points() -> None:
    still = np.ones((1, FRAMES))
    shares = np.stack([0.5 * still, 1.0 * still], axis=1)
    (source,) = found_sources(found(-90 * still, 10 * still, shares, 0.75 * still))
    assert source == FoundSource(
        "source 1",
        ((3.0417, -90.0, 10.0, 0.75), (52.9583, -90.0, 10.0, 0.75)),
        (0.75, 0.75),
    )


def test_a_moving_source_keeps_to_its_path_in_fewer_points() -> None:
    """Over the back; the directions in between are within a degree, gains within a hundredth."""
    azimuth = (100.0 + 2.0 * (TIMES - 3.0))[None]
    elevation = 40.0 * np.sin(TIMES / 5)[None]
    gain = 0.5 + 0.5 * np.sin(TIMES / 3)[None]
    result = found(azimuth, elevation, gain[:, None], gain)
    (source,) = found_sources(result)
    assert len(source.points) < FRAMES / 5
    assert len(source.confidence) == len(source.points)
    DirectedSource(source.name, source.points).validate()
    table = np.array(source.points)
    table[:, 1:3] = np.radians(table[:, 1:3])
    track = DirectedTrack(table)
    np.testing.assert_allclose(track.gain(TIMES), gain[0], atol=0.011)
    y, z, x = track.weights(TIMES) / np.maximum(track.gain(TIMES), 1e-9)
    cosine = np.sum(np.stack([x, y, z]).T * result.placement.directions[0], axis=1)
    heard = gain[0] > 0.02
    assert math.degrees(np.arccos(np.clip(cosine[heard], -1, 1)).max()) < 1.0
    sure = np.interp(TIMES, table[:, 0], source.confidence)
    np.testing.assert_allclose(sure, gain[0], atol=0.011)


def test_a_source_without_a_share_is_none() -> None:
    two = np.ones((2, FRAMES))
    shares = np.stack([np.zeros((1, FRAMES)), np.ones((1, FRAMES))])
    (source,) = found_sources(found(0 * two, 0 * two, shares, two))
    assert source.name == "source 2"


def test_one_frame_is_one_point() -> None:
    placement = Placement(
        np.array([0.5]),
        np.array([0.0, 1.0]),
        np.array([[[0.0, 1.0, 0.0]]], np.float32),
        np.ones((1, 1, 1), np.float32),
        np.ones((1, 1), np.float32),
    )
    assert found_sources(Found(placement, ("a",), 1.0)) == (
        FoundSource("a", ((0.5, 90.0, 0.0, 1.0),), (1.0,)),
    )


def test_given_sources_are_sure() -> None:
    given = DirectedSource("a", ((0.0, 1.0, 2.0, 0.5), (1.0, 1.0, 2.0, 0.5)))
    assert given_sources((given,)) == (FoundSource("a", given.points, (1.0, 1.0)),)
