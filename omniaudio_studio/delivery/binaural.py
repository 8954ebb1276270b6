"""A sound field as a stereo file for headphones, with the record that makes it again."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omniaudio_studio import __version__
from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.measure import checked_blocks
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.files import check_output, file_sha256, written_whole
from omniaudio_studio.foa.binaural import BinauralFilters, TrackRenderer, default_filters
from omniaudio_studio.foa.binaural_track import HeadTrack
from omniaudio_studio.foa.convention import CONVENTIONS

if TYPE_CHECKING:
    from omniaudio_studio.media.audio import FoaReader

KIND = "omniaudio-binaural"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BinauralRequest:
    """What to render, and how the head is held.

    Parameters
    ----------
    field : Path
        Four channels, in anything that `media.audio.FoaReader` reads.
    output : Path
        A WAV file: two channels, float32, at the field's rate and as long as it.
    convention : str
        Of the field: "auto", or one of `foa.convention.CONVENTIONS`.
    yaw, pitch, roll : float
        Degrees: the head turned to the left, up, its left ear up.
    track : Path, optional
        A head track (`media.head_track`) in place of them.
    hrtf : Path, optional
        A SOFA file; the filters that ship by default.
    """

    field: Path
    output: Path
    convention: str = "auto"
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    track: Path | None = None
    hrtf: Path | None = None

    def validate(self) -> BinauralRequest:
        """Raise OptionError where options contradict each other or are out of range."""
        for name in ("yaw", "pitch", "roll"):
            if not math.isfinite(getattr(self, name)):
                raise OptionError(f"--{name} must be in degrees, found {getattr(self, name)}")
        if self.track is not None and (self.yaw or self.pitch or self.roll):
            raise OptionError(
                "--track says where the head looks; leave --yaw, --pitch and --roll out"
            )
        if self.convention != "auto" and self.convention not in CONVENTIONS:
            raise OptionError(
                f"convention {self.convention}: expected auto or one of {', '.join(CONVENTIONS)}"
            )
        if self.output.suffix.lower() != ".wav":
            raise OptionError(
                f"{self.output}: binaural sound is written as .wav; choose such a name"
            )
        inputs = {self.field, self.track, self.hrtf} - {None}
        for made in (self.output, self.record):
            if made.resolve() in {path.resolve() for path in inputs if path is not None}:
                raise OptionError(f"{made} is an input too; choose another name for the output")
        return self

    @property
    def record(self) -> Path:
        """Where the record lies: ``<stem>.json`` beside the output."""
        return self.output.with_suffix(".json")

    def command(self) -> list[str]:
        """The command line that makes it again."""
        words = ["omniaudio", "binaural", str(self.field.absolute())]
        words += ["-o", str(self.output.absolute())]
        if self.convention != "auto":
            words += ["--convention", self.convention]
        for name in ("yaw", "pitch", "roll"):
            if getattr(self, name):
                words += [f"--{name}", repr(getattr(self, name))]
        for option, path in (("--track", self.track), ("--hrtf", self.hrtf)):
            if path is not None:
                words += [option, str(path.absolute())]
        return words


@dataclass(frozen=True)
class BinauralProgress:
    """How far it is: seconds of sound; ``total`` is 0 and ``eta`` None while unknown."""

    stage: str
    done: float
    total: float
    eta: float | None


@dataclass(frozen=True)
class BinauralResult:
    """What was written.

    ``peak`` is linear: above 1, players that take whole numbers would clip.
    """

    output: Path
    record: Path
    rate: int
    samples: int
    peak: float
    convention: str
    filters: str
    licence: str
    citation: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "output": str(self.output), "record": str(self.record)}


def render_file(
    request: BinauralRequest,
    *,
    overwrite: bool = False,
    progress: Callable[[BinauralProgress], None] | None = None,
    cancel: Cancel | None = None,
) -> BinauralResult:
    """Render a file in flat memory; the output and its record appear whole or not at all.

    Raises
    ------
    OptionError, MissingFileError, MediaError, MissingDependencyError
        For options and inputs.
    OutputError
        Where it cannot be written, or is there already.
    Cancelled
        If ``cancel`` says so.
    """
    from omniaudio_studio.media.audio import FoaReader
    from omniaudio_studio.media.head_track import read_head_track

    request = request.validate()
    check_output(request.output, overwrite=overwrite)
    check_output(request.record, overwrite=overwrite)
    begun = time.monotonic()
    head = np.radians([request.yaw, request.pitch, request.roll])
    track: Any = (0.0, *head) if request.track is None else read_head_track(request.track)
    with FoaReader(request.field, request.convention) as reader:
        rate = reader.rate
        filters = _filters(request, rate)
        with (
            written_whole(request.record, overwrite=overwrite) as record,
            written_whole(request.output, overwrite=overwrite) as wav,
        ):
            samples, peak = render_reader(
                reader, wav, filters, track, progress=progress, cancel=cancel
            )
            if cancel is not None:
                cancel.check()
            if not samples:
                raise MediaError(f"{request.field} holds no samples; export it again")
            result = BinauralResult(
                output=request.output,
                record=request.record,
                rate=rate,
                samples=samples,
                peak=peak,
                convention=reader.convention,
                filters=filters.name,
                licence=filters.licence,
                citation=filters.citation,
                seconds=time.monotonic() - begun,
            )
            data = _described(request, result, filters, wav, cancel)
            record.write_text(
                json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
                encoding="utf-8",
            )
    return result


def render_reader(
    reader: FoaReader,
    wav: Path,
    filters: BinauralFilters,
    track: HeadTrack | None = None,
    *,
    origin: str | None = None,
    progress: Callable[[BinauralProgress], None] | None = None,
    cancel: Cancel | None = None,
) -> tuple[int, float]:
    """Render all of a field into a stereo float32 WAV of its rate and length, in flat memory.

    Parameters
    ----------
    reader : FoaReader
        The field.
    wav : Path
        Written to directly.
    filters : BinauralFilters
        At any rate.
    track : HeadTrack, optional
        As for `foa.binaural.TrackRenderer`; without one the head looks ahead.
    origin : str, optional
        Where the sound comes from, as the file's comment.

    Returns
    -------
    int, float
        Samples per channel, and the largest value (linear).

    Raises
    ------
    MediaError, OutputError, Cancelled
        If the field cannot be read or the file not written, or ``cancel`` said so.
    """
    from omniaudio_studio.media.wav import WavWriter
    from omniaudio_studio.media.wav_info import COMMENT, info_chunk

    rate, peak = reader.rate, 0.0
    renderer = TrackRenderer(filters, rate, track)
    total = (reader.frames or 0) / rate
    begun = time.monotonic()
    chunks = [] if origin is None else [info_chunk({COMMENT: origin})]
    with WavWriter(wav, rate, 2, chunks=chunks) as writer:
        for block in checked_blocks(reader, cancel):
            ears = np.empty((2, block.shape[1]), dtype=np.float32)
            renderer.process(block, ears)
            writer.write(ears)
            peak = max(peak, float(np.abs(ears).max(initial=0.0)))
            if progress is not None:
                progress(_progress(writer.frames / rate, total, begun))
    return writer.frames, peak


def _filters(request: BinauralRequest, rate: int) -> BinauralFilters:
    if request.hrtf is None:
        return default_filters(rate)
    from omniaudio_studio.media.hrtf import load_hrtf

    return load_hrtf(request.hrtf).at_rate(rate)


def _progress(done: float, total: float, begun: float) -> BinauralProgress:
    spent = time.monotonic() - begun
    left = spent / done * (total - done) if total and done else None
    return BinauralProgress("binaural", done, total, left)


def _described(
    request: BinauralRequest,
    result: BinauralResult,
    filters: BinauralFilters,
    wav: Path,
    cancel: Cancel | None,
) -> dict[str, Any]:
    """The record as plain data; `command` and the inputs' hashes make the sound again."""

    def file(path: Path | None) -> dict[str, str] | None:
        if path is None:
            return None
        return {"path": str(path.absolute()), "sha256": file_sha256(path, cancel)}

    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "command": request.command(),
        "field": file(request.field),
        "convention": result.convention,
        "head": {"yaw": request.yaw, "pitch": request.pitch, "roll": request.roll},
        "track": file(request.track),
        "hrtf": file(request.hrtf),
        "filters": {
            "name": filters.name,
            "licence": filters.licence,
            "citation": filters.citation,
            "rate": filters.rate,
            "taps": filters.taps.shape[2],
            "sha256": hashlib.sha256(filters.taps.tobytes()).hexdigest(),
        },
        "output": {
            "name": request.output.name,
            "sha256": file_sha256(wav, cancel),
            "rate": result.rate,
            "samples": result.samples,
            "peak": result.peak,
        },
        "software": {
            "omniaudio": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "seconds": round(result.seconds, 3),
    }
