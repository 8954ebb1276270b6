"""What a clip is: size, duration, projection, stereo layout and sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.media.ambisonics import read_ambisonics
from omniaudio_studio.media.container import (
    Damage,
    audio_stream,
    decode_video,
    nominal_rate,
    open_input,
    video_streams,
)
from omniaudio_studio.media.extent import Extent, measure_extent
from omniaudio_studio.media.geometry import (
    CAMERA_FILES,
    PROJECTIONS,
    STEREO_LAYOUTS,
    find_geometry,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# A truncated clip of less than this many seconds is refused.
_SHORTEST_REST = 1.0


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
        One of `geometry.PROJECTIONS`, or what cannot be used as it is ("vr180", "mesh",
        "rectilinear", "fisheye", "cropped", "camera-original", "unknown"): `require_360` says what
        to do then.
    projection_source : str
        "metadata", "shape" or "declared".
    stereo : str
        One of `geometry.STEREO_LAYOUTS`.
    left_eye_first : bool
        True where the left (or upper) half is the left eye, as is usual.
    yaw, pitch, roll : float
        Pose that the metadata gives to the sphere, degrees.
    audio : AudioInfo or None
    codec : str
    has_metadata : bool
        True where the file carries spherical metadata.
    pixel_aspect : float
        Displayed width over height of one pixel.
    hfov : float or None
        Of a flat picture: its horizontal field of view as displayed, degrees; None while nobody
        has said it.
    camera : (float, float)
        Of a flat picture: azimuth and elevation in degrees that its middle looks at.
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
    hfov: float | None = None
    camera: tuple[float, float] = (0.0, 0.0)
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, as for JSON."""
        values = asdict(self)
        values["path"] = str(self.path)
        values["warnings"] = list(self.warnings)
        values["camera"] = list(self.camera)
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

    @property
    def aspect(self) -> float:
        """Displayed width over height of that eye."""
        width, height = self.eye_size
        return width * self.pixel_aspect / height


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


def probe(
    path: str | Path,
    projection: str = "auto",
    stereo: str = "auto",
    *,
    hfov: float | None = None,
    camera: tuple[float, float] | None = None,
) -> ClipInfo:
    """Find out what a clip is.

    The projection is taken from the file's metadata, else from the picture's shape: twice as wide
    as high is equirectangular; square is two equirectangular pictures above each other; four times
    as wide as high is two side by side; anything else is flat. ``projection`` and ``stereo``
    declare it instead. ``hfov`` and ``camera`` (azimuth and elevation, straight ahead where None)
    place a picture that is declared flat on the sphere; both in degrees.

    Raises
    ------
    MissingFileError, MediaError
        If the file cannot be read as video, or a truncated file holds less than a second of it.
    OptionError
        If ``projection`` or ``stereo`` is none of the known names, or a field of view is given for
        what is not declared flat.
    """
    from av.format import Flags

    path = Path(path)
    _check_option("projection", projection, PROJECTIONS)
    _check_option("stereo", stereo, STEREO_LAYOUTS)
    if projection != "flat" and (hfov is not None or camera is not None):
        raise OptionError("--hfov and --camera are for flat pictures: add --projection flat")
    with opened_video(path) as (container, stream):
        if container.format.name.endswith("_pipe") or container.format.name == "image2":
            raise MediaError(f"{path} is a still picture; give a 360 video")
        if Flags.no_timestamps in Flags(container.format.flags):
            raise MediaError(
                f"{path} is a bare {stream.codec_context.name} stream without times; wrap it in an "
                "MP4 or MKV first"
            )
        first = next(decode_video(container, stream, Damage()), None)
        if first is None or first.pts is None:
            raise MediaError(
                f"{path}: no picture can be decoded (damaged or truncated); copy it again"
            )
        info = _describe(path, container, stream, first)
        same_size = [
            other
            for other in video_streams(container)
            if (other.width, other.height) == (stream.width, stream.height)
        ]
        geometry = find_geometry(
            path,
            container.format.name,
            first,
            info.width * info.pixel_aspect / info.height,
            len(same_size),
            projection,
            stereo,
        )
        extent = measure_extent(path, container, stream, first.pts)
        return replace(
            info,
            **asdict(geometry),
            duration=extent.duration,
            hfov=hfov,
            camera=(0.0, 0.0) if camera is None else camera,
            warnings=_truncation(path, extent),
        )


