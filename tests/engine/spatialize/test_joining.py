"""Sections and windows, joined."""

from __future__ import annotations

import numpy as np

from omniaudio_studio.engine.spatialize.evidence import BANDS, EDGES, Judged
from omniaudio_studio.engine.spatialize.joining import SourceJoiner
from omniaudio_studio.engine.spatialize.stitching import Estimate, Stitcher

LEFT, RIGHT, FRONT = np.array([0, 1, 0]), np.array([0, -1, 0]), np.array([1, 0, 0])


def section(*directions: np.ndarray, frames: int = 5, share: float = 0.4) -> Judged:
    k = len(directions)
    vectors = np.array(directions, np.float32).reshape(k, 1, 3).repeat(frames, axis=1)
    shares = np.full((k, BANDS, frames), share, np.float32)
    return Judged(vectors, shares, np.full((k, frames), 0.8, np.float32), 0.8, 1.0)


def joined(*sections: Judged, cuts: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    joiner = SourceJoiner(2, BANDS)
    for number, each in enumerate(sections):
        joiner.add(each, begins_shot=number in cuts)
    frames = sum(each.directions.shape[1] for each in sections)
    placement = joiner.placement(np.arange(frames, dtype=float), EDGES)
    return placement.directions, placement.shares


def test_a_source_keeps_its_line_whatever_its_number() -> None:
    directions, _ = joined(section(LEFT, RIGHT), section(RIGHT, LEFT))
    np.testing.assert_array_equal(directions[0], np.tile(LEFT, (10, 1)))
    np.testing.assert_array_equal(directions[1], np.tile(RIGHT, (10, 1)))


def test_a_source_that_is_gone_waits_silently_where_it_was() -> None:
    directions, shares = joined(section(LEFT, RIGHT), section(RIGHT), section(LEFT, RIGHT))
    assert shares[0, :, 5:10].max() == 0
    np.testing.assert_array_equal(directions[0, 5:10], np.tile(LEFT, (5, 1)))
    assert shares[0, :, 10:].min() > 0.3


def test_after_a_cut_lines_begin_anew() -> None:
    directions, _ = joined(section(LEFT, RIGHT), section(RIGHT, LEFT), cuts=(1,))
    np.testing.assert_array_equal(directions[0, 5:], np.tile(RIGHT, (5, 1)))


def test_lines_that_were_never_used_are_left_out() -> None:
    assert len(joined(section(LEFT), section(LEFT))[0]) == 1
    directions, shares = joined(section(), section())
    assert directions.shape == (1, 10, 3)
    assert shares.max() == 0


def estimate(
    first: np.ndarray, second: np.ndarray, frames: int, shares: tuple[float, float]
) -> Estimate:
    vectors = np.stack([np.tile(first, (frames, 1)), np.tile(second, (frames, 1))])
    table = np.array(shares, np.float32)[:, None, None] * np.ones((1, BANDS, frames), np.float32)
    return Estimate(vectors.astype(np.float32), table, np.full((2, frames), 0.7, np.float32))


def stitched(*windows: tuple[Estimate, int]) -> Stitcher:
    stitcher = Stitcher()
    for window, again in windows:
        frames = window.directions.shape[1]
        stitcher.add(window, np.ones((frames, BANDS), np.float32), again)
    return stitcher


def test_windows_agree_on_who_is_who_and_fade() -> None:
    before = estimate(LEFT, RIGHT, 12, (0.6, 0.2))
    after = estimate(RIGHT, LEFT, 12, (0.2, 0.4))
    stitcher = stitched((before, 0), (after, 4))
    placement, confidence = stitcher.placement(np.arange(20.0), EDGES, 2, 0.3)
    np.testing.assert_allclose(placement.directions[0], np.tile(LEFT, (20, 1)), atol=1e-6)
    share = placement.shares[0, 0]
    np.testing.assert_allclose(share[:8], 0.6, rtol=1e-6)
    np.testing.assert_allclose(share[8:12], 0.6 - 0.2 * (np.arange(4) + 0.5) / 4, rtol=1e-5)
    np.testing.assert_allclose(share[12:], 0.4, rtol=1e-6)
    assert 0.4 < confidence < 0.7


def test_without_overlap_windows_are_put_one_after_another() -> None:
    stitcher = stitched(
        (estimate(LEFT, RIGHT, 6, (0.6, 0.2)), 0), (estimate(FRONT, LEFT, 6, (0.5, 0.1)), 0)
    )
    placement, _ = stitcher.placement(np.arange(12.0), EDGES, 2, 0.3)
    np.testing.assert_array_equal(placement.directions[0, 6:], np.tile(FRONT, (6, 1)))


def test_the_sources_that_sound_most_are_kept() -> None:
    stitcher = stitched((estimate(LEFT, RIGHT, 6, (0.1, 0.8)), 0))
    placement, _ = stitcher.placement(np.arange(6.0), EDGES, 1, 0.3)
    assert placement.directions.shape == (1, 6, 3)
    np.testing.assert_array_equal(placement.directions[0, 0], RIGHT)


def test_where_it_is_not_sure_nothing_has_a_share() -> None:
    stitcher = stitched((estimate(LEFT, RIGHT, 6, (0.1, 0.2)), 0))
    placement, confidence = stitcher.placement(np.arange(6.0), EDGES, 2, 0.5)
    assert confidence < 0.5
    assert placement.shares.max() == 0
