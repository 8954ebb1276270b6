"""The few points of a path that tell the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def needed_points(
    count: int, error: Callable[[int, int], NDArray[np.float64]], tolerance: float = 1.0
) -> list[int]:
    """Indices of the points that are needed, in order; the first and the last one always are.

    Douglas and Peucker, "Algorithms for the reduction of the number of points required to represent
    a digitized line" (1973), with any measure for the distance.

    Parameters
    ----------
    count
        How many points there are, at least 1.
    error
        How far each point between the points ``first`` and ``last`` is from where these two have
        it: (last - first - 1,).
    tolerance
        How far a point that is left out may be.
    """
    kept = {0, count - 1}
    open_ = [(0, count - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        off = error(first, last)
        worst = int(np.argmax(off))
        if off[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return sorted(kept)
