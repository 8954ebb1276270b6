"""Binaural filters for a first-order field, from impulse responses measured around a head.

Magnitude least squares: below a transition frequency the four channels' filters are the
least-squares fit to the measured responses; above it, where four channels cannot follow phases that
differ from direction to direction, they are fitted to the measured magnitudes alone, each bin
taking up the phases that the bin before it rendered. Schörkhuber, Zaunschirm and Höldrich,
"Binaural rendering of Ambisonic signals via magnitude least squares", DAGA 2018; phases carried on
by their group delay as in Hold, Meyer-Kahlen and Pulkki, "Magnitude-least-squares binaural
Ambisonic rendering with phase continuation", DAGA 2023.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

TRANSITION = 1000.0
"""Hz, from where on magnitudes are fitted."""

_GRID = 20000  # points of the even grid that tells how much of the sphere a direction stands for
_REACH = np.radians(20.0)  # what lies further from any measured direction counts for none
_OCTAVES = 1 / 3  # smoothing of the diffuse-field response
_LOWEST = 200.0  # Hz; below it a measurement tells more of its loudspeaker than of the head
_HIGHEST = 18000.0  # Hz; above it there may be nothing to equalise
_LIFT = 10.0 ** (12.0 / 20.0)  # the equaliser's largest gain over its mean
_LEAD = 0.0005  # seconds kept before the first sound
_ROUNDS = 2  # of equalising and cutting
_SLOPE = 6  # bins over which the group delay is taken


def area_weights(directions: ArrayLike) -> NDArray[np.float64]:
    """The share of the sphere that each direction stands for; they add up to 1.

    An even grid (Fibonacci's) is dealt out to the nearest directions. Parts of the sphere where
    nothing was measured, such as below the listener, belong to nobody.

    Parameters
    ----------
    directions : array_like, shape (3, g)
        Unit vectors (x, y, z).
    """
    measured = np.asarray(directions, dtype=np.float64)
    index = np.arange(_GRID) + 0.5
    height = 1.0 - 2.0 * index / _GRID
    turn = index * np.pi * (3.0 - np.sqrt(5.0))
    across = np.sqrt(1.0 - height**2)
    even = np.stack([across * np.cos(turn), across * np.sin(turn), height])
    shares = np.zeros(measured.shape[1])
    for start in range(0, _GRID, 1000):
        near = even[:, start : start + 1000].T @ measured
        nearest = np.argmax(near, axis=1)
        within = near[np.arange(len(nearest)), nearest] > np.cos(_REACH)
        shares += np.bincount(nearest[within], minlength=shares.size)
    return shares / shares.sum()


def magnitude_least_squares(
    responses: ArrayLike,
    directions: ArrayLike,
    rate: int,
    *,
    taps: int = 256,
    transition: float = TRANSITION,
    symmetric: bool = False,
) -> NDArray[np.float32]:
    """Filters from the channels of an AmbiX field to the ears.

    They are equalised so that a diffuse field, whose channels have the covariance
    diag(1, 1/3, 1/3, 1/3), comes to the ears with the spectrum and the power of W: what all
    directions have in common (loudspeaker, microphone, ear canal) does not colour the sound.

    Parameters
    ----------
    responses : array_like, shape (g, 2, n)
        Impulse responses of left and right ear, delays included.
    directions : array_like, shape (3, g)
        Where each came from: unit vectors, x front, y left, z up.
    rate : int
        Samples a second.
    taps : int
        Length of the filters; the end is faded out.
    transition : float
        Hz.
    symmetric : bool
        Take each direction's mirror image as measured at the other ear, so that both ears get the
        same filters but for the sign of Y.

    Returns
    -------
    ndarray, float32, shape (2, 4, taps)
    """
    given = np.asarray(responses, dtype=np.float64)
    towards = np.asarray(directions, dtype=np.float64)
    size = 1 << (2 * max(given.shape[2], 4 * taps, 1024) - 1).bit_length()
    weights = area_weights(towards)
    if symmetric:
        mirrored = towards * np.array([[1.0], [-1.0], [1.0]])
        both = np.concatenate([given[:, :1], given[:, 1:]])
        left = _fit(
            both[:, 0],
            np.concatenate([towards, mirrored], axis=1),
            np.concatenate([weights, weights]) / 2,
            size,
            rate,
            transition,
        )
        fitted = np.stack([left, left * np.array([[1.0], [-1.0], [1.0], [1.0]])])
    else:
        fitted = np.stack(
            [_fit(given[:, ear], towards, weights, size, rate, transition) for ear in (0, 1)]
        )
    _extend_down(fitted, rate)
    # More than once, since cutting takes some of the lowest tones away again.
    for _ in range(_ROUNDS):
        fitted *= _equaliser(np.fft.rfft(_cut(np.fft.irfft(fitted, size), taps, rate), size), rate)
    return _cut(np.fft.irfft(fitted, size), taps, rate).astype(np.float32)


def _fit(
    responses: NDArray[np.float64],
    towards: NDArray[np.float64],
    weights: NDArray[np.float64],
    size: int,
    rate: int,
    transition: float,
) -> NDArray[np.complex128]:
    """One ear's filters as spectra, (4, size // 2 + 1)."""
    x, y, z = towards
    harmonics = np.stack([np.ones_like(x), y, z, x], axis=1)
    root = np.sqrt(weights)
    solve = np.linalg.pinv(harmonics * root[:, None]) * root
    target = np.fft.rfft(responses, size)
    frequency = np.fft.rfftfreq(size, 1.0 / rate)
    fitted = solve @ target
    first = int(np.searchsorted(frequency, transition))
    # The delay that all directions share, from W: without it phases would stop at the transition.
    before = np.unwrap(np.angle(fitted[0, first - _SLOPE - 1 : first]))
    step = np.exp(1j * np.mean(np.diff(before)))
    magnitude = np.abs(target)
    for bin_ in range(first, frequency.size):
        rendered = harmonics @ fitted[:, bin_ - 1] * step
        phase = rendered / np.maximum(np.abs(rendered), 1e-30)
        fitted[:, bin_] = solve @ (magnitude[:, bin_] * phase)
    return fitted


def _extend_down(fitted: NDArray[np.complex128], rate: int) -> None:
    """Put what a small head does to long waves in place of the lowest bins of (2, 4, bins).

    W keeps its level and its delay. Pressure differences grow with frequency, so the others fall
    in proportion to it beside W: the time between the ears stays, their levels become equal.
    """
    frequency = np.linspace(0.0, rate / 2, fitted.shape[2])
    first = int(np.searchsorted(frequency, _LOWEST))
    share = frequency[:first] / frequency[first]
    for ear in fitted:
        around = np.unwrap(np.angle(ear[0, first : 2 * first]))
        delay = np.polyfit(frequency[first : 2 * first], around, 1)[0] * frequency[first]
        angle = np.angle(ear[0, first])
        # The phase that a line through 0 needs there, by whole turns.
        phase = angle + 2.0 * np.pi * np.round((delay - angle) / (2.0 * np.pi))
        beside = ear[:, first] / ear[0, first]
        ear[0, :first] = np.abs(ear[0, first]) * np.exp(1j * phase * share)
        ear[1:, :first] = beside[1:, None] * share * ear[0, :first]


def _equaliser(fitted: NDArray[np.complex128], rate: int) -> NDArray[np.complex128]:
    """Minimum-phase inverse of the smoothed diffuse-field response of (2, 4, bins)."""
    bins = fitted.shape[2]
    frequency = np.linspace(0.0, rate / 2, bins)
    shares = np.array([1.0, 1 / 3, 1 / 3, 1 / 3])
    power = np.einsum("ecf,c->f", np.abs(fitted) ** 2, shares) / 2
    # Smoothed in bands of equal width in octaves, through the running sum.
    total = np.concatenate([[0.0], np.cumsum(power)])
    centre = np.arange(bins)
    low = np.floor(centre * 2 ** (-_OCTAVES / 2)).astype(int)
    high = np.minimum(np.ceil(centre * 2 ** (_OCTAVES / 2)).astype(int) + 1, bins)
    smooth = (total[high] - total[low]) / (high - low)
    highest = min(_HIGHEST, 0.45 * rate)
    last = int(np.searchsorted(frequency, highest))
    smooth[last:] = smooth[last]
    gain = 1.0 / np.sqrt(smooth)
    mean = np.exp(np.mean(np.log(gain[:last])))
    return _minimum_phase(np.minimum(gain, mean * _LIFT))


def _minimum_phase(magnitude: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The spectrum of that magnitude whose energy comes first (homomorphic, via the cepstrum)."""
    cepstrum = np.fft.irfft(np.log(magnitude))
    size = cepstrum.size
    fold = np.zeros(size)
    fold[0] = fold[size // 2] = 1.0
    fold[1 : size // 2] = 2.0
    return np.asarray(np.exp(np.fft.rfft(cepstrum * fold)))


def _cut(filters: NDArray[np.float64], taps: int, rate: int) -> NDArray[np.float64]:
    """The ``taps`` samples from a little before the first sound, faded at both ends."""
    envelope = np.max(np.abs(filters), axis=(0, 1))
    loud = np.flatnonzero(envelope[: filters.shape[2] // 2] > 0.05 * envelope.max())
    lead = round(_LEAD * rate)
    moved = np.roll(filters, lead - int(loud[0]), axis=2)[..., :taps]
    window = np.ones(taps)
    fade_in, fade_out = min(lead // 2, taps // 8), taps // 4
    window[:fade_in] = np.sin(np.linspace(0.0, np.pi / 2, fade_in, endpoint=False)) ** 2
    window[taps - fade_out :] = np.cos(np.linspace(0.0, np.pi / 2, fade_out)) ** 2
    return np.asarray(moved * window)
