"""Moments at which something begins, as a picture shows them, and how many of them a sound has.

Those of a sound are found by `foa.onsets`. The same finder runs on a true sound and on a made one,
so that what it misses in the true one says what the measure itself costs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.datasets.envelope import ENVELOPE_RATE
from omniaudio_studio.foa.onsets import APART, peaks

Array = NDArray[np.float64]

TOLERANCE = 0.15
"""Seconds between an event and an onset that still belongs to it."""

_RISE, _WITHIN = 0.4, 0.1  # of the envelope's whole range, seconds
_DIES = 1.0  # seconds in which an impulsive event falls to half


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
    for start in peaks(rise, _RISE, round(APART * ENVELOPE_RATE)):
        half = (level[start] + level[start + span]) / 2
        moment = start + int(np.argmax(level[start : start + span + 1] >= half))
        after = level[moment : moment + round(_DIES * ENVELOPE_RATE) + 1]
        if moment > span and after.min() <= after.max() / 2:
            found.append(moment / ENVELOPE_RATE)
    return np.array(found, np.float64)


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
