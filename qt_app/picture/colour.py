"""From stored YCbCr to RGB: which matrix and range a decoded frame uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# libav's AVColorSpace by number: Kr and Kb of each matrix (ITU-T H.273, table 4). Without a
# statement (2) pictures of high definition are BT.709 by custom, others BT.601.
_UNSTATED = 2
_BT709 = (0.2126, 0.0722)
_BT601 = (0.299, 0.114)
_WEIGHTS: dict[int, tuple[float, float]] = {
    1: _BT709,
    4: (0.30, 0.11),  # FCC
    5: _BT601,
    6: _BT601,
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
    10: (0.2627, 0.0593),
}
_HIGH_DEFINITION = 720  # rows
_FULL_RANGE = 2  # libav's AVColorRange "JPEG"


def ycbcr_to_rgb(kr: float, kb: float, full_range: bool) -> NDArray[np.float32]:
    """The affine map from (Y, Cb, Cr), each 0..1 as 8 bits are read, to (R, G, B), 0..1.

    E'R = E'Y + 2 (1 - Kr) E'Cr, E'B = E'Y + 2 (1 - Kb) E'Cb, and E'Y = Kr E'R + Kg E'G + Kb E'B
    (ITU-R BT.601 and BT.709). Limited range puts Y on 16..235 and Cb, Cr on 16..240.

    Returns
    -------
    ndarray, float32, shape (3, 4)
        To be multiplied with (Y, Cb, Cr, 1).
    """
    kg = 1 - kr - kb
    turn = np.array(
        [
            [1.0, 0.0, 2 * (1 - kr)],
            [1.0, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg],
            [1.0, 2 * (1 - kb), 0.0],
        ]
    )
    gain = np.ones(3) if full_range else np.array([255 / 219, 255 / 224, 255 / 224])
    zero = np.array([0.0 if full_range else 16 / 255, 128 / 255, 128 / 255])
    scaled = turn * gain
    return np.hstack([scaled, -(scaled @ zero)[:, None]]).astype(np.float32)


def weights_of(frame: Any) -> tuple[float, float]:
    """Kr and Kb of a decoded frame (an ``av.VideoFrame``)."""
    space = int(frame.colorspace)
    if space in _WEIGHTS:
        return _WEIGHTS[space]
    return _BT709 if min(frame.width, frame.height) >= _HIGH_DEFINITION else _BT601


def is_full_range(frame: Any) -> bool:
    """Whether a decoded frame uses all 256 values."""
    return int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
