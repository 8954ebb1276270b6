"""Long curves drawn quickly: every zoom level reads a few numbers per pixel, not all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_TOP = 64  # a level this short needs no shorter one


@dataclass
class MaxPyramid:
    """Rows over time, each level the maximum of pairs of the one before.

    Parameters
    ----------
    base : ndarray, shape (rows, n)
        Any type that can be compared; kept, not copied.

    Attributes
    ----------
    reads : int
        Columns that :meth:`columns` has looked at so far: the work it does, for measurements.
    """

    base: NDArray[np.generic]
    reads: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.levels: list[NDArray[np.generic]] = [self.base]
        while self.levels[-1].shape[1] > _TOP:
            last = self.levels[-1]
            even = last[:, : last.shape[1] // 2 * 2].reshape(last.shape[0], -1, 2).max(axis=2)
            if last.shape[1] % 2:
                even = np.concatenate([even, last[:, -1:]], axis=1)
            self.levels.append(even)

    @property
    def length(self) -> int:
        """Columns of the base."""
        return int(self.base.shape[1])

    def columns(self, start: float, step: float, count: int) -> NDArray[np.generic]:
        """Maximum over ``count`` stretches of ``step`` columns each, from column ``start``.

        Parameters
        ----------
        start, step
            In columns of the base; ``step`` above 0. A stretch takes every column it touches.
        count
            At least 0.

        Returns
        -------
        ndarray, shape (rows, count)
            Stretches past either end repeat the first or last column.
        """
        if self.length == 0:
            return np.zeros((self.base.shape[0], count), dtype=self.base.dtype)
        number = 0
        while step >= 2 ** (number + 1) and number + 1 < len(self.levels):
            number += 1
        # No wider than 2 columns of its level (the last level apart): it touches 3 at most.
        level = self.levels[number]
        edges = (start + step * np.arange(count + 1)) / 2**number
        first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
        last = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64) - 1, first)
        most = level.shape[1] - 1
        np.clip(first, 0, most, out=first)
        np.clip(last, 0, most, out=last)
        result = level[:, first]
        widest = int((last - first).max(initial=0))
        for offset in range(1, widest + 1):
            result = np.maximum(result, level[:, np.minimum(first + offset, last)])
        self.reads += count * (widest + 1)
        return result


class PeakPyramid:
    """Smallest and largest sample over time.

    Parameters
    ----------
    peaks : ndarray, shape (2, n)
        Minima and maxima; float in [-1, 1] or int8 in [-127, 127].
    rate : float
        Columns per second.
    """

    def __init__(self, peaks: NDArray[np.generic], rate: float) -> None:
        values = np.asarray(peaks)
        scale = 1 / 127 if np.issubdtype(values.dtype, np.integer) else 1.0
        values = values.astype(np.float32) * np.float32(scale)
        self.rate = rate
        # Minima are kept negated: one pyramid of maxima serves both.
        self.pyramid = MaxPyramid(np.stack([-values[0], values[1]]))

    @property
    def reads(self) -> int:
        """Columns looked at so far."""
        return self.pyramid.reads

    def columns(
        self, start: float, seconds_per_pixel: float, count: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Minimum and maximum per pixel, each of shape (count,), from ``start`` seconds on.

        Where a peak is wider than a pixel they run in straight lines from one to the next.
        """
        step = seconds_per_pixel * self.rate
        if step >= 1 or self.pyramid.length == 0:
            low, high = self.pyramid.columns(start * self.rate, step, count)
            return -low.astype(np.float32), high.astype(np.float32)
        places = start * self.rate + step * (np.arange(count) + 0.5) - 0.5
        first = max(0, int(np.floor(places[0])) if count else 0)
        last = min(self.pyramid.length, int(np.ceil(places[-1])) + 1 if count else 0)
        if last <= first:
            first, last = self.pyramid.length - 1, self.pyramid.length
        near = self.pyramid.base[:, first:last].astype(np.float32)
        self.pyramid.reads += last - first
        at = np.arange(first, last)
        low = np.interp(places, at, near[0]).astype(np.float32)
        high = np.interp(places, at, near[1]).astype(np.float32)
        return -low, high
