"""Points that divide the sphere into equal areas, and the earth mover's distance between maps."""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.errors import MissingDependencyError

Array = NDArray[np.float64]


@lru_cache(maxsize=8)
def even_points(count: int) -> Array:
    """Points of a Fibonacci lattice: each stands for the same solid angle, 4 pi / count.

    Gonzalez, "Measurement of areas on a sphere using Fibonacci and latitude-longitude lattices",
    Mathematical Geosciences 42, 2010. Neighbours are about sqrt(4 pi / count) apart.

    Returns
    -------
    ndarray, float64, shape (3, count), read-only
        Unit vectors x, y, z.
    """
    if count < 2:
        raise ValueError(f"expected at least 2 points, found {count}")
    index = np.arange(count)
    height = 1 - (2 * index + 1) / count
    across = np.sqrt(1 - height**2)
    azimuth = np.pi * (3 - np.sqrt(5)) * index
    points = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), height])
    points.setflags(write=False)
    return points


def angles_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Angles between all pairs of unit vectors (3, n) and (3, m): radians, shape (n, m).

    2 arcsin of half the chord, which is exact to rounding for near directions (an arc cosine of
    1 - 1e-16 is 1e-8), and from the opposite direction for far ones.
    """
    x, y = np.asarray(a, np.float64).T[:, None, :], np.asarray(b, np.float64).T[None, :, :]
    near = np.sqrt(np.sum((x - y) ** 2, axis=2)) / 2
    far = np.sqrt(np.sum((x + y) ** 2, axis=2)) / 2
    return 2 * np.arctan2(near, far)


def earth_movers_distance(made: ArrayLike, truth: ArrayLike, points: ArrayLike) -> float:
    """Least mean angle by which the mass of one map must travel to make the other, in radians.

    The first Wasserstein distance with geodesic ground distance. Rubner, Tomasi and Guibas, "The
    earth mover's distance as a metric for image retrieval", IJCV 40(2), 2000; between ambisonic
    maps in Morgado, Vasconcelos, Langlois and Wang, "Self-supervised generation of spatial audio
    for 360 video", NeurIPS 2018. Both maps are normalised to a sum of 1, so that levels don't
    matter. Solved exactly by POT's network simplex.

    Parameters
    ----------
    made, truth : array_like, shape (n,)
        Mass at each point, not negative, not all 0.
    points : array_like, shape (3, n)
        Unit vectors.

    Returns
    -------
    float
        0 to pi: the angle a for two points of mass that far apart.

    Raises
    ------
    MissingDependencyError
        Without POT (extra eval).
    """
    a, b = (np.asarray(mass, np.float64) for mass in (made, truth))
    directions = np.asarray(points, np.float64)
    if a.ndim != 1 or a.shape != b.shape or directions.shape != (3, a.size):
        raise ValueError(
            f"expected two maps of one length and as many points, found {a.shape}, {b.shape} and "
            f"{directions.shape}"
        )
    for mass in (a, b):
        if not np.all(mass >= 0) or not 0 < mass.sum() < np.inf:
            raise ValueError("expected maps without negative values and not all zero")
    a, b = a / a.sum(), b / b.sum()
    # Mass that both have in one place stays there (the ground distance is a metric): without it
    # the problem is smaller.
    common = np.minimum(a, b)
    a, b = a - common, b - common
    moved = a.sum()
    if moved <= 1e-12:
        return 0.0
    start, end = np.flatnonzero(a), np.flatnonzero(b)
    ground = angles_between(directions[:, start], directions[:, end])
    cost = _pot().emd2(a[start] / moved, b[end] / b.sum(), ground, numItermax=1_000_000)
    return float(cost) * float(moved)


def _pot() -> ModuleType:
    # POT imports every array library that it finds; it needs none of these for NumPy's arrays.
    for library in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{library}", "1")
    try:
        import ot
    except ImportError as error:
        raise MissingDependencyError(
            "the earth mover's distance needs POT; run: pip install 'omniaudio-studio[eval]'"
        ) from error
    return ot
