"""What was heard, recognised piece by piece as what was to be heard."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.support.pulse import RATE

WINDOW = 2_000  # samples compared at once
GOOD = -80.0  # dB that are left of a piece where it is the sound that was expected
_NEAR = 64  # samples: the filters' delays to an ear differ by less


@dataclass(frozen=True)
class Piece:
    """A piece of what was heard. Seconds: ``at`` in the recording, ``place`` in the field."""

    yaw: float
    at: float
    place: float


def recognised(heard: np.ndarray, expected: dict[float, np.ndarray]) -> list[Piece]:
    """The pieces that are, to -80 dB, what one of these orientations renders.

    A busy machine runs dry now and then, and a piece with a hole is none; neither is one in which
    something else sounds.

    Parameters
    ----------
    heard : (2, n)
    expected : (2, m) of each yaw
        The same field, which never repeats itself.
    """
    one = next(iter(expected.values())).sum(axis=0, dtype=np.float64)
    size = 1 << (len(one) + WINDOW).bit_length()
    spectrum = np.fft.rfft(one, size)
    pieces: list[Piece] = []
    following = 0
    for start in range(0, heard.shape[1] - WINDOW, WINDOW):
        window = heard[:, start : start + WINDOW].astype(np.float64)
        if (window**2).sum() < 1e-6:
            continue
        # Mostly the sound just goes on.
        found = _placed(window, expected, range(following, following + 1))
        if found is None:
            match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(window.sum(axis=0), size)))
            about = int(np.argmax(np.abs(match)[: len(one) - WINDOW]))
            near = range(max(0, about - _NEAR), about + _NEAR)
            found = _placed(window, expected, near)
        if found is not None:
            yaw, place = found
            pieces.append(Piece(yaw, start / RATE, place / RATE))
            following = place + WINDOW
    return pieces


def _placed(
    window: np.ndarray, expected: dict[float, np.ndarray], near: range
) -> tuple[float, int] | None:
    """The orientation and the place at which a window is what was expected."""
    energy = (window**2).sum()
    for yaw, ears in expected.items():
        for place in near:
            wanted = ears[:, place : place + WINDOW]
            if wanted.shape == window.shape:
                left = ((window - wanted) ** 2).sum()
                if left < 10 ** (GOOD / 10) * energy:
                    return yaw, place
    return None


def places(pieces: list[Piece], yaw: float, first: float, last: float) -> list[float]:
    """The places between two seconds of the field that were heard with this yaw."""
    return [piece.place for piece in pieces if piece.yaw == yaw and first <= piece.place <= last]


def clicks(heard: np.ndarray, above: float) -> list[float]:
    """For each piece, the part of the power above a frequency (Hz), in dB."""
    found = []
    for start in range(0, heard.shape[1] - WINDOW, WINDOW):
        window = heard[:, start : start + WINDOW] * np.blackman(WINDOW)
        power = (np.abs(np.fft.rfft(window)) ** 2).sum(axis=0)
        high = power[np.fft.rfftfreq(WINDOW, 1 / RATE) > above].sum()
        found.append(10 * math.log10(max(high, 1e-30) / max(power.sum(), 1e-30)))
    return found
