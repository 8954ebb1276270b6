"""Clips whose pictures come out to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def make_lossless_clip(path: Path, pictures: Sequence[np.ndarray], fps: int = 10) -> Path:
    """Write uint8 RGB pictures (height, width, 3) as PNG in a MOV; returns ``path``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "rgb24"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
