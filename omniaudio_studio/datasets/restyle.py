"""Drawings in another hand: dark outlines, few colours. One set of icons becomes several.

Both take and give RGBA of float32 ``(side, side, 4)``: colours 0..255 times alpha, alpha 0..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Colour of a line.
_INK = 20.0
#: Difference of colour within a line's width that counts as an edge.
_EDGE = 90.0


def posterised(image: NDArray[np.float32], shades: int) -> NDArray[np.float32]:
    """Each colour reduced to ``shades`` steps, 2 or more; the outline stays as soft as it was."""
    alpha = image[..., 3:]
    step = np.float32(255 / (shades - 1))
    colour = np.round(image[..., :3] / np.maximum(alpha, 1e-3) / step) * step
    return np.concatenate([colour.clip(0, 255) * alpha, alpha], axis=-1, dtype=np.float32)


def outlined(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """A dark line of ``width`` diameters around the drawing and along the edges inside it.

    Around it, the line is drawn outwards, within the picture's own square.
    """
    import cv2

    reach = max(1, round(width * image.shape[0]))
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    alpha = np.ascontiguousarray(image[..., 3])
    grown = np.asarray(cv2.dilate(alpha, brush), np.float32)
    small = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach + 1, reach + 1))
    inside = np.ascontiguousarray(image[..., :3])
    change = np.asarray(cv2.dilate(inside, small) - cv2.erode(inside, small)).max(axis=-1)
    ink = (np.clip(change / _EDGE - 1, 0, 1) * alpha)[..., None]
    colour = image[..., :3] * (1 - ink) + _INK * ink * image[..., 3:]
    colour = colour + _INK * (grown - alpha)[..., None]  # alpha is never above what it grew to
    return np.concatenate([colour, grown[..., None]], axis=-1, dtype=np.float32)
