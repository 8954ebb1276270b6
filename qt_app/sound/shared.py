"""The few numbers that the window and the sound process share, in a small mapped file.

The window writes the head's orientation at every mouse event; the audio callback reads it when it
starts a block, so that nothing but one block of sound and the device lie between hand and ear. The
other way go the clock, the time line and the meters. Each part has one writer and is guarded by a
sequence number that is odd while it is being written (a seqlock): readers never wait for writers
nor the other way round. Standard library only.

The clock says when a frame of the output is heard::

    heard(now) = frame + (now - time) / seconds_per_frame        (now: time.monotonic())

and the time line says what these frames are: a ring of the last turns (frame, position, speed,
serial), each of which holds from its frame on, until the next. Play, pause, seek and the seam of a
loop are turns.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omniaudio_studio.jobs.processes import process_mark

TURNS = 32
_TRIES = 64
_PREFIX, _SUFFIX = "omniaudio-sound-", ".state"
_OWNED = re.compile(rf"{_PREFIX}([1-9][0-9]{{0,8}})-[^-]+{re.escape(_SUFFIX)}")

# Offsets in 8-byte words.
_LOOK = 0  # sequence, w, x, y, z
_CLOCK = 8  # sequence, frame, time, seconds per frame, rate, end
_LINE = 16  # sequence, count of turns ever made, then TURNS x 4
_METERS = _LINE + 2 + 4 * TURNS  # sequence, peaks of W Y Z X L R, rms of the same
_COUNTS = _METERS + 16  # underflows, blocks starved by the files, callbacks, longest callback (s)
_WORDS = _COUNTS + 8
METERS = 6


class Clock(NamedTuple):
    """Which frame of the output is heard when."""

    frame: float
    time: float
    seconds_per_frame: float
    rate: float
    end: float  # frames from here on have not been made yet


class Turn(NamedTuple):
    """From ``frame`` of the output on, ``position`` (s) moves with ``speed`` (0 or 1).

    ``serial`` numbers the last seek that had been carried out by then.
    """

    frame: float
    position: float
    speed: float
    serial: float


class Meters(NamedTuple):
    """Linear levels of W, Y, Z, X, left ear, right ear. Full scale is 1."""

    peak: tuple[float, ...]
    rms: tuple[float, ...]


class Counts(NamedTuple):
    """What went wrong so far, and how long the longest callback took in seconds."""

    underflows: int
    starved: int
    callbacks: int
    longest: float


class SharedState:
    """The mapped file; either side opens it, the window makes it.

    Parameters
    ----------
    path : Path
        Where it lies.
    create : bool
        Make it anew, looking ahead and at rest.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if create:
            path.write_bytes(bytes(8 * _WORDS))
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            self._map = mmap.mmap(handle, 8 * _WORDS)
        finally:
            os.close(handle)
        self._bytes = memoryview(self._map)
        # Native doubles and integers over the same memory: a word is written in one store.
        self._d: memoryview[float] = self._bytes.cast("d")
        self._q: memoryview[int] = self._bytes.cast("Q")
        if create:
            self.clear()

    def clear(self) -> None:
        """Back to the beginning, for a new process: no clock, no turns, all counts 0."""
        self._bytes[:] = bytes(8 * _WORDS)
        self.write_orientation(1.0, 0.0, 0.0, 0.0)

    def close(self) -> None:
        """Let go of the mapping; the file stays."""
        self._d.release()
        self._q.release()
        self._bytes.release()
        self._map.close()

    def _write(self, at: int, values: Sequence[float]) -> None:
        words = self._d
        sequence = self._q[at] | 1  # a writer that died half-way left it odd
        self._q[at] = sequence
        for place, value in enumerate(values, at + 1):
            words[place] = value
        self._q[at] = sequence + 1

    def _read(self, at: int, count: int) -> list[float] | None:
        for _ in range(_TRIES):
            before = self._q[at]
            if not before & 1:
                values: list[float] = list(self._d[at + 1 : at + 1 + count])
                if self._q[at] == before:
                    return values
        return None

    def write_orientation(self, w: float, x: float, y: float, z: float) -> None:
        """The head's orientation as a unit quaternion (``foa.rotation``'s axes)."""
        self._write(_LOOK, (w, x, y, z))

    def read_orientation(self) -> list[float] | None:
        """(w, x, y, z); None in the unlikely case that the writer never rests."""
        return self._read(_LOOK, 4)

    def write_clock(self, clock: Clock) -> None:
        """See the module's description."""
        self._write(_CLOCK, clock)

    def read_clock(self) -> Clock | None:
        """The clock, or None before the first block was played."""
        values = self._read(_CLOCK, 5)
        return Clock(*values) if values is not None and values[2] > 0 else None

    def write_turn(self, frame: float, position: float, speed: float, serial: float) -> None:
        """Add a turn to the ring, over the oldest."""
        count = int(self._d[_LINE + 1])
        sequence = self._q[_LINE] | 1
        self._q[_LINE] = sequence
        at = _LINE + 2 + 4 * (count % TURNS)
        self._d[at], self._d[at + 1] = frame, position
        self._d[at + 2], self._d[at + 3] = speed, serial
        self._d[_LINE + 1] = count + 1
        self._q[_LINE] = sequence + 1

    def read_turns(self) -> list[Turn]:
        """The turns still known, newest first."""
        values = self._read(_LINE, 1 + 4 * TURNS)
        if values is None:
            return []
        count = int(values[0])
        turns = []
        for index in range(count - 1, max(-1, count - TURNS - 1), -1):
            at = 1 + 4 * (index % TURNS)
            turns.append(Turn(*values[at : at + 4]))
        return turns

    def write_meters(self, values: Sequence[float]) -> None:
        """Six peaks, then six root mean squares: W, Y, Z, X, left, right."""
        self._write(_METERS, values)

    def read_meters(self) -> Meters:
        """The levels now; silence while the writer is busy."""
        values = self._read(_METERS, 2 * METERS) or [0.0] * (2 * METERS)
        return Meters(tuple(values[:METERS]), tuple(values[METERS:]))

    def write_counts(self, underflows: int, starved: int, callbacks: int, longest: float) -> None:
        """Each is a word of its own: no guard."""
        at = _COUNTS
        self._q[at], self._q[at + 1], self._q[at + 2] = underflows, starved, callbacks
        self._d[at + 3] = longest

    def read_counts(self) -> Counts:
        """What `write_counts` wrote last."""
        at = _COUNTS
        return Counts(self._q[at], self._q[at + 1], self._q[at + 2], self._d[at + 3])


def memory_folder() -> Path:
    """A folder that no disk stands behind, where there is one.

    Elsewhere the system writes the file's page to disk now and then, and whoever touches it
    meanwhile, also the audio callback, has to wait for the disk.
    """
    folder = Path("/dev/shm")
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def make_state_file(folder: Path) -> Path:
    """A new file for `SharedState` whose name says which process it belongs to: this one."""
    handle, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", suffix=_SUFFIX, dir=folder)
    os.close(handle)
    return Path(name)


def remove_abandoned(folder: Path) -> None:
    """Remove this user's state files of processes that were killed before they could do so.

    A number that another process has by now keeps its file: rather one too many than one too few.
    """
    if sys.platform == "win32":
        return  # asking for a process by its number would end it there
    with contextlib.suppress(OSError):
        for path in list(folder.glob(f"{_PREFIX}*{_SUFFIX}")):
            owner = _OWNED.fullmatch(path.name)
            if owner is not None and _is_gone(int(owner[1])):
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid():
                        path.unlink()


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's
        return False
    # Ended, but nobody has asked how: still a number. Only /proc is quick and sure to tell.
    return sys.platform.startswith("linux") and process_mark(pid) is None
