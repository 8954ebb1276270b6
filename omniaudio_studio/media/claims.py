"""What a file claims to be: its tracks, what they show and sound like, where they come from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media import matroska, spherical
from omniaudio_studio.media.ambisonics import Ambisonics, read_ambisonics
from omniaudio_studio.media.bext import Bext, read_bext
from omniaudio_studio.media.boxes import edits, read_moov, tracks
from omniaudio_studio.media.container import nominal_rate, open_input, video_streams
from omniaudio_studio.media.spherical import SphericalBoxes
from omniaudio_studio.media.stated import Stated, stated_convention

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream

_MOST_TAGS, _LONGEST_TAG = 40, 300
# OpusHead: 8 letters, version, channels, pre-skip, rate, gain, then the family (RFC 7845, 5.1).
_OPUS_FAMILY = 18
_OPUS_AMBISONICS = (2, 3)  # RFC 8486


@dataclass(frozen=True)
class PictureClaim:
    """A track of pictures.

    Attributes
    ----------
    number : int
        libav's ``stream.id``; its place, from 1 on, in files whose tracks have no numbers.
    codec : str
    width, height : int
        Pixels as stored.
    fps : float
    spherical : SphericalBoxes or None
        What the metadata say, where they say anything.
    """

    number: int
    codec: str
    width: int
    height: int
    fps: float
    spherical: SphericalBoxes | None


@dataclass(frozen=True)
class SoundClaim:
    """A track of sound.

    Attributes
    ----------
    number : int
        As for `PictureClaim`.
    name : str
        What the file calls the track, where it does.
    codec : str
    rate, channels : int
    layout : str
        libav's name of the channel layout.
    start : float or None
        Seconds in the file's clock.
    duration : float or None
        Seconds.
    ambisonic : str or None
        What says that it is ambisonics: "SA3D", "chan", "Opus mapping family 2", "bext", ...
    order : int or None
        Ambisonic order, where it is said.
    convention : str or None
        Order and weights of the channels, one of `foa.convention.CONVENTIONS`, where said.
    positions : tuple of int or None
        The channels that hold W, Y, Z, X where ``SA3D`` says so.
    head_locked : bool
        Two channels of stereo come with the field.
    """

    number: int
    name: str
    codec: str
    rate: int
    channels: int
    layout: str
    start: float | None
    duration: float | None
    ambisonic: str | None = None
    order: int | None = None
    convention: str | None = None
    positions: tuple[int, ...] | None = None
    head_locked: bool = False


@dataclass(frozen=True)
class Claims:
    """What a file claims.

    Attributes
    ----------
    path : Path
    container : str
        libav's name of the format.
    size : int
        Bytes.
    start, duration : float or None
        Seconds.
    pictures : tuple of PictureClaim
    sounds : tuple of SoundClaim
    edits : dict
        Edit lists that do more than play all of a track: track number to (seconds, media time).
    tags : dict
        Texts of the container.
    bext : Bext or None
        Of a WAV.
    doubts : tuple of str
        What the file says and cannot be so, one line each.
    """

    path: Path
    container: str
    size: int
    start: float | None
    duration: float | None
    pictures: tuple[PictureClaim, ...]
    sounds: tuple[SoundClaim, ...]
    edits: dict[int, tuple[tuple[float, int], ...]]
    tags: dict[str, str]
    bext: Bext | None
    doubts: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, as for JSON; bytes are left out."""
        values = asdict(self)
        values["path"] = str(self.path)
        for picture in values["pictures"]:
            if picture["spherical"] is not None:
                del picture["spherical"]["details"]
        return values


