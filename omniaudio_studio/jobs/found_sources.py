"""Where a recording's parts were put, in a result's and a sidecar's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.thinning import needed_points
from omniaudio_studio.jobs.result import FoundSource
from omniaudio_studio.jobs.spatialize_request import DirectedSource

if TYPE_CHECKING:
    from omniaudio_studio.engine.spatialize.found import Found

# How far what is left out may lie from the line between the points that are kept: of a unit
# vector's parts (0.01 is about half a degree), a gain or a confidence.
_TOLERANCE = 0.01


def given_sources(sources: tuple[DirectedSource, ...]) -> tuple[FoundSource, ...]:
    """Given directions are as sure as can be."""
    return tuple(
        FoundSource(source.name, source.points, (1.0,) * len(source.points)) for source in sources
    )


def found_sources(found: Found) -> tuple[FoundSource, ...]:
    """What was found, as directions that may be given again.

    A source's gain is the mean of its shares over the bands; one that never has a share is left
    out. Points that lie between their neighbours to about half a degree are left out. Times are
    rounded to a tenth of a millisecond, angles to a hundredth of a degree.
    """
    placement = found.placement
    sources = []
    for index, name in enumerate(found.names):
        directions = placement.directions[index].astype(np.float64)
        gain = placement.shares[index].mean(axis=0).astype(np.float64)
        confidence = placement.confidence[index].astype(np.float64)
        if not gain.any():
            continue
        table = np.column_stack([directions, gain, confidence])
        times = placement.times
        kept = needed_points(len(times), _line_error(times, table), _TOLERANCE)
        x, y, z = directions[kept].T
        columns = (
            np.round(times[kept], 4),
            np.round(np.degrees(np.arctan2(y, x)), 2),
            np.round(np.degrees(np.arctan2(z, np.hypot(x, y))), 2),
            np.round(np.clip(gain[kept], 0.0, 1.0), 4),
        )
        points = tuple(tuple(map(float, row)) for row in zip(*columns, strict=True))
        sure = tuple(float(value) for value in np.round(np.clip(confidence[kept], 0, 1), 4))
        sources.append(FoundSource(name, points, sure))
    return tuple(sources)


def _line_error(
    times: NDArray[np.float64], table: NDArray[np.float64]
) -> Callable[[int, int], NDArray[np.float64]]:
    """How far rows are from the straight line between two others."""

    def error(first: int, last: int) -> NDArray[np.float64]:
        inner = slice(first + 1, last)
        part = (times[inner] - times[first]) / (times[last] - times[first])
        line = table[first] + part[:, None] * (table[last] - table[first])
        away: NDArray[np.float64] = np.abs(table[inner] - line).max(axis=1)
        return away

    return error
