"""The perspective (rectilinear) projection: a flat camera looking somewhere on the sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.sphere import Array, check_size, orientation


@dataclass(frozen=True)
class Perspective:
    """A flat camera.

    Parameters
    ----------
    width, height : int
        Pixels.
    fov : float
        Horizontal field of view in degrees, between 0 and 180, both excluded.
    yaw, pitch, roll : float
        Where it looks, degrees; see ``sphere.orientation``.
    vertical_fov : float, optional
        Degrees; by default pixels are square: tan(vertical / 2) = tan(fov / 2) height / width.
    ends_included : bool
        The fields of view span from the first pixel's centre to the last's
        (``linspace(-1, 1, n)``), as in OmniAudio's released code, instead of from edge to edge.
        Needs a square picture of at least 2 pixels.

    Raises
    ------
    OptionError
        For a size, angle or field of view out of range.
    """

    width: int
    height: int
    fov: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    vertical_fov: float | None = None
    ends_included: bool = False

    def __post_init__(self) -> None:
        check_size(self.width, self.height, "perspective")
        for fov in (self.fov, self.vertical_fov):
            if fov is not None and not (math.isfinite(fov) and 0.0 < fov < 180.0):
                raise OptionError(
                    f"field of view must be between 0 and 180 degrees (both excluded), found {fov}"
                )
        orientation(self.yaw, self.pitch, self.roll)
        if self.ends_included and (self.width != self.height or self.width < 2):
            raise OptionError(
                "the released sampling grid is square and at least 2 x 2 pixels, "
                f"found {self.width} x {self.height}"
            )

    @property
    def wrap_x(self) -> bool:
        return False

    @property
    def has_seams(self) -> bool:
        return False

    @property
    def pixel_angle(self) -> tuple[float, float]:
        return self._steps

    @property
    def _steps(self) -> tuple[float, float]:
        """Distance between pixels, horizontally and vertically, in the plane at distance 1."""
        fewer = 1 if self.ends_included else 0
        across = 2 * math.tan(math.radians(self.fov) / 2) / (self.width - fewer)
        if self.vertical_fov is None:
            return across, across
        return across, 2 * math.tan(math.radians(self.vertical_fov) / 2) / (self.height - fewer)

    @property
    def cells(self) -> tuple[int, int]:
        return 1, 1

    def direction(self, u: Array, v: Array) -> Array:
        across, down = self._steps
        left = -(u - (self.width - 1) / 2) * across
        up = -(v - (self.height - 1) / 2) * down
        left, up = np.broadcast_arrays(left, up)
        ray = np.stack([np.ones_like(left), left, up])
        ray /= np.sqrt(np.sum(ray * ray, axis=0))
        return np.tensordot(orientation(self.yaw, self.pitch, self.roll), ray, axes=1)

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        turn = orientation(self.yaw, self.pitch, self.roll)
        front, left, up = np.tensordot(turn.T, np.asarray(direction, float), axes=1)
        # Behind the camera there is no picture.
        front = np.where(front > 1e-9, front, np.nan)
        across, down = self._steps
        u = -left / front / across + (self.width - 1) / 2
        v = -up / front / down + (self.height - 1) / 2
        # A hair of tolerance: the outermost edge itself belongs to the picture.
        edge = 0.5 + 1e-9 * max(self.width, self.height)
        inside = (u >= -edge) & (u <= self.width - 1 + edge)
        inside &= (v >= -edge) & (v <= self.height - 1 + edge)
        return np.where(inside, u, np.nan), np.where(inside, v, np.nan)

    def resized(self, width: int, height: int) -> Perspective:
        """The same part of the sphere, from outer edge to outer edge, in other pixels."""
        across, down = self._steps
        return replace(
            self,
            width=width,
            height=height,
            fov=math.degrees(2 * math.atan(across * self.width / 2)),
            vertical_fov=math.degrees(2 * math.atan(down * self.height / 2)),
            ends_included=False,
        )

    def extended(self, image: NDArray, margin: int) -> NDArray:
        return image

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        return self.pixel(direction)
