"""Paths with fewer points: what lies on the way between two others need not be told.

Ramer-Douglas-Peucker: of a stretch, the point that is farthest off the way between its ends stays,
and divides it, until none is farther off than a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mathutils import Euler, Quaternion, Vector

CLOSE = 0.1  # metres: nearer than this a direction says little

Row = tuple[float, ...]
Off = Callable[[Row, Row, Row], float]


def thinned(rows: Sequence[Row], tolerance: float, off: Off) -> tuple[Row, ...]:
    """The rows that are needed.

    Parameters
    ----------
    rows
        By ascending time, which is their first value.
    off
        How far a row (the third) is off the way between two others.
    """
    kept = {0, len(rows) - 1}
    stretches = [(0, len(rows) - 1)]
    while stretches:
        start, end = stretches.pop()
        worst, place = max(
            ((off(rows[start], rows[end], rows[i]), i) for i in range(start + 1, end)),
            default=(0.0, start),
        )
        if worst > tolerance:
            kept.add(place)
            stretches += [(start, place), (place, end)]
    return tuple(rows[place] for place in sorted(kept))


def place_off(first: Row, last: Row, row: Row) -> float:
    """For (time, x, y, z, gain): how far it is off, as a part of its distance.

    The way is the great circle, with distance and gain on a line, as in `PlacedSource`.
    """
    share = (row[0] - first[0]) / (last[0] - first[0])
    begun, ended, here = Vector(first[1:4]), Vector(last[1:4]), Vector(row[1:4])
    near, far = begun.length, ended.length
    if begun == ended:
        way = begun
    elif min(near, far) < CLOSE or begun.dot(ended) < -0.5 * near * far:
        return math.inf  # there is no one way
    else:
        way = begun.normalized().slerp(ended.normalized(), share) * (near + share * (far - near))
    gain = first[4] + share * (last[4] - first[4])
    return max((here - way).length / max(here.length, CLOSE), abs(row[4] - gain))


def turn_off(first: Row, last: Row, row: Row) -> float:
    """For (time, yaw, pitch, roll in degrees): how far it is off, in degrees.

    The way is the turn about one axis, the short way, as heads are followed.
    """
    share = (row[0] - first[0]) / (last[0] - first[0])
    way = _orientation(first).slerp(_orientation(last), share)
    return math.degrees(way.rotation_difference(_orientation(row)).angle)


def _orientation(row: Row) -> Quaternion:
    yaw, pitch, roll = (math.radians(angle) for angle in row[1:4])
    # Rz(yaw) Ry(-pitch) Rx(roll), as in `omniaudio_studio.foa.rotation`.
    return Euler((roll, -pitch, yaw), "XYZ").to_quaternion()
