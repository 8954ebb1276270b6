"""Scenes drawn in tests, and the panorama room's own answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QImage

from omniaudio_studio.panorama.views import View, ViewRenderer
from qt_app.picture.clip import Mapped
from qt_app.picture.scene import Scene

WIDTH, HEIGHT = 480, 270
Rgb = NDArray[np.uint8]
Draw = Callable[[Scene], Rgb]


def pixels(image: QImage) -> Rgb:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    buffer: Any = bits  # has the buffer protocol, which its stub does not tell
    rows = np.frombuffer(buffer, np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def scene_of(picture: object, look: tuple[float, ...], **more: object) -> Scene:
    yaw, pitch, roll, fov = (math.radians(angle) for angle in look)
    return Scene(picture, (yaw, pitch, roll), fov, **more)  # type: ignore[arg-type]


def rendered(
    rgb: Rgb, mapped: Mapped, look: tuple[float, ...], size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Rgb:
    """The panorama room's own answer."""
    yaw, pitch, roll, fov = look
    view = View("v", "perspective", *size, fov=fov, yaw=yaw, pitch=pitch, roll=roll)
    height, width = rgb.shape[:2]
    flat, lenses = mapped.projection == "flat", mapped.projection == "dual-fisheye"
    return ViewRenderer(
        view,
        mapped.projection,
        (width, height),
        hfov=mapped.hfov if flat else None,
        camera=mapped.camera,
        aspect=mapped.aspect if flat else None,
        fisheye_fov=mapped.fisheye_fov if lenses else None,
    )(rgb)
