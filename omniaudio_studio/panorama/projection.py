"""What a projection of the sphere onto a picture can do.

Every projection answers two questions: where does pixel (u, v) look, and in which pixel does a
direction end. Integer (u, v) are pixel centres, so a picture spans u from -0.5 to width - 0.5.
"""

from __future__ import annotations

from typing import Protocol

from numpy.typing import NDArray

from omniaudio_studio.panorama.sphere import Array


class Projection(Protocol):
    """A picture of the sphere, or of part of it. Implementations are frozen and hashable."""

    def __hash__(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def wrap_x(self) -> bool:
        """Whether the right edge continues at the left."""
        ...

    @property
    def has_seams(self) -> bool:
        """Whether the picture continues elsewhere in itself, beyond an edge of its own."""
        ...

    @property
    def pixel_angle(self) -> tuple[float, float]:
        """Radians per pixel, horizontally and vertically, where the picture is coarsest."""
        ...

    @property
    def cells(self) -> tuple[int, int]:
        """How many pictures lie side by side in it, across and down."""
        ...

    def direction(self, u: Array, v: Array) -> Array:
        """Unit vectors (3, ...) of pixel coordinates; NaN where a pixel shows nothing."""
        ...

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        """Pixel coordinates of unit vectors (3, ...); NaN where the picture does not reach."""
        ...

    def resized(self, width: int, height: int) -> Projection:
        """The same projection with other pixels."""
        ...

    def extended(self, image: NDArray, margin: int) -> NDArray:
        """The picture with what lies beyond its seams added, ``margin`` pixels of it."""
        ...

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        """As ``pixel``, in coordinates of ``extended(image, margin)``."""
        ...
