"""The 4 x 4 covariance of a field: all that its mean intensity and energy map depend on.

C[i, j] = mean of channel i times channel j, channels W, Y, Z, X. Sums are taken in float64 block by
block, so that a long signal is never copied whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.convention import as_foa

_BLOCK = 1 << 16


def covariance(foa: ArrayLike) -> NDArray[np.float64]:
    """C = mean over the samples of f f^T, f = (W, Y, Z, X); zeros for an empty field.

    Parameters
    ----------
    foa : array_like, shape (4, n)

    Returns
    -------
    ndarray, float64, shape (4, 4)
    """
    field = as_foa(foa)
    return _product(field) / max(field.shape[1], 1)


class FrameCovariances:
    """Covariances of consecutive frames of a field that arrives in blocks of any size.

    Frame k holds the samples from round(k T rate) up to, not including, round((k + 1) T rate), so
    that frames stay true to the clock however long the field is.

    Parameters
    ----------
    rate : float
        Samples per second.
    frame_seconds : float
        T, the length of a frame; at least one sample.
    """

    def __init__(self, rate: float, frame_seconds: float) -> None:
        if not (rate > 0 and frame_seconds * rate >= 1):
            raise ValueError(
                f"expected frames of at least one sample, found {frame_seconds} s at {rate} Hz"
            )
        self._rate = float(rate)
        self._seconds = float(frame_seconds)
        self._frame = 0
        self._position = 0
        self._sum = np.zeros((4, 4))

    @property
    def samples(self) -> int:
        """Samples taken so far."""
        return self._position

    def push(self, foa: ArrayLike) -> NDArray[np.float64]:
        """Take a block (4, n); return covariances (frames, 4, 4) of the frames it completed."""
        field = as_foa(foa)
        done = []
        start = 0
        while start < field.shape[1]:
            stop = min(self._edge(self._frame + 1) - self._position + start, field.shape[1])
            self._sum += _product(field[:, start:stop])
            self._position += stop - start
            start = stop
            if self._position == self._edge(self._frame + 1):
                done.append(self._close())
        return np.array(done).reshape(-1, 4, 4)

    def finish(self) -> NDArray[np.float64]:
        """The covariance of the last, shorter frame, if there is one: (0 or 1, 4, 4)."""
        if self._position == self._edge(self._frame):
            return np.zeros((0, 4, 4))
        return self._close()[None]

    def times(self) -> NDArray[np.float64]:
        """The centre of every frame returned so far, in seconds."""
        edges = np.array([self._edge(k) for k in range(self._frame + 1)], dtype=np.float64)
        edges = np.minimum(edges, self._position) / self._rate
        return (edges[:-1] + edges[1:]) / 2

    def _edge(self, frame: int) -> int:
        return round(frame * self._seconds * self._rate)

    def _close(self) -> NDArray[np.float64]:
        mean = self._sum / (self._position - self._edge(self._frame))
        self._sum = np.zeros((4, 4))
        self._frame += 1
        return mean


def frame_covariances(
    foa: ArrayLike, rate: float, frame_seconds: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariance of every frame of a field.

    Returns
    -------
    times : ndarray, shape (frames,)
        The centres of the frames, in seconds.
    covariances : ndarray, float64, shape (frames, 4, 4)
        The last frame may be shorter than the others.
    """
    frames = FrameCovariances(rate, frame_seconds)
    covariances = np.concatenate([frames.push(foa), frames.finish()])
    return frames.times(), covariances


def _product(field: NDArray[np.float32]) -> NDArray[np.float64]:
    total = np.zeros((4, 4))
    for start in range(0, field.shape[1], _BLOCK):
        block = field[:, start : start + _BLOCK].astype(np.float64)
        total += block @ block.T
    return total
