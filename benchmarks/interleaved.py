"""Two ways to do one thing, timed in pairs: for the benchmarks beside this file."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Medians over pairs in seconds, and slow over fast: within each pair, and their median."""

    slow: float
    fast: float
    ratio: float
    ratios: list[float]


def in_pairs(slow: Callable[[], float], fast: Callable[[], float], pairs: int) -> Times:
    """Measure both ``pairs`` times, one right after the other.

    Every other pair goes the other way round, so that a machine that grows slower or faster does
    not favour a side. ``slow`` and ``fast`` measure their own seconds.
    """
    times = []
    for pair in range(pairs):
        if pair % 2:
            late, early = fast(), slow()
            times.append((early, late))
        else:
            times.append((slow(), fast()))
    ratios = [a / b for a, b in times]
    return Times(
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(ratios),
        ratios,
    )
