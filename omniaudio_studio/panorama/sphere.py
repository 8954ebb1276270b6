"""Directions on the sphere: angles, unit vectors, rotations, solid angles.

Axes as everywhere in this project: x front, y left, z up. Azimuth runs counter-clockwise seen from
above (left = +pi/2), elevation upwards; radians. Vectors are float64 arrays of shape (3, ...).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.errors import OptionError

Array = NDArray[np.float64]


def angles_to_vector(azimuth: ArrayLike, elevation: ArrayLike) -> Array:
    """Unit vectors of directions.

    Parameters
    ----------
    azimuth, elevation : array_like
        Radians, shapes that broadcast to one shape ``S``.

    Returns
    -------
    ndarray, shape (3, *S)
        x, y, z.
    """
    az, el = np.broadcast_arrays(np.asarray(azimuth, float), np.asarray(elevation, float))
    flat = np.cos(el)
    return np.stack([np.cos(az) * flat, np.sin(az) * flat, np.sin(el)])


def vector_to_angles(vector: ArrayLike) -> tuple[Array, Array]:
    """Azimuth in [-pi, pi] and elevation in [-pi/2, pi/2] of vectors of any length, shape (3, ...).

    The elevation comes from an arc tangent, not from an arc sine, which would lose half its digits
    near the poles.
    """
    x, y, z = np.asarray(vector, float)
    return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


def orientation(yaw: float, pitch: float, roll: float) -> Array:
    """Rotation matrix (3, 3) that turns a camera's own axes into the world's.

    Angles in degrees, as in options and manifests. ``yaw`` turns the camera to the left, ``pitch``
    then raises its front, ``roll`` then turns it about its front axis so that its left side rises
    (clockwise, seen by somebody looking along the camera's front). All zero: the camera looks
    along +x with +z up.

    Raises
    ------
    OptionError
        If an angle is not finite.
    """
    for name, value in (("yaw", yaw), ("pitch", pitch), ("roll", roll)):
        if not math.isfinite(value):
            raise OptionError(f"{name} must be a finite angle in degrees, found {value}")
    cy, sy = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    cr, sr = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_y = np.array([[cp, 0.0, -sp], [0.0, 1.0, 0.0], [sp, 0.0, cp]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    result: Array = about_z @ about_y @ about_x
    return result


def row_solid_angles(height: int) -> Array:
    """Solid angle of each pixel row of an equirectangular image, top to bottom.

    A row between the elevations a > b covers 2 pi (sin a - sin b) steradians (Archimedes' hat box);
    divide by the width for the solid angle of one pixel.

    Returns
    -------
    ndarray, shape (height,)
        Steradians; the sum is 4 pi.
    """
    check_size(1, height)
    # sin a - sin b = 2 cos((a + b) / 2) sin((a - b) / 2), without cancellation near the poles.
    centres = np.pi / 2 - np.pi * (np.arange(height) + 0.5) / height
    result: Array = 4 * np.pi * np.cos(centres) * np.sin(np.pi / (2 * height))
    return result


def check_size(width: int, height: int, what: str = "image") -> None:
    """Refuse sizes that OpenCV cannot map (it counts pixels in 16 bits).

    Raises
    ------
    OptionError
        If a side is not a whole number from 1 to 32766.
    """
    for side in (width, height):
        if isinstance(side, bool) or not isinstance(side, int | np.integer) or not 0 < side < 32767:
            raise OptionError(
                f"{what} size must be whole numbers from 1 to 32766, found {width} x {height}"
            )
