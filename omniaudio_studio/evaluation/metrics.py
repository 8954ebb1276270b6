"""How far a sound field's direction is from where the sound should come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.direction import angular_error, direction_per_frame
from omniaudio_studio.foa.encoding import vector_direction

Array = NDArray[np.float64]

CHANCE = float(np.pi / 2)
"""Mean angle between a direction and another one that is uniform on the sphere, radians."""

NO_FLOW = 1e-6
"""Net flow of energy, as a part of the energy, below which a frame has no direction."""


@dataclass(frozen=True)
class Statistics:
    """Mean, median and count of scenes' values, with a 95 % bootstrap interval of the mean."""

    mean: float
    median: float
    count: int
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data; angles in radians."""
        return {
            "mean": self.mean,
            "median": self.median,
            "count": self.count,
            "interval": [self.low, self.high],
        }


def statistics(values: Sequence[float] | Array, resamples: int = 4000) -> Statistics | None:
    """Statistics of a sample; None of an empty one.

    The interval is the percentile bootstrap of Efron (1979): the middle 95 % of the means of
    ``resamples`` samples drawn with replacement, by a generator of its own and fixed seed.
    """
    data = np.asarray(values, np.float64)
    if data.size == 0:
        return None
    rng = np.random.default_rng(0)
    means = data[rng.integers(0, data.size, (resamples, data.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Statistics(
        float(data.mean()), float(np.median(data)), int(data.size), float(low), float(high)
    )


def frame_errors(
    foa: NDArray[np.float32], rate: int, vectors: Array, frame_seconds: float
) -> Array:
    """Angle between each frame's direction of arrival and where it should be.

    Parameters
    ----------
    foa
        W Y Z X, SN3D, shape (4, samples).
    rate
        Its sample rate.
    vectors
        True unit vectors (x, y, z) at the middles of the frames, shape (3, frames).
    frame_seconds
        Length of a frame.

    Returns
    -------
    ndarray, float64, shape (frames,)
        Radians, 0 to pi. A frame that is silent or without any flow of energy (W alone) tells no
        direction: it counts as chance, pi / 2.
    """
    heard = direction_per_frame(foa, rate, frame_seconds)
    count = vectors.shape[1]
    if heard.azimuth.size < count:
        raise ValueError(f"the field has {heard.azimuth.size} frames, expected {count}")
    azimuth, elevation = vector_direction(vectors)
    errors = angular_error(heard.azimuth[:count], heard.elevation[:count], azimuth, elevation)
    told = (heard.energy[:count] > 0) & (heard.diffuseness[:count] < 1 - NO_FLOW)
    return np.where(told, errors, CHANCE)
