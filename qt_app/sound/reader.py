"""Reads ahead of the playhead, in a thread, so that the callback only copies."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from qt_app.sound.mixer import Mixer
from qt_app.sound.track import PIECE, Track

AHEAD_SECONDS = 1.0
_TURN_SECONDS = 0.02
_PATIENCE_SECONDS = 0.5


@dataclass
class _Wish:
    """What the mixer should be told once the sound for it is there."""

    frame: int | None = None
    serial: int = 0
    jump: bool = False
    play: bool = False
    until: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_SECONDS)


class Reader:
    """Keeps the pieces of all tracks that will be needed within a second.

    All tracks stand ready at the playhead, so that one can be heard after the other without a gap,
    and so does the beginning of the loop. Seeking and choosing wait here, a few milliseconds, until
    there is something to be heard, while what was heard before goes on.

    Parameters
    ----------
    mixer : Mixer
        Whose playhead is followed and who is told.
    problem : callable
        Takes one line, once for each track that fails; called in the reader's thread.
    """

    def __init__(self, mixer: Mixer, problem: Callable[[str], None]) -> None:
        self._mixer = mixer
        self._problem = problem
        self._lock = threading.Lock()
        self._tracks: list[Track] = []
        self._selected: Track | None = None
        self._wish: _Wish | None = None
        self._granted: list[tuple[int, float]] = []
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="omniaudio-reader", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def set_tracks(self, tracks: list[Track], selected: Track | None) -> None:
        """Follow these, and crossfade to ``selected`` when it is ready."""
        with self._lock:
            self._tracks = list(tracks)
        self.select(selected)

    def select(self, track: Track | None) -> None:
        """Crossfade to a track."""
        with self._lock:
            self._selected = track
            wish = self._wish or _Wish()
            wish.jump = True
            self._wish = wish
        self._wake.set()

    def seek(self, frame: int, serial: int) -> None:
        """Go to a sample of the time line."""
        with self._lock:
            old = self._wish
            self._wish = _Wish(frame, serial, True, old is not None and old.play)
        self._wake.set()

    def play(self) -> None:
        """Run once what is to be heard is there."""
        with self._lock:
            wish = self._wish or _Wish()
            wish.play = True
            self._wish = wish
        self._wake.set()

    def pause(self) -> None:
        """Stand still at once."""
        with self._lock:
            if self._wish is not None:
                self._wish.play = False
        self._mixer.pause()

    def pending_seek(self) -> tuple[int, int] | None:
        """(sample, serial) of a seek that the mixer has not been told of."""
        wish = self._wish
        return None if wish is None or wish.frame is None else (wish.frame, wish.serial)

    def step(self) -> bool:
        """Load the most urgent piece, tell the mixer what waited for it. False: all is there.

        For tests; the thread calls it.
        """
        with self._lock:
            tracks, selected, wish = list(self._tracks), self._selected, self._wish
        places = self._plan(wish)
        if wish is not None and self._ready(selected, wish, places):
            self._grant(wish, selected)
        keep = set(places)
        for track in tracks:
            track.forget(keep)
        found = self._most_urgent(places, tracks, selected)
        if found is None:
            return False
        track, index = found
        message = track.load(index)
        if message is not None:
            self._problem(message)
        return True

    def _run(self) -> None:
        _let_the_callback_pass()
        while not self._closed:
            if not self.step():
                self._wake.wait(_TURN_SECONDS)
                self._wake.clear()

    def _plan(self, wish: _Wish | None) -> list[int]:
        """Pieces that will be needed, the soonest first."""
        mixer = self._mixer
        ahead = int(AHEAD_SECONDS * mixer.rate)
        loop = mixer.loop
        spans = []
        if wish is not None and wish.frame is not None:
            spans.append((wish.frame, wish.frame + ahead))
        position = mixer.position
        if loop is not None and position < loop[1]:
            # A little beyond the end: it is faded out over the loop's beginning.
            spans.append((position, min(position + ahead, loop[1] + PIECE)))
            spans.append((loop[0], min(loop[0] + ahead, loop[1] + PIECE)))
        else:
            spans.append((position, position + ahead))
        places: dict[int, None] = {}
        for start, stop in spans:
            for index in range(start // PIECE, (stop - 1) // PIECE + 1):
                places[index] = None
        # What is being faded out, and what was asked for but has not begun.
        for frame in [*mixer.playheads(), *self._granted_frames()]:
            places[frame // PIECE] = None
            places[frame // PIECE + 1] = None
        return list(places)

    def _granted_frames(self) -> list[int]:
        now = time.monotonic()
        self._granted = [(frame, until) for frame, until in self._granted if until > now]
        return [frame for frame, _ in self._granted]

    def _ready(self, track: Track | None, wish: _Wish, places: list[int]) -> bool:
        if track is None or time.monotonic() > wish.until:
            return True
        frame = self._mixer.position if wish.frame is None else wish.frame
        first = frame // PIECE
        return first in track.pieces and first + 1 in track.pieces

    def _grant(self, wish: _Wish, selected: Track | None) -> None:
        with self._lock:
            if self._wish is not wish or self._selected is not selected:
                return  # changed meanwhile: next turn
            self._wish = None
            if wish.frame is not None:
                self._granted.append((wish.frame, time.monotonic() + _PATIENCE_SECONDS))
            if wish.jump:
                self._mixer.jump(selected, wish.frame, wish.serial)
            if wish.play:
                self._mixer.play()

    @staticmethod
    def _most_urgent(
        places: list[int], tracks: list[Track], selected: Track | None
    ) -> tuple[Track, int] | None:
        """Of the selected track first, two pieces of each before any goes further."""
        order = sorted(tracks, key=lambda track: track is not selected)
        for start in range(0, len(places), 2):
            for track in order:
                for index in places[start : start + 2]:
                    if index not in track.pieces:
                        return track, index
        return None


def _let_the_callback_pass() -> None:
    """Where the process runs in real time: this thread, which has a second to spare, comes last."""
    if not hasattr(os, "sched_getscheduler"):
        return
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) == os.SCHED_RR:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