def read_claims(path: str | Path) -> Claims:
    """Find out what a file claims; its pictures and sound are not looked at.

    Raises
    ------
    MissingFileError, MediaError
        If it cannot be read as a media file.
    """
    path = Path(path)
    with open_input(path) as container:
        doubts: list[str] = []
        seen = _seen(path, doubts)
        stated, boxes = _stated(path, doubts)
        return Claims(
            path=path,
            container=container.format.name,
            size=path.stat().st_size,
            start=None if container.start_time is None else container.start_time / 1_000_000,
            duration=None if container.duration is None else container.duration / 1_000_000,
            pictures=tuple(
                PictureClaim(
                    stream.id or stream.index + 1,
                    _codec(stream),
                    stream.width,
                    stream.height,
                    float(nominal_rate(stream)),
                    seen if place == 0 else None,
                )
                for place, stream in enumerate(video_streams(container))
                if stream.codec_context is not None
            ),
            sounds=tuple(
                _sound(stream, stated, boxes)
                for stream in container.streams.audio
                if stream.codec_context is not None
            ),
            edits=_edits(path, doubts),
            tags=_tags(container),
            bext=read_bext(path),
            doubts=tuple(dict.fromkeys(doubts)),
        )


def _seen(path: Path, doubts: list[str]) -> SphericalBoxes | None:
    try:
        return spherical.read_spherical(path) or matroska.read_spherical(path)
    except MediaError as error:
        doubts.append(str(error))
        return None


def _stated(path: Path, doubts: list[str]) -> tuple[Stated | None, Ambisonics | None]:
    try:
        return stated_convention(path), read_ambisonics(path)
    except MediaError as error:
        doubts.append(str(error))
        return None, None


def _edits(path: Path, doubts: list[str]) -> dict[int, tuple[tuple[float, int], ...]]:
    try:
        moov = read_moov(path)
    except MediaError as error:
        doubts.append(str(error))
        return {}
    found = {} if moov is None else {track.number: edits(moov, track) for track in tracks(moov)}
    return {
        number: rows for number, rows in found.items() if (rows and rows[0][1]) or len(rows) > 1
    }


def _codec(stream: Stream) -> str:
    return str(stream.codec_context.name) if stream.codec_context is not None else "unknown"


def _sound(stream: AudioStream, stated: Stated | None, boxes: Ambisonics | None) -> SoundClaim:
    layout = stream.layout.name
    by = order = convention = positions = None
    locked = False
    family = _opus_family(stream)
    if boxes is not None and boxes.number == stream.id:
        by, order, convention = "SA3D", boxes.order, "ambix"
        positions, locked = boxes.tracks[:4], boxes.head_locked
    elif family in _OPUS_AMBISONICS:
        by, convention = f"Opus mapping family {family}", "ambix"
        order = _order(stream.channels)
        locked = stream.channels - (order + 1) ** 2 == 2
    elif stated is not None and stated.by != "SA3D" and stream.channels >= 4:
        by, convention, order = stated.by, stated.convention, _order(stream.channels)
    base = stream.time_base
    return SoundClaim(
        number=stream.id or stream.index + 1,
        name=stream.metadata.get("handler_name", "") or stream.metadata.get("title", ""),
        codec=_codec(stream),
        rate=stream.rate or 0,
        channels=stream.channels,
        layout=layout,
        start=_seconds(stream.start_time, base),
        duration=_seconds(stream.duration, base),
        ambisonic=by,
        order=order,
        convention=convention,
        positions=positions,
        head_locked=locked,
    )


def _seconds(ticks: int | None, base: Any) -> float | None:
    return None if ticks is None or base is None else float(ticks * base)


def _order(channels: int) -> int:
    """The highest order whose channels are all there."""
    order = 0
    while (order + 2) ** 2 <= channels:
        order += 1
    return order


def _opus_family(stream: AudioStream) -> int | None:
    data = stream.codec_context.extradata
    if data is None or bytes(data[:8]) != b"OpusHead" or len(data) <= _OPUS_FAMILY:
        return None
    return int(data[_OPUS_FAMILY])


def _tags(container: InputContainer) -> dict[str, str]:
    tags = list(container.metadata.items())[:_MOST_TAGS]
    return {str(name): str(value)[:_LONGEST_TAG] for name, value in tags}
