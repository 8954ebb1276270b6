"""Editing a clip's shots: every function takes a tuple of segments and gives a new one.

A tuple of shots here always covers the clip: the first starts at 0, each lasts until the next one
starts, the last until the clip ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from omniaudio_studio.jobs.request import Segment

MIN_SHOT = 0.05
"""Seconds: the shortest shot that editing makes."""

Shots = tuple[Segment, ...]


def covering(shots: Iterable[Segment], duration: float) -> Shots:
    """Shots in order that cover a clip of ``duration`` seconds.

    What lies before the first one becomes a shot of its own with the clip's values; shots that
    start at or after the clip's end, or twice at one time, are left out.
    """
    ordered: list[Segment] = []
    for shot in sorted(shots, key=lambda shot: shot.start):
        if shot.start < 0 or (shot.start >= duration and shot.start > 0):
            continue
        if not ordered or shot.start > ordered[-1].start:
            ordered.append(shot)
    if not ordered or ordered[0].start > 0:
        ordered.insert(0, Segment(0.0))
    return tuple(ordered)


def shot_at(shots: Sequence[Segment], time: float) -> int:
    """Index of the shot that a time lies in."""
    return max(0, bisect_right(shots, time, key=lambda shot: shot.start) - 1)


def span(shots: Sequence[Segment], index: int, duration: float) -> tuple[float, float]:
    """Start and end of a shot, seconds."""
    end = shots[index + 1].start if index + 1 < len(shots) else duration
    return shots[index].start, max(end, shots[index].start)


def split(shots: Shots, time: float, duration: float) -> Shots:
    """Cut a shot in two at ``time``; both halves keep its values.

    The shots as they are where a half would be shorter than `MIN_SHOT`.
    """
    index = shot_at(shots, time)
    start, end = span(shots, index, duration)
    if time - start < MIN_SHOT or end - time < MIN_SHOT:
        return shots
    return (*shots[: index + 1], replace(shots[index], start=time), *shots[index + 1 :])


def move(shots: Shots, index: int, time: float, duration: float) -> Shots:
    """Move the start of shot ``index`` (from 1) to ``time``, as far as its neighbours allow."""
    if not 0 < index < len(shots):
        return shots
    earliest = shots[index - 1].start + MIN_SHOT
    latest = span(shots, index, duration)[1] - MIN_SHOT
    if earliest > latest:
        return shots
    time = min(max(time, earliest), latest)
    return (*shots[:index], replace(shots[index], start=time), *shots[index + 1 :])


def remove(shots: Shots, index: int) -> Shots:
    """Take a shot away; its time goes to the one before it (the first one's to the second)."""
    if len(shots) < 2 or not 0 <= index < len(shots):
        return shots
    rest = (*shots[:index], *shots[index + 1 :])
    return (replace(rest[0], start=0.0), *rest[1:])


def merge(shots: Shots, index: int) -> Shots:
    """Join a shot with the next one; the first of the two keeps its values."""
    if not 0 <= index < len(shots) - 1:
        return shots
    return (*shots[: index + 1], *shots[index + 2 :])


def with_values(shots: Shots, index: int, cfg: float | None, seed: int | None) -> Shots:
    """Give a shot its own CFG and seed; None: the clip's. Raises OptionError out of range."""
    shot = replace(shots[index], cfg=cfg, seed=seed)
    shot.validate()
    return (*shots[:index], shot, *shots[index + 1 :])


def with_cuts(shots: Shots, cuts: Iterable[float], duration: float) -> Shots:
    """Cut at each of ``cuts`` (seconds) that leaves no shot too short."""
    for cut in sorted(cuts):
        shots = split(shots, cut, duration)
    return shots


def snap(time: float, places: Iterable[float], tolerance: float) -> float:
    """The nearest of ``places`` within ``tolerance`` seconds, else the time itself."""
    near = min(places, key=lambda place: abs(place - time), default=time)
    return near if abs(near - time) <= tolerance else time
