"""From one projection to another, by name. Sizes are (width, height) everywhere."""

from __future__ import annotations

from typing import Literal, Protocol

from numpy.typing import NDArray

from omniaudio_studio.panorama.area import area_remap
from omniaudio_studio.panorama.cubemap import CubeMap
from omniaudio_studio.panorama.dual_fisheye import DEFAULT_FOV, DualFisheye
from omniaudio_studio.panorama.eac import EquiAngularCubeMap
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.remap import Interpolation, remap_between

Size = tuple[int, int]
Quality = Literal["nearest", "bilinear", "bicubic", "area"]


class ImageMap(Protocol):
    """Anything that turns a picture in one projection into one in another."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the pictures it takes."""
        ...

    def apply(self, image: NDArray) -> NDArray:
        """The converted picture: uint8 or float32, (H, W) or (H, W, channels)."""
        ...


def convert(source: Projection, target: Projection, interpolation: Quality = "area") -> ImageMap:
    """The map from one projection to another.

    Parameters
    ----------
    source, target : Projection
    interpolation : "area", "bilinear", "bicubic" or "nearest"
        "area" averages where the target is coarser than the source and is bilinear elsewhere; the
        others read the source at exact places without a low-pass.

    Raises
    ------
    OptionError
        For an unknown interpolation.
    """
    if interpolation == "area":
        return area_remap(source, target)
    kind: Interpolation = interpolation
    return remap_between(source, target, kind)


def equirect_to_perspective(
    equirect: Size,
    size: Size,
    fov: float,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    interpolation: Quality = "area",
) -> ImageMap:
    """A flat camera's picture, ``fov`` degrees wide, cut from an equirectangular one."""
    return convert(Equirect(*equirect), Perspective(*size, fov, yaw, pitch, roll), interpolation)


def perspective_to_equirect(
    size: Size,
    equirect: Size,
    fov: float,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    interpolation: Quality = "area",
) -> ImageMap:
    """A flat camera's picture placed on the sphere; black around it."""
    return convert(Perspective(*size, fov, yaw, pitch, roll), Equirect(*equirect), interpolation)


def equirect_to_cubemap(equirect: Size, size: Size, interpolation: Quality = "area") -> ImageMap:
    """To the 3 x 2 layout of ``CubeMap``."""
    return convert(Equirect(*equirect), CubeMap(*size), interpolation)


def cubemap_to_equirect(size: Size, equirect: Size, interpolation: Quality = "area") -> ImageMap:
    """From the 3 x 2 layout of ``CubeMap``."""
    return convert(CubeMap(*size), Equirect(*equirect), interpolation)


def equirect_to_eac(
    equirect: Size, size: Size, padding: float = 0.0, interpolation: Quality = "area"
) -> ImageMap:
    """To YouTube's 3 x 2 layout, see ``EquiAngularCubeMap``."""
    return convert(Equirect(*equirect), EquiAngularCubeMap(*size, padding), interpolation)


def eac_to_equirect(
    size: Size, equirect: Size, padding: float = 0.0, interpolation: Quality = "area"
) -> ImageMap:
    """From YouTube's 3 x 2 layout, see ``EquiAngularCubeMap``."""
    return convert(EquiAngularCubeMap(*size, padding), Equirect(*equirect), interpolation)


def equirect_to_dual_fisheye(
    equirect: Size, size: Size, fov: float = DEFAULT_FOV, interpolation: Quality = "area"
) -> ImageMap:
    """To two fisheye pictures side by side, black outside their circles."""
    return convert(Equirect(*equirect), DualFisheye(*size, fov), interpolation)


def dual_fisheye_to_equirect(
    size: Size, equirect: Size, fov: float = DEFAULT_FOV, interpolation: Quality = "area"
) -> ImageMap:
    """From two fisheye pictures side by side, mixed where they overlap."""
    return convert(DualFisheye(*size, fov), Equirect(*equirect), interpolation)
