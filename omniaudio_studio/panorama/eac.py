"""The equi-angular cube map, in the layout that YouTube serves.

Along the middle lines of a face, equal steps are equal angles: q in -1..1 stands at
tan(q pi / 4) on the cube's face, which evens out the density of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from omniaudio_studio.panorama.faces import Face, FaceLayout
from omniaudio_studio.panorama.sphere import Array

# A face of one pixel asks for places a whole face further; the tangent ends before.
_FURTHEST = 1.9


@dataclass(frozen=True)
class EquiAngularCubeMap(FaceLayout):
    """Three columns and two rows, each row one unbroken strip.

    ======  =====  =====
    left    front  right
    down    back   up
    ======  =====  =====

    The upper row is upright: turning right, one walks along it. In the lower row every face lies on
    its side so that the strip goes on: from the floor, up the back, to the zenith, with the
    viewer's right at the upper edge. The back face, upright, has been turned clockwise by 90
    degrees; "down" and "up", as a plain cube map shows them, counter-clockwise. This is
    FFmpeg's ``eac`` with ``padding`` 2, the value it uses for files from YouTube.
    """

    faces: ClassVar[tuple[Face, ...]] = (
        ((0, 1, 0), (1, 0, 0), (0, 0, -1)),  # left
        ((1, 0, 0), (0, -1, 0), (0, 0, -1)),  # front
        ((0, -1, 0), (-1, 0, 0), (0, 0, -1)),  # right
        ((0, 0, -1), (-1, 0, 0), (0, 1, 0)),  # down
        ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),  # back
        ((0, 0, 1), (1, 0, 0), (0, 1, 0)),  # up
    )

    @staticmethod
    def to_plane(position: Array) -> Array:
        result: Array = np.tan(np.clip(position, -_FURTHEST, _FURTHEST) * (np.pi / 4))
        return result

    @staticmethod
    def from_plane(position: Array) -> Array:
        result: Array = np.arctan(position) * (4 / np.pi)
        return result
