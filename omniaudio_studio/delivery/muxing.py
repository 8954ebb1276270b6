"""One pass of muxing: a clip's pictures copied, another sound encoded beside them.

The pictures keep what the clip's container says of them. Sample 0 of the sound lies at the first
shown picture. Memory stays flat, and the input is only read.

Where the clip tells how many pictures it has, room for the index of an MP4 or MOV is kept before
the media data, so that players can begin at once ("fast start") without a second pass; what is left
of it is a ``free`` box. The index stands at the end otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.delivery.copied import CopiedStreams, of_the_content
from omniaudio_studio.delivery.soundtrack import SoundFormat, SoundTrack
from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.files import reason
from omniaudio_studio.media.container import open_input

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.media.probe import ClipInfo

FORMATS = {".mov": "mov", ".mp4": "mp4", ".mkv": "matroska", ".webm": "webm"}
"""libav's name of the container that a suffix stands for."""

# libav lists them for MOV and then refuses: their sample entries are MP4's.
_MP4_ALONE = {"vp8", "vp9", "av1"}
# How tags of a sound that was delivered before begin (`provenance.Provenance.tags`).
_OF_OUR_SOUND = "omniaudio_"
# What an index takes at most, bytes: sizes, times, place and kind of one packet; what stands around
# a tag; and all else.
_PER_PACKET, _PER_TAG, _PER_INDEX = 45, 64, 1 << 16
# Sound is written this far ahead of the pictures, seconds.
_AHEAD = 0.25


@dataclass(frozen=True)
class Muxed:
    """What was written.

    Attributes
    ----------
    samples : int
        Of the new sound, per channel.
    beyond : int
        Values of it beyond full scale, which 24 bits and most players cut off.
    hidden : int
        Pictures before the first shown one that only serve to decode it.
    """

    samples: int
    beyond: int
    hidden: int


