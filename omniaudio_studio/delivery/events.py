"""Events of a sound field: when something begins to sound, and where. Streaming."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.onsets import HOP_SECONDS, OnsetFinder

# Hops after an onset over which its direction is taken: before the room answers.
_FIRST = 8
# Below this part of a plane wave's intensity the sound comes from no side in particular.
_DIRECTED = 0.3
# Degrees within which a direction is called by its axis.
_NEAR_AXIS = 10


@dataclass(frozen=True)
class Event:
    """Something that begins to sound.

    Attributes
    ----------
    time : float
        Seconds from the first sample.
    azimuth, elevation : float
        Radians; NaN where it comes from no side in particular.
    """

    time: float
    azimuth: float
    elevation: float

    def words(self) -> str:
        """Where it is, for people: "60° left, 20° up", "front", "behind"."""
        if math.isnan(self.azimuth):
            return "all around"
        azimuth, elevation = math.degrees(self.azimuth), math.degrees(self.elevation)
        if abs(elevation) > 90 - _NEAR_AXIS:
            return "above" if elevation > 0 else "below"
        if abs(azimuth) <= _NEAR_AXIS:
            side = "front"
        elif abs(azimuth) >= 180 - _NEAR_AXIS:
            side = "behind"
        else:
            side = f"{abs(azimuth):.0f}° {'left' if azimuth > 0 else 'right'}"
        if abs(elevation) <= _NEAR_AXIS:
            return side
        return f"{side}, {abs(elevation):.0f}° {'up' if elevation > 0 else 'down'}"


def find_events(blocks: Iterable[Foa], rate: int) -> list[Event]:
    """Onsets in W (`foa.onsets`), each with its direction: the mean intensity W (X, Y, Z) over the
    80 ms that follow.

    Parameters
    ----------
    blocks : iterable of float32 arrays (4, n)
        The field.
    rate : int
        Samples a second.
    """
    finder, intensity = OnsetFinder(rate), _Intensity(rate)
    for block in blocks:
        finder.push(block[0])
        intensity.push(block)
    sums = intensity.finish()
    return [_event(float(time), sums) for time in finder.finish()]


class _Intensity:
    """Sums of W X, W Y, W Z and the field's energy over each hop."""

    def __init__(self, rate: int) -> None:
        self._hop = round(HOP_SECONDS * rate)
        self._held = np.zeros((4, 0), np.float32)
        self._sums: list[NDArray[np.float64]] = []

    def push(self, block: Foa) -> None:
        held = np.concatenate([self._held, block], axis=1)
        whole = held.shape[1] // self._hop
        self._take(held[:, : whole * self._hop], whole)
        self._held = held[:, whole * self._hop :]

    def _take(self, field: Foa, hops: int) -> None:
        w, y, z, x = field.astype(np.float64).reshape(4, hops, -1)
        energy = (w * w + x * x + y * y + z * z) / 2
        self._sums.append(np.stack([part.sum(axis=1) for part in (w * x, w * y, w * z, energy)]))

    def finish(self) -> NDArray[np.float64]:
        """Shape (4, hops)."""
        if self._held.shape[1]:
            self._take(self._held, 1)
        return np.concatenate([np.zeros((4, 0)), *self._sums], axis=1)


def _event(time: float, sums: NDArray[np.float64]) -> Event:
    first = round(time / HOP_SECONDS)
    x, y, z, energy = sums[:, first : first + _FIRST].sum(axis=1)
    length = math.sqrt(x * x + y * y + z * z)
    if length <= _DIRECTED * energy:
        return Event(time, math.nan, math.nan)
    return Event(time, math.atan2(y, x), math.asin(max(-1.0, min(1.0, z / length))))
