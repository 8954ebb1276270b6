"""The sound of any file as one channel, read onwards from any of its samples, in flat memory."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.audio import iter_audio
from omniaudio_studio.media.blocks import without

Mono = NDArray[np.float32]


class MonoSound:
    """A file's sound, its channels averaged, at a rate of one's own. A context manager.

    Parameters
    ----------
    path : Path
        Anything with a sound track.
    rate : int
        Samples a second that are wanted; others are resampled.
    loop : bool
        Whether it begins anew whenever it ends; else silence follows.
    cancel : object with ``check()``, optional
        Called for every block that is read.

    Raises
    ------
    MissingFileError, MediaError
        When it is first read, if there is no sound that can be read.
    """

    def __init__(
        self, path: Path, rate: int, *, loop: bool = False, cancel: Cancel | None = None
    ) -> None:
        self.path, self.rate, self.loop = path, rate, loop
        self._cancel = cancel
        self._blocks: Generator[Mono, None, None] | None = None
        self._held = np.zeros(0, np.float32)
        self._place = 0  # of the first sample held

    def piece(self, first: int, count: int) -> Mono:
        """Samples ``first`` to ``first + count``, float32 (count,); silence before the file begins.

        ``first`` never falls from one call to the next, so that nothing has to be kept for good.
        """
        if self._blocks is None:
            self._place = max(first, 0)
            self._blocks = self._read_from(self._place)
        if first < self._place and self._place > 0:
            raise ValueError(f"sample {first} was given up: {self._place} is the first one held")
        self._let_go(first)
        silent = min(max(-first, 0), count)
        end = max(first, 0) + count - silent
        parts, have = [self._held], self._held.size
        while self._place + have < end:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros(end - self._place - have, np.float32)
            parts.append(block)
            have += block.size
        self._held = np.concatenate(parts)
        self._let_go(first)
        wanted = self._held[: end - self._place]
        return np.concatenate([np.zeros(silent, np.float32), wanted])

    def _let_go(self, first: int) -> None:
        dropped = min(max(first - self._place, 0), self._held.size)
        self._held = self._held[dropped:]
        self._place += dropped

    def _read_from(self, place: int) -> Generator[Mono, None, None]:
        if not self.loop:
            yield from self._once(place)
            return
        if place:
            place %= self._length()
        while True:
            given = 0
            for block in self._once(place):
                given += block.size
                yield block
            if not given and not place:
                raise MediaError(f"{self.path} holds no sound to be repeated; choose another file")
            place = 0

    def _once(self, place: int) -> Iterator[Mono]:
        """From sample ``place`` on to the end."""
        # From a whole second on, so that resampling gives what it gives from the beginning.
        second, rest = divmod(place, self.rate)
        for block in without(iter_audio(self.path, self.rate, float(second)), rest):
            if self._cancel is not None:
                self._cancel.check()
            yield block.mean(axis=0)

    def _length(self) -> int:
        """Samples of one turn, counted."""
        count = sum(block.size for block in self._once(0))
        if not count:
            raise MediaError(f"{self.path} holds no sound to be repeated; choose another file")
        return count

    def __enter__(self) -> MonoSound:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._blocks is not None:
            self._blocks.close()  # and the file
