"""Maps of a field's energy on the sphere, and how alike two of them are.

A map holds, for points that divide the sphere into equal areas, the root mean square of a beam that
looks there: W + 3 (X, Y, Z) . d, the house's energy map before it is squared. Root mean squares as
in Morgado et al. 2018 and ViSAGe (see below), whose code takes beams of other shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.evaluation.spatial.sphere import earth_movers_distance, even_points
from omniaudio_studio.foa.covariance import covariance, frame_covariances

Array = NDArray[np.float64]

POINTS = 2000
"""Of maps that are correlated: 4.5 degrees apart."""
COARSE_POINTS = 200
"""Of maps whose mass is moved: 14 degrees apart. A first-order beam is much wider."""

HEARD = 1e-3
"""A window counts where W is within 30 dB of its loudest window in the true field."""


@dataclass(frozen=True)
class MapScores:
    """How alike two fields' maps are: means over the windows in which the true field is heard.

    ``emd`` in radians; ``correlation`` -1 to 1; ``auc`` 0 to 1, by chance 0.5.
    """

    emd: float
    correlation: float
    auc: float


def field_maps(covariances: ArrayLike, points: Array) -> Array:
    """Root mean square of the beam to each point, from covariances (..., 4, 4): (..., points)."""
    x, y, z = points
    beam = np.stack([np.ones_like(x), 3 * y, 3 * z, 3 * x])
    matrices = np.asarray(covariances, np.float64)
    energy = np.sum(beam * (matrices @ beam), axis=-2)
    # A square's mean can't be negative; rounding can.
    return np.sqrt(np.maximum(energy, 0.0))


def map_scores(
    made: ArrayLike, truth: ArrayLike, rate: float, seconds: float | None = None
) -> MapScores:
    """Compare the maps of two fields, over the whole clip or window by window.

    Correlation and AUC at a whole clip's length, 1 and 5 windows per second are the measures of
    Kim, Yun and Kim, "ViSAGe: video-to-spatial audio generation", ICLR 2025, on YT-Ambigen.

    Parameters
    ----------
    made, truth : array_like, shape (4, n)
        W Y Z X, SN3D; both of one length, the true one not silent.
    rate : float
        Samples per second.
    seconds : float, optional
        Length of a window; None for one over the whole clip.
    """
    pair = []
    for field in (made, truth):
        if seconds is None:
            pair.append(covariance(field)[None])
        else:
            pair.append(frame_covariances(field, rate, seconds)[1])
    a, b = pair
    if a.shape != b.shape:
        raise ValueError(f"expected fields of one length, found {len(a)} and {len(b)} windows")
    level = b[:, 0, 0]
    if not np.any(level > 0):
        raise ValueError("the true field is silent: it has no map to compare with")
    heard = np.flatnonzero((level >= HEARD * level.max()) & (np.trace(a, axis1=1, axis2=2) > 0))
    if not heard.size:
        raise ValueError("the field is silent where the true one is heard")
    fine, coarse = even_points(POINTS), even_points(COARSE_POINTS)
    scores = []
    for k in heard:
        first, second = field_maps(a[k], fine), field_maps(b[k], fine)
        moved = earth_movers_distance(field_maps(a[k], coarse), field_maps(b[k], coarse), coarse)
        scores.append((moved, correlation(first, second), auc(first, second)))
    emd, alike, area = np.mean(scores, axis=0)
    return MapScores(float(emd), float(alike), float(area))


def correlation(made: ArrayLike, truth: ArrayLike) -> float:
    """Pearson's correlation of two maps on points of equal area: CC of ViSAGe (see `map_scores`).

    A map without contrast tells no direction: 0.

    Parameters
    ----------
    made, truth : array_like, shape (n,)
    """
    a, b = (_centred(values) for values in (made, truth))
    if a is None or b is None:
        return 0.0
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def auc(made: ArrayLike, truth: ArrayLike) -> float:
    """How well a map tells where the true map is high: area under the ROC curve.

    As in ViSAGe (see `map_scores`): Judd's AUC (Judd, Ehinger, Durand and Torralba, "Learning to
    predict where humans look", ICCV 2009), the points where the true map is within one standard
    deviation of its maximum in place of fixations. Computed as the probability that a point there
    lies higher in the made map than one elsewhere, equals counting half (Hanley and McNeil, 1982),
    where ViSAGe breaks ties by noise.

    Parameters
    ----------
    made, truth : array_like, shape (n,)

    Returns
    -------
    float
        1 where every such point lies above all others; 0.5 by chance, for a map without contrast
        and against one.
    """
    if _centred(made) is None or _centred(truth) is None:
        return 0.5
    a, b = np.asarray(made, np.float64), np.asarray(truth, np.float64)
    there = b > b.max() - b.std()
    inside, outside = a[there], np.sort(a[~there])
    below = np.searchsorted(outside, inside, side="left")
    up_to = np.searchsorted(outside, inside, side="right")
    return float(np.mean(below + up_to) / (2 * outside.size))


def _centred(values: ArrayLike) -> Array | None:
    """A map less its mean; None where rounding is all that is left."""
    data = np.asarray(values, np.float64)
    rest = data - data.mean()
    return rest if np.abs(rest).max() > 1e-9 * np.abs(data).max() else None
