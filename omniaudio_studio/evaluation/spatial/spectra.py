"""Distances between signals: of their spectrograms, their envelopes, their log spectra.

All three compare channels pairwise and average over the channels. Where only Y, Z and X are
predicted, hand in these three: an exact W would lower every distance by a quarter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa import spectrum

Array = NDArray[np.float64]

WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.010
"""Hann windows as in Gao and Grauman: 400 and 160 samples at their 16 kHz."""

FLOOR = 1e-6
"""Power below which two bins sound alike: 60 dB under a signal of mean square 1."""


def stft(
    signal: ArrayLike,
    rate: float,
    window_seconds: float = WINDOW_SECONDS,
    hop_seconds: float = HOP_SECONDS,
) -> NDArray[np.complex128]:
    """`foa.spectrum.stft` with these windows."""
    return spectrum.stft(signal, rate, window_seconds, hop_seconds)


def two_sided(bins: int) -> Array:
    """Weights (bins,) that make a sum over the bins of `stft` a mean over a two-sided spectrum."""
    weights = np.full(bins, 2.0)
    weights[[0, -1]] = 1.0
    return weights / weights.sum()


def stft_distance(made: ArrayLike, truth: ArrayLike, rate: float) -> float:
    """STFT distance: the mean of |S - T|^2 over time, frequency and channels.

    Morgado, Vasconcelos, Langlois and Wang, "Self-supervised generation of spatial audio for 360
    video", NeurIPS 2018; as "STFT distance" also in Gao and Grauman, "2.5D visual sound", CVPR
    2019, whose code adds the channels up and averages over real and imaginary parts. Scaled as
    `stft` says, so that it does not depend on sample rate or window length: two unrelated signals
    are as far apart as their mean squares together, and a silent channel's distance is the mean
    square of the true one. The level is not taken out: bring both to one level by one gain, as
    Gao and Grauman's peak normalisation does, where clips are to count alike.

    Parameters
    ----------
    made, truth : array_like, shape (channels, n)
    rate : float
        Samples per second of both.

    Returns
    -------
    float
        0 for equal signals; grows with the square of the level.
    """
    a, b = _pair(made, truth)
    parts = []
    for x, y in zip(a, b, strict=True):
        difference = stft(x - y, rate)
        power = np.square(np.abs(difference)) @ two_sided(difference.shape[1])
        parts.append(float(power.mean()))
    return float(np.mean(parts))


def envelope_distance(made: ArrayLike, truth: ArrayLike) -> float:
    """Envelope distance: root mean square difference of the Hilbert envelopes, mean of channels.

    Morgado et al. 2018 (see `stft_distance`): what the ear follows of a waveform is its
    envelope more than its phase. Gao and Grauman 2019 add the channels up instead. Not normalised:
    grows with the level.

    Parameters
    ----------
    made, truth : array_like, shape (channels, n)
    """
    a, b = _pair(made, truth)
    difference = envelope(a) - envelope(b)
    return float(np.sqrt(np.mean(difference**2, axis=1)).mean())


def envelope(signals: ArrayLike) -> Array:
    """Hilbert envelope of signals (channels, n): the magnitude of their analytic signals.

    Gabor, "Theory of communication", 1946: the spectrum without its negative frequencies, doubled.
    """
    data = np.asarray(signals, np.float64)
    samples = data.shape[1]
    gain = np.zeros(samples)
    gain[0] = 1.0
    gain[1 : (samples + 1) // 2] = 2.0
    if samples % 2 == 0:
        gain[samples // 2] = 1.0
    return np.abs(np.fft.ifft(np.fft.fft(data, axis=1) * gain, axis=1))


def log_spectral_distance(
    made: ArrayLike, truth: ArrayLike, rate: float, floor: float = FLOOR
) -> float:
    """Log-spectral distance in dB: root mean square over frequency, mean over time and channels.

    Gray and Markel, "Distance measures for speech processing", IEEE Transactions on Acoustics,
    Speech and Signal Processing 24(5), 1976; for ambisonics in Morgado et al. 2018 (see
    `stft_distance`), whose code takes 10 log10(|S| + 0.01), half of the decibels here. ``floor`` is
    added to both powers, so that what nobody hears does not count; it is in the units of `stft`,
    so hand in signals at about mean square 1.

    Parameters
    ----------
    made, truth : array_like, shape (channels, n)
    rate : float
        Samples per second of both.
    floor : float
        Greater than 0.

    Returns
    -------
    float
        |20 log10 g| for signals that differ by a factor g and are well above the floor.
    """
    a, b = _pair(made, truth)
    parts = []
    for x, y in zip(a, b, strict=True):
        first, second = (10 * np.log10(np.square(np.abs(stft(s, rate))) + floor) for s in (x, y))
        spread = np.square(first - second) @ two_sided(first.shape[1])
        parts.append(float(np.sqrt(spread).mean()))
    return float(np.mean(parts))


def _pair(made: ArrayLike, truth: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(made, np.float64), np.asarray(truth, np.float64)
    if a.ndim != 2 or a.shape != b.shape or a.size == 0:
        raise ValueError(
            f"expected two signals of one shape (channels, samples), found {a.shape} and {b.shape}"
        )
    return a, b
