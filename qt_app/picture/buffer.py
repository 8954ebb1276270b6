"""Pictures that are ready, by the time they are shown; plain data, locked by its owner."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qt_app.picture.frames import Picture

BEHIND = 4  # pictures kept behind what is shown: steps back need no seek
# Kept from a loop's start on, so that it starts again without a wait: seconds, and at most so many.
PINNED = 0.7
MOST_PINNED = 24


@dataclass(eq=False)
class Entry:
    """A picture and the span in which it is the one to show: ``start <= t < until``."""

    picture: Picture
    start: float
    until: float

    def covers(self, t: float) -> bool:
        """Whether it is the picture of that moment."""
        return self.start <= t < self.until


class FrameBuffer:
    """Entries of one run of the decoder in ascending order, and the pinned start of a loop."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._pinned: list[Entry] = []
        self._loop_start: float | None = None
        self.shown: Picture | None = None

    def start_run(self) -> None:
        """The decoder went elsewhere: forget what is not shown and not pinned."""
        self._entries.clear()

    def clear(self, keep_shown: bool = False) -> None:
        """Another clip."""
        self._entries.clear()
        self._pinned.clear()
        if not keep_shown:
            self.shown = None

    def add(self, entry: Entry) -> None:
        """The decoder's next picture."""
        self._entries.append(entry)
        self._pin(entry)

    def pin_from(self, start: float | None) -> None:
        """Keep the pictures from here on, when they come by; None: none."""
        if start != self._loop_start:
            self._loop_start = start
            self._pinned.clear()
            for entry in self._entries:
                self._pin(entry)

    def would_pin(self, start: float, until: float) -> bool:
        """Whether a picture of this span would be kept for the loop and is not there yet."""
        first = self._loop_start
        if first is None or until <= first or start >= first + PINNED:
            return False
        if len(self._pinned) >= MOST_PINNED:
            return False
        return all(start != other.start for other in self._pinned)

    def _pin(self, entry: Entry) -> None:
        if self.would_pin(entry.start, entry.until):
            self._pinned.append(entry)
            self._pinned.sort(key=lambda other: other.start)

    def exact(self, t: float) -> Entry | None:
        """The entry of that moment; None while it is not there."""
        for entry in reversed(self._entries):
            if entry.covers(t):
                return entry
        for entry in self._pinned:
            if entry.covers(t):
                return entry
        return None

    def at(self, t: float) -> Picture | None:
        """What to show: the moment's picture, else the nearest before it of this run, else what
        was shown last.
        """
        entry = self.exact(t)
        if entry is not None:
            self.shown = entry.picture
        else:
            before = [entry for entry in self._entries if entry.start <= t]
            if before:
                self.shown = before[-1].picture
        return self.shown

    def pinned_until(self, t: float) -> float:
        """Where the pinned pictures that cover ``t`` end; ``t`` itself where none does."""
        for entry in self._pinned:
            if entry.covers(t) and entry.until < math.inf:
                t = entry.until
        return t

    def ahead(self, t: float) -> int:
        """How many pictures are ready for later."""
        return sum(entry.start > t for entry in self._entries)

    def trim(self, t: float) -> None:
        """Forget what lies far behind."""
        gone = [entry for entry in self._entries if entry.until <= t]
        for entry in gone[: max(0, len(gone) - BEHIND)]:
            self._entries.remove(entry)
