"""Short-time spectra of one channel, and its power in mel bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

TOP = 16000.0
"""Highest frequency of mel bands, hertz: below half of 44.1 kHz, and of what codecs keep."""


def stft(
    signal: ArrayLike,
    rate: float,
    window_seconds: float,
    hop_seconds: float,
) -> NDArray[np.complex128]:
    """Short-time spectra of a signal, scaled so that powers read as mean squares.

    Frame k is centred on sample k times the hop, silence around the signal. The window is Hann, its
    length zero-padded to a power of two; spectra are divided by the root of the sum of its squares,
    so that by Parseval the mean of a frame's power over all (two-sided) bins is the mean square of
    the signal under the squared window.

    Parameters
    ----------
    signal : array_like, shape (n,)
    rate : float
        Samples per second.
    window_seconds, hop_seconds : float

    Returns
    -------
    ndarray, complex128, shape (frames, bins)
        Bins from 0 to rate / 2, inclusive.
    """
    data = np.asarray(signal, np.float64)
    length, hop = window_and_hop(rate, window_seconds, hop_seconds)
    if data.ndim != 1:
        raise ValueError(f"expected one channel, found shape {data.shape}")
    frames = -(-data.size // hop) + 1
    padded = np.zeros((frames - 1) * hop + length)
    padded[length // 2 : length // 2 + data.size] = data[: padded.size - length // 2]
    return windowed_spectra(padded, length, hop)


def window_and_hop(rate: float, window_seconds: float, hop_seconds: float) -> tuple[int, int]:
    """Both in samples; ValueError where they are too short."""
    length, hop = round(window_seconds * rate), round(hop_seconds * rate)
    if length < 2 or hop < 1:
        raise ValueError(
            f"expected windows of two samples or more, found {length} samples every {hop}"
        )
    return length, hop


def windowed_spectra(samples: Array, length: int, hop: int) -> NDArray[np.complex128]:
    """Spectra (frames, bins) of all whole windows in ``samples``, scaled as in `stft`."""
    taper = np.hanning(length + 1)[:-1]
    taper /= np.sqrt(np.sum(taper**2))
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    return np.fft.rfft(windows * taper, 1 << (length - 1).bit_length())


@lru_cache(maxsize=8)
def mel_filters(bands: int, bins: int, rate: float) -> Array:
    """Triangles on the mel scale from 0 to `TOP` (or half the rate), (bins, bands), sums of 1.

    mel(f) = 2595 log10(1 + f / 700) (O'Shaughnessy, "Speech communication", 1987). A triangle that
    is narrower than a bin takes the nearest one.
    """
    top = 2595 * np.log10(1 + min(TOP, rate / 2) / 700)
    corners = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    frequency = np.linspace(0, rate / 2, bins)[:, None]
    rise = (frequency - corners[:-2]) / (corners[1:-1] - corners[:-2])
    fall = (corners[2:] - frequency) / (corners[2:] - corners[1:-1])
    filters = np.maximum(np.minimum(rise, fall), 0)
    empty = np.flatnonzero(filters.sum(axis=0) <= 0)
    filters[np.abs(frequency - corners[1:-1]).argmin(axis=0)[empty], empty] = 1
    filters = filters / filters.sum(axis=0)
    filters.setflags(write=False)
    return filters
