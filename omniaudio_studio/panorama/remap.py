"""Pixel maps: for every pixel of one picture, where it lies in another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.dual_fisheye import DualFisheye, Lens
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.sphere import Array

Interpolation = Literal["nearest", "bilinear", "bicubic"]

# Pixels that interpolation reads beyond the four around a point.
_MARGIN = {"nearest": 1, "bilinear": 1, "bicubic": 2}
# Directions are float64 and three times as many as pixels: large maps are made in bands.
_BAND_PIXELS = 1 << 18
# Maps up to this many pixels are kept for the next caller.
_CACHED_PIXELS = 1 << 20


@dataclass(frozen=True, eq=False)
class Remap:
    """A map from the pixels of a result to coordinates in a source picture.

    Parameters
    ----------
    map_x, map_y : ndarray, float32, shape (height, width)
        Source coordinates of every pixel of the result; integers are pixel centres.
    wrap_x : bool
        The source's right edge continues at its left.
    shape : (int, int)
        Height and width of the source.
    interpolation : "nearest", "bilinear" or "bicubic"
    extend : callable, optional
        Applied to the source first, to add what lies beyond its inner edges (over the poles, round
        the edges of a cube); the coordinates are then those of the extended picture.
    outside : ndarray of bool, shape (height, width), optional
        Pixels that the source does not show: they become black.
    """

    map_x: NDArray[np.float32]
    map_y: NDArray[np.float32]
    wrap_x: bool
    shape: tuple[int, int]
    interpolation: Interpolation = "bilinear"
    extend: Callable[[NDArray], NDArray] | None = None
    outside: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.interpolation not in _MARGIN:
            raise OptionError(
                f"interpolation must be nearest, bilinear or bicubic, found {self.interpolation!r}"
            )

    def apply(self, image: NDArray) -> NDArray:
        """The picture seen through the map.

        Parameters
        ----------
        image : ndarray, uint8 or float32, shape (H, W) or (H, W, channels)

        Returns
        -------
        ndarray, same type, shape (height, width) or (height, width, channels)

        Raises
        ------
        OptionError
            If the picture has another size than the map was made for.
        """
        import cv2

        check_image(image, self.shape)
        codes = {
            "nearest": cv2.INTER_NEAREST,
            "bilinear": cv2.INTER_LINEAR,
            "bicubic": cv2.INTER_CUBIC,
        }
        source = np.ascontiguousarray(image if self.extend is None else self.extend(image))
        result: NDArray = cv2.remap(
            source,
            self.map_x,
            self.map_y,
            codes[self.interpolation],
            borderMode=cv2.BORDER_WRAP if self.wrap_x else cv2.BORDER_REPLICATE,
        )
        if self.outside is not None:
            result[self.outside] = 0
        return result


@dataclass(frozen=True, eq=False)
class BlendedRemap:
    """Two maps into one source, mixed: where the pictures of two lenses overlap.

    Parameters
    ----------
    first, second : Remap
    weight : ndarray, float32, shape (height, width)
        Share of the first, 0 to 1.
    """

    first: Remap
    second: Remap
    weight: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        return self.first.shape

    def apply(self, image: NDArray) -> NDArray:
        """As ``Remap.apply``."""
        import cv2

        one, two = self.first.apply(image), self.second.apply(image)
        result: NDArray = cv2.blendLinear(one, two, self.weight, 1 - self.weight)
        return result


def remap_between(
    source: Projection, target: Projection, interpolation: Interpolation = "bilinear"
) -> Remap | BlendedRemap:
    """The exact map that turns a picture in one projection into another. Maps are cached.

    No low-pass filter: for a result much coarser than its source use ``area.area_remap``.
    """
    if target.width * target.height <= _CACHED_PIXELS:
        return _cached(source, target, interpolation)
    return _build(source, target, interpolation)


def _build(
    source: Projection, target: Projection, interpolation: Interpolation
) -> Remap | BlendedRemap:
    if not isinstance(source, DualFisheye):
        return _build_one(source, target, interpolation)
    weight = np.empty((target.height, target.width), np.float32)
    for here, directions in _bands(target):
        weight[here] = np.nan_to_num(source.front_share(directions))
    first, second = (_build_one(Lens(source, lens), target, interpolation) for lens in (0, 1))
    return BlendedRemap(_blackened(first, weight > 0), _blackened(second, weight < 1), weight)


def _blackened(remap: Remap, used: NDArray[np.bool_]) -> Remap:
    """Without a mask where it would blacken only pixels that count for nothing."""
    outside = None if remap.outside is None else remap.outside & used
    return replace(remap, outside=outside if outside is not None and outside.any() else None)


def _bands(target: Projection) -> Iterator[tuple[slice, Array]]:
    """The rows of a picture and where their pixels look, a part at a time."""
    columns = np.arange(target.width, dtype=float)[None, :]
    band = max(1, _BAND_PIXELS // target.width)
    for top in range(0, target.height, band):
        rows = np.arange(top, min(top + band, target.height), dtype=float)[:, None]
        yield slice(top, top + len(rows)), target.direction(columns, rows)


def _build_one(source: Projection, target: Projection, interpolation: Interpolation) -> Remap:
    margin = _MARGIN.get(interpolation, 1)
    shape = (target.height, target.width)
    map_x, map_y = np.empty(shape, np.float32), np.empty(shape, np.float32)
    outside = np.zeros(shape, bool)
    for here, directions in _bands(target):
        x, y = source.extended_pixel(directions, margin)
        outside[here] = np.isnan(x) | np.isnan(y)
        # Any place will do where the source shows nothing, but one inside keeps bounds tight.
        map_x[here] = np.nan_to_num(x, nan=source.width / 2)
        map_y[here] = np.nan_to_num(y, nan=source.height / 2)

    extend: Callable[[NDArray], NDArray] | None = None
    if source.has_seams:
        extend = partial(source.extended, margin=margin)
    if source.wrap_x and _clear_of_poles(map_y, source.height, margin):
        # Most views look nowhere near a pole: the source then needs no copy.
        map_y -= margin
        extend = None
    return Remap(
        map_x,
        map_y,
        source.wrap_x,
        (source.height, source.width),
        interpolation,
        extend,
        outside if outside.any() else None,
    )


def _clear_of_poles(map_y: NDArray[np.float32], height: int, margin: int) -> bool:
    """Whether interpolation at extended rows ``map_y`` reads none of the added rows."""
    reach = margin - 1
    first, last = margin + reach, margin + height - 1 - reach
    return bool(map_y.min() >= first and map_y.max() <= last)


_cached = lru_cache(maxsize=16)(_build)


def check_image(image: NDArray, shape: tuple[int, int]) -> None:
    """Refuse a picture of another size than expected (height, width)."""
    if image.ndim not in (2, 3) or image.shape[:2] != shape:
        found = " x ".join(str(side) for side in image.shape[1::-1]) or "a single number"
        raise OptionError(
            f"the picture must be {shape[1]} x {shape[0]} pixels, found {found}; "
            "make the map for the picture's own size"
        )
