"""Found directions, many a second, turned into the few keyframes that say the same.

The distance of a point (see `foa.thinning`) is that between where a source is and where its thinned
path has it at that time: also how it speeds up is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.thinning import needed_points
from omniaudio_studio.jobs.result import FoundSource
from qt_app.sources.editing import free_colour, free_name
from qt_app.sources.source import ClipSource, Sources, tidy

ANGLE = 2.0
"""Degrees that the thinned path may be off."""
GAIN = 0.05
CONFIDENCE = 0.05

Array = NDArray[np.float64]


def taken_over(found: Iterable[FoundSource], present: Sources = ()) -> Sources:
    """Found sources as editable ones, beside those that are there.

    Parameters
    ----------
    found
        As a result has them.
    present
        Their names and colours are left to them.
    """
    made: list[ClipSource] = []
    for source in found:
        points = np.array(source.points, dtype=np.float64)
        kept = needed_points(len(points), _path_error(points))
        if len(kept) == 2 and _at_rest(points[kept]):
            kept = kept[:1]
        others = (*present, *made)
        name = source.name
        if any(other.name == name for other in others):
            name = free_name(others)
        made.append(
            ClipSource(
                name,
                tuple(
                    (float(max(t, 0.0)), *tidy(az, el), round(float(gain), 3))
                    for t, az, el, gain in points[kept]
                ),
                colour=free_colour(others),
                confidence=_confidence(points[:, 0], source),
            )
        )
    return tuple(made)


def _at_rest(ends: Array) -> bool:
    """Whether the first of two points says the second one too."""
    (az, el), (az2, el2) = np.radians(ends[:, 1:3])
    along = np.sin(el) * np.sin(el2) + np.cos(el) * np.cos(el2) * np.cos(az - az2)
    same = bool(along >= np.cos(np.radians(ANGLE)))
    return same and abs(ends[0, 3] - ends[1, 3]) <= GAIN


def _path_error(points: Array) -> Callable[[int, int], Array]:
    """How far off the points between two are, 1 being as far as they may be."""
    az, el = np.radians(points[:, 1]), np.radians(points[:, 2])
    vectors = np.stack([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)], axis=1)
    times, gains = points[:, 0], points[:, 3]

    def error(first: int, last: int) -> Array:
        ends, inside = [first, last], slice(first + 1, last)
        there = GreatCircleTrack(times[ends], vectors[ends]).at(times[inside])
        across = np.linalg.norm(there - vectors[inside], axis=1)
        angle = np.degrees(2 * np.arcsin(np.clip(across / 2, 0, 1)))
        gain = np.abs(np.interp(times[inside], times[ends], gains[ends]) - gains[inside])
        return np.maximum(angle / ANGLE, gain / GAIN)

    return error


def _confidence(times: Array, source: FoundSource) -> tuple[tuple[float, float], ...]:
    """How sure it was over time; nothing where the directions were given."""
    values = np.array(source.confidence, dtype=np.float64)
    return () if np.all(values == 1.0) else _curve(times, values)


def _curve(times: Array, values: Array) -> tuple[tuple[float, float], ...]:
    def error(first: int, last: int) -> Array:
        ends, inside = [first, last], slice(first + 1, last)
        line = np.interp(times[inside], times[ends], values[ends])
        return np.abs(line - values[inside]) / CONFIDENCE

    kept = needed_points(times.size, error)
    return tuple((round(float(times[n]), 3), round(float(values[n]), 3)) for n in kept)
