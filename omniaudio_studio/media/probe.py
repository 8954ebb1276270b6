"""What a clip is: size, duration, projection, stereo layout and sound."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.media.container import (
    Damage,
    audio_stream,
    decode_video,
    open_input,
    packets,
    video_streams,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

PROJECTIONS = ("equirectangular", "eac", "cubemap", "dual-fisheye", "flat")
STEREO_LAYOUTS = ("mono", "top-bottom", "left-right")

# File endings of two-lens cameras whose files are not stitched yet, and who stitches them.
_CAMERA_FILES = {
    ".360": "GoPro Player",
    ".insv": "Insta360 Studio",
    ".insp": "Insta360 Studio",
    ".lrv": "the camera maker's app",
    ".osv": "DJI Studio",
}


@dataclass(frozen=True)
class AudioInfo:
    """The sound of a clip.

    Attributes
    ----------
    codec : str
        libav's name of the codec.
    rate : int
        Samples a second.
    channels : int
    layout : str
        libav's name of the channel layout.
    ambisonic : bool
        True where the container says that the channels are ambisonics.
    duration : float or None
        Seconds, None where the container does not say.
    """

    codec: str
    rate: int
    channels: int
    layout: str
    ambisonic: bool
    duration: float | None


@dataclass(frozen=True)
class ClipInfo:
    """What `probe` found out about a clip.

    Attributes
    ----------
    path : Path
    width, height : int
        Stored pixels of one whole picture (both eyes), after the file's rotation.
    duration : float
        Seconds from the first picture to the end of the last one that can be read.
    fps : float
        Average pictures a second; timestamps are what counts, this is for display.
    start_time : float
        The first picture's presentation time in the file, seconds. All times elsewhere are
        relative to it.
    projection : str
        One of `PROJECTIONS`, or what cannot be used as it is: "vr180", "mesh", "rectilinear",
        "fisheye", "cropped", "camera-original", "unknown".
    projection_source : str
        "metadata", "shape" or "declared".
    stereo : str
        One of `STEREO_LAYOUTS`.
    left_eye_first : bool
        True where the left (or upper) half is the left eye, as is usual.
    yaw, pitch, roll : float
        Pose that the metadata gives to the sphere, degrees.
    audio : AudioInfo or None
    codec : str
    has_metadata : bool
        True where the file carries spherical metadata.
    warnings : tuple of str
        One line each.
    """

    path: Path
    width: int
    height: int
    duration: float
    fps: float
    start_time: float
    projection: str
    projection_source: str
    stereo: str
    audio: AudioInfo | None
    codec: str
    has_metadata: bool = False
    left_eye_first: bool = True
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    pixel_aspect: float = 1.0
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, as for JSON."""
        values = asdict(self)
        values["path"] = str(self.path)
        values["warnings"] = list(self.warnings)
        return values

    def samples(self, rate: int) -> int:
        """How many audio samples last exactly as long as the pictures, at ``rate`` per second."""
        return round(self.duration * rate)

    @property
    def eye_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the one eye that is looked at."""
        if self.stereo == "top-bottom":
            return self.width, max(1, self.height // 2)
        if self.stereo == "left-right":
            return max(1, self.width // 2), self.height
        return self.width, self.height


@contextmanager
def opened_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the main moving picture of a file, threaded decoding set up.

    Raises
    ------
    MissingFileError, MediaError
        If it cannot be opened or holds no moving picture.
    """
    with open_input(path) as container:
        streams = video_streams(container)
        if not streams:
            raise MediaError(_no_video(path, container))
        stream = _main_stream(streams)
        if stream.codec_context is None:
            raise MediaError(
                f"{path}: no decoder for its video here; convert it to H.264, HEVC, VP9 or AV1"
            )
        stream.thread_type = "AUTO"
        yield container, stream


def _main_stream(streams: list[VideoStream]) -> VideoStream:
    from av.stream import Disposition

    default = [s for s in streams if s.disposition & Disposition.default]
    return (default or streams)[0]


def _no_video(path: Path, container: InputContainer) -> str:
    if container.streams.audio:
        return f"{path} holds sound but no moving picture; give a 360 video"
    return f"{path} holds neither pictures nor sound that can be read; give a 360 video"


def probe(path: str | Path, projection: str = "auto", stereo: str = "auto") -> ClipInfo:
    """Find out what a clip is.

    The projection is taken from the file's metadata, else from the picture's shape: twice as wide
    as high is equirectangular; square is two equirectangular pictures above each other; four times
    as wide as high is two side by side; anything else is flat. ``projection`` and ``stereo``
    declare it instead.

    Raises
    ------
    MissingFileError, MediaError
        If the file cannot be read as video, or a truncated file holds less than a second of it.
    OptionError
        If ``projection`` or ``stereo`` is none of the known names.
    """
    path = Path(path)
    _check_option("projection", projection, PROJECTIONS)
    _check_option("stereo", stereo, STEREO_LAYOUTS)
    with opened_video(path) as (container, stream):
        if container.format.name.endswith("_pipe") or container.format.name == "image2":
            raise MediaError(f"{path} is a still picture; give a 360 video")
        damage = Damage()
        first = next(decode_video(container, stream, damage), None)
        if first is None:
            raise MediaError(
                f"{path}: no picture can be decoded (damaged or truncated); copy it again"
            )
        info = _describe(path, container, stream, first)
        info = _with_projection(info, container, stream, first, projection, stereo)
        return _with_duration(info, container, stream, first, damage)


