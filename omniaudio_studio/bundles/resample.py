"""From the feature rate to the latent rate: one matrix per rule.

Feature k stands at k / feature_rate seconds and latent j at j / latent_rate, both from the window's
start; the "spline-aligned" rule instead lays first on first and last on last.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def resampling_matrix(
    rule: str, latents: int, features: int, latent_rate: float, feature_rate: float
) -> NDArray[np.float32]:
    """The matrix M (T, S) with local_at_latents = M @ local_at_features.

    Parameters
    ----------
    rule
        "nearest", "linear" (the last feature is held) or "spline-aligned" (natural cubic spline
        with aligned ends).
    latents, features
        T and S, at least 1.
    latent_rate, feature_rate
        Hertz; "spline-aligned" needs neither.

    Returns
    -------
    ndarray
        float32 (T, S), read-only; rows sum to 1.
    """
    return _matrix(rule, latents, features, latent_rate, feature_rate)


@lru_cache(maxsize=16)
def _matrix(
    rule: str, latents: int, features: int, latent_rate: float, feature_rate: float
) -> NDArray[np.float32]:
    if rule == "spline-aligned":
        places = np.linspace(0.0, features - 1.0, latents) if latents > 1 else np.zeros(1)
        matrix = natural_spline(places, features)
    else:
        places = np.arange(latents) / latent_rate * feature_rate
        # A hair of tolerance: 0.08 * 12.5 must land on the whole number that it is.
        places = np.clip(np.round(places, 9), 0.0, features - 1.0)
        matrix = np.zeros((latents, features))
        rows = np.arange(latents)
        if rule == "nearest":
            matrix[rows, np.floor(places + 0.5).astype(int).clip(max=features - 1)] = 1.0
        elif rule == "linear":
            below = np.floor(places).astype(int)
            above = np.minimum(below + 1, features - 1)
            part = places - below
            np.add.at(matrix, (rows, below), 1.0 - part)
            np.add.at(matrix, (rows, above), part)
        else:
            raise ValueError(f"unknown resampling rule {rule!r}")
    result = matrix.astype(np.float32)
    result.setflags(write=False)
    return result


def natural_spline(places: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Matrix (len(places), count) of the natural cubic spline through knots 0 .. count - 1.

    With second derivatives m at the knots, zero at both ends, and knots one apart, continuity of
    the first derivative gives m[k-1] + 4 m[k] + m[k+1] = 6 (y[k-1] - 2 y[k] + y[k+1]); between
    knots, y = a y[k] + b y[k+1] + ((a^3 - a) m[k] + (b^3 - b) m[k+1]) / 6 with b = place - k and
    a = 1 - b (de Boor, "A practical guide to splines", 1978, chapter IV).
    """
    if count == 1:
        return np.ones((len(places), 1))
    second = np.zeros((count, count))
    inner = count - 2
    if inner > 0:
        system = 4.0 * np.eye(inner) + np.eye(inner, k=1) + np.eye(inner, k=-1)
        differences = np.zeros((inner, count))
        rows = np.arange(inner)
        differences[rows, rows] = differences[rows, rows + 2] = 6.0
        differences[rows, rows + 1] = -12.0
        second[1:-1] = np.linalg.solve(system, differences)
    below = np.clip(np.floor(places).astype(int), 0, count - 2)
    b = (places - below)[:, None]
    a = 1.0 - b
    knots = np.eye(count)
    return np.asarray(
        a * knots[below]
        + b * knots[below + 1]
        + ((a**3 - a) * second[below] + (b**3 - b) * second[below + 1]) / 6.0
    )
