"""A field pulled towards given directions for a while: a bounded rotation that follows the field.

The field's own direction is that of its intensity vector (`foa.direction`), over 0.2 s around each
moment. From there the whole field turns along the great circle towards the direction wanted, by a
share of the angle and by 90 degrees at most. A rotation keeps the energy of Y, Z and X together,
and W is not touched at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.convention import Foa, as_foa
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.rotation import rotate_each

Array = NDArray[np.float64]

FADE_SECONDS = 0.25
"""In which a pull comes and goes, within its range."""
MOST = np.pi / 2
"""Radians that the field is turned by at most."""
# How much of its energy has to flow one way (1 - diffuseness): below the first the field has no
# direction that could be pulled, from the second on it is pulled in full.
_DIFFUSE, _DIRECTED = 0.1, 0.4

_HOP_SECONDS = 0.02
# Hops to either side over which directions, and then rotations, are averaged.
_REACH = 5
_XYZ = [3, 1, 2]


@dataclass(frozen=True)
class Pull:
    """Towards where, from when to when, and how strongly.

    Parameters
    ----------
    start, end
        Seconds, on the clock of `PulledField`.
    azimuth, elevation
        Radians.
    strength
        0 (not at all) to 1 (all the way, where that is 90 degrees or less).
    """

    start: float
    end: float
    azimuth: float
    elevation: float
    strength: float

    def weights(self, times: Array) -> Array:
        """The strength at ``times``: raised cosines at both ends, 0 outside."""
        fade = min(FADE_SECONDS, (self.end - self.start) / 2)
        inside = np.minimum(times - self.start, self.end - times) / fade
        risen: Array = np.sin(np.pi / 2 * np.clip(inside, 0.0, 1.0)) ** 2
        return self.strength * risen


class PulledField:
    """Pull a field that arrives in blocks of any size; what leaves doesn't depend on the sizes.

    Where several pulls meet, the field turns by the sum of their rotations, each weighted by its
    strength, and by their weighted mean where the strengths add up to more than 1. In diffuse parts
    the pull is weaker, down to none. Where no pull is at work, the samples stay as they are to the
    bit.

    Parameters
    ----------
    pulls : sequence of Pull
    rate : float
        Samples per second.
    start : float
        Seconds, on the clock of the pulls, of the first sample.
    """

    def __init__(self, pulls: Sequence[Pull], rate: float, start: float = 0.0) -> None:
        self._pulls = [(pull, _unit(pull)) for pull in pulls if pull.strength > 0]
        self._rate, self._start = float(rate), float(start)
        self._hop = max(1, round(_HOP_SECONDS * rate))
        self._rest: Foa = np.zeros((4, 0), np.float32)
        self._waiting: deque[Foa] = deque()
        self._heard = self._given = 0  # hops
        # Of each hop: its net flow x, y, z and its energy. Of each border between hops: the unit
        # vector of its direction, and how far it is one.
        self._flows: deque[Array] = deque([np.zeros(4)] * (2 * _REACH), 2 * _REACH)
        self._borders: deque[Array] = deque([np.zeros(4)] * (2 * _REACH + 2), 2 * _REACH + 2)
        middles = np.arange(2 * _REACH) - _REACH + 0.5
        self._near = np.cos(np.pi / 2 * middles / _REACH) ** 2
        smooth = np.cos(np.pi / 2 * np.arange(-_REACH, _REACH + 1) / _REACH) ** 2
        self._smooth = smooth / smooth.sum()

    @property
    def latency(self) -> int:
        """Samples by which what leaves lags behind what arrived, at most."""
        return (2 * _REACH + 1) * self._hop

    def push(self, foa: ArrayLike) -> Foa:
        """Take a block (4, n); return what is done, (4, m), m = 0 included."""
        joined = np.concatenate([self._rest, as_foa(foa)], axis=1)
        whole = joined.shape[1] - joined.shape[1] % self._hop
        done = [self._hear(joined[:, at : at + self._hop]) for at in range(0, whole, self._hop)]
        self._rest = joined[:, whole:]
        return np.concatenate([np.zeros((4, 0), np.float32), *done], axis=1)

    def finish(self) -> Foa:
        """The rest: with all that was returned before as many samples as came in."""
        hops = [self._rest] if self._rest.shape[1] else []
        hops += [np.zeros((4, 0), np.float32)] * (2 * _REACH)
        self._rest = np.zeros((4, 0), np.float32)
        return np.concatenate([self._hear(hop) for hop in hops], axis=1)

    def _hear(self, hop: Foa) -> Foa:
        """Take the next hop; return the one that can be turned now, if there is one."""
        products = covariance(hop) * hop.shape[1]
        self._flows.append(np.append(products[0, _XYZ], np.trace(products) / 2))
        self._borders.append(_direction(self._near @ np.array(self._flows)))
        self._heard += 1
        self._waiting.append(hop)
        # A border looks at the hops after it, and a rotation at the borders after it.
        if self._heard <= 2 * _REACH:
            return np.zeros((4, 0), np.float32)
        return self._turned(self._waiting.popleft())

    def _turned(self, hop: Foa) -> Foa:
        first = self._given * self._hop
        self._given += 1
        times = self._start + (first + np.arange(hop.shape[1])) / self._rate
        turn, total = np.zeros((3, hop.shape[1])), np.zeros(hop.shape[1])
        borders = np.array(self._borders)
        passed = np.arange(hop.shape[1]) / self._hop
        for pull, wanted in self._pulls:
            weights = pull.weights(times)
            if not weights.any():
                continue
            towards = _rotations(borders, wanted)
            before, after = self._smooth @ towards[:-1], self._smooth @ towards[1:]
            turn += weights * (before[:, None] + passed * (after - before)[:, None])
            total += weights
        pulled = total > 0
        if not pulled.any():
            return hop
        turn /= np.maximum(total, 1.0)
        turn *= MOST / np.maximum(_lengths(turn), MOST)
        return np.where(pulled, rotate_each(hop, _quaternions(turn)), hop)


def _unit(pull: Pull) -> Array:
    return direction_vector(pull.azimuth, pull.elevation)


def _direction(flow: Array) -> Array:
    """Unit vector of a flow (x, y, z, energy) and how far it may be pulled, 0 to 1; zeros if not
    at all."""
    length = float(np.linalg.norm(flow[:3]))
    if not length:
        return np.zeros(4)
    directed = (length / flow[3] - _DIFFUSE) / (_DIRECTED - _DIFFUSE)
    return np.append(flow[:3] / length, np.clip(directed, 0.0, 1.0))


def _rotations(borders: Array, wanted: Array) -> Array:
    """Rotation vectors (n, 3) from each border's direction to the one wanted, times its share."""
    own, share = borders[:, :3], borders[:, 3]
    axis = np.cross(own, wanted)
    sine = np.linalg.norm(axis, axis=1)
    cosine = own @ wanted
    opposite = (sine < 1e-6) & (cosine < 0)
    if opposite.any():
        # All ways are as short: the one over the side is taken, or over the front from a pole.
        upright = np.array([0.0, 0.0, 1.0]) if abs(wanted[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
        axis[opposite] = upright - (upright @ wanted) * wanted
    length = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, cosine) * share / np.maximum(length, 1e-300)
    return axis * angle[:, None]


def _quaternions(turn: Array) -> Array:
    """Unit quaternions (n, 4) of rotation vectors (3, n), radians."""
    half = _lengths(turn) / 2
    return np.vstack([np.cos(half), np.sinc(half / np.pi) / 2 * turn]).T


def _lengths(vectors: Array) -> Array:
    """Of vectors (3, n)."""
    x, y, z = vectors
    return np.sqrt(x * x + y * y + z * z)
