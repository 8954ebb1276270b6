"""A whole field through headphones, along a recorded track of the head."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.binaural_filters import BinauralFilters, default_filters
from omniaudio_studio.foa.convention import as_foa
from omniaudio_studio.foa.overlap_save import EarFilters
from omniaudio_studio.foa.rotation import (
    orientation_track,
    quaternion_from_angles,
    rotation_from_quaternion,
)

HeadTrack: TypeAlias = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]
"""Times in seconds, ascending, and the head's yaw, pitch and roll then, in radians."""

# The longest piece of work, in samples.
_PIECE = 1 << 14
# In samples: of the points of a track that lie closer, one is followed.
_DENSEST = 256
# In samples: two orientations at the same time are a cut; made so fast, but without a click.
_JUMP = 128


def render_binaural(
    foa: ArrayLike,
    rate: int,
    *,
    filters: BinauralFilters | None = None,
    track: HeadTrack | None = None,
) -> NDArray[np.float32]:
    """Render a whole field.

    Parameters
    ----------
    foa : array_like, shape (4, n)
        AmbiX.
    rate : int
        Samples a second.
    filters : BinauralFilters, optional
        At any rate; `default_filters` by default.
    track : tuple of four array_like, shape (k,), optional
        Times (seconds, ascending) and the head's yaw, pitch and roll then (radians, as for
        `head_rotation`). Between them the head turns at constant speed, the short way; before the
        first and after the last it rests. Without a track it looks ahead.

    Returns
    -------
    ndarray, float32, shape (2, n)
    """
    field = as_foa(foa)
    out = np.empty((2, field.shape[1]), dtype=np.float32)
    TrackRenderer(filters or default_filters(rate), rate, track).process(field, out)
    return out


class TrackRenderer:
    """As `render_binaural`, block by block: for files that do not fit in memory.

    Parameters
    ----------
    filters, rate, track
        As there.

    Raises
    ------
    ValueError
        If times and angles are not as many, none, not finite, or times descend.
    """

    def __init__(self, filters: BinauralFilters, rate: int, track: HeadTrack | None = None) -> None:
        self._rate = rate
        self._filters = EarFilters(filters.at_rate(rate).taps, _PIECE)
        self._stack = np.empty((9, self._filters.longest), dtype=np.float32)
        times, yaw, pitch, roll = (
            np.atleast_1d(np.asarray(column, dtype=np.float64))
            for column in (track or (0.0, 0.0, 0.0, 0.0))
        )
        if not all(np.isfinite(column).all() for column in (times, yaw, pitch, roll)):
            raise ValueError("expected a track of finite numbers")
        self._arcs = orientation_track(times, quaternion_from_angles(yaw, pitch, roll).T)
        # The path may bend at the track's own points, thinned where they are denser than a head or
        # an ear could tell: pieces end before each, and after the sample that bridges it.
        before = np.ceil(times * rate).astype(np.int64)
        _, kept = np.unique(before // _DENSEST, return_index=True)
        jumps = np.append(np.diff(times) == 0.0, False)[kept]
        after = before[kept] + np.where(jumps, _JUMP, 1)
        self._bends = np.union1d(before[kept], after)
        self._position = 0

    def process(self, foa: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Render the next n samples: float32, (4, n) into (2, n)."""
        for start in range(0, foa.shape[1], self._filters.longest):
            stop = min(start + self._filters.longest, foa.shape[1])
            room = self._filters.room(stop - start)
            room[0] = foa[0, start:stop]
            self._turn(foa[1:, start:stop], room[1:])
            self._filters.run(out[:, start:stop])
            self._position += stop - start

    def _turn(self, vector: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Turn (Y, Z, X), (3, n), by the inverse of the head's path from here on."""
        begin, end = self._position, self._position + vector.shape[1]
        low, high = np.searchsorted(self._bends, [begin + 1, end])
        stops = np.concatenate([[begin], self._bends[low:high], [end]])
        heads = self._arcs.at((stops - 1) / self._rate)
        # From the world to the head: the inverse, with axes in the channels' order.
        field = (heads * [1, -1, -1, -1])[:, [0, 2, 3, 1]]
        angle, cross = _steps(field)
        fixed = rotation_from_quaternion(*field[:-1].T)
        starts, ends = stops[:-1] - begin, stops[1:] - begin
        lengths = ends - starts
        if not angle.any():  # a head at rest: one piece
            np.matmul(fixed[0].astype(np.float32), vector, out=out)
            return
        # As in `binaural.BinauralRenderer`, for all pieces at once but for the last product.
        once = cross @ fixed
        matrices = np.concatenate([fixed, once, cross @ once], axis=2).astype(np.float32)
        passed = np.arange(1, end - begin + 1) - np.repeat(starts, lengths)
        turned = (passed * np.repeat(angle / lengths, lengths)).astype(np.float32)
        stack = self._stack[:, : end - begin]
        stack[:3] = vector
        np.multiply(vector, np.sin(turned), out=stack[3:6])
        np.multiply(vector, 2 * np.sin(turned / 2) ** 2, out=stack[6:])
        for matrix, start, stop in zip(
            matrices, stops[:-1] - begin, stops[1:] - begin, strict=True
        ):
            np.matmul(matrix, stack[:, start:stop], out=out[:, start:stop])


def _steps(
    quaternions: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From each of (k + 1, 4) to the next: the angle, (k,), and the axis' cross product (k, 3, 3).

    The quaternion of a step is q_next times the conjugate of q.
    """
    w, v = quaternions[:-1, 0], quaternions[:-1, 1:]
    w_next, v_next = quaternions[1:, 0], quaternions[1:, 1:]
    scalar = w * w_next + np.sum(v * v_next, axis=1)
    vector = w[:, None] * v_next - w_next[:, None] * v - np.cross(v_next, v)
    length = np.linalg.norm(vector, axis=1)
    # Below, rounding alone; the step is left out, and the next one starts from its end.
    moving = length > 1e-12
    x, y, z = np.where(moving, vector.T / np.where(moving, length, 1.0), 0.0)
    cross = np.zeros((len(length), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = z, -y, x
    return np.where(moving, 2.0 * np.arctan2(length, scalar), 0.0), cross
