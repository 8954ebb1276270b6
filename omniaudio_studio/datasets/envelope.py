"""From a sound's events to its signal, and from the signal to the envelope that pictures follow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE

ENVELOPE_RATE = 100.0
"""Envelope values per second; value k is at k / ENVELOPE_RATE."""

ATTACK = 0.02
RELEASE = 0.12
_FADE = round(0.03 * RATE)


def arrange(
    sound: NDArray[np.float32], events: Sequence[tuple[float, float, float]], samples: int
) -> NDArray[np.float32]:
    """The dry signal of events ``(start, offset, length)``, in seconds, of one sound.

    Every event fades in over 2 ms (30 ms where it begins within the sound or overlaps the event
    before) and out over 30 ms.

    Returns
    -------
    ndarray, float32, shape (samples,)
    """
    out = np.zeros(samples, np.float32)
    previous = -math.inf
    for start, offset, length in events:
        first, skip = round(start * RATE), round(offset * RATE)
        piece = sound[skip : skip + round(length * RATE)][: max(0, samples - first)].copy()
        rise = min(_FADE if skip or start < previous else _FADE // 15, piece.size // 2)
        fall = min(_FADE, piece.size // 2)
        if rise:
            piece[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
            piece[-fall:] *= np.linspace(1, 0, fall, dtype=np.float32)
        out[first : first + piece.size] += piece
        previous = start + length
    return out


def follow(dry: NDArray[np.float32], seconds: float) -> NDArray[np.float64]:
    """The envelope of a dry signal: 0 in silence, 1 at its loudest.

    Root mean square of the 20 ms around each moment, then a follower of 20 ms attack and 120 ms
    release, as the square root so that quiet parts show.

    Returns
    -------
    ndarray, float64, shape (ceil(seconds * ENVELOPE_RATE) + 1,)
    """
    step = round(RATE / ENVELOPE_RATE)
    count = math.ceil(seconds * ENVELOPE_RATE - 1e-9) + 1
    padded = np.zeros((count + 1) * step, np.float32)
    used = min(dry.size, padded.size - step)
    padded[step : step + used] = dry[:used]
    power = np.square(padded.reshape(-1, step), dtype=np.float64).sum(axis=1) / step
    level: NDArray[np.float64] = np.sqrt((power[:-1] + power[1:]) / 2)
    up, down = math.exp(-1 / (ATTACK * ENVELOPE_RATE)), math.exp(-1 / (RELEASE * ENVELOPE_RATE))
    out = np.empty(count)
    state = 0.0
    for k, value in enumerate(level.tolist()):
        keep = up if value > state else down
        state = value + keep * (state - value)
        out[k] = state
    top = float(np.quantile(out, 0.98))
    return np.sqrt(np.clip(out / top, 0, 1)) if top > 1e-6 else np.zeros(count)
