"""How long a clip's pictures last: what can be read, not what the header promises."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.media.boxes import top_boxes
from omniaudio_studio.media.container import (
    Damage,
    decode_video,
    nominal_rate,
    packets,
    video_streams,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# A header may promise this much more than there is before the file counts as truncated (seconds):
# the sound of a whole file often ends a little after its pictures.
_PROMISE_TOLERANCE = 0.5


@dataclass(frozen=True)
class Extent:
    """How long the pictures last.

    Attributes
    ----------
    duration : float
        Seconds from the first picture to the end of the last one.
    truncated : bool
        True where the file ends before it should.
    promised : float or None
        Seconds that the header promises, None where it is silent.
    """

    duration: float
    truncated: bool
    promised: float | None


def measure_extent(
    path: Path, container: InputContainer, stream: VideoStream, first_pts: int
) -> Extent:
    """Find the end of the pictures without reading the whole file.

    The last packets are asked for their times. Only where the file is cut off are the last pictures
    decoded, from the key frame before the cut.

    Parameters
    ----------
    path : Path
    container, stream
        Opened; left at an unspecified position.
    first_pts : int
        Timestamp of the first picture, in the stream's clock.
    """
    assert stream.time_base is not None
    step = 1 / nominal_rate(stream)
    header = None if stream.duration is None else stream.duration * stream.time_base
    promised = header if header is not None else _promised(container, stream)
    cut, last_whole = _cut_off(path, container, stream)
    if cut and last_whole is not None:
        end = (
            _last_decoded(container, stream, last_whole, step)
            or _last_decoded(container, stream, first_pts, step)
            or Fraction(0)
        )
    else:
        end, broken = _last_packets(container, stream, first_pts, promised, step)
        cut = cut or broken
    found = max(Fraction(0), end - first_pts * stream.time_base)
    if promised is not None and float(promised - found) > max(_PROMISE_TOLERANCE, float(2 * step)):
        # A container's own length may be that of its sound.
        cut = cut or header is not None or not _reaches(container, promised)
    # The header is exact where it only rounds differently from the packets.
    if not cut and header is not None and abs(header - found) <= step * Fraction(3, 2):
        found = header
    return Extent(float(found), cut, None if promised is None else float(promised))


def _promised(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Length by the tags that Matroska writers leave, else by the container."""
    text = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = text.strip().split(":")
        return Fraction(int(hours) * 3600 + int(minutes) * 60) + Fraction(seconds)
    except ValueError:
        return None if container.duration is None else Fraction(container.duration, 1_000_000)


def _cut_off(path: Path, container: InputContainer, stream: VideoStream) -> tuple[bool, int | None]:
    """Whether the file ends early by its own index, and the index time of the last whole packet."""
    size = path.stat().st_size
    if container.format.name == "mpegts":
        # Whole packets only, of 188 bytes, or 192 on Blu-ray and in camcorders.
        return bool(size % 188 and size % 192), None
    if "mp4" not in container.format.name:
        return False, None
    with path.open("rb") as file:
        cut = any(box.end > size for box in top_boxes(file))
    entries = stream.index_entries
    if not len(entries) or entries[-1].pos + entries[-1].size <= size:
        # Cut inside another track, or a fragmented file, whose index comes piece by piece.
        return cut, None
    last = None
    for entry in entries:
        if entry.pos + entry.size > size:
            break
        last = entry.timestamp
    return True, last


def _last_decoded(
    container: InputContainer, stream: VideoStream, near: int, step: Fraction
) -> Fraction | None:
    """End of the last picture that decodes, seconds in the file's clock; from a key frame on."""
    import av.error

    try:
        container.seek(near, stream=stream)
    except av.error.FFmpegError:
        return None
    end = None
    for frame in decode_video(container, stream, Damage()):
        assert frame.pts is not None and stream.time_base is not None
        length = frame.duration * stream.time_base if frame.duration else step
        end = frame.pts * stream.time_base + length
    return end


def _last_packets(
    container: InputContainer,
    stream: VideoStream,
    first_pts: int,
    promised: Fraction | None,
    step: Fraction,
) -> tuple[Fraction, bool]:
    """End of the last packet, seconds in the file's clock; and whether the file's end is broken."""
    import av.error

    assert stream.time_base is not None
    targets = [first_pts]
    if promised is not None:
        targets.insert(0, first_pts + int(promised / stream.time_base))
    end = None
    damage = Damage()
    for target in targets:
        try:
            container.seek(target, stream=stream)
        except av.error.FFmpegError:
            continue
        for packet in packets(container, stream, damage):
            if packet.pts is None or packet.size == 0:
                continue
            if packet.is_discard:
                continue  # an edit list hides it
            if packet.is_corrupt:
                damage.packets += 1
                continue
            length = packet.duration * stream.time_base if packet.duration else step
            end = max(end or Fraction(0), packet.pts * stream.time_base + length)
        if end is not None:
            return end, bool(damage)
    # No timestamps in the packets: count decoded pictures.
    end = _last_decoded(container, stream, first_pts, step)
    return end or first_pts * stream.time_base + step, bool(damage)


def _reaches(container: InputContainer, promised: Fraction) -> bool:
    """Whether any track of the file lasts nearly as long as the container promises."""
    import av.error

    others = [s for s in container.streams if s not in video_streams(container)]
    for stream in others:
        if stream.type != "audio" or stream.time_base is None:
            continue
        try:
            near = max(Fraction(0), promised - 5) / stream.time_base
            container.seek((stream.start_time or 0) + int(near), stream=stream)
        except av.error.FFmpegError:
            continue
        for packet in packets(container, stream, Damage()):
            if packet.pts is None or packet.size == 0:
                continue
            end = (packet.pts + (packet.duration or 0)) * stream.time_base
            if promised - end <= _PROMISE_TOLERANCE:
                return True
    return False
