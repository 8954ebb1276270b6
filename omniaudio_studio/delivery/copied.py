"""A clip's pictures, and its own sound where wanted, as packets that are copied into a new file.

Times are counted from the clip's first shown picture, and mended where a container leaves them out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.container import (
    Damage,
    audio_stream,
    nominal_rate,
    packets,
    video_streams,
)

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

    from omniaudio_studio.media.probe import ClipInfo

# Pictures wait for at most so many others to be decoded.
_REORDERED = 32
# Tags that tell of the file they were in, not of what it shows.
_OF_THE_FILE = (
    "bps", "compatible_brands", "duration", "encoder", "major_brand", "minor_version",
    "number_of_bytes", "number_of_frames", "stereo_mode", "vendor_id",
)  # fmt: skip


class CopiedStreams:
    """The streams of a clip that go into an output as they are.

    Parameters
    ----------
    container : InputContainer
        The clip, at its start.
    info : ClipInfo
    own_sound : bool
        Take the clip's own main sound too.

    Attributes
    ----------
    hidden : int
        Pictures before the first shown one, which only serve to decode it.

    Raises
    ------
    MediaError
        If there are no pictures, or no sound where it is wanted.
    """

    def __init__(
        self, container: InputContainer, info: ClipInfo, *, own_sound: bool = False
    ) -> None:
        from av.container import Flags
        from av.stream import Disposition

        # AVI and the like give no times of presentation: let libav work them out.
        reading: Any = container
        reading.flags |= Flags.gen_pts.value
        self._path, self._container = info.path, container
        moving = video_streams(container)
        default = [stream for stream in moving if stream.disposition & Disposition.default]
        if not moving:
            raise MediaError(f"{info.path} holds no moving picture; give a 360 video")
        self.main: Any = (default or moving)[0]
        self.pictures: list[Any] = [self.main]
        if info.projection in ("eac", "dual-fisheye"):
            # Each half, or each lens, may be a track of its own.
            size = (self.main.width, self.main.height)
            self.pictures = [s for s in moving if (s.width, s.height) == size]
        self.sound: Any = audio_stream(container) if own_sound else None
        if own_sound and self.sound is None:
            raise MediaError(f"{info.path} has no sound of its own that could be kept")
        self._streams: list[Any] = [*self.pictures, *([self.sound] if own_sound else [])]
        # Fractions are slow where every packet asks for one.
        self._clocks = {stream.index: float(stream.time_base) for stream in self._streams}
        self._starts = {
            stream.index: round(info.start_time / stream.time_base) for stream in self._streams
        }
        self._last: dict[int, int] = {}
        self._made: dict[int, Any] = {}
        self._source = self._timed()
        self._waiting = self._up_to_the_first_picture()
        self.hidden = sum(
            packet.stream_index == self.main.index and (packet.pts or 0) < 0
            for packet in self._waiting
        )

    @property
    def codecs(self) -> list[str]:
        """libav's names of what is copied, each once."""
        names = [stream.codec_context.codec.canonical_name for stream in self._streams]
        return list(dict.fromkeys(names))

    @property
    def count(self) -> int | None:
        """Packets in all, None where the container does not say: MP4 and MOV alone count them."""
        if "mp4" not in self._container.format.name:
            return None
        counts = [stream.frames for stream in self._streams]
        return sum(counts) if all(counts) else None

    def add_pictures_to(self, output: OutputContainer) -> None:
        """Make the streams of the pictures."""
        for stream in self.pictures:
            self._add(output, stream)

    def add_sound_to(self, output: OutputContainer) -> None:
        """Make the stream of the clip's own sound, where it is taken."""
        from av.stream import Disposition

        if self.sound is not None:
            made = self._add(output, self.sound)
            made.disposition = Disposition(0)

    def _add(self, output: OutputContainer, stream: Any) -> Stream:
        made: Any = output.add_stream_from_template(stream, opaque=True)
        made.metadata.update(of_the_content(stream.metadata))
        if stream.type == "video":
            if stream.sample_aspect_ratio:
                made.sample_aspect_ratio = stream.sample_aspect_ratio
            made.disposition = stream.disposition
            hevc = stream.codec_context.codec.canonical_name == "hevc"
            if hevc and output.format.name in ("mov", "mp4"):
                made.codec_tag = "hvc1"  # libav's own choice, hev1, is not played by Apple's
        self._made[stream.index] = made
        return made

    def __iter__(self) -> Iterator[tuple[Packet, float]]:
        """Packets, each bound to its stream of the output, with when it is decoded in seconds."""
        for packet in self._waiting:
            yield self._bound(packet)
        for packet in self._source:
            yield self._bound(packet)

    def _bound(self, packet: Packet) -> tuple[Packet, float]:
        assert packet.dts is not None
        when = packet.dts * self._clocks[packet.stream_index]
        packet.stream = self._made[packet.stream_index]
        return packet, when

    def _up_to_the_first_picture(self) -> list[Packet]:
        waiting = []
        for packet in self._source:
            waiting.append(packet)
            if packet.stream_index == self.main.index and (packet.pts or 0) >= 0:
                break
        return waiting

    def _timed(self) -> Iterator[Packet]:
        for packet in self._dated():
            self._place(packet)
            yield packet

    def _dated(self) -> Iterator[Packet]:
        """Packets with times of decoding at the start too, where libav finds them out only later.

        Matroska does not store them: those of the first packets are counted back from the first
        known one, a picture's length each.
        """
        waiting: dict[int, list[Packet]] = {stream.index: [] for stream in self.pictures}
        for packet in self._shown():
            undated = waiting.get(packet.stream_index)
            if undated is not None:
                if packet.dts is None and len(undated) < _REORDERED:
                    undated.append(packet)
                    continue
                del waiting[packet.stream_index]
                yield from _counted_back(undated, packet)
            yield packet
        for undated in waiting.values():
            yield from undated

    def _shown(self) -> Iterator[Packet]:
        """Packets less those that an edit list hides for good.

        What is hidden before the first shown picture serves to decode it, and what is hidden among
        the last ones may do so too. An edit that begins anywhere but at a key frame needs hidden
        pictures in the middle, which a copy would show.
        """
        begun = restarted = lost = False
        hidden: list[Packet] = []
        latest: float = -math.inf
        for packet in packets(self._container, self._streams, Damage()):
            if packet.size == 0 or packet.is_corrupt:
                continue
            if packet.stream_index != self.main.index:
                # An encoder's delay is hidden too, before the start; what follows the end is not
                # wanted.
                start = self._starts[packet.stream_index]
                late = packet.pts is not None and packet.pts >= start
                if not (packet.is_discard and late):
                    yield packet
                continue
            now: int | None = packet.dts
            back = now is not None and now <= latest
            latest = latest if now is None else now
            if begun and packet.is_discard:
                if back:
                    restarted = True
                hidden.append(packet)
                if len(hidden) > _REORDERED:
                    lost = True
                    hidden.clear()
                continue
            if back and packet.is_keyframe and not restarted:
                hidden.clear()
                lost = False
            elif restarted or lost:
                raise MediaError(
                    f"{self._path}: its edit list begins a part between two key frames, which "
                    "cannot be copied; export it as one plain clip first"
                )
            yield from hidden
            hidden.clear()
            begun = begun or not packet.is_discard
            yield packet

    def _place(self, packet: Packet) -> None:
        """Give a packet times of presentation and decoding, in its stream's clock."""
        start = self._starts[packet.stream_index]
        if packet.pts is None and packet.dts is None:
            raise MediaError(
                f"{self._path}: its {packet.stream.type} has packets without times; "
                "convert it to MP4 or MKV first"
            )
        pts = packet.pts if packet.pts is not None else packet.dts
        dts = packet.dts if packet.dts is not None else pts
        assert pts is not None and dts is not None
        pts, dts = pts - start, dts - start
        last = self._last.get(packet.stream_index)
        if last is not None and dts <= last:
            # Rounded times may coincide; a packet that should have come long before cannot be kept.
            dts = last + 1
        if dts > pts:
            at = (pts + start) * self._clocks[packet.stream_index]
            raise MediaError(
                f"{self._path}: the times of its {packet.stream.type} jump back at {at:.3f} s; "
                "export or convert it again"
            )
        self._last[packet.stream_index] = dts
        packet.pts, packet.dts = pts, dts


def _counted_back(undated: list[Packet], known: Packet) -> list[Packet]:
    if known.dts is not None:
        rate: Any = known.stream
        step = max(1, round(1 / (nominal_rate(rate) * known.time_base)))
        for back, packet in enumerate(reversed(undated), start=1):
            packet.dts = known.dts - back * step
            if packet.pts is not None:
                packet.dts = min(packet.dts, packet.pts)
    return undated


def of_the_content(tags: dict[str, str]) -> dict[str, str]:
    """Tags that still hold in another file."""
    return {
        name: value
        for name, value in tags.items()
        if name.lower() not in _OF_THE_FILE and not name.lower().startswith("_statistics")
    }
