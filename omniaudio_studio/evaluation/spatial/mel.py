"""Levels of a sound in mel bands, and how far two sounds are apart in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.onsets import HOP_SECONDS, WINDOW_SECONDS
from omniaudio_studio.foa.spectrum import mel_filters, stft

Array = NDArray[np.float64]

BANDS = 80
_RANGE = 1e-6  # of the loudest band and moment of the true sound: 60 dB under it


def mel_powers(
    signal: ArrayLike, rate: float, bands: int = BANDS, hop_seconds: float = HOP_SECONDS
) -> Array:
    """Power of a sound by time and mel band, windows of 43 ms.

    Parameters
    ----------
    signal : array_like, shape (n,)
    rate : float
        Samples per second.
    bands : int
    hop_seconds : float

    Returns
    -------
    ndarray, float64, shape (frames, bands)
        Weighted means of the power of the bins of `foa.spectrum.stft`.
    """
    power = np.square(np.abs(stft(signal, rate, WINDOW_SECONDS, hop_seconds)))
    return np.asarray(power @ mel_filters(bands, power.shape[1], float(rate)))


def mel_distance(made: ArrayLike, truth: ArrayLike, rate: float) -> float:
    """Mean absolute difference of levels in mel bands, decibels; mean of the channels.

    Power 60 dB under the loudest band and moment of any channel of the true sound is added to both:
    what nobody hears does not count.

    Parameters
    ----------
    made, truth : array_like, shape (channels, n)
    rate : float
        Samples per second of both.

    Returns
    -------
    float
        |20 log10 g| for sounds that differ by a factor g, well above the floor; 0 for silence.
    """
    a, b = np.asarray(made, np.float64), np.asarray(truth, np.float64)
    if a.ndim != 2 or a.shape != b.shape or a.size == 0:
        raise ValueError(
            f"expected two signals of one shape (channels, samples), found {a.shape} and {b.shape}"
        )
    true = [mel_powers(channel, rate) for channel in b]
    floor = _RANGE * max(float(power.max()) for power in true)
    if floor <= 0:
        return 0.0
    return float(
        np.mean(
            [
                np.abs(10 * np.log10((mel_powers(one, rate) + floor) / (other + floor))).mean()
                for one, other in zip(a, true, strict=True)
            ]
        )
    )
