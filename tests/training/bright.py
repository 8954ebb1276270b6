"""Where the bright thing in a picture is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.sphere import row_solid_angles
from omniaudio_studio.training.views import FRONT


def brightest(picture: NDArray, *, front: bool) -> NDArray[np.float64]:
    """Direction (x, y, z) of the middle of the brightest pixels of a view ``(H, W, 3)``."""
    grey = picture.astype(float).mean(axis=-1)
    low, high = np.median(grey), grey.max()
    weight = np.where(grey > low + 0.6 * (high - low), 1.0, 0.0)
    v, u = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(float)
    if front:
        looking = Perspective(FRONT.width, FRONT.height, FRONT.fov or 0.0).direction(u, v)
        weight *= looking[0] ** 3  # pixels of a flat picture cover less of the sphere outwards
    else:
        looking = Equirect(grey.shape[1], grey.shape[0]).direction(u, v)
        weight *= row_solid_angles(grey.shape[0])[:, None]
    middle = (looking * weight).sum(axis=(1, 2))
    return np.asarray(middle / np.linalg.norm(middle))


def apart(first: NDArray, second: NDArray) -> tuple[float, float]:
    """Angle between two directions in degrees, and the difference in azimuth."""
    angle = np.degrees(np.arccos(np.clip(first @ second, -1, 1)))
    azimuths = np.arctan2(first[1], first[0]) - np.arctan2(second[1], second[0])
    return float(angle), float(np.degrees(np.abs((azimuths + np.pi) % (2 * np.pi) - np.pi)))
