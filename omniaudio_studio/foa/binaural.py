"""A sound field through headphones, turned against the listener's head.

Two stages: the field is turned by the head's rotation, interpolated for every sample, and then its
channels go through the filters of both ears (`binaural_filters`). Since the turning comes first,
filters never change while they ring, and nothing clicks.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.binaural_filters import BinauralFilters, default_filters
from omniaudio_studio.foa.convention import as_foa
from omniaudio_studio.foa.rotation import (
    quaternion_from_angles,
    rotation_from_quaternion,
    rotation_matrix,
)

__all__ = [
    "BinauralFilters",
    "BinauralRenderer",
    "default_filters",
    "head_rotation",
    "render_binaural",
]

# The largest transform: longer blocks are cut. Beyond it caches are left and nothing is gained.
_LARGEST = 8192
# Offline, the pieces of work, in samples.
_PIECE = 1 << 14
# NumPy 1.26 transforms in float64 into arrays of its own.
_FFT_TAKES_OUT = "out" in inspect.signature(np.fft.rfft).parameters


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
        self._parts = np.empty((9, 3))
        self._matrix = np.empty((9, 3), dtype=np.float32)
        self._turned = np.empty((9, longest), dtype=np.float32)
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
            still = self._matrix[:3]
            still[:] = self._at
            np.matmul(still, vector, out=out)
            return
        # T(a) = T0 + sin(a) K T0 + (1 - cos(a)) K K T0, Rodrigues' rotation formula.
        parts = self._parts
        parts[:3] = self._at
        np.matmul(self._cross, parts[:3], out=parts[3:6])
        np.matmul(self._cross, parts[3:6], out=parts[6:])
        self._matrix[:] = parts
        turned = self._turned[:, :count]
        np.matmul(self._matrix, vector, out=turned)
        sine, versine = self._sine[:count], self._versine[:count]
        np.multiply(self._counts[:count], np.float32(angle / count / 2), out=versine)
        np.add(versine, versine, out=sine)
        np.sin(sine, out=sine)
        np.sin(versine, out=versine)
        np.multiply(versine, versine, out=versine)
        np.add(versine, versine, out=versine)
        np.multiply(turned[3:6], sine, out=turned[3:6])
        np.multiply(turned[6:], versine, out=turned[6:])
        np.add(turned[:3], turned[3:6], out=out)
        np.add(out, turned[6:], out=out)
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


class _Filtering:
    """Eight convolutions by overlap-save: no delay of its own, blocks of any size.

    The input's last samples are kept; each block is transformed together with them, at the smallest
    size that holds both, so that the sum is exact whatever the blocks are (Oppenheim and Schafer,
    "Discrete-time signal processing", section 8.7.3).
    """

    def __init__(self, taps: NDArray[np.float32], longest: int) -> None:
        self._past = taps.shape[2] - 1
        smallest = self._past + min(64, longest)
        largest = max(_LARGEST, 1 << (4 * taps.shape[2] - 1).bit_length())
        self._sizes = _sizes(smallest, min(largest, self._past + longest))
        self._spectra = [np.fft.rfft(taps, size).astype(np.complex64) for size in self._sizes]
        top = self._sizes[-1]
        self.longest = top - self._past
        self._line = np.zeros((4, top), dtype=np.float32)
        self._other = np.zeros((4, top), dtype=np.float32)
        # Flat, so that each size finds its arrays without gaps.
        bins = top // 2 + 1
        self._fields = [np.empty((4, size // 2 + 1), np.complex64) for size in self._sizes]
        self._products = np.empty(8 * bins, dtype=np.complex64)
        self._sums = np.empty(2 * bins, dtype=np.complex64)
        self._ears = np.empty(2 * top, dtype=np.float32)

    def reset(self) -> None:
        self._line[:] = 0.0
        self._other[:] = 0.0

    def room(self, count: int) -> NDArray[np.float32]:
        """Where the next ``count`` samples, at most ``longest``, are to be put: (4, count)."""
        return self._line[:, self._past : self._past + count]

    def run(self, out: NDArray[np.float32]) -> None:
        """Filter what was put into `room`; ``out`` is (2, count)."""
        count, past = out.shape[1], self._past
        used = past + count
        which = 0
        while self._sizes[which] < used:
            which += 1
        size, spectra, field = self._sizes[which], self._spectra[which], self._fields[which]
        bins = size // 2 + 1
        products = self._products[: 8 * bins].reshape(2, 4, bins)
        sums = self._sums[: 2 * bins].reshape(2, bins)
        ears = self._ears[: 2 * size].reshape(2, size)
        line = self._line
        _forward(line[:, :used], size, field)
        np.multiply(spectra, field, out=products)
        np.add.reduce(products, axis=1, out=sums)
        _backward(sums, size, ears)
        np.copyto(out, ears[:, past:used])
        # Into another array: NumPy would make a copy to move them within one.
        np.copyto(self._other[:, :past], line[:, count:used])
        self._line, self._other = self._other, line


def _sizes(smallest: int, largest: int) -> list[int]:
    """2^k and 3 * 2^k from the first that holds ``smallest`` to the first that holds ``largest``."""
    sizes: list[int] = []
    power = 64
    while not sizes or sizes[-1] < largest:
        sizes += [size for size in (power, power * 3 // 2) if size >= smallest]
        power *= 2
    return sizes[: next(i for i, size in enumerate(sizes) if size >= largest) + 1]


def _forward(signal: NDArray[np.float32], size: int, out: NDArray[np.complex64]) -> None:
    if _FFT_TAKES_OUT:
        np.fft.rfft(signal, size, out=out)
    else:
        out[:] = np.fft.rfft(signal, size)


def _backward(spectrum: NDArray[np.complex64], size: int, out: NDArray[np.float32]) -> None:
    if _FFT_TAKES_OUT:
        np.fft.irfft(spectrum, size, out=out)
    else:
        out[:] = np.fft.irfft(spectrum, size)


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
        self._filtering = _Filtering(filters.taps, self.max_block)
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


def render_binaural(
    foa: ArrayLike,
    rate: int,
    *,
    filters: BinauralFilters | None = None,
    track: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike] | None = None,
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
    renderer = TrackRenderer(filters or default_filters(rate), rate, track)
    for start in range(0, field.shape[1], _PIECE):
        stop = min(start + _PIECE, field.shape[1])
        renderer.process(field[:, start:stop], out[:, start:stop])
    return out


class TrackRenderer:
    """As `render_binaural`, block by block: for files that do not fit in memory.

    Parameters as there.
    """

    def __init__(
        self,
        filters: BinauralFilters,
        rate: int,
        track: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike] | None = None,
    ) -> None:
        self._rate = rate
        self._renderer = BinauralRenderer(filters.at_rate(rate), _PIECE)
        self._head = _HeadTrack(track)
        self._position = 0
        self._renderer.reset(self._head.at(-1.0 / rate))

    def process(self, foa: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Render the next n samples: (4, n) into (2, n)."""
        start = 0
        while start < foa.shape[1]:
            stop = min(start + _PIECE, foa.shape[1])
            end = self._head.at((self._position + stop - start - 1) / self._rate)
            self._renderer.process(foa[:, start:stop], out[:, start:stop], end)
            self._position += stop - start
            start = stop


class _HeadTrack:
    def __init__(self, track: Any) -> None:
        if track is None:
            self._arcs = None
            return
        times, yaw, pitch, roll = (np.atleast_1d(np.asarray(v, np.float64)) for v in track)
        quaternions = quaternion_from_angles(yaw, pitch, roll).T
        self._arcs = GreatCircleTrack(times, quaternions)

    def at(self, time: float) -> NDArray[np.float64]:
        if self._arcs is None:
            return np.eye(3)
        return rotation_from_quaternion(*self._arcs.at(np.array([time]))[0])
