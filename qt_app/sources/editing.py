"""Editing sources and hints: every function takes what is there and gives something new.

Times in seconds of the clip, angles in degrees, gains from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from omniaudio_studio.jobs.request import Hint
from omniaudio_studio.jobs.spatialize_request import Point
from qt_app.sources.source import MAX_COLOURS, ClipSource, Hints, Sources, at, tidy

CLOSEST = 0.001
"""Seconds between two keyframes of a source, at least."""
SHORTEST_HINT = 0.05
"""Seconds."""


def new_source(
    sources: Sources, time: float, azimuth: float, elevation: float, name: str = ""
) -> ClipSource:
    """A source with one keyframe, a name and a colour of its own."""
    point = (max(0.0, time), *tidy(azimuth, elevation), 1.0)
    return ClipSource(name or free_name(sources), (point,), colour=free_colour(sources))


def free_name(sources: Iterable[ClipSource]) -> str:
    """ "Source 3", with the first number that is free."""
    taken, number = {source.name for source in sources}, 1
    while f"Source {number}" in taken:
        number += 1
    return f"Source {number}"


def free_colour(sources: Iterable[ClipSource]) -> int:
    """The colour that the fewest have."""
    counts = [0] * MAX_COLOURS
    for source in sources:
        counts[source.colour] += 1
    return counts.index(min(counts))


def point_near(source: ClipSource, time: float, reach: float) -> int | None:
    """Index of the keyframe nearest to a time, None where all are further than ``reach``."""
    distance, index = min((abs(p[0] - time), n) for n, p in enumerate(source.points))
    return index if distance <= reach else None


def with_direction(
    source: ClipSource, time: float, azimuth: float, elevation: float, reach: float
) -> ClipSource:
    """With a direction at a time: the keyframe that is near gets it, else there is a new one."""
    index = point_near(source, time, max(reach, CLOSEST))
    here = tidy(azimuth, elevation)
    if index is not None:
        old = source.points[index]
        return _with_points(source, index, index + 1, ((old[0], *here, old[3]),))
    made: Point = (time, *here, at(source.points, time)[3])
    index = sum(point[0] < time for point in source.points)
    return _with_points(source, index, index, (made,))


def with_point(
    source: ClipSource, index: int, azimuth: float, elevation: float, gain: float
) -> ClipSource:
    """With other values of a keyframe."""
    made: Point = (source.points[index][0], *tidy(azimuth, elevation), min(max(gain, 0.0), 1.0))
    return _with_points(source, index, index + 1, (made,))


def moved(source: ClipSource, index: int, time: float, duration: float) -> ClipSource:
    """With a keyframe at another time, as far as its neighbours allow."""
    points = source.points
    earliest = points[index - 1][0] + CLOSEST if index else 0.0
    latest = points[index + 1][0] - CLOSEST if index + 1 < len(points) else max(duration, 0.0)
    time = max(min(time, latest), earliest)
    return _with_points(source, index, index + 1, ((time, *points[index][1:]),))


def without_point(source: ClipSource, index: int) -> ClipSource | None:
    """Without a keyframe; None where it was the only one."""
    if len(source.points) == 1:
        return None
    return _with_points(source, index, index + 1, ())


def replaced(sources: Sources, index: int, source: ClipSource | None) -> Sources:
    """With another one in a place, or none."""
    middle = () if source is None else (source,)
    return (*sources[:index], *middle, *sources[index + 1 :])


def hint_moved(hint: Hint, start: float, end: float, duration: float) -> Hint:
    """With another range inside the clip; one that would be too short stays long enough."""
    start, end = max(0.0, start), min(end, max(duration, SHORTEST_HINT))
    if end - start < SHORTEST_HINT:
        if start == hint.start:
            end = start + SHORTEST_HINT
        else:
            start = max(0.0, end - SHORTEST_HINT)
            end = max(end, start + SHORTEST_HINT)
    return replace(hint, start=start, end=end)


def hint_replaced(hints: Hints, index: int, hint: Hint | None) -> Hints:
    """With another one in a place, or none."""
    middle = () if hint is None else (hint,)
    return (*hints[:index], *middle, *hints[index + 1 :])


def _with_points(source: ClipSource, start: int, end: int, points: tuple[Point, ...]) -> ClipSource:
    return replace(source, points=(*source.points[:start], *points, *source.points[end:]))
