"""Smooth paths on spheres: directions (unit 3-vectors) and orientations (unit quaternions)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class GreatCircleTrack:
    """Unit vectors at given times, joined by great-circle arcs run through at constant speed.

    From a to b, at an angle omega from each other: v(f) = a cos(f omega) + e sin(f omega), where e
    is the unit part of b orthogonal to a. (Shoemake, "Animating rotation with quaternion curves",
    SIGGRAPH 1985, in a form that also holds where omega is 0 or pi.) Between exact opposites, where
    every way is as short, one is picked.

    Parameters
    ----------
    times : array_like, shape (k,)
        Seconds, not descending.
    vectors : array_like, shape (k, d)
        Unit vectors.

    Raises
    ------
    ValueError
        If there is no point, the shapes differ or the times descend.
    """

    def __init__(self, times: ArrayLike, vectors: ArrayLike) -> None:
        self._times = np.atleast_1d(np.asarray(times, dtype=np.float64))
        points = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
        if self._times.ndim != 1 or self._times.size == 0 or points.shape[0] != self._times.size:
            raise ValueError(
                f"expected as many points as times, at least one; found {points.shape[0]} points "
                f"and times of shape {self._times.shape}"
            )
        if not np.all(np.diff(self._times) >= 0):
            raise ValueError("expected times in ascending order")
        self._from = points
        self._span = np.diff(self._times)
        start, end = points[:-1], points[1:]
        along = np.sum(start * end, axis=1, keepdims=True)
        across = end - along * start
        length = np.linalg.norm(across, axis=1, keepdims=True)
        self._omega = np.arctan2(length, along)[:, 0]
        self._across = np.where(length > 1e-9, across / np.maximum(length, 1e-300), _beside(start))

    def at(self, times: ArrayLike) -> NDArray[np.float64]:
        """Unit vectors (n, d) at ``times`` (n,); at rest before the first and after the last."""
        when = np.asarray(times, dtype=np.float64)
        if self._times.size == 1:
            return np.repeat(self._from, when.size, axis=0)
        piece = np.clip(
            np.searchsorted(self._times, when, side="right") - 1, 0, self._span.size - 1
        )
        span = self._span[piece]
        passed = when - self._times[piece]
        # Two points at the same time are a jump.
        fraction = np.where(span > 0, passed / np.where(span > 0, span, 1.0), passed >= 0)
        angle = (np.clip(fraction, 0.0, 1.0) * self._omega[piece])[:, None]
        return self._from[piece] * np.cos(angle) + self._across[piece] * np.sin(angle)


def _beside(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each unit vector (n, d) some unit vector orthogonal to it."""
    other = np.zeros_like(vectors)
    rows = np.arange(len(vectors))
    other[rows, np.argmin(np.abs(vectors), axis=1)] = 1.0
    other -= np.sum(other * vectors, axis=1, keepdims=True) * vectors
    return other / np.linalg.norm(other, axis=1, keepdims=True)
