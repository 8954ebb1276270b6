"""Progress of a look at a clip, with an estimate."""

from __future__ import annotations

import time
from collections.abc import Callable

from omniaudio_studio.engine.progress import Progress

_EVERY = 0.2  # seconds between two reports


class Meter:
    """Reports seconds of a clip that were looked at, as stage "picture".

    Parameters
    ----------
    progress
        Receives the reports; None for nobody.
    duration
        Seconds in all.
    """

    def __init__(self, progress: Callable[[Progress], None] | None, duration: float) -> None:
        self._progress, self._duration = progress, duration
        self._begun = time.monotonic()
        self._told = -1.0

    def at(self, seconds: float) -> None:
        """``seconds`` of the range are done."""
        now = time.monotonic()
        done = min(seconds, self._duration)
        if self._progress is None or (now - self._told < _EVERY and done < self._duration):
            return
        self._told = now
        left = None if done <= 0 else (now - self._begun) * (self._duration - done) / done
        self._progress(Progress("picture", done, self._duration, left))
