"""A projection whose front looks elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.sphere import Array, orientation


@dataclass(frozen=True)
class Turned:
    """Another projection, turned by yaw, pitch and roll (degrees; see ``sphere.orientation``)."""

    inner: Projection
    yaw: float
    pitch: float
    roll: float

    def __post_init__(self) -> None:
        orientation(self.yaw, self.pitch, self.roll)

    @property
    def width(self) -> int:
        return self.inner.width

    @property
    def height(self) -> int:
        return self.inner.height

    @property
    def wrap_x(self) -> bool:
        return self.inner.wrap_x

    @property
    def has_seams(self) -> bool:
        return self.inner.has_seams

    @property
    def pixel_angle(self) -> tuple[float, float]:
        return self.inner.pixel_angle

    @property
    def cells(self) -> tuple[int, int]:
        return self.inner.cells

    def direction(self, u: Array, v: Array) -> Array:
        return np.tensordot(self._turn, self.inner.direction(u, v), axes=1)

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        return self.inner.pixel(self._back(direction))

    def resized(self, width: int, height: int) -> Turned:
        return Turned(self.inner.resized(width, height), self.yaw, self.pitch, self.roll)

    def extended(self, image: NDArray, margin: int) -> NDArray:
        return self.inner.extended(image, margin)

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        return self.inner.extended_pixel(self._back(direction), margin)

    @property
    def _turn(self) -> Array:
        return orientation(self.yaw, self.pitch, self.roll)

    def _back(self, direction: Array) -> Array:
        return np.tensordot(self._turn.T, direction, axes=1)
