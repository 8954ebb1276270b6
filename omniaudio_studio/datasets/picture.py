"""The picture of a scene: sprites on a panorama, seen at any moment."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.description import Background, Look, Scene, Source
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.restyle import outlined, posterised
from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.direction import azimuth_bins, elevation_bins

_MAX_RADIUS = math.radians(65)  # a tangent plane serves only so far


class SceneRenderer:
    """Draws equirectangular frames of a scene.

    Sprites lie on the plane that touches the sphere in their direction (gnomonic projection), so
    that they deform towards the poles and wrap around the seam as a real picture does.

    Parameters
    ----------
    scene, library
        The scene and the material that it names.
    width, height
        Size of the frames in pixels, at least 8 x 4.
    """

    def __init__(self, scene: Scene, library: MaterialLibrary, width: int, height: int) -> None:
        if width < 8 or height < 4:
            raise OptionError(f"frames of {width} x {height} are too small; give 8 x 4 or more")
        self.scene = scene
        self.width, self.height = width, height
        self._azimuth, self._elevation = azimuth_bins(width), elevation_bins(height)
        self._background = _background(scene.background, library, width, height)
        self._sprites = [
            self._prepare(source.look, library, 1 + source.pulse / 2) for source in scene.sources
        ]
        for item in scene.distractors:
            sprite = self._prepare(item.look, library, 1.0)
            pose = item.azimuth, item.elevation, item.look.size, item.look.turn
            self._draw(self._background, sprite, *pose)
        self._background.setflags(write=False)

    def frame(self, t: float) -> NDArray[np.uint8]:
        """The picture at ``t`` seconds: RGB, uint8, (height, width, 3)."""
        image = self._background.copy()
        for source, sprite in zip(self.scene.sources, self._sprites, strict=True):
            pose = self.pose(source, t)
            if pose is not None:
                self._draw(image, sprite, *pose)
        return image

    @staticmethod
    def pose(source: Source, t: float) -> tuple[float, float, float, float] | None:
        """Where a source's sprite is at ``t``.

        Returns
        -------
        tuple or None
            Azimuth, elevation, angular diameter and turn, in radians; None while invisible.
        """
        on = source.on <= t < source.off
        if not on and not source.stays:
            return None
        loud = source.loudness(t) if on else 0.0
        # Outside its interval a thing that stays is still: where it began or where it stopped.
        azimuth, elevation = source.direction(min(max(t, source.on), source.off))
        size = source.look.size * (1 + source.pulse * loud)
        rise = source.bounce * source.look.size * loud
        turn = source.look.turn + source.tilt * loud
        return azimuth, min(elevation + rise, math.pi / 2), size, turn

    def _prepare(self, look: Look, library: MaterialLibrary, growth: float) -> NDArray[np.float32]:
        """The sprite at the size that suits the frame, recoloured."""
        levels = library.sprite_levels(look.sprite)
        pixels = look.size * growth / math.pi * self.height
        # The level whose pixels are nearest in size to the frame's: sharp without aliasing.
        best = min(levels, key=lambda image: abs(math.log2(image.shape[0] / max(pixels, 1))))
        image = best[:, ::-1] if look.mirror else best
        recoloured = np.empty_like(image)
        turned = image[..., :3] @ _hue_matrix(look.hue).T * np.float32(look.brightness)
        recoloured[..., :3] = np.clip(turned, 0, 255 * image[..., 3:])
        recoloured[..., 3] = image[..., 3]
        if look.shades:
            recoloured = posterised(recoloured, look.shades)
        if look.outline:
            recoloured = outlined(recoloured, look.outline)
        return recoloured

    def _draw(
        self,
        image: NDArray[np.uint8],
        sprite: NDArray[np.float32],
        azimuth: float,
        elevation: float,
        size: float,
        turn: float,
    ) -> None:
        """Blend a sprite into an image, computing only the pixels that it can touch."""
        import cv2

        half = math.tan(min(size / 2, _MAX_RADIUS))
        reach = math.atan(half * math.sqrt(2))  # the square's corners
        row0 = math.floor((math.pi / 2 - elevation - reach) / math.pi * self.height)
        row1 = math.ceil((math.pi / 2 - elevation + reach) / math.pi * self.height)
        rows = slice(max(0, row0), min(self.height, row1 + 1))
        if abs(elevation) + reach < math.pi / 2 - 1e-3:
            span = math.asin(math.sin(reach) / math.cos(elevation))
            centre = (math.pi - azimuth) / (2 * math.pi) * self.width - 0.5
            extent = span / (2 * math.pi) * self.width
            first = math.floor(centre - extent)
            last = math.ceil(centre + extent)
        else:
            first, last = 0, self.width - 1
        if last - first + 1 >= self.width:
            first, last = 0, self.width - 1
        columns = np.arange(first, last + 1) % self.width
        difference = self._azimuth[columns] - azimuth
        cos_d = np.cos(difference)[None, :]
        sin_d = np.sin(difference)[None, :]
        sin_e = np.sin(self._elevation[rows])[:, None]
        cos_e = np.cos(self._elevation[rows])[:, None]
        sin_0, cos_0 = math.sin(elevation), math.cos(elevation)
        # Gnomonic projection: x to the left, y up, in tangents.
        depth = sin_0 * sin_e + cos_0 * cos_e * cos_d
        ahead = depth > 0.1
        depth = np.where(ahead, depth, 1.0)
        x = cos_e * sin_d / depth
        y = (cos_0 * sin_e - sin_0 * cos_e * cos_d) / depth
        side = sprite.shape[0]
        scale = side / (2 * half)
        cos_t, sin_t = math.cos(turn) * scale, math.sin(turn) * scale
        u = (side - 1) / 2 - cos_t * x + sin_t * y
        v = (side - 1) / 2 - sin_t * x - cos_t * y
        u[~ahead] = -10
        drawn = cv2.remap(
            sprite,
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(0, 0, 0, 0),
        )
        stop = first + columns.size
        if first >= 0 and stop <= self.width:
            region = image[rows, first:stop]
            region[:] = region * (1 - drawn[..., 3:]) + drawn[..., :3] + 0.5
        else:
            region = image[rows, columns]
            image[rows, columns] = region * (1 - drawn[..., 3:]) + drawn[..., :3] + 0.5


def _background(
    background: Background, library: MaterialLibrary, width: int, height: int
) -> NDArray[np.uint8]:
    """The panorama at the frame's size: mirrored, turned by whole pixels, toned."""
    image = library.scaled_panorama(background.panorama, width, height)
    if background.mirror:
        image = image[:, ::-1]
    # Left is where azimuth grows and where columns fall.
    image = np.roll(image, -round(background.yaw / (2 * np.pi) * width), axis=1)
    values = np.arange(256.0)
    toned = ((values - 128) * background.contrast + 128) * background.brightness
    table = np.clip(np.round(toned), 0, 255).astype(np.uint8)
    return table[image]


def _hue_matrix(turns: float) -> NDArray[np.float32]:
    """Rotation of RGB about the grey axis (Rodrigues' formula), float32 (3, 3)."""
    angle = 2 * np.pi * turns
    cos, sin = math.cos(angle), math.sin(angle)
    k = 1 / math.sqrt(3)
    cross = np.array([[0, -k, k], [k, 0, -k], [-k, k, 0]])
    return (cos * np.eye(3) + sin * cross + (1 - cos) / 3).astype(np.float32)
