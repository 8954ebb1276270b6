"""The field as an AmbiX WAV that says what it is and where it comes from. Streaming.

What other deliverables of four channels need too is here: the field in a WAV of any convention,
with its ``bext`` chunk, whose loudness is known when the last sample has been written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.files import written_whole

if TYPE_CHECKING:
    from omniaudio_studio.foa.convention import Convention
    from omniaudio_studio.media.bext import Bext
    from omniaudio_studio.media.loudness import Loudness
    from omniaudio_studio.media.wav import Subtype

RATE = 48_000


@dataclass(frozen=True)
class WavResult:
    """What was written.

    Attributes
    ----------
    rate, samples : int
        Samples a second, and per channel.
    clipped : int
        Values beyond full scale, which 24 bits cannot hold.
    loudness : Loudness
        Of W.
    """

    rate: int
    samples: int
    clipped: int
    loudness: Loudness

    def warnings(self) -> list[str]:
        """What is to be told."""
        if not self.clipped:
            return []
        return [
            f"{self.clipped} values were beyond full scale and were clipped; write float32, or "
            "set a loudness"
        ]


def write_wav(
    source: DeliverySource,
    output: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
    rate: int = RATE,
    subtype: Subtype = "float32",
) -> WavResult:
    """Write the field as AmbiX: W Y Z X, SN3D, channel mask 0; RF64 past 4 GB.

    At the field's own rate the samples are its own: float32 unchanged, 24 bits rounded once.

    Parameters
    ----------
    progress
        Called with the part that is done, 0 to 1.
    rate : int
        Samples a second; other rates than the field's are resampled.
    subtype : {"float32", "pcm24"}

    Raises
    ------
    MissingFileError, MediaError
        If the field cannot be read.
    OutputError
        If the file cannot be written, or is there already.
    Cancelled
        If ``cancel`` said so. Nothing is left behind, whatever was raised.
    """
    with written_whole(output, overwrite=overwrite) as place:
        return write_field(
            source, place, rate=rate, subtype=subtype, progress=progress, cancel=cancel
        )


def write_field(
    source: DeliverySource,
    place: Path,
    *,
    rate: int = RATE,
    subtype: Subtype = "float32",
    convention: Convention = "ambix",
    samples: int | None = None,
    in_clip: bool = False,
    chunks: Sequence[tuple[bytes, bytes]] = (),
    big: Literal[b"RF64", b"BW64"] = b"RF64",
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> WavResult:
    """Write the field's samples and its ``bext`` chunk directly to ``place``.

    Parameters
    ----------
    convention : str
        One of `media.bext.CONVENTIONS`.
    samples : int, optional
        Length at ``rate``; the field's own without. Needed with ``in_clip``.
    in_clip : bool
        Whether it is the field in the stored picture's frame, from the clip's first picture on.
    chunks, big
        As for `media.wav.WavWriter`.

    Other parameters and errors as for `write_wav`.
    """
    from omniaudio_studio.foa.convention import from_ambix
    from omniaudio_studio.media.bext import CONVENTIONS
    from omniaudio_studio.media.wav import WavWriter

    if samples is None:
        samples = source.length(rate, cancel)
    read = source.blocks_in_clip if in_clip else source.blocks
    start = 0.0 if in_clip else source.clip_start
    bext = wav_bext(source, rate, subtype, start=start, begins=CONVENTIONS[convention])
    with WavWriter(place, rate, 4, subtype, bext=bext, chunks=chunks, big=big) as writer:
        for block in read(rate, samples, cancel=cancel):
            writer.write(block if convention == "ambix" else from_ambix(block, convention))
            if progress is not None:
                progress(writer.frames / samples)
    assert writer.loudness is not None
    return WavResult(rate, writer.frames, writer.clipped, writer.loudness)


def wav_bext(
    source: DeliverySource,
    rate: int,
    subtype: Subtype,
    *,
    start: float | None = None,
    begins: str | None = None,
) -> Bext:
    """What a WAV of this source states of itself.

    The date is that of the clip where it has one, else that of the field's file where that is there
    already, and never that of the clock: the same inputs give the same bytes. Without a provenance
    only what the channels are is stated.

    Parameters
    ----------
    start : float, optional
        Seconds of the clip at which the WAV begins; where the field does without.
    begins : str, optional
        What its channels are, the beginning of the description; AmbiX without.
    """
    from omniaudio_studio.media.bext import CONVENTIONS, Bext
    from omniaudio_studio.media.clip_time import ClipTime, clip_time

    when = ClipTime() if source.clip is None else clip_time(source.clip.path)
    depth = {"float32": 32, "pcm24": 24}[subtype]
    history = f"A=PCM,F={rate},W={depth},T="
    reference = round((when.midnight + (source.clip_start if start is None else start)) * rate)
    origin, begins = source.provenance, begins or CONVENTIONS["ambix"]
    if origin is None:
        return Bext(begins, time_reference=reference, coding_history=f"{history}\r\n")
    date, time = when.date, when.time
    if not date and source.field.exists():
        written = datetime.fromtimestamp(source.field.stat().st_mtime, UTC)
        date, time = f"{written:%Y-%m-%d}", f"{written:%H:%M:%S}"
    return Bext(
        description=f"{begins} {origin.sentence()}",
        originator=origin.software,
        date=date,
        time=time,
        time_reference=reference,
        coding_history=f"{history}{origin.software}\r\n",
    )
