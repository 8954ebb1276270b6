"""Where the parts of a field come from: a histogram of directions, one for each time and frequency.

Sounds of different kinds seldom share a frequency at one moment, so that the intensity of a single
bin points to one of them where the energy map of the whole, of first order, has one broad lobe.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.errors import MissingDependencyError
from omniaudio_studio.evaluation.spatial.spectra import stft
from omniaudio_studio.evaluation.spatial.sphere import angles_between, even_points
from omniaudio_studio.foa.convention import as_foa

Array = NDArray[np.float64]

POINTS = 2000
"""Bins of the histogram: equal areas, 4.5 degrees apart."""
SMOOTHING = float(np.radians(8))
"""Width of the kernel that a bin is spread by, radians."""
SEPARATION = float(np.radians(30))
"""Peaks nearer to a higher one than this belong to it."""

WINDOW_SECONDS = 2048 / 48000
_QUIET = 1e-6  # of the loudest bin's energy: 60 dB under it


def direction_histogram(foa: ArrayLike, rate: float) -> Array:
    """Energy by direction of arrival, of all times and frequencies.

    For every bin of a spectrogram the intensity Re(conj(W) (X, Y, Z)) points to where it comes
    from. Its length over its energy (|W|^2 + |X|^2 + |Y|^2 + |Z|^2) / 2 is 1 for one plane wave
    and less for several or for diffuse sound (Pulkki, "Spatial sound reproduction with directional
    audio coding", JAES 55(6), 2007); a bin weighs its energy times the square of that. Weights are
    gathered in bins of equal area and spread by a kernel on the sphere, as Pavlidi,
    Delikaris-Manias, Pulkki and Mouchtaris smooth their histograms ("3D localization of multiple
    sound sources with intensity vector estimates in single source zones", EUSIPCO 2015); here a
    von Mises-Fisher kernel, which knows no poles.

    Parameters
    ----------
    foa : array_like, shape (4, n)
        W Y Z X, SN3D.
    rate : float
        Samples per second.

    Returns
    -------
    ndarray, float64, shape (POINTS,)
        At `even_points` (POINTS); its sum is that of the weights, all 0 where nothing has a
        direction.

    Raises
    ------
    MissingDependencyError
        Without SciPy (extra eval).
    """
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise MissingDependencyError(
            "histograms of directions need SciPy; run: pip install 'omniaudio-studio[eval]'"
        ) from error
    w, y, z, x = (
        stft(channel, rate, WINDOW_SECONDS, WINDOW_SECONDS / 2) for channel in as_foa(foa)
    )
    intensity = np.stack([(np.conj(w) * axis).real.ravel() for axis in (x, y, z)])
    energy = np.sum([np.square(np.abs(channel)).ravel() for channel in (w, y, z, x)], axis=0) / 2
    length = np.sqrt(np.sum(intensity**2, axis=0))
    chosen = np.flatnonzero((energy > _QUIET * energy.max()) & (length > 1e-9 * energy))
    points = even_points(POINTS)
    if not chosen.size:
        return np.zeros(POINTS)
    directness = length[chosen] / energy[chosen]
    _, nearest = cKDTree(points.T).query((intensity[:, chosen] / length[chosen]).T)
    raw = np.bincount(nearest, energy[chosen] * directness**2, POINTS)
    return np.asarray(_kernel() @ raw, np.float64)


def highest_peaks(histogram: ArrayLike, count: int, separation: float = SEPARATION) -> Array:
    """Directions of a histogram's highest peaks, the highest first.

    A peak is no lower than the bins around it (8 degrees) and lies at least ``separation`` from
    every higher one.

    Parameters
    ----------
    histogram : array_like, shape (POINTS,)
    count : int
        Most to be returned.
    separation : float
        Radians.

    Returns
    -------
    ndarray, float64, shape (3, k)
        Unit vectors; k up to ``count``.
    """
    heights = np.asarray(histogram, np.float64)
    points = even_points(POINTS)
    if heights.shape != (POINTS,):
        raise ValueError(f"expected a histogram of {POINTS} bins, found shape {heights.shape}")
    peaks: list[int] = []
    for index in np.argsort(-heights, kind="stable"):
        if len(peaks) == count or heights[index] <= 0:
            break
        near = points[:, index] @ points > np.cos(np.radians(8))
        if heights[index] < heights[near].max():
            continue
        if all(
            angles_between(points[:, [index]], points[:, [other]])[0, 0] >= separation
            for other in peaks
        ):
            peaks.append(int(index))
    return points[:, peaks]


def all_found(peaks: ArrayLike, directions: ArrayLike, tolerance: float) -> bool:
    """Whether every true direction has a peak of its own within ``tolerance`` radians.

    Parameters
    ----------
    peaks : array_like, shape (3, k)
    directions : array_like, shape (3, m)
        Unit vectors both.
    tolerance : float
    """
    apart = angles_between(directions, peaks)
    sources, found = apart.shape
    return any(
        all(apart[row, column] <= tolerance for row, column in enumerate(order))
        for order in permutations(range(found), sources)
    )


@lru_cache(maxsize=1)
def _kernel() -> NDArray[np.float32]:
    """How much of bin j every bin i gets, (POINTS, POINTS); columns add up to 1."""
    points = even_points(POINTS)
    weights = np.exp((points.T @ points - 1) / SMOOTHING**2)
    return np.asarray(weights / weights.sum(axis=0), np.float32)
