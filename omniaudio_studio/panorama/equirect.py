"""The equirectangular projection: columns are azimuths, rows are elevations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.sphere import Array, angles_to_vector, check_size, vector_to_angles

_ROUNDING = 1e-6  # of a pixel


@dataclass(frozen=True)
class Equirect:
    """The whole sphere, stretched to ``width`` x ``height`` whatever the pixel aspect.

    Pixel (u, v) looks to azimuth pi - 2 pi (u + s) / width, elevation pi/2 - pi (v + s) / height.

    Parameters
    ----------
    width, height : int
        Pixels.
    offset : float
        s above: 0.5, pixel centres. 0.0 is the convention of OmniAudio's released code, half a
        pixel off; it exists to reproduce that code.
    """

    width: int
    height: int
    offset: float = 0.5

    def __post_init__(self) -> None:
        check_size(self.width, self.height, "equirectangular")

    @property
    def wrap_x(self) -> bool:
        return True

    @property
    def has_seams(self) -> bool:
        return True

    @property
    def pixel_angle(self) -> tuple[float, float]:
        return 2 * np.pi / self.width, np.pi / self.height

    @property
    def cells(self) -> tuple[int, int]:
        return 1, 1

    def direction(self, u: Array, v: Array) -> Array:
        azimuth = np.pi - 2 * np.pi * (u + self.offset) / self.width
        elevation = np.pi / 2 - np.pi * (v + self.offset) / self.height
        return angles_to_vector(azimuth, elevation)

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        azimuth, elevation = vector_to_angles(direction)
        u = (np.pi - azimuth) / (2 * np.pi) * self.width - self.offset
        v = (np.pi / 2 - elevation) / np.pi * self.height - self.offset
        return u, v

    def resized(self, width: int, height: int) -> Equirect:
        return replace(self, width=width, height=height)

    def extended(self, image: NDArray, margin: int) -> NDArray:
        """Rows added beyond both poles; columns need none, since they wrap while mapping."""
        return np.concatenate(
            [over_the_pole(image[:margin])[::-1], image, over_the_pole(image[-margin:])[::-1]]
        )

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        u, v = self.pixel(direction)
        return u, v + margin


def turned(image: NDArray, yaw: float) -> NDArray:
    """A whole panorama whose front is what was at azimuth ``yaw``, in radians.

    Whole pixels are moved; between two of them both are mixed.

    Parameters
    ----------
    image : ndarray, uint8 or float32, shape (H, W) or (H, W, channels)
    """
    import cv2

    pixels = yaw / (2 * np.pi) * image.shape[1]
    whole = int(np.floor(pixels + _ROUNDING))
    part = pixels - whole
    moved = np.roll(image, whole, axis=1)
    if part <= _ROUNDING:
        return moved
    further = np.roll(image, whole + 1, axis=1)
    mixed: NDArray = cv2.addWeighted(moved, 1 - part, further, part, 0)
    return mixed


def over_the_pole(rows: NDArray) -> NDArray:
    """What rows look like half a turn further, where a path over a pole comes down again.

    An odd width has no column exactly opposite: the two nearest are averaged.
    """
    width = rows.shape[1]
    opposite = np.roll(rows, width // 2, axis=1)
    if width % 2 == 0:
        return opposite
    other = np.roll(rows, width // 2 + 1, axis=1)
    mean = (opposite.astype(np.float32) + other.astype(np.float32)) / 2
    if np.issubdtype(rows.dtype, np.integer):
        mean = np.rint(mean)
    return mean.astype(rows.dtype)
