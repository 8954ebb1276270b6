"""Moments at which something begins: as a picture shows them, and as a sound has them.

The same finder runs on a true sound and on a made one, so that what it misses in the true one says
what the measure itself costs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.datasets.envelope import ENVELOPE_RATE
from omniaudio_studio.evaluation.spatial.mel import mel_powers

Array = NDArray[np.float64]

TOLERANCE = 0.15
"""Seconds between an event and an onset that still belongs to it."""

_RISE, _WITHIN = 0.4, 0.1  # of the envelope's whole range, seconds
_DIES = 1.0  # seconds in which an impulsive event falls to half
_APART = 0.2  # seconds between two events, and between two onsets

_HOP = 0.01  # seconds
_LAG = 4  # hops over which a band's level rises
_BANDS = 40
_RANGE = 1e-4  # of the loudest band and moment: what lies 40 dB under it is not heard
_LEAST = 1.5  # decibels that all bands rise by on average
_SHARE = 0.25  # of the steepest rise of the sound


def visible_onsets(envelope: ArrayLike) -> Array:
    """Impulsive events of a source, as its pulsing picture shows them.

    An event is a rise of the envelope by `_RISE` or more within a tenth of a second, after which it
    falls to half within a second: a bark, a tick, a sneeze, but no rain that begins. What sounds
    within the first tenth of a second is not seen to begin.

    Parameters
    ----------
    envelope : array_like, shape (n,)
        0..1 at `datasets.envelope.ENVELOPE_RATE`.

    Returns
    -------
    ndarray, float64, shape (events,)
        Seconds at which half of each rise is done, ascending.
    """
    level = np.asarray(envelope, np.float64)
    span = round(_WITHIN * ENVELOPE_RATE)
    rise = level[span:] - level[:-span]
    found = []
    for start in _peaks(rise, _RISE, round(_APART * ENVELOPE_RATE)):
        half = (level[start] + level[start + span]) / 2
        moment = start + int(np.argmax(level[start : start + span + 1] >= half))
        after = level[moment : moment + round(_DIES * ENVELOPE_RATE) + 1]
        if moment > span and after.min() <= after.max() / 2:
            found.append(moment / ENVELOPE_RATE)
    return np.array(found, np.float64)


def sound_onsets(signal: ArrayLike, rate: float) -> Array:
    """Onsets of a sound: where many bands grow louder at once.

    Spectral flux (Dixon, "Onset detection revisited", DAFx 2006) of levels in decibels: the rise of
    each of 40 mel bands over 40 ms, falls counting nothing, mean over the bands. An onset is a
    local maximum of `_LEAST` decibels and of a quarter of the sound's highest or more.

    Parameters
    ----------
    signal : array_like, shape (n,)
        W, or any single channel. Its level does not matter.
    rate : float
        Samples per second.

    Returns
    -------
    ndarray, float64, shape (onsets,)
        Seconds, ascending; none in silence.
    """
    power = mel_powers(np.asarray(signal, np.float64), rate, _BANDS, hop_seconds=_HOP)
    if power.max() <= 0:
        return np.zeros(0)
    decibels = 10 * np.log10(power + _RANGE * power.max())
    decibels = np.concatenate([np.repeat(decibels[:1], _LAG, axis=0), decibels])
    flux = np.maximum(decibels[_LAG:] - decibels[:-_LAG], 0).mean(axis=1)
    peaks = _peaks(flux, max(_LEAST, _SHARE * flux.max()), round(_APART / _HOP / 2))
    # The rise that ends at a frame is half done half a lag before.
    return np.maximum(_HOP * (np.array(peaks, np.float64) - _LAG / 2), 0.0)


def matched(events: ArrayLike, onsets: ArrayLike, tolerance: float = TOLERANCE) -> int:
    """How many events have an onset of their own within ``tolerance`` seconds.

    Each onset counts for one event at most: both are walked in time, and an event takes the
    earliest onset that is free, which serves as many events as any choice could.

    Parameters
    ----------
    events, onsets : array_like, shape (n,) and (m,)
        Seconds.
    """
    free = sorted(np.asarray(onsets, np.float64).tolist())
    count = position = 0
    for event in sorted(np.asarray(events, np.float64).tolist()):
        while position < len(free) and free[position] < event - tolerance:
            position += 1
        if position < len(free) and free[position] <= event + tolerance:
            count += 1
            position += 1
    return count


def matched_by_chance(
    events: ArrayLike, onsets: ArrayLike, seconds: float, tolerance: float = TOLERANCE
) -> float:
    """What :func:`matched` gives on average when the onsets are moved round a clip of ``seconds``.

    A hundred moves, evenly spaced: as many onsets with the same rhythm, none of them meant.
    """
    moved = np.asarray(onsets, np.float64)
    steps = seconds * (np.arange(100) + 0.5) / 100
    return float(np.mean([matched(events, (moved + step) % seconds, tolerance) for step in steps]))


def _peaks(values: Array, least: float, apart: int) -> list[int]:
    """Places of local maxima of ``least`` or more, the highest within ``apart``."""
    places: list[int] = []
    for place in np.flatnonzero(values >= least).tolist():
        around = values[max(0, place - apart) : place + apart + 1]
        if values[place] == around.max() and not (places and place - places[-1] <= apart):
            places.append(place)
    return places
