"""The plain cube map: six perspective views of 90 degrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from omniaudio_studio.panorama.faces import Face, FaceLayout
from omniaudio_studio.panorama.sphere import Array


@dataclass(frozen=True)
class CubeMap(FaceLayout):
    """Three columns and two rows, all faces upright as seen from inside.

    ======  =====  ====
    right   left   up
    down    front  back
    ======  =====  ====

    The order is that of layout 0 of the spherical video metadata (v2) and of FFmpeg's ``c3x2``.
    The upper edge of "up" and the lower edge of "down" are at the back; "up" and "down" have left
    and right where the front face has them.
    """

    faces: ClassVar[tuple[Face, ...]] = (
        ((0, -1, 0), (-1, 0, 0), (0, 0, -1)),  # right
        ((0, 1, 0), (1, 0, 0), (0, 0, -1)),  # left
        ((0, 0, 1), (0, -1, 0), (1, 0, 0)),  # up
        ((0, 0, -1), (0, -1, 0), (-1, 0, 0)),  # down
        ((1, 0, 0), (0, -1, 0), (0, 0, -1)),  # front
        ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),  # back
    )

    @staticmethod
    def to_plane(position: Array) -> Array:
        return position

    @staticmethod
    def from_plane(position: Array) -> Array:
        return position
