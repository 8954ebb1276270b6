"""A recording encoded from given directions: exact for every sample, block by block.

Axes: x front, y left, z up. Azimuth counter-clockwise from the front (left = +pi/2), elevation
upwards, both in radians.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.encoding import direction_vector

Mono = NDArray[np.float32]


class DirectedTrack:
    """Where a sound comes from and how much of it, for every sample.

    Between two points the direction follows the great circle at constant angular speed, the short
    way, and the gain changes linearly; before the first and after the last point both rest. There
    are no steps at block edges, hence no zipper noise.

    Parameters
    ----------
    points : array_like, shape (k, 4)
        (time, azimuth, elevation, gain): seconds in ascending order, radians, 0 to 1.

    Raises
    ------
    ValueError
        If there is no point, points have another shape, or times don't ascend.
    """

    def __init__(self, points: ArrayLike) -> None:
        table = np.asarray(points, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 4 or not len(table):
            raise ValueError(f"expected points of shape (k, 4), k > 0; found {table.shape}")
        self.times, azimuth, elevation, self._gains = table.T
        self._directions = GreatCircleTrack(self.times, direction_vector(azimuth, elevation).T)

    def gain(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The gain at ``times``, (n,) seconds."""
        return np.interp(times, self.times, self._gains)

    def weights(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the sound is multiplied by for Y, Z and X at ``times``, shape (3, n)."""
        x, y, z = self._directions.at(times).T
        return np.stack([y, z, x]) * self.gain(times)


class DirectedEncoder:
    """Puts a recording, as a whole and in stems, where its tracks say.

    With w the recording, g_i and d_i the gains and directions of the tracks of the whole, and s_j,
    g_j and d_j those of the stems:
    (X, Y, Z) = w sum_i g_i d_i / max(1, sum_i g_i) + sum_j s_j g_j d_j, and W = w, bit for bit.

    Parameters
    ----------
    whole, stems : sequence of DirectedTrack
    rate : float
        Samples per second.
    """

    def __init__(
        self, whole: Sequence[DirectedTrack], stems: Sequence[DirectedTrack], rate: float
    ) -> None:
        self._whole, self._stems, self._rate = tuple(whole), tuple(stems), rate

    @property
    def places_all(self) -> bool:
        """Whether the whole's tracks take all of the recording at all times."""
        if not self._whole:
            return False
        # Their sum is linear between the points of any of them.
        knots = np.concatenate([track.times for track in self._whole])
        return bool(np.min(sum(track.gain(knots) for track in self._whole)) >= 1.0)

    def encode(
        self, recording: Mono, stems: Sequence[Mono], first: int
    ) -> tuple[Foa, NDArray[np.float64]]:
        """A block of the field.

        Blocks may have any length: what comes out doesn't depend on where one ends.

        Parameters
        ----------
        recording, stems : float32, shape (n,)
            The recording, and each stem at the same time.
        first : int
            Sample at which the block begins; sample 0 is at 0 s.

        Returns
        -------
        ndarray, float32, shape (4, n)
            W, Y, Z, X.
        ndarray, float64, shape (n,)
            How much of the recording the whole's tracks leave, 0 to 1.
        """
        times = np.arange(first, first + recording.size) / self._rate
        placed = np.zeros((3, recording.size))
        share = np.zeros(recording.size)
        for track in self._whole:
            placed += track.weights(times)
            share += track.gain(times)
        over = np.maximum(share, 1.0)
        placed *= recording / over
        for track, sound in zip(self._stems, stems, strict=True):
            placed += track.weights(times) * sound
        foa = np.empty((4, recording.size), dtype=np.float32)
        foa[0], foa[1:] = recording, placed
        return foa, 1.0 - share / over

    def rest(
        self, recording: Mono, stems: Sequence[Mono], first: int, left: NDArray[np.float64]
    ) -> Mono:
        """What of the recording comes from nowhere in particular: (w - sum_j g_j s_j) left.

        Parameters are those of :meth:`encode`, and what it says to be left.
        """
        times = np.arange(first, first + recording.size) / self._rate
        others = recording.astype(np.float64)
        for track, sound in zip(self._stems, stems, strict=True):
            others -= track.gain(times) * sound
        return (others * left).astype(np.float32)
