"""Media containers: opened with clear errors, read packet by packet past damage.

Everything in this package that reads through libav comes through here, so that every reader treats
damage, missing timestamps and still pictures alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import is_there, reason
from omniaudio_studio.media.sparing import Needed, sparing

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# After this many failures in a row the rest of the file is taken as lost.
_PATIENCE = 64

# Boxes that an MP4 or QuickTime file may begin with.
_MP4_STARTS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof", b"pnot")


@dataclass
class Damage:
    """What could not be decoded while reading a file.

    Attributes
    ----------
    packets : int
        Packets that the container or the decoder refused.
    frames : int
        Pictures that were decoded with holes and left out.
    """

    packets: int = 0
    frames: int = 0

    def __bool__(self) -> bool:
        return bool(self.packets or self.frames)

    def __str__(self) -> str:
        return (
            f"{self.packets + self.frames} damaged packets or pictures were skipped; "
            "the last good picture is held there"
        )


def check_file(path: Path) -> None:
    """Refuse what cannot be a media file before any library looks at it.

    Raises
    ------
    MissingFileError
        If there is no such file.
    MediaError
        If it is a folder, empty, or not readable.
    """
    if not is_there(path):
        raise MissingFileError(f"no such file: {path}; check the name and the folder")
    if path.is_dir():
        raise MediaError(f"{path} is a folder; give one video or sound file")
    try:
        if not path.is_file():
            raise MediaError(f"{path} is a pipe or a device; give a file, which can be read twice")
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty (0 bytes); copy or download it again")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        if isinstance(error, MediaError):
            raise
        raise MediaError(f"cannot read {path}: {error.strerror or error}") from error


# What libav plays as an old terminal or text screen would: any text, for one.
_TERMINALS = ("tty", "bin", "xbin", "adf", "idf")


def open_input(path: Path) -> InputContainer:
    """Open a media file for reading. The caller closes it (it is a context manager).

    Raises
    ------
    MissingFileError, MediaError
        One line that says what is wrong with the file.
    """
    import av
    import av.error

    check_file(path)
    try:
        # "file:" keeps odd names from being taken for URLs, and the whitelist keeps a playlist
        # dressed up as a video from reaching the network.
        container = av.open(
            f"file:{path}",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file"},
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(_why_not_open(path)) from error
    except OSError as error:
        raise MediaError(f"cannot read {path}: {reason(error)}") from error
    if container.format.name in _TERMINALS:
        container.close()
        raise MediaError(_why_not_open(path))
    for stream in container.streams.audio:
        _own_layout(stream)
    return container


def _own_layout(stream: AudioStream) -> None:
    """Give a stream a channel layout that no other object shares.

    A custom layout (the channel map of ``SA3D`` makes one) is a list that PyAV 18 does not copy
    but frees once for everyone who looked at it: the process aborts. Taken, and put back by name,
    it is freed once. Lists of channels become "n channels".
    """
    context = stream.codec_context
    if context is None:
        return
    layout = context.layout
    listed = " channels (" in layout.name
    with suppress(ValueError):  # no channels at all
        context.layout = f"{layout.nb_channels} channels" if listed else layout.name


def _why_not_open(path: Path) -> str:
    """Say why libav refused a file, from what the file looks like."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in _MP4_STARTS:
        return (
            f"{path} is truncated or damaged: an MP4 needs its index (the moov box) and none can "
            "be read here; copy, download or export it again"
        )
    if b"\0" not in head and _is_text(head):
        return f"{path} is text, not video, whatever its name says; give a video file"
    return (
        f"{path} cannot be read as video or sound (unknown or damaged format); "
        "give an MP4, MOV, MKV or WebM file"
    )


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut in half at the end
    return True


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The moving pictures of a file: cover art and timed thumbnails are left out."""
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    return [s for s in container.streams.video if not s.disposition & pictures]


def audio_stream(
    container: InputContainer, *, channels: int = 0, number: int = 0
) -> AudioStream | None:
    """The file's main sound; None without any.

    That is the default track, else the first. With ``channels``, tracks of at least as many come
    before that, and the track of a ``number`` (libav's ``stream.id``) before all.
    """
    from av.stream import Disposition

    streams = [s for s in container.streams.audio if s.codec_context is not None]
    numbered = [s for s in streams if number and s.id == number]
    if numbered:
        return numbered[0]
    wide = [s for s in streams if s.channels >= channels]
    default = [s for s in wide or streams if s.disposition & Disposition.default]
    return next(iter(default or wide or streams), None)


def packets(container: InputContainer, stream: Any, damage: Damage) -> Iterator[Packet]:
    """Packets of one stream to the end of the file, past places that cannot be read."""
    import av.error

    failures = 0
    while failures < _PATIENCE:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
            return
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            failures += 1
            damage.packets += 1


def _decode(packet: Packet | None, stream: Any, damage: Damage) -> list[Any]:
    import av.error

    try:
        return list(stream.codec_context.decode(packet) if packet is None else packet.decode())
    except av.error.EOFError:
        return []
    except av.error.FFmpegError:
        damage.packets += 1
        return []


def _decoded(source: Iterator[Packet], stream: Any, damage: Damage) -> Iterator[Any]:
    flushed = False
    for packet in source:
        if packet.size == 0 and packet.dts is None:
            flushed = True  # libav's end of stream: the decoder gives back what it holds
        yield from _decode(packet, stream, damage)
    if not flushed:
        yield from _decode(None, stream, damage)


def decode_video(
    container: InputContainer, stream: VideoStream, damage: Damage, needed: Needed | None = None
) -> Iterator[VideoFrame]:
    """Decode pictures in order of presentation, each with a timestamp.

    Damaged packets are skipped and counted. Pictures with holes are left out once a whole one has
    been seen. A picture without a timestamp follows the one before by one frame of the nominal
    rate. With ``needed``, some that it does not want are missing (see
    :mod:`~omniaudio_studio.media.sparing`).
    """
    source = packets(container, stream, damage)
    if needed is not None:
        source = sparing(source, stream, needed)
    step = _nominal_step(stream)
    last: int | None = None
    seen_whole = False
    for frame in _decoded(source, stream, damage):
        if frame.is_corrupt and seen_whole:
            damage.frames += 1
            continue
        seen_whole = seen_whole or not frame.is_corrupt
        if frame.pts is None:
            frame.pts = frame.dts if frame.dts is not None else (0 if last is None else last + step)
        if last is not None and frame.pts <= last:
            continue  # a timestamp that runs backwards shows nothing new
        last = frame.pts
        yield frame


def decode_audio(
    container: InputContainer, stream: AudioStream, damage: Damage
) -> Iterator[AudioFrame]:
    """Decode sound past damage; the caller looks at the timestamps for holes."""
    yield from _decoded(packets(container, stream, damage), stream, damage)


def nominal_rate(stream: VideoStream) -> Fraction:
    """Pictures a second as the file states or libav guesses; 25 where neither makes sense."""
    for rate in (stream.average_rate, stream.guessed_rate):
        # Of two pictures Matroska's average may be 30000 a second.
        if rate and 0 < rate <= 1000:
            return rate
    return Fraction(25)


def _nominal_step(stream: VideoStream) -> int:
    assert stream.time_base is not None  # every opened stream has one
    return max(1, round(1 / (nominal_rate(stream) * stream.time_base)))