def mux(
    info: ClipInfo,
    target: Path,
    form: SoundFormat,
    rate: int,
    blocks: Iterator[NDArray[np.float32]],
    *,
    tags: dict[str, str] | None = None,
    own_sound: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> Muxed:
    """Write ``target``: the clip's pictures with another sound.

    Parameters
    ----------
    info : ClipInfo
    target : Path
        Written to directly; wrap it in `files.written_whole`. Its suffix names the container, one
        of `FORMATS`.
    form : SoundFormat
    rate : int
        Samples a second of the sound.
    blocks : iterator of float32 arrays (channels, n)
        The sound from the first picture on, full scale at 1.
    tags : dict, optional
        For the container, over the clip's own; a comment of the clip is kept behind the new one.
    own_sound : bool
        Keep the clip's own main sound as a second track.
    progress : callable, optional
        Called with the part that is done, 0 to 1.
    cancel : object with ``check()``, optional
        Called for every packet.

    Raises
    ------
    MissingFileError, MediaError
        If the clip cannot be read, or its packets not be copied.
    OptionError
        If the container cannot hold the clip's video or sound.
    OutputError
        If the system refuses to write.
    """
    container = FORMATS[target.suffix.lower()]
    with open_input(info.path) as source:
        copied = CopiedStreams(source, info, own_sound=own_sound)
        _check_holds(info.path, target.suffix.lower(), copied.codecs)
        all_tags = _joined_tags(source.metadata, tags or {})
        options = _options(container, copied, info, form, all_tags)
        with _opened(target, container, options) as output:
            copied.add_pictures_to(output)
            track = SoundTrack(output, form, rate)
            copied.add_sound_to(output)
            output.metadata.update(all_tags)
            _copy_chapters(source, output, info)
            with _refusals(target):
                output.start_encoding()
            _write(output, target, copied, track, blocks, info.duration, progress, cancel)
        return Muxed(track.samples, track.beyond, copied.hidden)


def _write(
    output: OutputContainer,
    target: Path,
    copied: CopiedStreams,
    track: SoundTrack,
    blocks: Iterator[NDArray[np.float32]],
    duration: float,
    progress: Callable[[float], None] | None,
    cancel: Cancel | None,
) -> None:
    """All packets, sound and pictures side by side; what runs ahead waits in memory.

    The next block of sound is encoded while pictures are copied.
    """
    written = 0

    def encoded() -> tuple[list[Packet], int] | None:
        block = next(blocks, None)
        return None if block is None else (track.encode(block), block.shape[1])

    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(encoded)

        def write_sound(until: float) -> None:
            nonlocal coming, written
            while written < until * track.rate:
                if cancel is not None:
                    cancel.check()
                made = coming.result()
                if made is None:
                    return
                coming = ahead.submit(encoded)
                written += made[1]
                with _refusals(target):
                    output.mux(made[0])

        shown = 0.0
        for packet, when in copied:
            if cancel is not None:
                cancel.check()
            write_sound(when + _AHEAD)
            with _refusals(target):
                output.mux(packet)
            if progress is not None and duration and when > shown + 0.1:
                shown = when
                progress(min(shown / duration, 1.0))
        write_sound(math.inf)
    with _refusals(target):
        output.mux(track.finish())
    if progress is not None:
        progress(1.0)


def _options(
    container: str,
    copied: CopiedStreams,
    info: ClipInfo,
    form: SoundFormat,
    tags: dict[str, str],
) -> dict[str, str]:
    if container not in ("mov", "mp4"):
        return {}
    # Edits are counted in the movie's clock: it ticks once per sample.
    options = {"movie_timescale": "48000"}
    if copied.count is not None:
        # The most packets a second that any of the sounds has is AAC's, of 1024 samples at 96 kHz.
        most = copied.count * 5 // 4 + math.ceil(100 * info.duration)
        words = sum(len(f"{name}{value}".encode()) + _PER_TAG for name, value in tags.items())
        options["moov_size"] = str(most * _PER_PACKET + words + _PER_INDEX)
    flags = ["use_metadata_tags"]
    # The clip's own sound may begin with its encoder's delay.
    hides = copied.hidden or copied.sound is not None or not form.lossless
    if container == "mov" and not hides:
        # Nothing is to be hidden: times of presentation alone place the pictures, and YouTube's
        # advice against edit lists is met.
        flags.append("negative_cts_offsets")
        options["use_editlist"] = "0"
    return options | {"movflags": "+".join(flags)}


@contextmanager
def _opened(target: Path, container: str, options: dict[str, str]) -> Iterator[OutputContainer]:
    import av
    import av.error

    with _refusals(target):
        output = av.open(f"file:{target}", "w", format=container, options=options)
    try:
        yield output
    except BaseException:
        # The first error is the one to report: a full disk refuses the index again.
        with suppress(av.error.FFmpegError, OSError):
            output.close()
        raise
    with _refusals(target):
        output.close()


@contextmanager
def _refusals(target: Path) -> Iterator[None]:
    """What libav and the system refuse to write, as one line."""
    import av.error

    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        said = reason(error) if isinstance(error, OSError) else str(error)
        raise OutputError(f"cannot write {target}: {said}") from error


def _check_holds(clip: Path, suffix: str, codecs: list[str]) -> None:
    """Refuse what the container cannot hold, and say which can."""
    for codec in codecs:
        if codec in _supported(suffix):
            continue
        others = [other for other in FORMATS if other != suffix and codec in _supported(other)]
        hint = f"{', '.join(others)} can" if others else "convert the clip to H.264 first"
        raise OptionError(f"{suffix} cannot hold the {codec} of {clip}; {hint}")


def _supported(suffix: str) -> set[str]:
    import io

    import av

    # Nothing is written before a stream is made.
    with av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as output:
        found = output.supported_codecs
    return found - _MP4_ALONE if suffix == ".mov" else found


def _joined_tags(of_clip: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """The clip's tags with new ones over them; what they told of a sound of ours goes with it."""
    kept = of_the_content(of_clip)
    comment = next((kept[name] for name in kept if name.lower() == "comment"), "")
    if any(name.lower().startswith(_OF_OUR_SOUND) for name in kept):
        comment = comment.partition(". ")[2]
        kept = {
            name: value
            for name, value in kept.items()
            if not name.lower().startswith((_OF_OUR_SOUND, "encoded_by"))
        }
    tags = {name: kept[name] for name in kept if name.lower() not in (*new, "comment")} | new
    said = [text for text in (new.get("comment"), comment) if text]
    return tags | ({"comment": ". ".join(said)} if said else {})


def _copy_chapters(source: InputContainer, output: OutputContainer, info: ClipInfo) -> None:
    chapters = source.chapters()
    for chapter in chapters:
        clock = chapter["time_base"]
        if clock is not None:
            start = round(info.start_time / clock)
            chapter["start"] = max(0, chapter["start"] - start)
            chapter["end"] = max(chapter["start"] + 1, chapter["end"] - start)
    if chapters:
        output.set_chapters(chapters)
