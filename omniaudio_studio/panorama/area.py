"""Maps that do not alias: the source is averaged down to the result's detail before it is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.remap import BlendedRemap, Remap, check_image, remap_between
from omniaudio_studio.panorama.sphere import Array

# Bilinear reading of points up to this many source pixels apart still sees every pixel.
_STRIDE = 1.5
_MOST_SAMPLES = 4


@dataclass(frozen=True, eq=False)
class AreaRemap:
    """Shrink the source, read it at ``samples`` x ``samples`` points a pixel, average those.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the source.
    crop : (slice, slice)
        Rows and columns of the source that the result shows.
    small : (int, int)
        Width and height to which the cropped source is averaged.
    remap : Remap, BlendedRemap or None
        From there to the result, ``samples`` times as large on both axes; None: already there.
    samples : int
    cells : (int, int)
        How many pictures lie side by side in the source; averaging keeps them apart.
    """

    shape: tuple[int, int]
    crop: tuple[slice, slice]
    small: tuple[int, int]
    remap: Remap | BlendedRemap | None
    samples: int
    cells: tuple[int, int] = (1, 1)

    def apply(self, image: NDArray) -> NDArray:
        """As ``Remap.apply``."""
        check_image(image, self.shape)
        result = shrink(image[self.crop], *self.small, self.cells)
        if self.remap is not None:
            result = self.remap.apply(result)
            if self.samples > 1:
                height, width = result.shape[:2]
                result = shrink(result, width // self.samples, height // self.samples)
        return result


@lru_cache(maxsize=32)
def area_remap(source: Projection, target: Projection) -> AreaRemap:
    """A map from one projection to another for results coarser than the source.

    Where the target is finer than the source this is bilinear interpolation. Where its pixels
    differ in size, as in a wide perspective, the source is averaged to the finest of them and the
    coarser ones read several points.
    """
    whole = (slice(0, source.height), slice(0, source.width))
    shape = (source.height, source.width)
    if (
        isinstance(source, Equirect)
        and target == source.resized(target.width, target.height)
        and target.width <= source.width
        and target.height <= source.height
    ):
        return AreaRemap(shape, whole, (target.width, target.height), None, 1)

    fine, coarse = _pixel_angles(source, target)
    small = source.resized(
        _shrunk_side(source.width, fine / source.pixel_angle[0], source.cells[0]),
        _shrunk_side(source.height, fine / source.pixel_angle[1], source.cells[1]),
    )
    stride = coarse / max(small.pixel_angle)
    samples = min(max(math.ceil(stride / _STRIDE), 1), _MOST_SAMPLES)
    if target.width % target.cells[0]:
        samples = 1  # a pixel on the border of two faces must not show both
    remap = remap_between(small, target.resized(target.width * samples, target.height * samples))
    crop, remap = _cropped(source, small, remap)
    small_shape = (remap.shape[1], remap.shape[0])
    return AreaRemap(shape, crop, small_shape, remap, samples, source.cells)


def _pixel_angles(source: Projection, target: Projection) -> tuple[float, float]:
    """The angles, in radians, that the target's finest and coarsest pixels span (5 % left out).

    Only pixels count that the source shows.
    """
    u = np.unique(np.linspace(0, target.width - 1, 64).round())[None, :]
    v = np.unique(np.linspace(0, target.height - 1, 64).round())[:, None]

    def across(du: float, dv: float) -> Array:
        # Half a pixel, doubled: both ends lie well inside one cell of a cube's layout.
        ends = target.direction(u + du, v + dv) - target.direction(u - du, v - dv)
        return 2 * np.sqrt(np.sum(ends * ends, axis=0))

    angles = np.fmax(across(0.25, 0.0), across(0.0, 0.25))
    angles = angles[np.isfinite(angles) & np.isfinite(source.pixel(target.direction(u, v))[0])]
    if angles.size == 0:
        return max(source.pixel_angle), max(source.pixel_angle)
    fine, coarse = np.percentile(angles, (5, 95))
    return float(fine), float(coarse)


def _shrunk_side(side: int, factor: float, cells: int) -> int:
    """The side of the averaged source: a whole divisor where one is near (fast), else the nearest.

    Cells of a layout keep whole sides, so that averaging does not mix neighbours.
    """
    if factor <= 1:
        return side
    unit = cells if side % cells == 0 else 1
    count = side // unit
    divisor = max(k for k in range(1, math.floor(factor) + 1) if count % k == 0)
    if divisor >= 0.7 * factor:
        return side // divisor
    return unit * max(1, round(count / factor))


def _cropped(
    source: Projection, small: Projection, remap: Remap | BlendedRemap
) -> tuple[tuple[slice, slice], Remap | BlendedRemap]:
    """Leave out the rows and columns of the source that the map never reads."""
    whole = (slice(0, source.height), slice(0, source.width))
    across, down = source.width // small.width, source.height // small.height
    if isinstance(remap, BlendedRemap) or remap.extend is not None:
        return whole, remap
    if (across * small.width, down * small.height) != (
        source.width,
        source.height,
    ):
        return whole, remap
    left, right = math.floor(remap.map_x.min()), math.ceil(remap.map_x.max()) + 1
    top, bottom = math.floor(remap.map_y.min()), math.ceil(remap.map_y.max()) + 1
    if left < 0 or top < 0 or right > small.width or bottom > small.height:
        return whole, remap
    crop = (slice(top * down, bottom * down), slice(left * across, right * across))
    return crop, replace(
        remap,
        map_x=remap.map_x - np.float32(left),
        map_y=remap.map_y - np.float32(top),
        wrap_x=False,
        shape=(bottom - top, right - left),
    )


def shrink(image: NDArray, width: int, height: int, cells: tuple[int, int] = (1, 1)) -> NDArray:
    """Average an image down to ``width`` x ``height``, neither larger than its own.

    Averaging over fractions of pixels is slow in OpenCV: whole pixels first, as far as they go
    without showing, and without mixing the pictures of a layout of ``cells``.
    """
    import cv2

    rows, columns = image.shape[:2]
    if (columns, rows) == (width, height):
        return image
    if columns % width or rows % height:
        across = _first_step(columns, width, cells[0])
        down = _first_step(rows, height, cells[1])
        if across * down > 1:
            image = _area(cv2, image, columns // across, rows // down)
    if image.shape[:2] != (height, width):
        image = _area(cv2, image, width, height)
    return image


def _first_step(side: int, wanted: int, cells: int) -> int:
    """The largest whole divisor that leaves at least twice the wanted side, in whole cells."""
    count = side // cells if side % cells == 0 else side
    return max(k for k in range(1, max(side // (2 * wanted), 1) + 1) if count % k == 0)


def _area(cv2: ModuleType, image: NDArray, width: int, height: int) -> NDArray:
    result: NDArray = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return result
