"""How meter needles move: pure arithmetic on levels and times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

FLOOR = -70.0
"""dB: below it there is nothing to show."""

FALL = 20.0  # dB per second
HOLD = 1.5  # seconds that a peak's mark stays
FULL_SCALE = 0.0

# IEC 60268-18: deflection in percent over dB, in straight lines; full scale is the top.
_SCALE = ((-70.0, 0.0), (-60.0, 2.5), (-50.0, 7.5), (-40.0, 15.0), (-30.0, 30.0), (-20.0, 50.0))
_TOP = (0.0, 100.0)


def deflection(db: float) -> float:
    """Part of a meter's length (0 to 1) for a level in dB of full scale, after IEC 60268-18."""
    points = (*_SCALE, _TOP)
    if not db > points[0][0]:
        return 0.0
    for (low, start), (high, end) in itertools.pairwise(points):
        if db <= high:
            return (start + (db - low) / (high - low) * (end - start)) / 100
    return 1.0


def decibels(level: float) -> float:
    """Of a linear level; at least `FLOOR`."""
    return max(FLOOR, 20 * math.log10(level)) if level > 0 else FLOOR


@dataclass
class Needle:
    """One channel: where its bars are, dB of full scale.

    Attributes
    ----------
    peak, rms
        Rise at once, fall by 20 dB per second.
    hold
        The highest peak of the last moments.
    over
        Whether full scale was reached since :meth:`MeterNeedles.clear`.
    """

    peak: float = FLOOR
    rms: float = FLOOR
    hold: float = FLOOR
    over: bool = False
    held_for: float = 0.0

    def feed(self, peak: float, rms: float, elapsed: float) -> None:
        """New levels (linear), ``elapsed`` seconds after the last ones."""
        fall = FALL * max(0.0, elapsed)
        self.over = self.over or peak >= 1.0
        self.peak = max(decibels(peak), self.peak - fall, FLOOR)
        self.rms = max(decibels(rms), self.rms - fall, FLOOR)
        self.held_for += elapsed
        if self.peak >= self.hold:
            self.hold, self.held_for = self.peak, 0.0
        elif self.held_for > HOLD:
            self.hold = max(self.peak, self.hold - fall)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is shown but, perhaps, that it was over."""
        return self.hold <= FLOOR


class MeterNeedles:
    """Several channels together."""

    def __init__(self, count: int) -> None:
        self.needles = tuple(Needle() for _ in range(count))

    def feed(self, peaks: Sequence[float], rms: Sequence[float], elapsed: float) -> None:
        """New levels (linear) of all channels."""
        for needle, peak, mean in zip(self.needles, peaks, rms, strict=True):
            needle.feed(peak, mean, elapsed)

    def clear(self) -> None:
        """Forget what was over and what was held."""
        for needle in self.needles:
            needle.over, needle.hold, needle.held_for = False, needle.peak, 0.0

    @property
    def at_rest(self) -> bool:
        """Whether all have fallen."""
        return all(needle.at_rest for needle in self.needles)
