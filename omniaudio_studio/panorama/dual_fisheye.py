"""Two fisheye pictures side by side, as back-to-back lenses record them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.sphere import Array, check_size

DEFAULT_FOV = 190.0
# Share of the overlap in which the lenses are mixed.
_MIXED = 0.8


@dataclass(frozen=True)
class DualFisheye:
    """Front lens in the left half, rear lens in the right half, both upright.

    Each half holds the largest circle that fits in its centre; the distance from the centre is
    proportional to the angle from the lens's axis (equidistant), fov / 2 at the rim.

    Parameters
    ----------
    width, height : int
        Of the whole picture; the width even.
    fov : float
        Of one lens, degrees, between 0 and 360, both excluded. Above 180 the pictures overlap;
        read as a source they are mixed there (``front_share``).
    stretch : float
        Height over width of a pixel (1: square); other values come from resizing one axis more.
    """

    width: int
    height: int
    fov: float = DEFAULT_FOV
    stretch: float = 1.0

    def __post_init__(self) -> None:
        check_size(self.width, self.height, "dual fisheye")
        if self.width % 2:
            raise OptionError(
                "a dual fisheye picture is two halves side by side, so its width is even; "
                f"found {self.width}"
            )
        if not (math.isfinite(self.fov) and 0.0 < self.fov < 360.0):
            raise OptionError(
                "a fisheye lens's field of view must be between 0 and 360 degrees "
                f"(both excluded), found {self.fov}"
            )
        if not (math.isfinite(self.stretch) and self.stretch > 0):
            raise OptionError(f"the stretch of pixels must be positive, found {self.stretch}")

    @property
    def wrap_x(self) -> bool:
        return False

    @property
    def has_seams(self) -> bool:
        return False

    @property
    def cells(self) -> tuple[int, int]:
        return 2, 1

    @property
    def radii(self) -> tuple[float, float]:
        """Of the circle, in pixels, horizontally and vertically."""
        across = min(self.width / 2, self.height * self.stretch) / 2
        return across, across / self.stretch

    @property
    def pixel_angle(self) -> tuple[float, float]:
        across, down = self.radii
        half = math.radians(self.fov) / 2
        return half / across, half / down

    def resized(self, width: int, height: int) -> DualFisheye:
        stretch = self.stretch * (width / self.width) / (height / self.height)
        return replace(self, width=width, height=height, stretch=stretch)

    def direction(self, u: Array, v: Array) -> Array:
        u, v = np.broadcast_arrays(u, v)
        rear = u + 0.5 >= self.width / 2
        across, down = self.radii
        right = (u + 0.5 - np.where(rear, 0.75, 0.25) * self.width) / across
        below = (v + 0.5 - self.height / 2) / down
        distance = np.hypot(right, below)
        angle = distance * math.radians(self.fov) / 2
        # sin(angle) / distance, which is finite at the centre.
        slope = np.sinc(angle / np.pi) * math.radians(self.fov) / 2
        side = np.where(rear, -1.0, 1.0)  # the rear lens looks along -x, its right is +y
        ray = np.stack([side * np.cos(angle), -side * right * slope, -below * slope])
        return np.where(distance <= 1 + 1e-12, ray, np.nan)

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        """Pixels in the picture of the lens that a direction is nearer to."""
        front, rear = (lens_pixel(self, direction, lens) for lens in (0, 1))
        ahead = direction[0] >= 0
        return np.where(ahead, front[0], rear[0]), np.where(ahead, front[1], rear[1])

    def extended(self, image: NDArray, margin: int) -> NDArray:
        return image

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        return self.pixel(direction)

    def front_share(self, direction: Array) -> Array:
        """How much of a direction's colour comes from the front lens, 0 to 1.

        Falls linearly with the angle across the middle of the overlap, leaving out the pixels at
        either rim, which are dark in real lenses; without an overlap it is 1 in front, else 0.
        """
        angle = np.arctan2(np.hypot(direction[1], direction[2]), direction[0])
        overlap = _MIXED * (math.radians(self.fov) - np.pi)
        if overlap <= 0:
            return (angle <= np.pi / 2).astype(float)
        result: Array = np.clip(0.5 + (np.pi / 2 - angle) / overlap, 0.0, 1.0)
        return result


@dataclass(frozen=True)
class Lens:
    """One lens of a dual fisheye picture, as a source of its own."""

    both: DualFisheye
    index: int

    @property
    def width(self) -> int:
        return self.both.width

    @property
    def height(self) -> int:
        return self.both.height

    @property
    def wrap_x(self) -> bool:
        return False

    @property
    def has_seams(self) -> bool:
        return False

    @property
    def cells(self) -> tuple[int, int]:
        return 2, 1

    @property
    def pixel_angle(self) -> tuple[float, float]:
        return self.both.pixel_angle

    def resized(self, width: int, height: int) -> Lens:
        return Lens(self.both.resized(width, height), self.index)

    def direction(self, u: Array, v: Array) -> Array:
        mine = (u + 0.5 >= self.width / 2) == bool(self.index)
        return np.where(mine, self.both.direction(u, v), np.nan)

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        return lens_pixel(self.both, direction, self.index)

    def extended(self, image: NDArray, margin: int) -> NDArray:
        return image

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        """Kept inside this lens's half, so that interpolation does not read the other one."""
        u, v = self.pixel(direction)
        first = self.index * self.width // 2
        return np.clip(u, first, first + self.width // 2 - 1), v


def lens_pixel(both: DualFisheye, direction: Array, lens: int) -> tuple[Array, Array]:
    """Where the front (0) or rear (1) lens shows directions; NaN beyond its field of view."""
    side = -1.0 if lens else 1.0
    x, y, z = direction
    off_axis = np.hypot(y, z)
    angle = np.arctan2(off_axis, side * x)
    half = math.radians(both.fov) / 2
    distance = np.where(angle <= half * (1 + 1e-12), angle / half, np.nan)
    # On the axis itself no way out is better than another, and the distance is 0 (or 2: NaN).
    scale = distance / np.where(off_axis > 0, off_axis, 1.0)
    across, down = both.radii
    u = (0.75 if lens else 0.25) * both.width + -side * y * scale * across - 0.5
    v = both.height / 2 - z * scale * down - 0.5
    return u, v
