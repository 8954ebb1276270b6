"""What speaks for a sound from where: motion on the sphere and envelopes, section by section.

Times are frames of `automatic.RATE`; cells are those of `motion`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.spatialize.found import MIN_CONFIDENCE
from omniaudio_studio.engine.spatialize.motion import CELL, COLUMNS, ROWS
from omniaudio_studio.engine.spatialize.tracks import PathFinder, normalised, smoothed
from omniaudio_studio.foa.bands import mel_edges
from omniaudio_studio.foa.direction import azimuth_bins, elevation_bins
from omniaudio_studio.panorama.sphere import angles_to_vector

Array = NDArray[np.float32]

BANDS = 20
EDGES = mel_edges(BANDS, 50.0, 18_000.0)

_GROUPS = 4  # of bands, for correlation
_SPREAD = np.radians(13)  # of motion over cells
_APART = np.radians(52)  # between paths
_SAME = np.radians(40)  # between the middles of two paths
_NEAR = np.radians(35)  # what belongs to a source
_STEP_COST = 2.0  # evidence for a step of a radian, squared
_SECOND = 0.2  # a further path has so much of the first one's evidence
_SHARP = 3.0  # of the shares in a band: a mixture points between its sources, at neither
_STILL = 2e-5  # mean change over the sphere (0 to 1) that is none
_REACH = np.radians(18)  # about half the angle that a sounding thing may take up
_SMOOTH = 3.5  # frames, of a path's directions


@dataclass(frozen=True)
class Judged:
    """Sources of one section of T frames.

    Attributes
    ----------
    directions
        float32 (k, T, 3); k may be 0.
    shares
        float32 (k, bands, T).
    confidence
        float32 (k, T).
    overall
        0 to 1, of the section.
    weight
        How loud it is, in all, to weigh sections by.
    """

    directions: Array
    shares: Array
    confidence: Array
    overall: float
    weight: float


class Judge:
    """Finds up to ``most`` sources in sections."""

    def __init__(self, most: int) -> None:
        self.most = most
        rows, columns = ROWS // CELL, COLUMNS // CELL
        azimuth, elevation = azimuth_bins(columns), elevation_bins(rows)
        vectors = angles_to_vector(azimuth[None, :], elevation[:, None]).reshape(3, -1).T
        self._vectors = vectors.astype(np.float32)
        area = np.repeat(np.cos(elevation), columns)
        self._area = (area / area.sum()).astype(np.float32)
        self._finder = PathFinder(vectors, _STEP_COST)
        kernel = np.exp(-0.5 * (self._finder.angles / _SPREAD) ** 2) * self._area
        self._blur = (kernel / kernel.sum(axis=1, keepdims=True)).T.astype(np.float32)

    def judge(self, cells: Array, energy: Array, pan: Array, before: Array | None) -> Judged:
        """Judge one section.

        Parameters
        ----------
        cells : (T, cells)
            Motion, 0 to 1.
        energy, pan : (T, bands)
            Of the sound, see `recording.SoundFrames`.
        before : (k, 3), optional
            Directions at the end of the section before in the same shot.
        """
        loud = energy.sum(axis=1)
        weight = float(np.sqrt(loud).sum())
        # What moves everywhere alike is the camera.
        motion = np.maximum(cells - 1.5 * np.median(cells, axis=1, keepdims=True), 0)
        amount = motion @ self._area
        sounding = _activity(loud)
        if len(cells) < 3 or amount.mean() < _STILL or sounding.max() <= 0:
            return _nothing(len(cells), weight)
        wide = np.sqrt(motion @ self._blur)
        wide /= max(float(np.quantile(wide.max(axis=1), 0.9)), 1e-6)
        fit = _correlation(wide, _features(energy))
        evidence = wide * (1 + 1.5 * fit) * (0.3 + 0.7 * sounding[:, None])
        side = smoothed(_mean_pan(energy, pan), 5.0)
        evidence *= np.maximum(1 + 0.8 * side[:, None] * self._vectors[:, 1], 0.05)
        paths, directions = self._paths(evidence.astype(np.float32), motion, before)
        return self._placed(paths, directions, motion, wide, energy, pan, sounding, fit, weight)

    def _paths(
        self, evidence: Array, motion: Array, before: Array | None
    ) -> tuple[list[NDArray[np.int64]], Array]:
        """Paths by falling strength, and the directions (k, T, 3) that they stand for."""
        bonus = None
        if before is not None and len(before):
            angles = np.arccos(np.clip(self._vectors @ before.T, -1, 1)).min(axis=1)
            bonus = (2.0 * np.exp(-0.5 * (angles / np.radians(12)) ** 2)).astype(np.float32)
        paths: list[NDArray[np.int64]] = []
        directions: list[Array] = []
        rows = np.arange(len(evidence))
        strongest = 0.0
        for _ in range(2 * self.most):
            path = self._finder.best(evidence, bonus)
            strength = float(evidence[rows, path].sum())
            if len(paths) == self.most or strength < _SECOND * strongest:
                break
            strongest = strongest or max(strength, 1e-9)
            evidence = evidence * (self._finder.angles[path] > _APART)
            where = self._refined(path, motion)
            # The edges of one large thing are two paths with one middle.
            cosines = [float(np.median((where * other).sum(axis=1))) for other in directions]
            if all(cosine < np.cos(_SAME) for cosine in cosines):
                paths.append(path)
                directions.append(where)
        return paths, np.stack(directions)

    def _placed(
        self,
        paths: list[NDArray[np.int64]],
        directions: Array,
        motion: Array,
        wide: Array,
        energy: Array,
        pan: Array,
        sounding: Array,
        fit: Array,
        weight: float,
    ) -> Judged:
        rows = np.arange(len(motion))
        near = [where @ self._vectors.T > np.cos(_NEAR) for where in directions]
        # How much of all motion belongs to the paths, where there is any.
        total = smoothed(motion @ self._area, 6.0) + 1e-9
        own = [smoothed((motion * mask) @ self._area, 6.0) for mask in near]
        covered = np.minimum(sum(own) / total, 1.0)
        cap = len(paths) * (1 - np.cos(_NEAR)) / 2
        concentrated = np.clip((covered - cap) / (1 - cap), 0, 1)
        fits = np.array([np.average(fit[path], weights=wide[rows, path] + 1e-6) for path in paths])
        certain = concentrated * (0.75 + 0.25 * np.clip(2 * fits[:, None], 0, 1))
        confidence = smoothed(np.ascontiguousarray(certain.T), 3.0).T
        overall = float(np.average(confidence.max(axis=0), weights=sounding + 1e-3))
        shares = self._shares(paths, wide, energy, pan, directions)
        if overall < MIN_CONFIDENCE:
            shares = np.zeros_like(shares)
        return Judged(directions, shares, confidence.astype(np.float32), overall, weight)

    def _refined(self, path: NDArray[np.int64], motion: Array) -> Array:
        """Middles of what moves near a path, smoothed over time by how much it moves.

        What turns or grows moves at its edges: so the middle of what is near is taken twice, the
        second time around where the first one is.
        """
        around = self._vectors[path]
        for _ in range(2):
            cosine = around @ self._vectors.T
            pull = motion * np.exp((cosine - 1) / _REACH**2) * self._area
            # Where next to nothing moves, what was there before and after has a say.
            rest = 0.02 * float(pull.sum(axis=1).mean()) + 1e-12
            around = normalised(smoothed(pull @ self._vectors + rest * around, _SMOOTH))
        return around

    def _shares(
        self,
        paths: list[NDArray[np.int64]],
        wide: Array,
        energy: Array,
        pan: Array,
        directions: Array,
    ) -> Array:
        """Of each band, to the path whose motion goes with it; less where the band is at its
        floor, which is what sounds all the time."""
        rows = np.arange(len(wide))
        level = np.log10(energy + 1e-12)
        floor = np.quantile(energy, 0.1, axis=0)
        direct = 1 - 0.4 * np.sqrt(floor / np.maximum(energy, 1e-12)).clip(0, 1)
        change = np.abs(np.diff(level, axis=0, prepend=level[:1]))
        scores = []
        for path, vectors in zip(paths, directions, strict=True):
            series = wide[rows, path][:, None]
            match = np.maximum(_pairwise(series, level), _pairwise(series, change))[0]
            moving = 0.3 + smoothed(series, 4.0) / max(float(series.mean()), 1e-6)
            score = 5 * match[None, :] + np.log(moving) + 1.5 * pan * vectors[:, 1:2]
            scores.append(score)
        stacked = np.stack(scores)  # (k, T, bands)
        parts = np.exp(_SHARP * (stacked - stacked.max(axis=0, keepdims=True)))
        parts /= parts.sum(axis=0, keepdims=True)
        return (parts * direct).transpose(0, 2, 1).astype(np.float32)


def _nothing(frames: int, weight: float) -> Judged:
    return Judged(
        np.zeros((0, frames, 3), np.float32),
        np.zeros((0, BANDS, frames), np.float32),
        np.zeros((0, frames), np.float32),
        0.0,
        weight,
    )


def _activity(loud: Array) -> Array:
    """0 to 1: where the sound is, between its quietest and its loudest tenth; 0 in silence."""
    level = 10 * np.log10(loud + 1e-12)
    low, high = np.quantile(level, [0.1, 0.95])
    spread = max(float(high - low), 6.0)
    return (np.clip((level - high + spread) / spread, 0, 1) * (loud > 1e-10)).astype(np.float32)


def _mean_pan(energy: Array, pan: Array) -> Array:
    root = np.sqrt(energy)
    return (root * pan).sum(axis=1) / np.maximum(root.sum(axis=1), 1e-9)


def _features(energy: Array) -> Array:
    """Levels and their changes in groups of bands: (T, features)."""
    groups = np.stack(
        [part.sum(axis=1) for part in np.array_split(energy, _GROUPS, axis=1)]
        + [energy.sum(axis=1)],
        axis=1,
    )
    level = np.log10(groups + 1e-10)
    change = np.diff(level, axis=0, prepend=level[:1])
    return np.concatenate([level, np.abs(change), np.maximum(change, 0)], axis=1)


def _correlation(series: Array, features: Array) -> Array:
    """The best positive correlation of each cell's motion with any feature, a frame early or late:
    (cells,), 0 to 1; what chance makes of so few frames is taken off."""
    best = np.zeros(series.shape[1])
    for lag in (-1, 0, 1):
        best = np.maximum(best, _pairwise(series, np.roll(features, lag, axis=0)).max(axis=1))
    chance = 2.0 / np.sqrt(max(len(series) / 3, 4))
    return np.clip((best - chance) / (1 - chance), 0, 1).astype(np.float32)


def _pairwise(a: Array, b: Array) -> Array:
    """Pearson's correlation of the columns of a and of b: (columns of a, columns of b)."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    lengths = np.linalg.norm(a, axis=0)[:, None] * np.linalg.norm(b, axis=0)[None, :]
    return (a.T @ b) / np.maximum(lengths, 1e-9)
