"""A sound read between its samples, at any and changing speed: band-limited interpolation.

The value at a place that is no sample's is the sum of the samples around it, weighted by a sinc
under a Kaiser window. Where the sound is read faster than it was written, the sinc is stretched, so
that what would pass half the sample rate is left out in place of folding back.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Zero crossings to either side, and the window's parameter: flat to 0.1 dB up to 0.8 of half the
# sample rate, side lobes below -90 dB.
_CROSSINGS = 16
_BETA = 9.0
# Places between two samples at which the weights are kept; between them they change linearly.
_PHASES = 512
# Speeds are rounded to so many steps an octave, and are at most two octaves up.
_STEPS = 4
_FASTEST = 4.0
_PIECE = 1 << 13


def reach(fastest: float = 1.0) -> int:
    """Samples to either side that `read_between` looks at, at speeds up to ``fastest``."""
    return math.ceil(_CROSSINGS * _rounded(_step(fastest)))


def read_between(
    sound: ArrayLike, first: int, places: ArrayLike, speeds: ArrayLike = 1.0
) -> NDArray[np.float32]:
    """Values of a sound at places that need not be those of its samples.

    Parameters
    ----------
    sound : array_like, shape (m,)
        With at least `reach` samples before the lowest and after the highest place.
    first : int
        The place of ``sound[0]``.
    places : array_like, shape (n,)
        In samples, on the same count; kept in float64, so that hours of sound lose nothing.
    speeds : array_like, one or shape (n,)
        How many samples a step from one place to the next passes over there: above 1 the sound is
        read faster than it was written. To a quarter of an octave, and up to 4.

    Returns
    -------
    ndarray, float32, shape (n,)

    Raises
    ------
    ValueError
        If the sound doesn't reach far enough.
    """
    samples = np.asarray(sound, dtype=np.float32)
    where = np.asarray(places, dtype=np.float64)
    steps = np.broadcast_to(_step(speeds), where.shape)
    values = np.empty(where.shape, dtype=np.float32)
    # Nearly always one step: only what comes near at more than 30 m/s needs another.
    for step in np.unique(steps):
        chosen = np.flatnonzero(steps == step)
        for start in range(0, chosen.size, _PIECE):
            part = chosen[start : start + _PIECE]
            values[part] = _read(samples, first, where[part], int(step))
    return values


def _read(
    sound: NDArray[np.float32], first: int, places: NDArray[np.float64], step: int
) -> NDArray[np.float32]:
    weights = _weights(step)
    half = weights.shape[1] // 2
    below = np.floor(places)
    phase = (places - below) * _PHASES
    row = phase.astype(np.int64)
    blend = (phase - row).astype(np.float32)
    begin = below.astype(np.int64) - first - half + 1
    if begin.size and (begin.min() < 0 or begin.max() + 2 * half > sound.size):
        raise ValueError(
            f"expected {half} samples around places from {places.min():.1f} to "
            f"{places.max():.1f}; found {sound.size} samples from {first} on"
        )
    around = np.lib.stride_tricks.sliding_window_view(sound, 2 * half)[begin]
    low = np.einsum("ij,ij->i", around, weights[row])
    high = np.einsum("ij,ij->i", around, weights[row + 1])
    mixed: NDArray[np.float32] = low + blend * (high - low)
    return mixed


def _step(speeds: ArrayLike) -> NDArray[np.int64]:
    bounded = np.clip(np.abs(np.asarray(speeds, dtype=np.float64)), 1.0, _FASTEST)
    return np.rint(_STEPS * np.log2(bounded)).astype(np.int64)


def _rounded(step: ArrayLike) -> float:
    return float(2.0 ** (np.asarray(step) / _STEPS))


@lru_cache
def _weights(step: int) -> NDArray[np.float32]:
    """Weights of the samples around a place, float32 (phases + 1, 2 half); rows add up to 1."""
    speed = _rounded(step)
    half = math.ceil(_CROSSINGS * speed)
    phases = np.arange(_PHASES + 1)[:, None] / _PHASES
    away = np.arange(1 - half, half + 1) - phases
    inside = np.sqrt(np.maximum(0.0, 1.0 - (away / half) ** 2))
    weights = np.sinc(away / speed) * np.i0(_BETA * inside)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
