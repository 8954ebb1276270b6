"""Do what a delivery's request says: from a field and placed sounds to the files, all or none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.wav import wav_bext
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.jobs.companions import Companions, check_companions, write_companions
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.delivery_sidecar import (
    Redelivery,
    delivery_provenance,
    describe_delivery,
    earlier_sidecar,
    input_files,
    with_files,
)
from omniaudio_studio.jobs.outputs import TakeFiles, single_files
from omniaudio_studio.jobs.result import DeliverResult
from omniaudio_studio.jobs.sidecar import write_sidecar
from omniaudio_studio.jobs.staged import (
    Report,
    check_inputs,
    other_bits,
    run_staged,
    same_sound,
)
from omniaudio_studio.jobs.staging import Staging
from omniaudio_studio.jobs.writers import Order
from omniaudio_studio.jobs.writing import TakeWriter, clipping_warning, reach_loudness
from omniaudio_studio.media.bext import sound_sha256

if TYPE_CHECKING:
    from omniaudio_studio.foa.convention import Foa
    from omniaudio_studio.media.probe import ClipInfo
    from omniaudio_studio.media.wav import Subtype

BLOCK = 1 << 16  # samples
_SHORTER = 0.1  # seconds by which a clip may end early before it is told


def run_deliver(
    request: DeliverRequest,
    *,
    progress: Report | None = None,
    cancel: CancelToken | None = None,
    started: Callable[[Path], None] | None = None,
    expected: Redelivery | None = None,
) -> DeliverResult:
    """Make everything that a delivery asks for.

    All files appear together at the end, or none; memory stays flat for any length. Only what
    cannot be made beside the WAV is left out, and told of in ``problems``.

    Parameters
    ----------
    progress
        Called with reports of ``stage`` ("sound", then the names of deliverables),
        ``done`` and ``total`` in seconds of sound, and ``eta``.
    cancel
        Stops the work within a second.
    started
        Called with the folder of temporary files once it is made.
    expected
        From a sidecar: the inputs must be the ones that it names.

    Raises
    ------
    OmniAudioError
        One line; nothing is left behind, and existing outputs are untouched.
    Cancelled
        Likewise.
    """
    begun = time.monotonic()
    cancel = cancel or CancelToken()
    request.validate()
    check_companions(request.deliverables)
    files = single_files(request)

    def work(staging: Staging, hashing: Future[list[str]]) -> DeliverResult:
        return _Job(request, files, staging, cancel, progress).run(hashing, expected, begun)

    return run_staged(
        files,
        input_files(request),
        work,
        overwrite=request.overwrite,
        cancel=cancel,
        started=started,
    )


class _Job:
    """One delivery, step by step."""

    def __init__(
        self,
        request: DeliverRequest,
        files: TakeFiles,
        staging: Staging,
        cancel: CancelToken,
        progress: Report | None,
    ) -> None:
        self.request, self.files, self.staging = request, files, staging
        self.cancel, self.progress = cancel, progress
        self.warnings: list[str] = []

    def run(
        self, hashing: Future[list[str]], expected: Redelivery | None, begun: float
    ) -> DeliverResult:
        """All steps; the files are in the staging folder afterwards."""
        request, files, path = self.request, self.files, self.staging.path
        if expected is not None:
            found, before = hashing.result(), expected.inputs
            check_inputs(input_files(request), found, before, expected.source, "deliver")
        earlier = earlier_sidecar(files.sidecar) if files.in_place else None
        clip = self._probe_clip()
        if files.writes_wav:
            with ExitStack() as opened:
                samples, blocks = self._open(opened)
                self._compare_lengths(clip, samples / request.rate)
                source = self._source(path(files.wav), clip)
                gain, peak = self._write_sound(source, samples, blocks)
            rate = request.rate
        else:
            assert request.field is not None
            rate, samples = self._look(request.field)
            self._compare_lengths(clip, samples / rate)
            gain, peak, source = 0.0, None, self._source(request.field, clip)
        beside, field = self._write_companions(source, samples / rate), source.field
        sha256 = file_sha256(field, self.cancel)
        sound = sound_sha256(field, self.cancel) if files.writes_wav else ""
        if expected is not None and not same_sound(sha256, sound, expected.output, expected.sound):
            self.warnings.append(other_bits(expected.source))
        result = DeliverResult(
            wav=files.wav if files.writes_wav else field,
            sidecar=files.sidecar,
            files=beside.files,
            samples=samples,
            rate=rate,
            sha256=sha256,
            peak=peak,
            gain_db=gain,
            duration=samples / rate,
            seconds=time.monotonic() - begun,
            warnings=tuple(self.warnings),
            problems=beside.problems,
            sound_sha256=sound,
        )
        if earlier is not None:
            data = with_files(earlier, beside.entries)
        else:
            data = describe_delivery(request, result, hashing.result(), beside.entries)
        write_sidecar(path(files.sidecar), data)
        if earlier is not None:
            # When it was written is when the take was made.
            status = files.sidecar.stat()
            os.utime(path(files.sidecar), ns=(status.st_atime_ns, status.st_mtime_ns))
        return replace(result, seconds=time.monotonic() - begun)

    def _source(self, field: Path, clip: ClipInfo | None) -> DeliverySource:
        """What is delivered: a WAV that is written, or the field as it is."""
        request, written = self.request, self.files.writes_wav
        return DeliverySource(
            field,
            clip=clip,
            clip_start=request.clip_start + (request.start if written else 0.0),
            yaw=request.yaw,
            provenance=delivery_provenance(request),
            convention="ambix" if written else request.convention,
        )

    def _look(self, field: Path) -> tuple[int, int]:
        """Rate and samples of a field that stays as it is."""
        source = DeliverySource(field, convention=self.request.convention)
        rate = source.rate()
        return rate, source.length(rate, self.cancel)

    def _write_companions(self, source: DeliverySource, seconds: float) -> Companions:
        """Make what is wanted beside the WAV, or the field."""
        # Also where the files are not to tell of it.
        origin = delivery_provenance(replace(self.request, provenance=True))
        if origin is not None and (told := origin.warning()):
            self.warnings.append(told)
        order = Order(
            source,
            seconds,
            head=self._head(),
            head_locked=self.request.head_locked,
            sources=self.request.sources,
            start=self.request.start,
            report=self.progress,
            cancel=self.cancel,
        )
        made = write_companions(self.files, self.staging, order)
        if made.problems and not made.files and not self.files.writes_wav:
            raise OutputError("; ".join(made.problems))
        self.warnings += made.warnings
        return made

    def _probe_clip(self) -> ClipInfo | None:
        request = self.request
        if request.clip is None:
            return None
        from omniaudio_studio.media.probe import probe, require_360

        info = probe(
            request.clip,
            projection=request.projection,
            stereo=request.stereo,
            hfov=request.hfov,
            camera=request.camera,
        )
        if any(DELIVERABLES[name].clip == "must" for name in request.deliverables):
            require_360(info)
        start = request.clip_start + request.start
        if not 0 <= start < info.duration:
            raise OptionError(
                f"the part begins at {start:.3f} s of {request.clip}, which lasts "
                f"{info.duration:.3f} s; change clip_start, or leave out what shows the clip"
            )
        self.warnings += info.warnings
        return info

    def _compare_lengths(self, clip: ClipInfo | None, duration: float) -> None:
        if clip is None:
            return
        rest = clip.duration - self.request.clip_start - self.request.start
        if rest < duration - _SHORTER:
            self.warnings.append(
                f"the clip ends {duration - rest:.2f} s before the sound, and so does what shows it"
            )

    def _open(self, opened: ExitStack) -> tuple[int, Iterator[Foa]]:
        """Length in samples, and the blocks with everything in them."""
        from omniaudio_studio.delivery.field_part import FieldPart
        from omniaudio_studio.delivery.placed import PlacedVoice
        from omniaudio_studio.media.audio import FoaReader

        request, rate = self.request, self.request.rate
        if request.field is not None:
            reader = opened.enter_context(FoaReader(request.field, request.convention))
            part = FieldPart(reader, rate, request.start, request.duration, self.cancel)
            first, samples, blocks = part.first, part.samples, part.blocks(BLOCK)
        else:
            assert request.duration is not None
            first, samples = round(request.start * rate), round(request.duration * rate)
            if not samples:
                raise OptionError("the part is shorter than a sample; choose a longer duration")
            blocks = _silent_field(samples)
        voices = [
            opened.enter_context(PlacedVoice(source, rate, self.cancel))
            for source in request.sources
        ]

        def mixed() -> Iterator[Foa]:
            place = first
            for block in blocks:
                self.cancel.check()
                for voice in voices:
                    voice.add_to(block, place)
                place += block.shape[1]
                yield block

        return samples, mixed()

    def _write_sound(
        self, source: DeliverySource, samples: int, blocks: Iterator[Foa]
    ) -> tuple[float, float]:
        """Write the WAV; returns the gain in decibels, and the peak."""
        request, wav = self.request, source.field
        subtype = cast("Subtype", request.subtype)
        # Where the clip has no date, the field's is stated.
        dated = source if request.field is None else replace(source, field=request.field)
        bext = wav_bext(dated, request.rate, subtype)
        # With a loudness target the level is known only at the end.
        detour = request.loudness is not None
        place = self.staging.extra(wav.name) if detour else wav
        total, begun = samples / request.rate, time.monotonic()
        with TakeWriter(
            place,
            source_rate=request.rate,
            rate=request.rate,
            samples=samples,
            subtype="float32" if detour else subtype,
            metered=detour,
            bext=None if detour else bext,
        ) as writer:
            for block in blocks:
                writer(block)
                done = writer.written / request.rate
                if self.progress is not None:
                    left = (time.monotonic() - begun) * (total - done) / done
                    self.progress(Progress("sound", done, total, left))
            writer.finish()
        gain, clipped = 0.0, writer.clipped
        if request.loudness is not None:
            gain, clipped, told = reach_loudness(
                writer, wav, request.loudness, subtype, self.cancel.check, bext
            )
            self.warnings += told
            place.unlink()
        peak = writer.peak * 10 ** (gain / 20)
        self.warnings += clipping_warning(clipped)
        if peak > 1.0 and subtype == "float32":
            self.warnings.append(
                f"its peak is {peak:.2f}, above full scale, where players clip; set a loudness"
            )
        return gain, peak if subtype == "float32" else min(peak, 1.0)

    def _head(self) -> Any:
        """Where the head looks, from the WAV's first sample on, as `TrackRenderer` takes it."""
        if not self.request.head:
            return None
        times, *angles = np.array(self.request.head, dtype=np.float64).T
        return (
            times - round(self.request.start * self.request.rate) / self.request.rate,
            *np.radians(angles),
        )


def _silent_field(samples: int) -> Iterator[Foa]:
    for begin in range(0, samples, BLOCK):
        yield np.zeros((4, min(BLOCK, samples - begin)), np.float32)
