"""Panoramas made on the spot, stored as a decoder gives them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.panorama.conversions import convert
from omniaudio_studio.panorama.equirect import Equirect
from qt_app.picture.clip import Mapped, ShownClip
from qt_app.picture.frames import Picture, PictureMaker

Rgb = NDArray[np.uint8]
BT709, LIMITED = 1, 1

# Sizes of one eye, as such files have them.
SIZES = {
    "equirectangular": (1024, 512),
    "eac": (960, 640),
    "cubemap": (960, 640),
    "dual-fisheye": (1024, 512),
    "flat": (640, 360),
}


def panorama(width: int = 2048, height: int = 1024) -> Rgb:
    """Different everywhere, and no two directions alike; smooth enough for chroma at half size."""
    u = (np.arange(width) + 0.5) / width
    v = (np.arange(height) + 0.5) / height
    azimuth, elevation = np.pi - 2 * np.pi * u[None, :], np.pi / 2 - np.pi * v[:, None]
    x = np.cos(azimuth) * np.cos(elevation)
    y = np.sin(azimuth) * np.cos(elevation)
    z = np.sin(elevation) + 0 * azimuth
    red = 0.5 + 0.3 * x + 0.15 * np.sin(6 * y + 2 * z)
    green = 0.5 + 0.3 * y + 0.15 * np.sin(7 * z + 3 * x)
    blue = 0.5 + 0.3 * z + 0.15 * np.sin(5 * x + 4 * y)
    return np.round(255 * np.clip(np.stack([red, green, blue], axis=-1), 0, 1)).astype(np.uint8)


def in_projection(mapped: Mapped, size: tuple[int, int] | None = None) -> Rgb:
    """The panorama in another projection."""
    target = mapped.sized(*(size or SIZES[mapped.projection]))
    whole = panorama()
    return convert(Equirect(whole.shape[1], whole.shape[0]), target).apply(whole)


def as_picture(rgb: Rgb, mapped: Mapped | None = None) -> Picture:
    """As if it had been decoded from BT.709 in limited range."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED, interpolation="AREA"
    )
    frame.colorspace, frame.color_range = BT709, LIMITED
    clip = ShownClip(Path("clip.mp4"), mapped=mapped or Mapped())
    return PictureMaker(clip, 4096)(frame, 0.0)
