"""Shots one after another: cut to the sample, crossfaded where they meet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Sink = Callable[[Array], None]


class Joiner:
    """Puts the shots' streams into one stream of exactly the right length.

    A shot is generated a little past its end (``tail``); that tail fades out while the next shot,
    generated from its first sample on, fades in. So a cut in the picture is where the new sound
    begins, and both sides of the fade are generated, not repeated or padded.

    Parameters
    ----------
    sink
        Receives float32 (4, n) blocks.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._tail: Array | None = None  # the shot before, past its end
        self._samples = 0
        self._end = 0
        self._position = 0
        self._after: list[Array] = []  # this shot past its end
        self._fresh: list[Array] = []  # the new shot's beginning, until the fade is complete

    def begin(self, samples: int, tail: int) -> None:
        """A shot of ``samples`` begins; ``tail`` more are kept for the fade into the next."""
        self._samples = samples
        self._end = samples + tail
        self._position = 0
        self._after = []

    def write(self, block: Array) -> None:
        """Take the shot's next samples; what lies past its tail is dropped."""
        block = block[:, : self._end - self._position]
        if block.shape[1] == 0:
            return
        inside = max(0, self._samples - self._position)
        self._position += block.shape[1]
        if inside < block.shape[1]:
            self._after.append(block[:, inside:])
            block = block[:, :inside]
        if block.shape[1]:
            self._emit(block)

    def finish(self) -> None:
        """The shot is complete; its tail waits for the next one."""
        self._flush()
        self._tail = np.concatenate(self._after, axis=1) if self._after else None

    def _emit(self, block: Array) -> None:
        if self._tail is None:
            self._sink(np.ascontiguousarray(block))
            return
        self._fresh.append(block)
        if sum(part.shape[1] for part in self._fresh) >= self._tail.shape[1]:
            self._flush()

    def _flush(self) -> None:
        if not self._fresh:
            return
        new = np.concatenate(self._fresh, axis=1)
        self._fresh = []
        if self._tail is not None:
            count = min(self._tail.shape[1], new.shape[1])
            new[:, :count] = crossfade(self._tail[:, :count], new[:, :count])
            self._tail = None
        self._sink(np.ascontiguousarray(new))


def crossfade(old: Array, new: Array) -> Array:
    """Fade from one sound into another of the same length without a dip or a bump.

    Straight ramps a and b = 1 - a keep the level of equal sounds, but lose 3 dB half-way between
    unrelated ones; equal-power ramps do the opposite. The sum's power is a^2 + b^2 + 2 a b r with r
    their correlation (of sounds of equal power), so the straight ramps are divided by the root of
    that. All channels get the same gains: directions stay.

    Parameters
    ----------
    old, new
        float32 (channels, n).
    """
    count = old.shape[1]
    b = (np.arange(count) + 0.5) / count
    a = 1.0 - b
    energies = float(np.sum(old.astype(np.float64) ** 2)) * float(
        np.sum(new.astype(np.float64) ** 2)
    )
    product = float(np.sum(old.astype(np.float64) * new))
    correlation = product / energies**0.5 if energies > 0 else 0.0
    # Opposite sounds cancel whatever is done; never amplify them.
    correlation = min(1.0, max(0.0, correlation))
    scale = 1.0 / np.sqrt(a * a + b * b + 2.0 * a * b * correlation)
    mixed = old * (a * scale).astype(np.float32) + new * (b * scale).astype(np.float32)
    return np.asarray(mixed, dtype=np.float32)
