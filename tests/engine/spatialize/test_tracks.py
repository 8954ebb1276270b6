"""Paths of single sources."""

from __future__ import annotations

import numpy as np

from omniaudio_studio.engine.spatialize.tracks import PathFinder, normalised, smoothed

ANGLES = 2 * np.pi * np.arange(72) / 72
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES), np.zeros(72)], axis=1)


def test_a_path_follows_what_moves_through_noise() -> None:
    rng = np.random.default_rng(0)
    truth = (np.arange(60) // 2 + 10) % 72
    evidence = 0.5 * rng.random((60, 72)).astype(np.float32)
    evidence[np.arange(60), truth] += 1.0
    path = PathFinder(RING, 2.0).best(evidence)
    assert np.abs(path - truth).max() <= 1


def test_a_path_stays_where_nothing_is_seen() -> None:
    evidence = np.zeros((40, 72), np.float32)
    evidence[:10, 20] = 1
    evidence[30:, 22] = 1
    path = PathFinder(RING, 2.0).best(evidence)
    assert set(path[:10]) == {20}
    assert set(path[30:]) == {22}
    assert path.min() >= 20
    assert path.max() <= 22


def test_a_flash_elsewhere_does_not_draw_a_path_away() -> None:
    evidence = np.zeros((40, 72), np.float32)
    evidence[:, 20] = 1
    evidence[15, 56] = 3
    assert set(PathFinder(RING, 2.0).best(evidence)) == {20}


def test_it_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(1)
    ring = RING[::12]  # six cells: every path can be tried
    finder = PathFinder(ring, 0.5)
    evidence = rng.random((5, 6)).astype(np.float32)
    cost = 0.5 * finder.angles**2

    def worth(path: np.ndarray) -> float:
        steps = cost[path[1:], path[:-1]].sum()
        return float(evidence[np.arange(5), path].sum() - steps)

    every = np.stack(np.meshgrid(*[np.arange(6)] * 5)).reshape(5, -1).T
    assert worth(finder.best(evidence)) == max(worth(path) for path in every)


def test_the_sphere_knows_no_seam() -> None:
    truth = (np.arange(40) + 60) % 72
    evidence = np.zeros((40, 72), np.float32)
    evidence[np.arange(40), truth] = 1
    np.testing.assert_array_equal(PathFinder(RING, 2.0).best(evidence), truth)


def test_smoothing_keeps_what_is_constant_and_spreads_a_peak() -> None:
    np.testing.assert_allclose(smoothed(np.full((20, 2), 3.0, np.float32), 2.0), 3.0, rtol=1e-6)
    peak = np.zeros((31, 1), np.float32)
    peak[15] = 1
    spread = smoothed(peak, 2.0)
    assert float(spread.sum()) == 1.0 or abs(float(spread.sum()) - 1) < 1e-5
    assert int(spread.argmax()) == 15
    assert float(spread.max()) < 0.25


def test_unit_vectors() -> None:
    found = normalised(np.array([[0, 3, 4], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(found, [[0, 0.6, 0.8], [1, 0, 0]])
