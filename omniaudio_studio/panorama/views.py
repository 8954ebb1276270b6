"""The pictures that a vision graph wants, cut from panoramic frames.

A ``View`` comes from a bundle's manifest; a ``ViewRenderer`` makes it from frames of one size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.area import area_remap
from omniaudio_studio.panorama.cubemap import CubeMap
from omniaudio_studio.panorama.dual_fisheye import DEFAULT_FOV, DualFisheye
from omniaudio_studio.panorama.eac import EquiAngularCubeMap
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.remap import check_image, remap_between
from omniaudio_studio.panorama.sphere import check_size, orientation
from omniaudio_studio.panorama.turned import Turned

KINDS = ("equirect", "perspective", "eac", "cubemap")
RULES = ("pixel-centre", "released-120")
FITS = ("stretch", "pad-square")
SOURCES = ("equirectangular", "eac", "cubemap", "dual-fisheye", "flat")


@dataclass(frozen=True)
class View:
    """One picture that a vision graph wants.

    Parameters
    ----------
    name : str
        What the conditioner calls it.
    kind : "equirect", "perspective", "eac" or "cubemap"
    width, height : int
        Pixels.
    fov : float, optional
        Horizontal field of view in degrees; "perspective" needs it (120 by rule "released-120").
    yaw, pitch, roll : float
        Where the view's front is, degrees; see ``sphere.orientation``.
    rule : "pixel-centre" or "released-120"
        The second is the pixel map of OmniAudio's released code: a square 120-degree view whose
        grid includes both ends, read bicubically, without a low-pass, at equirectangular
        coordinates that are half a pixel off.
    fit : "stretch" or "pad-square"
        The second, for equirectangular views, adds black above and below (or beside) up to a
        square, resizes it (antialiased bicubic) to the longer side and crops the centre, as CLIP's
        preprocessing does with such frames.
    mean, std : (float, float, float)
        Subtracted from, then divided out of, RGB in 0..1.

    Raises
    ------
    OptionError
        For a value out of range or one that contradicts another.
    """

    name: str
    kind: str
    width: int
    height: int
    fov: float | None = None
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    rule: str = "pixel-centre"
    fit: str = "stretch"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        what = f"view {self.name!r}"
        for label, value, known in (
            ("kind", self.kind, KINDS),
            ("rule", self.rule, RULES),
            ("fit", self.fit, FITS),
        ):
            if value not in known:
                raise OptionError(f"{what}: {label} must be {_either(known)}, found {value!r}")
        check_size(self.width, self.height, what)
        orientation(self.yaw, self.pitch, self.roll)
        self._check_perspective(what)
        if self.fit == "pad-square" and self.kind != "equirect":
            raise OptionError(f"{what}: fit 'pad-square' is for equirect views, not {self.kind}")
        for label in ("mean", "std"):
            values = tuple(float(value) for value in getattr(self, label))
            good = len(values) == 3 and all(math.isfinite(value) for value in values)
            if not good or (label == "std" and min(values) <= 0):
                wanted = "positive" if label == "std" else "finite"
                raise OptionError(f"{what}: {label} must be three {wanted} numbers, found {values}")
            # Lists, as JSON has them, would make the view unhashable.
            object.__setattr__(self, label, values)
        self.projection()

    def _check_perspective(self, what: str) -> None:
        if self.kind != "perspective":
            if self.fov is not None:
                raise OptionError(f"{what}: fov is for perspective views; leave it out")
            if self.rule != "pixel-centre":
                raise OptionError(f"{what}: rule {self.rule!r} is for perspective views")
            return
        if self.rule == "released-120":
            if self.fov is None:
                object.__setattr__(self, "fov", 120.0)
            if self.fov != 120.0:
                raise OptionError(f"{what}: rule 'released-120' has fov 120, found {self.fov}")
        if self.fov is None:
            raise OptionError(f"{what}: a perspective view needs its fov in degrees")

    def projection(self) -> Projection:
        """The view as a projection; ``yaw``, ``pitch`` and ``roll`` included for perspectives."""
        if self.kind == "perspective":
            return Perspective(
                self.width,
                self.height,
                float(self.fov or 0.0),
                self.yaw,
                self.pitch,
                self.roll,
                ends_included=self.rule == "released-120",
            )
        inner = source_projection(
            {"equirect": "equirectangular"}.get(self.kind, self.kind), (self.width, self.height)
        )
        if self.yaw or self.pitch or self.roll:
            return Turned(inner, self.yaw, self.pitch, self.roll)
        return inner


def source_projection(
    name: str,
    size: tuple[int, int],
    *,
    hfov: float | None = None,
    camera: tuple[float, float] = (0.0, 0.0),
    aspect: float | None = None,
    fisheye_fov: float | None = None,
) -> Projection:
    """A projection by the name that probing and ``--projection`` use.

    Parameters
    ----------
    name : "equirectangular", "eac", "cubemap", "dual-fisheye" or "flat"
    size : (int, int)
        Width and height.
    hfov : float, optional
        Of "flat": horizontal field of view in degrees.
    camera : (float, float)
        Of "flat": azimuth and elevation in degrees that the picture's middle looks at.
    aspect : float, optional
        Of "flat": width over height as displayed; by default pixels are square.
    fisheye_fov : float, optional
        Of "dual-fisheye": each lens's field of view in degrees, 190 by default.
    """
    width, height = size
    if name not in SOURCES:
        raise OptionError(f"projection must be {_either(SOURCES)}, found {name!r}")
    if (hfov is not None) != (name == "flat"):
        raise OptionError(
            "a flat source needs its horizontal field of view in degrees (hfov), others have none; "
            f"found {hfov} for {name}"
        )
    if fisheye_fov is not None and name != "dual-fisheye":
        raise OptionError(f"a lens's field of view is for dual-fisheye sources, not {name}")
    if name == "equirectangular":
        return Equirect(width, height)
    if hfov is not None:
        yaw, pitch = camera
        vertical = None
        if aspect is not None:
            vertical = 2 * math.degrees(math.atan(math.tan(math.radians(hfov) / 2) / aspect))
        return Perspective(width, height, hfov, yaw, pitch, vertical_fov=vertical)
    if name == "dual-fisheye":
        return DualFisheye(width, height, DEFAULT_FOV if fisheye_fov is None else fisheye_fov)
    return CubeMap(width, height) if name == "cubemap" else EquiAngularCubeMap(width, height)


class ViewRenderer:
    """Makes one view from frames of one size; maps are made once.

    Parameters
    ----------
    view : View
    source_projection : str
        "equirectangular", "eac", "cubemap", "dual-fisheye" or "flat".
    source_size : (int, int)
        Width and height of the frames.
    hfov, camera, aspect, fisheye_fov
        Of frames of some projections, as for `source_projection`. Around "flat" ones all is black.
    """

    def __init__(
        self,
        view: View,
        source_projection: str = "equirectangular",
        source_size: tuple[int, int] = (1920, 960),
        *,
        hfov: float | None = None,
        camera: tuple[float, float] = (0.0, 0.0),
        aspect: float | None = None,
        fisheye_fov: float | None = None,
    ) -> None:
        self.view = view
        self.source_size = source_size
        source = _source(
            source_projection,
            source_size,
            hfov=hfov,
            camera=camera,
            aspect=aspect,
            fisheye_fov=fisheye_fov,
        )
        self._render = _plan(view, source)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The view of one frame.

        Parameters
        ----------
        image : ndarray, uint8, shape (H, W, 3), RGB

        Returns
        -------
        ndarray, uint8, shape (view.height, view.width, 3)
        """
        width, height = self.source_size
        check_image(image, (height, width))
        return self._render(image)


