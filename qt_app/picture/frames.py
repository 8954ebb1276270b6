"""Decoded frames as the view takes them: three planes of one eye, not too wide, still YCbCr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qt_app.picture.clip import Mapped, ShownClip
from qt_app.picture.colour import is_full_range, weights_of, ycbcr_to_rgb

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Plane = NDArray[np.uint8]

# Eight bits, chroma at half the resolution: what needs no conversion. The second is full range.
_PLANAR = ("yuv420p", "yuvj420p")


@dataclass(frozen=True, eq=False)
class Picture:
    """One eye's picture.

    Attributes
    ----------
    time : float
        Presentation time, seconds from the first picture.
    luma : uint8 array (height, width)
    cb, cr : uint8 array (ceil(height / 2), ceil(width / 2))
        Sited as in MPEG-2 and later: level with every other luma column, between two rows.
    to_rgb : float32 array (3, 4)
        See `colour.ycbcr_to_rgb`.
    mapped : Mapped
    """

    time: float
    luma: Plane
    cb: Plane
    cr: Plane
    to_rgb: NDArray[np.float32]
    mapped: Mapped

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.luma.shape[0])


class PictureMaker:
    """Makes pictures of a clip's frames; one per thread.

    Parameters
    ----------
    clip : ShownClip
    widest : int
        Pictures whose eye is wider are reduced to this width.
    """

    def __init__(self, clip: ShownClip, widest: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._clip = clip
        self._widest = widest
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame, time: float) -> Picture:
        """The left eye's picture of a decoded frame."""
        kr, kb = weights_of(frame)
        full = is_full_range(frame)
        turn = (frame.rotation // 90) % 4
        planes = [
            np.rot90(plane, turn) if turn else plane
            for plane in self._planes(self._suited(frame, turn % 2 == 1, full))
        ]
        luma, cb, cr = (np.ascontiguousarray(self._eye(plane)) for plane in planes)
        return Picture(time, luma, cb, cr, ycbcr_to_rgb(kr, kb, full), self._clip.mapped)

    def _suited(self, frame: VideoFrame, lies: bool, full: bool) -> VideoFrame:
        """The frame in 8-bit 4:2:0, each eye not wider than allowed and of whole chroma pixels."""
        width, height = frame.width, frame.height
        if lies:
            width, height = height, width
        eyes_across = 2 if self._clip.stereo == "left-right" else 1
        eyes_down = 2 if self._clip.stereo == "top-bottom" else 1
        across, down = width / eyes_across, height / eyes_down
        scale = min(1.0, self._widest / across)
        # Faces of a cube meet in the middle of the picture, eyes at their borders.
        layered = self._clip.mapped.projection in ("eac", "cubemap", "dual-fisheye")
        whole = layered or eyes_across * eyes_down > 1 or scale < 1
        new_across, new_down = (
            max(2, 2 * round(side * scale / 2)) if whole else round(side * scale)
            for side in (across, down)
        )
        size = (new_across * eyes_across, new_down * eyes_down)
        if size == (width, height) and frame.format.name in _PLANAR:
            return frame
        if lies:
            size = (size[1], size[0])
        reach = 2 if full else 1
        return self._reformatter.reformat(
            frame,
            *size,
            format=_PLANAR[1] if frame.format.name == _PLANAR[1] else _PLANAR[0],
            interpolation="AREA" if scale < 1 else "BILINEAR",
            src_color_range=reach,
            dst_color_range=reach,
            threads=1,
        )

    @staticmethod
    def _planes(frame: VideoFrame) -> list[Plane]:
        found: list[Plane] = []
        for plane in frame.planes:
            # PyAV planes have the buffer protocol, which NumPy's stubs do not know of.
            source: Any = plane
            rows = np.frombuffer(source, np.uint8)[: plane.line_size * plane.height]
            found.append(rows.reshape(plane.height, plane.line_size)[:, : plane.width])
        return found

    def _eye(self, plane: Plane) -> Plane:
        first = self._clip.left_eye_first
        height, width = plane.shape
        if self._clip.stereo == "top-bottom":
            return plane[: height // 2] if first else plane[-(height // 2) :]
        if self._clip.stereo == "left-right":
            return plane[:, : width // 2] if first else plane[:, -(width // 2) :]
        return plane