def shows_one_picture(path: str | Path) -> bool:
    """Whether a clip has a single picture, however long it is shown.

    Raises
    ------
    MissingFileError, MediaError
        If it cannot be opened or holds no moving picture.
    """
    with opened_video(Path(path)) as (container, stream):
        pictures = decode_video(container, stream, Damage())
        next(pictures, None)
        return next(pictures, None) is None


def _truncation(path: Path, extent: Extent) -> tuple[str, ...]:
    """A line to show if the file is cut off; an error if hardly anything is left of it."""
    if not extent.truncated:
        return ()
    promised = ""
    if extent.promised is not None and extent.promised > extent.duration + 0.01:
        promised = f" of {extent.promised:.2f} s"
    if extent.duration < _SHORTEST_REST:
        raise MediaError(
            f"{path} is truncated: only {extent.duration:.2f} s{promised} can be decoded and a "
            "second is needed; copy or download it again"
        )
    found = f"{extent.duration:.2f} s{promised} can be decoded"
    return (f"{path} is truncated: {found}, and those are used",)


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
    return ClipInfo(
        path=path,
        width=width,
        height=height,
        duration=0.0,
        fps=float(nominal_rate(stream)),
        start_time=float(first.pts * stream.time_base),
        projection="flat",
        projection_source="shape",
        stereo="mono",
        audio=_describe_audio(path, container),
        codec=stream.codec_context.name,
        pixel_aspect=aspect,
    )


def _describe_audio(path: Path, container: InputContainer) -> AudioInfo | None:
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
        # libav keeps the decoder's own layout over what SA3D says.
        ambisonic=layout.startswith("ambisonic") or _declares_ambisonics(path),
        duration=duration,
    )


def probe_sound(path: str | Path) -> AudioInfo:
    """Find out what the sound of any file is; it needs no picture.

    Raises
    ------
    MissingFileError, MediaError
        If the file cannot be read, or has no sound.
    """
    path = Path(path)
    with open_input(path) as container:
        found = _describe_audio(path, container)
    if found is None:
        raise MediaError(f"{path} has no sound that can be read")
    return found


def _declares_ambisonics(path: Path) -> bool:
    try:
        return read_ambisonics(path) is not None
    except MediaError:
        return False  # of a kind that is not read here: the pictures are good all the same


def require_360(info: ClipInfo) -> ClipInfo:
    """Return ``info`` if it is known where on the sphere the clip's pictures are.

    They show the whole sphere in a way that can be read, or are flat with a field of view.

    Raises
    ------
    MediaError
        One line that says what the clip is and what to do.
    """
    if info.projection in PROJECTIONS and (info.projection != "flat" or info.hfov is not None):
        return info
    stitched = "export it as an equirectangular 360 video"
    maker = CAMERA_FILES.get(info.path.suffix.lower(), "the camera maker's app")
    lines = {
        "flat": f"is a flat video ({info.width} x {info.height}"
        + (", declared as flat" if info.projection_source == "declared" else ", no 360 metadata")
        + "); if it is a 360 clip all the same, say so: --projection equirectangular; a flat one "
        "is placed on the sphere by --projection flat --hfov 90 --camera AZ,EL",
        "camera-original": f"is a camera original whose lenses are not stitched yet; {stitched} "
        f"in {maker} first",
        "vr180": "is VR180, half a sphere; sound all around needs the whole one: give a 360 clip",
        "mesh": f"maps its picture by a mesh (mshp), which is not read here; {stitched} first",
        "cropped": f"shows only a part of the sphere; {stitched} of the whole sphere first",
    }
    other = f"has the projection {info.projection!r}, which is not read here; {stitched} first"
    raise MediaError(f"{info.path} {lines.get(info.projection, other)}")
