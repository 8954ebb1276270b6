"""A sound field through headphones, turned against the listener's head.

Two stages: the field is turned by the head's rotation, interpolated for every sample, and then its
channels go through the filters of both ears (`binaural_filters`). Since the turning comes first,
filters never change while they ring, and nothing clicks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.binaural_filters import BinauralFilters, default_filters
from omniaudio_studio.foa.binaural_track import HeadTrack, TrackRenderer, render_binaural
from omniaudio_studio.foa.overlap_save import EarFilters
from omniaudio_studio.foa.rotation import rotation_matrix

__all__ = [
    "BinauralFilters",
    "BinauralRenderer",
    "HeadTrack",
    "TrackRenderer",
    "default_filters",
    "head_rotation",
    "render_binaural",
]


def head_rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """The head's orientation as a matrix (3, 3), from the head's axes to the world's.

    The field that the ears meet is the world's turned by the transpose.

    Parameters
    ----------
    yaw : float, radians
        Positive looks to the left: at 90 degrees a source at azimuth 90 degrees is in front.
    pitch : float, radians
        Positive looks up.
    roll : float, radians
        Positive lifts the left ear.
    """
    return rotation_matrix(yaw, pitch, roll)


class _Turning:
    """Turns a field by the inverse of an orientation that moves along great circles."""

    def __init__(self, longest: int) -> None:
        # (Y, Z, X) is (x, y, z) shifted by one place: cross products hold in both.
        order = np.array([1, 2, 0])
        self._places = (order[None, :] * 3 + order[:, None]).astype(np.intp)
        self._counts = np.arange(1, longest + 1, dtype=np.float32)
        self._at = np.eye(3)
        self._next = np.empty((3, 3))
        self._between = np.empty((3, 3))
        self._cross = np.zeros((3, 3))
        self._parts = np.empty((3, 3, 3))
        self._still = np.empty((3, 3), dtype=np.float32)
        self._matrix = np.empty((3, 9), dtype=np.float32)
        self._stack = np.empty((9, longest), dtype=np.float32)
        self._sine = np.empty(longest, dtype=np.float32)
        self._versine = np.empty(longest, dtype=np.float32)
        self._known = False

    def reset(self, orientation: NDArray[np.float64] | None) -> None:
        self._known = orientation is not None
        if orientation is not None:
            self._take(orientation)
            self._at[:] = self._next

    def _take(self, orientation: NDArray[np.float64]) -> None:
        """The field's rotation (the transpose, channels' order) into ``_next``."""
        np.take(orientation, self._places, out=self._next, mode="clip")

    def turn(
        self, vector: NDArray[np.float32], out: NDArray[np.float32], end: NDArray[np.float64]
    ) -> None:
        """Turn (Y, Z, X), (3, n), so that the last sample has the orientation ``end``."""
        count = vector.shape[1]
        self._take(end)
        if not self._known:
            self._at[:] = self._next
            self._known = True
        angle = self._arc()
        if angle < 1e-7:
            self._at[:] = self._next
            self._still[:] = self._at
            np.matmul(self._still, vector, out=out)
            return
        # T(a) v = T0 v + sin(a) K T0 v + (1 - cos(a)) K K T0 v, Rodrigues' rotation formula: one
        # product of the three matrices side by side with v, sin(a) v and (1 - cos(a)) v stacked.
        parts = self._parts
        parts[0] = self._at
        np.matmul(self._cross, parts[0], out=parts[1])
        np.matmul(self._cross, parts[1], out=parts[2])
        for part in range(3):
            self._matrix[:, 3 * part : 3 * part + 3] = parts[part]
        sine, versine = self._sine[:count], self._versine[:count]
        np.multiply(self._counts[:count], np.float32(angle / count / 2), out=versine)
        np.add(versine, versine, out=sine)
        np.sin(sine, out=sine)
        np.sin(versine, out=versine)
        np.multiply(versine, versine, out=versine)
        np.add(versine, versine, out=versine)
        stack = self._stack[:, :count]
        stack[:3] = vector
        # Row by row: NumPy takes memory to repeat a row over several.
        for row in range(3):
            np.multiply(vector[row], sine, out=stack[3 + row])
            np.multiply(vector[row], versine, out=stack[6 + row])
        np.matmul(self._matrix, stack, out=out)
        self._at[:] = self._next

    def _arc(self) -> float:
        """Angle from ``_at`` to ``_next``, at most pi; its axis as cross product in ``_cross``."""
        np.matmul(self._next, self._at.T, out=self._between)
        (a, b, c), (d, e, f), (g, h, i) = self._between.tolist()
        # The quaternion by its largest component (Shepperd 1978), so that no angle is special.
        trace = a + e + i
        if not math.isfinite(trace):
            raise ValueError("expected an orientation that is finite")
        largest = max(trace, a, e, i)
        if largest == trace:
            w, x, y, z = 1.0 + trace, h - f, c - g, d - b
        elif largest == a:
            w, x, y, z = h - f, 1.0 + a - e - i, b + d, c + g
        elif largest == e:
            w, x, y, z = c - g, b + d, 1.0 + e - a - i, f + h
        else:
            w, x, y, z = d - b, c + g, f + h, 1.0 + i - a - e
        length = math.sqrt(x * x + y * y + z * z)
        if length < 1e-12:
            return 0.0
        if w < 0:
            w, length = -w, -length
        x, y, z = x / length, y / length, z / length
        cross = self._cross
        cross[0, 1], cross[0, 2], cross[1, 2] = -z, y, -x
        cross[1, 0], cross[2, 0], cross[2, 1] = z, -y, x
        return 2.0 * math.atan2(abs(length), w)


class BinauralRenderer:
    """FOA to headphones, block by block, with the head turning.

    Made to be called from a sound callback: after construction, `process` makes no arrays (under
    NumPy 1.26, which cannot transform in place, small ones). Not to be shared between threads.

    Parameters
    ----------
    filters : BinauralFilters
        At the rate of the sound (`BinauralFilters.at_rate`).
    max_block : int
        The longest block that will come, in samples.

    Attributes
    ----------
    latency : int
        Samples by which the output lags the input beyond the filters' own delay: 0.
    """

    latency = 0

    def __init__(self, filters: BinauralFilters, max_block: int = 4096) -> None:
        if max_block < 1:
            raise ValueError(f"expected blocks of at least one sample, found {max_block}")
        self.filters = filters
        self.max_block = int(max_block)
        self._filtering = EarFilters(filters.taps, self.max_block)
        self._turning = _Turning(self.max_block)
        self._whole = np.empty((3, self.max_block), dtype=np.float32)

    def reset(self, orientation: ArrayLike | None = None) -> None:
        """Forget past sound; the head is at ``orientation``, or wherever the next block ends."""
        self._filtering.reset()
        self._turning.reset(
            None if orientation is None else np.asarray(orientation, dtype=np.float64)
        )

    def process(
        self,
        foa: NDArray[np.float32],
        out: NDArray[np.float32],
        orientation: NDArray[np.float64],
    ) -> None:
        """Render one block.

        Parameters
        ----------
        foa : ndarray, float32, shape (4, n)
            W, Y, Z, X (AmbiX); n from 1 to ``max_block`` and free to change. From 64 on it is fast.
        out : ndarray, float32, shape (2, n)
            Left and right are written here.
        orientation : ndarray, float64, shape (3, 3)
            `head_rotation` at the block's last sample. From the last block's orientation the head
            gets there at constant speed about one axis.

        Raises
        ------
        ValueError
            If shapes do not fit, or the orientation is not finite.
        """
        count = foa.shape[1]
        if foa.shape[0] != 4 or out.shape != (2, count) or orientation.shape != (3, 3):
            raise ValueError(
                f"expected (4, n), (2, n) and (3, 3); found {foa.shape}, {out.shape} and "
                f"{orientation.shape}"
            )
        if count > self.max_block:
            raise ValueError(f"a block of {count} samples; at most {self.max_block} were announced")
        if count == 0:
            return
        filtering = self._filtering
        if count <= filtering.longest:
            room = filtering.room(count)
            np.copyto(room[0], foa[0])
            self._turning.turn(foa[1:], room[1:], orientation)
            filtering.run(out)
            return
        whole = self._whole[:, :count]
        self._turning.turn(foa[1:], whole, orientation)
        for start in range(0, count, filtering.longest):
            stop = min(start + filtering.longest, count)
            room = filtering.room(stop - start)
            np.copyto(room[0], foa[0, start:stop])
            np.copyto(room[1:], whole[:, start:stop])
            filtering.run(out[:, start:stop])
