"""What is to be drawn, the same for every way of drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.projection import Projection
from qt_app.picture import camera
from qt_app.picture.energy import Energy
from qt_app.picture.frames import Picture

# Points of the view up to this many source pixels apart still see every pixel.
_STRIDE = 1.5
MOST_SAMPLES = 3


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and a look at it.

    Attributes
    ----------
    picture : Picture or None
    look : (float, float, float)
        Yaw, pitch and roll of the viewer, radians.
    fov : float
        Horizontal, radians.
    energy : Energy or None
    grid : bool
    """

    picture: Picture | None = None
    look: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fov: float = math.pi / 2
    energy: Energy | None = None
    grid: bool = False

    @property
    def turn(self) -> NDArray[np.float64]:
        """From the viewer's axes to the world's, (3, 3)."""
        return np.array(camera.matrix(*self.look))


def samples_per_pixel(projection: Projection, fov: float, width: int) -> int:
    """Points per pixel of a view, across and down, so that small views do not shimmer.

    Parameters
    ----------
    projection : Projection
    fov : float
        Horizontal, radians.
    width : int
        Of the view, pixels.
    """
    middle = 2 * math.tan(fov / 2) / max(width, 1)
    stride = middle / max(projection.pixel_angle)
    return min(max(math.ceil(stride / _STRIDE), 1), MOST_SAMPLES)
