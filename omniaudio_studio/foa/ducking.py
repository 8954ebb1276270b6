"""A field that steps back while a recording is heard: a gain for all four channels at each moment.

What counts as heard depends on the recording's own level, so that quiet recordings duck as loud
ones do: from 20 dB below that level on the field steps back, at 10 dB below it and above in full.
The level is the mean power with the two gates of BS.1770 (there of weighted blocks of 0.4 s, here
of plain ones of 10 ms): pauses don't lower it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ATTACK_SECONDS = 0.02
RELEASE_SECONDS = 0.3
"""Time constants: after three of them 95 % of a step are done, in decibels."""
FROM_DB, FULL_DB = -20.0, -10.0
"""Relative to the recording's level."""

_SILENCE_DB = -90.0  # what is below is no sound, whatever the rest of the recording
_GATE_DB = -10.0
_HOP_SECONDS = 0.01


class _Hops:
    """Powers of consecutive 10 ms of a signal that arrives in blocks of any size."""

    def __init__(self, rate: float) -> None:
        self.length = max(1, round(_HOP_SECONDS * rate))
        self._rest = np.zeros(0, np.float32)

    def push(self, signal: ArrayLike) -> Array:
        """Mean squares of the hops that a block (n,) completes."""
        joined = np.concatenate([self._rest, np.asarray(signal, dtype=np.float32)])
        whole = joined.size - joined.size % self.length
        self._rest = joined[whole:]
        rows = joined[:whole].astype(np.float64).reshape(-1, self.length)
        powers: Array = np.mean(np.square(rows), axis=1)
        return powers

    def rest(self) -> Array:
        """The mean square of the last, shorter hop, if there is one: (0 or 1,)."""
        if not self.waiting:
            return np.zeros(0)
        return np.array([np.mean(np.square(self._rest, dtype=np.float64))])

    @property
    def waiting(self) -> int:
        """Samples of a hop that is not complete."""
        return int(self._rest.size)


class RecordingLevel:
    """The level of a recording, to which `Ducker` refers; a pass over it in flat memory.

    Parameters
    ----------
    rate : float
        Samples per second.
    """

    # Hops are counted by level, in steps of 0.1 dB from silence up.
    _STEPS_PER_DB = 10

    def __init__(self, rate: float) -> None:
        self._hops = _Hops(rate)
        self._counts = np.zeros(200 * self._STEPS_PER_DB)
        self._powers = np.zeros_like(self._counts)

    def push(self, signal: ArrayLike) -> None:
        """Take a block (n,): a mono recording, or W of a field."""
        self._count(self._hops.push(signal))

    def finish(self) -> float:
        """Its level in dB relative to full scale (mean square 1); -inf for silence."""
        self._count(self._hops.rest())
        above = self._mean(0)
        if not above:
            return -math.inf
        gate = 10 * math.log10(above) + _GATE_DB - _SILENCE_DB
        return 10 * math.log10(self._mean(max(0, math.floor(gate * self._STEPS_PER_DB))))

    def _count(self, powers: Array) -> None:
        heard = powers[powers >= 10 ** (_SILENCE_DB / 10)]
        steps = (10 * np.log10(heard) - _SILENCE_DB) * self._STEPS_PER_DB
        places = np.clip(steps.astype(np.int64), 0, self._counts.size - 1)
        np.add.at(self._counts, places, 1.0)
        np.add.at(self._powers, places, heard)

    def _mean(self, first: int) -> float:
        return float(self._powers[first:].sum() / max(self._counts[first:].sum(), 1.0))


class Ducker:
    """The gain of the field under a recording that arrives in blocks of any size.

    Every 10 ms of the recording are heard in full, in part or not at all; how far the field has
    stepped back, in decibels, follows that with `ATTACK_SECONDS` down and `RELEASE_SECONDS` up, and
    is interpolated for every sample. It begins with the 10 ms in which the sound begins: a start is
    never late.

    Parameters
    ----------
    depth : float
        Decibels by which the field steps back under a steady recording, at least 0.
    level : float
        The recording's, from `RecordingLevel`.
    rate : float
        Samples per second.
    """

    def __init__(self, depth: float, level: float, rate: float) -> None:
        self._depth, self._level = float(depth), float(level)
        self._hops = _Hops(rate)
        self._down = 0.0  # share of the depth at the end of the last hop
        seconds = self._hops.length / rate
        self._attack = 1 - math.exp(-seconds / ATTACK_SECONDS)
        self._release = 1 - math.exp(-seconds / RELEASE_SECONDS)

    def push(self, recording: ArrayLike) -> NDArray[np.float32]:
        """Take a block (n,): a mono recording, or W of a field.

        Returns
        -------
        ndarray, float32, shape (m,)
            Linear gains of the samples whose 10 ms are complete, m = 0 included.
        """
        return self._gains(self._hops.push(recording), self._hops.length)

    def finish(self) -> NDArray[np.float32]:
        """The rest: with all before as many gains as samples came in."""
        left = self._hops.waiting
        return self._gains(self._hops.rest(), self._hops.length)[:left]

    def _gains(self, powers: Array, length: int) -> NDArray[np.float32]:
        downs = np.empty(powers.size + 1)
        downs[0] = self._down
        for number, heard in enumerate(self._heard(powers), 1):
            speed = self._attack if heard > self._down else self._release
            self._down += speed * (heard - self._down)
            downs[number] = self._down
        passed = np.arange(length) / length
        between = downs[:-1, None] + passed * np.diff(downs)[:, None]
        return np.asarray(10 ** (-self._depth / 20 * between.ravel()), dtype=np.float32)

    def _heard(self, powers: Array) -> list[float]:
        """0 to 1 for each hop."""
        if not math.isfinite(self._level):
            return [0.0] * powers.size
        floor = 10 ** (_SILENCE_DB / 10)
        above = 10 * np.log10(np.maximum(powers, floor)) - self._level
        heard = np.clip((above - FROM_DB) / (FULL_DB - FROM_DB), 0.0, 1.0)
        return [float(value) for value in np.where(powers > floor, heard, 0.0)]
