"""The sphere drawn without OpenGL: the same picture by NumPy and OpenCV, in fewer pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.area import area_remap
from omniaudio_studio.panorama.perspective import Perspective
from qt_app.picture.energy import ramp
from qt_app.picture.frames import Picture, Plane
from qt_app.picture.scene import Scene

Rgb = NDArray[np.uint8]
Colour = tuple[int, int, int]

GRID_OPACITY = 0.55
# Energy is computed on a grid this much coarser than the view: a first-order field has nothing
# finer.
_COARSER = 8


class SoftwareRenderer:
    """Draws scenes; for one thread.

    Parameters
    ----------
    grid, background : (int, int, int)
        RGB of the grid and of the view without a picture.
    """

    def __init__(self, grid: Colour, background: Colour) -> None:
        self._grid = grid
        self._background = background
        self._picture: Picture | None = None
        self._rgb: Rgb | None = None  # of the last picture: a turn of the head needs it again
        self._ramp = ramp()

    def render(self, scene: Scene, width: int, height: int) -> Rgb:
        """The view of a scene.

        Parameters
        ----------
        scene : Scene
        width, height : int
            Pixels.

        Returns
        -------
        uint8 array (height, width, 3)
            RGB.
        """
        yaw, pitch, roll = (math.degrees(angle) for angle in scene.look)
        camera = Perspective(width, height, math.degrees(scene.fov), yaw, pitch, roll)
        if scene.picture is None:
            image = np.empty((height, width, 3), np.uint8)
            image[:] = self._background
        else:
            picture = scene.picture
            source = picture.mapped.sized(picture.width, picture.height)
            image = area_remap(source, camera).apply(self._converted(picture))
        if scene.energy is not None:
            image = self._painted(image, scene, camera)
        if scene.grid:
            image = self._gridded(image, camera)
        return np.ascontiguousarray(image)

    def _converted(self, picture: Picture) -> Rgb:
        if picture is not self._picture or self._rgb is None:
            self._rgb, self._picture = rgb_of(picture), picture
        return self._rgb

    def _painted(self, image: Rgb, scene: Scene, camera: Perspective) -> Rgb:
        """The energy over it, as `delivery.painting` paints it over panoramas."""
        import cv2

        energy = scene.energy
        assert energy is not None
        height, width = image.shape[:2]
        coarse = camera.resized(max(width // _COARSER, 2), max(height // _COARSER, 2))
        levels = cv2.resize(
            energy.levels(_directions(coarse)), (width, height), interpolation=cv2.INTER_LINEAR
        )
        index = cv2.merge([np.round(levels * 255).astype(np.uint8)] * 3)
        colours, opacity = self._ramp
        alpha = (opacity * energy.strength)[:, None]
        over = np.round(colours * alpha).astype(np.uint8)
        under = np.repeat(np.round(255 * (1 - alpha)).astype(np.uint8), 3, axis=1)
        kept = cv2.multiply(image, cv2.LUT(index, under[None]), scale=1 / 255)
        return np.asarray(cv2.add(kept, cv2.LUT(index, over[None])), dtype=np.uint8)

    def _gridded(self, image: Rgb, camera: Perspective) -> Rgb:
        """Meridians and parallels every 30 degrees, as in the shader."""
        x, y, z = _directions(camera)
        level = np.hypot(x, y)
        elevation = np.arctan2(z, level)
        ahead = np.asarray(camera.direction(*_middle(camera)), np.float32)
        towards = ahead[0] * x + ahead[1] * y + ahead[2] * z
        step = np.float32(camera.pixel_angle[0]) * towards**2
        rings = _line(elevation, step, np.where(np.abs(elevation) < 0.1, 1.6, 1.0))
        spokes = _line(np.arctan2(y, x), step / np.maximum(level, 1e-4), 1.0)
        # Meridians end before they meet.
        spokes *= np.clip((1.45 - np.abs(elevation)) / 0.05, 0, 1)
        share = (GRID_OPACITY * np.maximum(rings, spokes))[..., None]
        mixed = image + (np.array(self._grid, np.float32) - image) * share
        return np.round(mixed).astype(np.uint8)


def rgb_of(picture: Picture) -> Rgb:
    """A picture's colours, uint8 (height, width, 3) RGB."""
    import cv2

    chroma = [_enlarged(plane, picture) for plane in (picture.cb, picture.cr)]
    turn = picture.to_rgb.astype(np.float64)
    turn[:, 3] *= 255
    stored = cv2.merge([picture.luma, *chroma])
    return np.asarray(cv2.transform(stored, turn), dtype=np.uint8)


def _enlarged(plane: Plane, picture: Picture) -> Plane:
    """Chroma at luma's resolution; the parts of a layout are kept apart.

    Half a luma pixel sideways, by which chroma is off in most files, does not show at this quality.
    """
    import cv2

    across, down = picture.mapped.sized(picture.width, picture.height).cells
    rows, columns = plane.shape
    if rows % down or columns % across:
        across = down = 1
    # An odd size has a last chroma sample for one luma pixel.
    large = np.empty((2 * rows, 2 * columns), np.uint8)
    height, width = rows // down, columns // across
    for y in range(down):
        for x in range(across):
            cell = plane[y * height : (y + 1) * height, x * width : (x + 1) * width]
            large[2 * y * height : 2 * (y + 1) * height, 2 * x * width : 2 * (x + 1) * width] = (
                cv2.resize(cell, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
            )
    return large[: picture.height, : picture.width]


def _directions(camera: Perspective) -> NDArray[np.float32]:
    columns = np.arange(camera.width, dtype=float)[None, :]
    rows = np.arange(camera.height, dtype=float)[:, None]
    return camera.direction(columns, rows).astype(np.float32)


def _middle(camera: Perspective) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array((camera.width - 1) / 2), np.array((camera.height - 1) / 2)


def _line(
    angle: NDArray[np.float32], step: NDArray[np.float32], width: NDArray[np.float64] | float
) -> NDArray[np.float32]:
    """How much of a line every 30 degrees covers each pixel, whose angle is ``step``."""
    apart = np.float32(np.pi / 6)
    away = np.abs(angle - apart * np.round(angle / apart))
    covered: NDArray[np.float32] = np.clip(0.5 * (width + 1.0) - away / step, 0, 1)
    return covered.astype(np.float32)
