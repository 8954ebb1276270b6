"""How a clip shows the sphere: from its metadata, else from the picture's shape."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omniaudio_studio.media.matroska import MESH, projection_type
from omniaudio_studio.media.spherical import read_spherical

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

PROJECTIONS = ("equirectangular", "eac", "cubemap", "dual-fisheye", "flat")
STEREO_LAYOUTS = ("mono", "top-bottom", "left-right")

# File endings of two-lens cameras whose files are not stitched yet, and who stitches them.
CAMERA_FILES = {
    ".360": "GoPro Player",
    ".insv": "Insta360 Studio",
    ".osv": "DJI Studio",
}

# libav's enum AVSphericalProjection. 2 is equirectangular with bounds.
_LIBAV_PROJECTIONS = {
    0: "equirectangular",
    1: "cubemap",
    2: "equirectangular",
    3: "vr180",
    4: "rectilinear",
    5: "fisheye",
}
# How far a display aspect may be off: sizes are rounded to even pixels.
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Geometry:
    """Projection, stereo layout and pose of a picture; fields as in `probe.ClipInfo`."""

    projection: str
    projection_source: str
    stereo: str
    left_eye_first: bool = True
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    has_metadata: bool = False


def find_geometry(
    path: Path,
    container_format: str,
    first: VideoFrame,
    aspect: float,
    tracks: int,
    projection: str,
    stereo: str,
) -> Geometry:
    """What a clip's first picture and its container say.

    Parameters
    ----------
    path : Path
    container_format : str
        libav's name of the demuxer.
    first : VideoFrame
        The first decoded picture; libav attaches the container's metadata to it.
    aspect : float
        Displayed width over height of the whole picture.
    tracks : int
        Moving pictures of the main one's size in the file.
    projection, stereo : str
        Declared, or "auto".
    """
    spherical = _spherical(path, container_format, first)
    eyes = _stereo(first)
    by_shape = _from_shape(aspect, eyes)
    pose = (0.0, 0.0, 0.0)
    if spherical is not None:
        found, source, pose = spherical[0], "metadata", spherical[1]
    elif tracks > 1 or path.suffix.lower() in CAMERA_FILES:
        found, source = "camera-original", "shape"
    else:
        found, source = ("flat" if by_shape is None else "equirectangular"), "shape"
    if projection != "auto":
        found, source = projection, "declared"
    layout, left_first = eyes or ("mono", True)
    if eyes is None and found == "equirectangular":
        layout = by_shape or "mono"
    if stereo != "auto":
        layout = stereo
    return Geometry(found, source, layout, left_first, *pose, spherical is not None)


def _spherical(
    path: Path, container_format: str, first: VideoFrame
) -> tuple[str, tuple[float, float, float]] | None:
    """Projection and pose (yaw, pitch, roll in degrees) from the metadata, None without any."""
    # libav drops meshes: ask the containers themselves.
    if "mp4" in container_format:
        boxes = read_spherical(path)
        if boxes is not None and boxes.projection == "mesh":
            return "mesh", (boxes.yaw, boxes.pitch, boxes.roll)
    elif "matroska" in container_format and projection_type(path) == MESH:
        return "mesh", (0.0, 0.0, 0.0)
    return _from_side_data(first)


def _from_side_data(frame: VideoFrame) -> tuple[str, tuple[float, float, float]] | None:
    """Projection and pose that libav attached to a picture.

    The struct is AVSphericalMapping: u32 projection; s32 yaw, pitch, roll in 16.16; u32 left, top,
    right, bottom, what is cut off each side as 0.32 fractions of the whole.
    """
    data = _side_data(frame, "SPHERICAL")
    if data is None or len(data) < 32:
        return None
    kind, yaw, pitch, roll, left, top, right, bottom = struct.unpack_from("<Iiii4I", data)
    projection = _LIBAV_PROJECTIONS.get(kind, "unknown")
    if projection == "equirectangular":
        across, down = (left + right) / 2**32, (top + bottom) / 2**32
        if across >= 0.4:
            projection = "vr180"
        elif across > 0.02 or down > 0.02:
            projection = "cropped"
    return projection, (yaw / 65536, pitch / 65536, roll / 65536)


def _stereo(frame: VideoFrame) -> tuple[str, bool] | None:
    """Stereo layout and whether the left eye comes first. The struct is AVStereo3D."""
    data = _side_data(frame, "STEREO3D")
    if data is None or len(data) < 8:
        return None
    kind, flags = struct.unpack_from("<Ii", data)
    layout = {0: "mono", 1: "left-right", 2: "top-bottom"}.get(kind)
    return None if layout is None else (layout, not flags & 1)


def _side_data(frame: VideoFrame, name: str) -> bytes | None:
    # PyAV types the mapping by its keys; iterating gives the data themselves.
    for item in cast("Iterator[SideData]", iter(frame.side_data)):
        if item.type.name == name:
            return bytes(item)
    return None


def _from_shape(aspect: float, eyes: tuple[str, bool] | None) -> str | None:
    """Stereo layout if a picture of this display aspect looks equirectangular, else None."""

    def like(shape: float) -> bool:
        return math.isclose(aspect, shape, rel_tol=_ASPECT_TOLERANCE)

    if eyes is None:
        shapes = {"mono": 2.0, "top-bottom": 1.0, "left-right": 4.0}
        return next((layout for layout, shape in shapes.items() if like(shape)), None)
    # With both eyes in the picture each is 2:1, or the two together are squeezed into 2:1.
    whole = {"mono": 2.0, "top-bottom": 1.0, "left-right": 4.0}[eyes[0]]
    return eyes[0] if like(whole) or like(2.0) else None
