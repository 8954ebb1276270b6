"""One source of a clip as the window keeps it, and where it is at a time."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, fields
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.checks import as_rows, check_integer, check_number, check_rows
from omniaudio_studio.jobs.request import Hint
from omniaudio_studio.jobs.spatialize_request import MAX_SOURCES, DirectedSource, Point

Sources = tuple["ClipSource", ...]
Hints = tuple[Hint, ...]

MAX_COLOURS = 4
"""As many as `theme.series` has."""


@dataclass(frozen=True)
class ClipSource(DirectedSource):
    """A source of a request, and how it is shown.

    Parameters
    ----------
    colour
        Which of `theme.series`.
    confidence
        (time, 0 to 1) by ascending time: how sure the directions were where they were found; empty
        for a path that was drawn.
    """

    colour: int = 0
    confidence: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "confidence", as_rows(self.confidence))

    def validate(self, label: str = "source") -> None:
        """Check every value; raises OptionError with one line."""
        super().validate(label)
        check_integer(f"{label} colour", self.colour, 0, MAX_COLOURS - 1)
        check_rows(f"{label} confidence", self.confidence, ("time", "confidence"))
        for time, value in self.confidence:
            check_number(f"{label} confidence time", time)
            check_number(f"{label} confidence", value, minimum=0.0, maximum=1.0)

    def directed(self) -> DirectedSource:
        """As a request has it."""
        names = [field.name for field in fields(DirectedSource)]
        return DirectedSource(**{name: getattr(self, name) for name in names})


def at(points: tuple[Point, ...], time: float) -> Point:
    """(time, azimuth, elevation, gain) of a path at a time: see `DirectedSource`.

    Degrees; along the great circle at constant speed between two points, at rest outside.
    """
    index = bisect_right(points, time, key=lambda point: point[0])
    if index == 0 or index == len(points):
        _, azimuth, elevation, gain = points[min(index, len(points) - 1)]
        return time, azimuth, elevation, gain
    before, after = points[index - 1], points[index]
    part = (time - before[0]) / (after[0] - before[0])
    azimuth, elevation = between(before[1:3], after[1:3], part)
    return time, azimuth, elevation, before[3] + part * (after[3] - before[3])


def between(start: tuple[float, ...], end: tuple[float, ...], part: float) -> tuple[float, float]:
    """The direction ``part`` (0 to 1) of the way from one to another; degrees."""
    a, b = _vector(*start), _vector(*end)
    along = sum(x * y for x, y in zip(a, b, strict=True))
    across = [y - along * x for x, y in zip(a, b, strict=True)]
    size = math.sqrt(sum(x * x for x in across))
    if size < 1e-9:  # the same place, or exact opposites: any way is as short
        return start[0], start[1]
    turn = part * math.atan2(size, along)
    x, y, z = (
        u * math.cos(turn) + v / size * math.sin(turn) for u, v in zip(a, across, strict=True)
    )
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


def tidy(azimuth: float, elevation: float) -> tuple[float, float]:
    """A direction in degrees as it is kept: azimuth in (-180, 180], hundredths."""
    azimuth = math.remainder(azimuth, 360.0)
    azimuth = 180.0 if azimuth <= -180.0 else azimuth
    return round(azimuth, 2) + 0.0, round(min(max(elevation, -90.0), 90.0), 2) + 0.0


def read_sources(data: Any) -> Sources:
    """A clip's sources from JSON; raises OptionError with one line."""
    if not isinstance(data, list | tuple):
        raise OptionError(f"sources must be a list, found {type(data).__name__}")
    found = [ClipSource.from_dict(item, f"source {n}") for n, item in enumerate(data, 1)]
    return tuple(source for source in found if isinstance(source, ClipSource))


def read_hints(data: Any) -> Hints:
    """A clip's hints from JSON; raises OptionError with one line."""
    if not isinstance(data, list | tuple):
        raise OptionError(f"hints must be a list, found {type(data).__name__}")
    return tuple(Hint.from_dict(item, f"hint {n}") for n, item in enumerate(data, 1))


def check_sources(sources: Any) -> None:
    """Refuse what is no tuple of valid sources, or too many; raises OptionError."""
    if not isinstance(sources, tuple):
        raise OptionError(f"sources must be a list, found {sources!r}")
    if len(sources) > MAX_SOURCES:
        raise OptionError(f"there are {len(sources)} sources; give at most {MAX_SOURCES}")
    for number, source in enumerate(sources, 1):
        if not isinstance(source, ClipSource):
            raise OptionError(f"source {number} is none, found {source!r}")
        source.validate(f"source {number}")


def _vector(azimuth: float, elevation: float) -> tuple[float, float, float]:
    az, el = math.radians(azimuth), math.radians(elevation)
    return math.cos(el) * math.cos(az), math.cos(el) * math.sin(az), math.sin(el)