_source = source_projection  # the parameter of ViewRenderer hides the function's name


def _plan(view: View, source: Projection) -> Callable[[NDArray], NDArray]:
    """The function from a frame to the view."""
    if view.fit == "pad-square":
        side = max(source.width, source.height)
        longer = max(view.width, view.height)
        flat = view.projection().resized(source.width, source.height)
        if flat != source:
            # Frames of other layouts become the usual 2:1 panorama first, as wide as they are.
            rows = source.height if isinstance(source, Equirect) else -(-source.width // 2)
            flat = flat.resized(source.width, rows)
        upright = None if flat == source else area_remap(source, flat).apply
        return lambda image: _pad_square(
            image if upright is None else upright(image), side, longer, view.width, view.height
        )
    if view.rule == "released-120":
        if isinstance(source, Equirect):
            source = Equirect(source.width, source.height, offset=0.0)
        return remap_between(source, view.projection(), "bicubic").apply
    return area_remap(source, view.projection()).apply


def _pad_square(image: NDArray, side: int, longer: int, width: int, height: int) -> NDArray:
    """Black to a square of ``side``, bicubic to ``longer``, centre crop.

    Pillow, since its bicubic filter widens while shrinking, as CLIP's own preprocessing does. It
    filters columns, rounds, then filters rows, so black rows may as well be added in between.
    """
    from PIL import Image

    rows, columns = image.shape[:2]
    if columns < side:
        wide = np.zeros((rows, side, 3), np.uint8)
        left = (side - columns) // 2
        wide[:, left : left + columns] = image
        image = wide
    narrow = Image.fromarray(image).resize((longer, rows), Image.Resampling.BICUBIC)
    square = np.zeros((side, longer, 3), np.uint8)
    top = (side - rows) // 2
    square[top : top + rows] = np.asarray(narrow)
    resized = np.asarray(Image.fromarray(square).resize((longer, longer), Image.Resampling.BICUBIC))
    top, left = (longer - height) // 2, (longer - width) // 2
    return np.ascontiguousarray(resized[top : top + height, left : left + width])


def normalise(frames: NDArray[np.uint8], view: View) -> NDArray[np.float32]:
    """Frames as a vision graph wants them.

    Parameters
    ----------
    frames : ndarray, uint8, shape (N, H, W, 3), RGB
    view : View
        Its ``mean`` and ``std`` apply to RGB in 0..1.

    Returns
    -------
    ndarray, float32, shape (N, 3, H, W), C-contiguous
    """
    if frames.ndim != 4 or frames.shape[-1] != 3:
        raise OptionError(f"frames must have shape (N, H, W, 3), found {frames.shape}")
    result = np.empty((frames.shape[0], 3, *frames.shape[1:3]), np.float32)
    for channel, (mean, std) in enumerate(zip(view.mean, view.std, strict=True)):
        plane: Any = result[:, channel]
        np.multiply(frames[..., channel], np.float32(1 / (255 * std)), out=plane)
        plane -= np.float32(mean / std)
    return result


def _either(known: tuple[str, ...]) -> str:
    return ", ".join(known[:-1]) + " or " + known[-1]
