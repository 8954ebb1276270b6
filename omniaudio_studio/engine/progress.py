"""How far a generation is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

STAGES = ("frames", "sampling", "decoding")
# Rough shares of the whole, for a bar that only moves forward; the time left is measured.
_SHARES = {"frames": 0.4, "sampling": 0.4, "decoding": 0.2}


@dataclass(frozen=True)
class Progress:
    """One report.

    Parameters
    ----------
    stage
        What is being done: "loading", "frames", "sampling" or "decoding".
    done, total
        Seconds of the clip, over all stages together; ``done`` never falls.
    eta
        Seconds left for the whole, None while unknown.
    """

    stage: str
    done: float
    total: float
    eta: float | None


class Meter:
    """Counts work by stage and reports it.

    Parameters
    ----------
    totals
        Units of work by stage.
    seconds
        Length of the range, seconds.
    report
        Receives every :class:`Progress`; None for nobody.
    """

    def __init__(
        self,
        totals: Mapping[str, int],
        seconds: float,
        report: Callable[[Progress], None] | None,
    ) -> None:
        self._totals = dict(totals)
        self._done = dict.fromkeys(self._totals, 0)
        self.seconds = dict.fromkeys(self._totals, 0.0)
        self._length = seconds
        self._report = report
        self._begun = time.monotonic()
        self._running: tuple[str, float] | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of this block to a stage."""
        self._running = (stage, time.monotonic())
        try:
            yield
        finally:
            self.seconds[stage] += time.monotonic() - self._running[1]
            self._running = None

    def advance(self, stage: str, units: int = 1) -> None:
        """Count finished units and report."""
        self._done[stage] = min(self._totals[stage], self._done[stage] + units)
        if self._report is not None:
            done = self._fraction()
            self._report(Progress(stage, done * self._length, self._length, self._left(done)))

    def start(self) -> None:
        """Report that nothing is done yet."""
        if self._report is not None:
            self._report(Progress("loading", 0.0, self._length, None))

    def _fraction(self) -> float:
        return sum(
            _SHARES[stage] * (self._done[stage] / total if total else 1.0)
            for stage, total in self._totals.items()
        )

    def _left(self, fraction: float) -> float | None:
        """Seconds left: measured cost of each stage's unit times the units left."""
        left = 0.0
        for stage, total in self._totals.items():
            remaining = total - self._done[stage]
            if not remaining:
                continue
            if self._done[stage]:
                spent = self.seconds[stage]
                if self._running is not None and self._running[0] == stage:
                    spent += time.monotonic() - self._running[1]
                left += spent / self._done[stage] * remaining
            elif fraction > 0.05:  # no unit of this stage yet: by the whole
                return (time.monotonic() - self._begun) * (1.0 - fraction) / fraction
            else:
                return None
        return left
