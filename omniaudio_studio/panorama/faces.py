"""Six faces of a cube in a picture of three columns and two rows: what cube maps share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.sphere import Array, check_size

# Forward, right and down of a face as its picture shows it.
Face = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class FaceLayout:
    """Base of the 3 x 2 layouts. Faces are width / 3 by height / 2 pixels, whole or not.

    A width that three does not divide is common (1280 x 720): cells then end inside a pixel, and
    a pixel belongs to the cell that its centre lies in.

    Parameters
    ----------
    width, height : int
        At least 3 x 2; the height even, so that no row of pixels lies half in either row of faces.
    padding : float
        Pixels along the outer edges of each row of faces in which the faces go on beyond their
        edge, so that lossy coding does not bleed across. Faces of one row have none in between.
    padding_down : float, optional
        The same above and below, where resizing made it differ.
    """

    width: int
    height: int
    padding: float = 0.0
    padding_down: float | None = None

    faces: ClassVar[tuple[Face, ...]]

    def __post_init__(self) -> None:
        check_size(self.width, self.height, "cube map")
        if self.width < 3 or self.height % 2:
            raise OptionError(
                "a cube map of 3 x 2 faces has a width of at least 3 and an even height, "
                f"found {self.width} x {self.height}"
            )
        across, down = self._paddings
        if not (0 <= 2 * across < self.width and 0 <= 4 * down < self.height):
            raise OptionError(
                f"padding of {self.padding} pixels leaves no face in {self.width} x {self.height}"
            )

    @property
    def _paddings(self) -> tuple[float, float]:
        return self.padding, self.padding if self.padding_down is None else self.padding_down

    @staticmethod
    def to_plane(position: Array) -> Array:
        """From the place in a face's picture, -1 to 1, to the place on the cube's face."""
        raise NotImplementedError

    @staticmethod
    def from_plane(position: Array) -> Array:
        """The inverse of ``to_plane``."""
        raise NotImplementedError

    @property
    def wrap_x(self) -> bool:
        return False

    @property
    def has_seams(self) -> bool:
        return True

    @property
    def cells(self) -> tuple[int, int]:
        return 3, 2

    @property
    def _face_size(self) -> tuple[float, float]:
        across, down = self._paddings
        return (self.width - 2 * across) / 3, self.height / 2 - 2 * down

    @property
    def pixel_angle(self) -> tuple[float, float]:
        across, down = self._face_size
        step = float(np.arctan(self.to_plane(np.array(1e-6)))) * 2e6
        return step / across, step / down

    def resized(self, width: int, height: int) -> Self:
        across, down = self._paddings
        return replace(
            self,
            width=width,
            height=height,
            padding=across * width / self.width,
            padding_down=down * height / self.height,
        )

    def direction(self, u: Array, v: Array) -> Array:
        across, skip_x = self._face_size[0], self._paddings[0]
        column = np.clip(np.floor((u + 0.5 - skip_x) / across), 0, 2).astype(int)
        row = np.clip(np.floor((v + 0.5) * 2 / self.height), 0, 1).astype(int)
        column, row, u, v = np.broadcast_arrays(column, row, u, v)
        return self._in_face(column, row, u, v)

    def _in_face(self, column: NDArray, row: NDArray, u: Array, v: Array) -> Array:
        """Directions of pixels read as part of the given faces, beyond their edges too."""
        across, down = self._face_size
        skip_x, skip_y = self._paddings
        right = 2 * ((u + 0.5 - skip_x) / across - column) - 1
        below = 2 * ((v + 0.5 - skip_y - row * self.height / 2) / down) - 1
        a, b = self.to_plane(right), self.to_plane(below)
        axes = np.asarray(self.faces, float)[3 * row + column]  # (..., 3 axes, xyz)
        ray = axes[..., 0, :] + a[..., None] * axes[..., 1, :] + b[..., None] * axes[..., 2, :]
        ray /= np.sqrt(np.sum(ray * ray, axis=-1, keepdims=True))
        return np.moveaxis(ray, -1, 0)

    def pixel(self, direction: Array) -> tuple[Array, Array]:
        u, v, _, _ = self._locate(direction)
        return u, v

    def _locate(self, direction: Array) -> tuple[Array, Array, NDArray, NDArray]:
        """Pixel coordinates, and the column and row of the face that the direction meets."""
        axes = np.asarray(self.faces, float)
        depths = np.tensordot(axes[:, 0], direction, axes=1)
        # NaN directions (pixels that show nothing) keep their NaN through the division below.
        face = np.argmax(np.nan_to_num(depths, nan=-2.0), axis=0)
        depth = np.take_along_axis(depths, face[None], axis=0)[0]
        a = np.einsum("...c,c...->...", axes[face, 1], direction) / depth
        b = np.einsum("...c,c...->...", axes[face, 2], direction) / depth
        row, column = np.divmod(face, 3)
        across, down = self._face_size
        skip_x, skip_y = self._paddings
        u = ((self.from_plane(a) + 1) / 2 + column) * across + skip_x - 0.5
        v = (self.from_plane(b) + 1) / 2 * down + row * self.height / 2 + skip_y - 0.5
        return u, v, column, row

    def extended(self, image: NDArray, margin: int) -> NDArray:
        """Each face with ``margin`` pixels of its neighbours on the cube round it."""
        columns, rows, target, source = _frame(self, margin)
        extended = np.empty(
            (image.shape[0] + 4 * margin, image.shape[1] + 6 * margin, *image.shape[2:]),
            image.dtype,
        )
        for r, (top, bottom) in enumerate(pairwise(rows)):
            for c, (left, right) in enumerate(pairwise(columns)):
                y, x = (2 * r + 1) * margin, (2 * c + 1) * margin
                extended[top + y : bottom + y, left + x : right + x] = image[top:bottom, left:right]
        extended[target] = image[source]
        return extended

    def extended_pixel(self, direction: Array, margin: int) -> tuple[Array, Array]:
        u, v, column, row = self._locate(direction)
        return u + (2 * column + 1) * margin, v + (2 * row + 1) * margin


Index = tuple[NDArray[np.intp], NDArray[np.intp]]


@lru_cache(maxsize=8)
def _frame(layout: FaceLayout, margin: int) -> tuple[list[int], list[int], Index, Index]:
    """Where cells begin and end, and which source pixels stand in the frames round the faces.

    The nearest pixel will do: across an edge of the cube, places shift by half a pixel at most.
    """
    across, skip_x = layout._face_size[0], layout._paddings[0]
    inner = [int(np.ceil(skip_x + c * across - 0.5)) for c in (1, 2)]
    columns = [0, *inner, layout.width]
    rows = [0, layout.height // 2, layout.height]
    edges_x, edges_y = np.array(columns), np.array(rows)
    targets: list[NDArray] = []
    sources: list[NDArray] = []
    for r, (top, bottom) in enumerate(pairwise(rows)):
        for c, (left, right) in enumerate(pairwise(columns)):
            u, v = np.meshgrid(
                np.arange(left - margin, right + margin, dtype=float),
                np.arange(top - margin, bottom + margin, dtype=float),
            )
            beyond = (u < left) | (u >= right) | (v < top) | (v >= bottom)
            u, v = u[beyond], v[beyond]
            rays = layout._in_face(np.full(u.shape, c), np.full(u.shape, r), u, v)
            x, y, column, row = layout._locate(rays)
            # Rounding must not step over the face's edge into whatever cell lies beside it.
            x = np.clip(np.rint(x), edges_x[column], edges_x[column + 1] - 1)
            y = np.clip(np.rint(y), edges_y[row], edges_y[row + 1] - 1)
            place = np.stack([v + (2 * r + 1) * margin, u + (2 * c + 1) * margin])
            targets.append(place.astype(np.intp))
            sources.append(np.stack([y, x]).astype(np.intp))
    target, source = np.concatenate(targets, axis=1), np.concatenate(sources, axis=1)
    return columns, rows, (target[0], target[1]), (source[0], source[1])
