"""Pictures of the sphere whose colour at every direction is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.projection import Projection


def directions(projection: Projection) -> NDArray[np.float64]:
    """Where every pixel looks, (3, height, width)."""
    u = np.arange(projection.width, dtype=float)[None, :]
    v = np.arange(projection.height, dtype=float)[:, None]
    return projection.direction(u, v)


def smooth(projection: Projection) -> NDArray[np.uint8]:
    """Colour is a smooth function of direction, different everywhere; black where nothing shows."""
    x, y, z = directions(projection)
    colours = np.stack([x + 0.3 * y * z, y + 0.3 * z * x, z + 0.3 * x * y], axis=-1)
    levels = np.rint(np.nan_to_num(127.5 + 90 * colours))
    levels[np.isnan(x)] = 0
    return levels.astype(np.uint8)


def difference(
    one: NDArray[np.uint8], other: NDArray[np.uint8], among: NDArray[np.bool_] | None = None
) -> int:
    """The largest difference in levels."""
    gap = np.abs(one.astype(int) - other.astype(int))
    return int(gap.max() if among is None else gap[among].max())
