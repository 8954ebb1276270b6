"""A sound placed in space: direction, distance, level and delay along a path, block by block.

Axes: x front, y left, z up, in metres from the listener.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.between import reach, read_between
from omniaudio_studio.foa.convention import Foa

SPEED_OF_SOUND = 343.0
"""Metres a second, in air at 20 degrees Celsius."""

NEAR = 0.1
"""Metres, about a head's radius: closer than this a source loses its direction."""

# Metres: a point closer to the listener has no direction of its own.
_NOWHERE = 1e-6


def distance_gain(
    distance: ArrayLike,
    reference: float = 1.0,
    rolloff: float = 1.0,
    max_distance: float | None = None,
) -> NDArray[np.float64]:
    """The inverse distance law, clamped: what OpenAL and Blender's speakers do by default.

    gain = reference / (reference + rolloff * (clamp(d, reference, max_distance) - reference));
    OpenAL 1.1 Specification, section 3.4.2 ("Inverse Distance Clamped Model").

    Parameters
    ----------
    distance : array_like
        Metres, of any shape.
    reference : float
        Metres up to which the gain is 1; greater than 0.
    rolloff : float
        How fast it falls beyond; 0 for not at all.
    max_distance : float, optional
        Metres beyond which it falls no more.

    Returns
    -------
    ndarray, float64
        Linear gain, 0 to 1.
    """
    clamped = np.clip(np.asarray(distance, dtype=np.float64), reference, max_distance)
    return reference / (reference + rolloff * (clamped - reference))


class PlacedPath:
    """Where a source is, and what becomes of its sound on the way to the listener.

    Between two points the direction follows the great circle at constant angular speed, the short
    way; distance and gain change linearly. Before the first and after the last point the source
    rests. All of it is interpolated for every sample.

    A source closer than `NEAR` is inside the listener's head: Y, Z and X fade smoothly to nothing
    at distance 0, W stays. So a path may end at the listener or lead through: it comes in on one
    side and goes out on the other.

    Parameters
    ----------
    points : array_like, shape (k, 5)
        (time, x, y, z, gain): seconds in ascending order, metres, linear.
    rate : float
        Samples per second.
    reference, rolloff, max_distance
        As for `distance_gain`.
    delay : bool
        Whether the sound takes its time (`SPEED_OF_SOUND`) to arrive. The distance is that at the
        moment of hearing, as for a listener who moves: what comes near at v sounds higher by the
        factor 1 + v / 343.

    Attributes
    ----------
    before, after : int
        Samples around a block that `encode` needs of the sound.

    Raises
    ------
    ValueError
        If there is no point, points have another shape, or times don't ascend.
    """

    def __init__(
        self,
        points: ArrayLike,
        rate: float,
        *,
        reference: float = 1.0,
        rolloff: float = 1.0,
        max_distance: float | None = None,
        delay: bool = False,
    ) -> None:
        table = np.asarray(points, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 5 or not len(table):
            raise ValueError(f"expected points of shape (k, 5), k > 0; found {table.shape}")
        self._times, self._gains = table[:, 0], table[:, 4]
        if not np.all(np.diff(self._times) > 0):
            raise ValueError("expected times in ascending order")
        self._rate = rate
        self._law = (reference, rolloff, max_distance)
        self._distances = np.linalg.norm(table[:, 1:4], axis=1)
        self._directions = _directions(self._times, table[:, 1:4], self._distances)
        self._delay = delay
        self.before = self.after = 0
        if delay:
            # Samples passed over per sample: constant between two points, 1 outside of them.
            slopes = np.diff(self._distances) / np.diff(self._times)
            self._speeds = 1.0 - np.concatenate([[0.0], slopes, [0.0]]) / SPEED_OF_SOUND
            self.after = reach(float(np.abs(self._speeds).max()))
            farthest = float(self._distances.max()) / SPEED_OF_SOUND * rate
            self.before = math.ceil(farthest) + self.after

    def encode(self, sound: ArrayLike, first: int) -> Foa:
        """A block of the source's field.

        Blocks may have any length and be asked for in any order: what comes out doesn't depend on
        where one ends.

        Parameters
        ----------
        sound : array_like, float32, shape (before + n + after,)
            The source's own sound from sample ``first - before`` on.
        first : int
            Sample at which the block begins; sample 0 is at 0 s.

        Returns
        -------
        ndarray, float32, shape (4, n)
            W, Y, Z, X.
        """
        samples = self.heard(sound, first)
        count = samples.size
        directions, distances, gains = self.track(np.arange(first, first + count) / self._rate)
        foa = np.empty((4, count), dtype=np.float32)
        foa[0] = samples * gains
        gains *= _smooth(distances / NEAR)
        x, y, z = directions.T
        for channel, part in ((1, y), (2, z), (3, x)):
            foa[channel] = samples * (gains * part)
        return foa

    def heard(self, sound: ArrayLike, first: int) -> NDArray[np.float32]:
        """A block of the source's sound as it arrives, before gain and direction.

        Parameters as for `encode`.

        Returns
        -------
        ndarray, float32, shape (n,)
        """
        samples = np.asarray(sound, dtype=np.float32)
        count = samples.size - self.before - self.after
        if samples.ndim != 1 or count < 0:
            raise ValueError(
                f"expected a block with {self.before} samples before and {self.after} after it; "
                f"found shape {samples.shape}"
            )
        if not self._delay:
            return samples
        places = np.arange(first, first + count)
        times = places / self._rate
        late = np.interp(times, self._times, self._distances) / SPEED_OF_SOUND * self._rate
        piece = np.searchsorted(self._times, times, side="right")
        return read_between(samples, first - self.before, places - late, self._speeds[piece])

    def track(
        self, times: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Where the source is at some times, and what its level is multiplied by.

        Parameters
        ----------
        times : array_like, shape (n,)
            Seconds.

        Returns
        -------
        ndarray (n, 3), ndarray (n,), ndarray (n,)
            Unit vectors (x, y, z), metres, and linear gains: the path's own times that of the
            distance.
        """
        seconds = np.asarray(times, dtype=np.float64)
        distances = np.interp(seconds, self._times, self._distances)
        gains = np.interp(seconds, self._times, self._gains) * distance_gain(distances, *self._law)
        return self._directions.at(seconds), distances, gains


def _directions(
    times: NDArray[np.float64], places: NDArray[np.float64], distances: NDArray[np.float64]
) -> GreatCircleTrack:
    """The path on the sphere. A point without a direction is reached in the one before it, and left
    in the one after it: a jump where nothing of it is heard."""
    known = np.flatnonzero(distances > _NOWHERE)
    if not known.size:
        return GreatCircleTrack(times[:1], [[1.0, 0.0, 0.0]])
    index = np.arange(len(times))
    earlier = known[np.maximum(np.searchsorted(known, index, side="right") - 1, 0)]
    later = known[np.minimum(np.searchsorted(known, index, side="left"), known.size - 1)]
    order = np.stack([earlier, later], axis=1)
    order, when = order.ravel(), np.repeat(times, 2)
    # Points with a direction are both: once is enough.
    kept = np.concatenate([[True], (np.diff(order) != 0) | (np.diff(when) != 0)])
    units = places[order[kept]] / distances[order[kept], None]
    return GreatCircleTrack(when[kept], units)


def _smooth(part: NDArray[np.float64]) -> NDArray[np.float64]:
    part = np.minimum(part, 1.0)
    return part * part * (3.0 - 2.0 * part)