def _check_option(name: str, value: str, known: tuple[str, ...]) -> None:
    if value != "auto" and value not in known:
        raise OptionError(f"--{name} {value}: expected auto, {', '.join(known)}")


def _describe(
    path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame
) -> ClipInfo:
    assert stream.time_base is not None and first.pts is not None
    turned = first.rotation % 180 != 0
    width, height = first.width, first.height
    aspect = float(stream.sample_aspect_ratio or 1)
    if turned:
        width, height, aspect = height, width, 1 / aspect
    rate = stream.average_rate or stream.guessed_rate
    return ClipInfo(
        path=path,
        width=width,
        height=height,
        duration=0.0,
        fps=float(rate) if rate else 25.0,
        start_time=float(first.pts * stream.time_base),
        projection="flat",
        projection_source="shape",
        stereo="mono",
        audio=_describe_audio(container),
        codec=stream.codec_context.name,
        pixel_aspect=aspect,
    )


def _describe_audio(container: InputContainer) -> AudioInfo | None:
    stream = audio_stream(container)
    if stream is None or not stream.rate:
        return None
    layout = stream.layout.name
    duration = (
        float(stream.duration * stream.time_base)
        if stream.duration is not None and stream.time_base is not None
        else None
    )
    return AudioInfo(
        codec=stream.codec_context.name,
        rate=stream.rate,
        channels=stream.channels,
        layout=layout,
        ambisonic=layout.startswith("ambisonic"),
        duration=duration,
    )


# libav's enum AVSphericalProjection.
_LIBAV_PROJECTIONS = {
    0: "equirectangular",
    1: "cubemap",
    2: "equirectangular",  # with bounds: looked at below
    3: "vr180",
    4: "rectilinear",
    5: "fisheye",
}


def _spherical_side_data(frame: VideoFrame) -> tuple[str, tuple[float, float, float]] | None:
    """Projection and pose (yaw, pitch, roll in degrees) that libav attached to a frame.

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


def _stereo_side_data(frame: VideoFrame) -> tuple[str, bool] | None:
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


def _with_projection(
    info: ClipInfo,
    container: InputContainer,
    stream: VideoStream,
    first: VideoFrame,
    projection: str,
    stereo: str,
) -> ClipInfo:
    spherical = _spherical_side_data(first)
    eyes = _stereo_side_data(first)
    found, source = "flat", "shape"
    layout, left_first = eyes or ("mono", True)
    aspect = info.width * info.pixel_aspect / info.height
    if spherical is not None:
        found, source = spherical[0], "metadata"
        info = replace(
            info,
            yaw=spherical[1][0],
            pitch=spherical[1][1],
            roll=spherical[1][2],
            has_metadata=True,
        )
    else:
        guess = _from_shape(aspect, eyes[0] if eyes else None)
        if guess is not None:
            found, layout = "equirectangular", guess
    if projection != "auto":
        found, source = projection, "declared"
        if eyes is None and spherical is None:
            layout = _from_shape(aspect, None) or "mono" if found == "equirectangular" else "mono"
    if stereo != "auto":
        layout = stereo
    return replace(
        info, projection=found, projection_source=source, stereo=layout, left_eye_first=left_first
    )


def _from_shape(aspect: float, eyes: str | None) -> str | None:
    """Stereo layout if a picture of this display aspect looks equirectangular, else None."""
    if eyes in (None, "mono"):
        for shape, layout in ((2.0, "mono"), (1.0, "top-bottom"), (4.0, "left-right")):
            if math.isclose(aspect, shape, rel_tol=0.01) and (eyes is None or layout == "mono"):
                return layout
        return None
    # Two eyes for certain: each is a whole 2:1 picture, or both are squeezed into one.
    whole = 1.0 if eyes == "top-bottom" else 4.0
    if any(math.isclose(aspect, shape, rel_tol=0.01) for shape in (whole, 2.0)):
        return eyes
    return None


def _with_duration(
    info: ClipInfo,
    container: InputContainer,
    stream: VideoStream,
    first: VideoFrame,
    damage: Damage,
) -> ClipInfo:
    assert stream.time_base is not None and first.pts is not None
    container.seek(first.pts, stream=stream)
    end = Fraction(0)
    step = 1 / (stream.average_rate or stream.guessed_rate or Fraction(25))
    for packet in packets(container, stream, damage):
        if packet.pts is not None and not packet.is_corrupt:
            last = packet.duration * stream.time_base if packet.duration else step
            end = max(end, (packet.pts - first.pts) * stream.time_base + last)
    return replace(info, duration=float(end))


def require_360(info: ClipInfo) -> ClipInfo:
    """Return ``info`` if the clip shows the whole sphere in a way that can be read.

    Raises
    ------
    MediaError
        One line that says what the clip is and what to do.
    """
    if info.projection in ("equirectangular", "eac", "cubemap", "dual-fisheye"):
        return info
    raise MediaError(
        f"{info.path} is a flat video ({info.width} x {info.height}, no 360 metadata); if it is a "
        "360 clip all the same, say so: --projection equirectangular"
    )
