"""Put a recording on the sphere, as a request says: from the clip to the files, all or none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.plan import range_samples
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import BundleError, MediaError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.jobs.companions import Companions, check_companions, write_companions
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.found_sources import found_sources, given_sources
from omniaudio_studio.jobs.outputs import TakeFiles, single_files
from omniaudio_studio.jobs.result import FoundSource, SpatializeResult
from omniaudio_studio.jobs.sidecar import write_sidecar
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from omniaudio_studio.jobs.spatialize_sidecar import (
    Respatialization,
    describe_spatialization,
    input_files,
    placing_provenance,
)
from omniaudio_studio.jobs.staged import (
    Report,
    check_inputs,
    other_bits,
    run_staged,
    same_sound,
)
from omniaudio_studio.jobs.staging import Staging
from omniaudio_studio.jobs.writers import Order
from omniaudio_studio.jobs.writing import TakeWriter
from omniaudio_studio.media.bext import sound_sha256

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.delivery.directed import DirectedField
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.engine.spatialize.found import Found
    from omniaudio_studio.foa.band_encoding import BandEncoder
    from omniaudio_studio.media.probe import ClipInfo
    from omniaudio_studio.media.recording import Recording
    from omniaudio_studio.media.wav import Subtype

_LOUD = 1.1  # a peak that is told: decoders of lossy sound often pass 1 by a little
_END = 0.1  # seconds: a range that ends so close to the clip's end reaches it


def run_spatialize(
    request: SpatializeRequest,
    *,
    progress: Report | None = None,
    cancel: CancelToken | None = None,
    started: Callable[[Path], None] | None = None,
    expected: Respatialization | None = None,
) -> SpatializeResult:
    """Make everything that a request asks for.

    All files appear together at the end, or none; memory stays flat for any length. Only what
    cannot be made beside the WAV is left out, and told of in ``problems``.

    Parameters
    ----------
    progress
        Called with reports of ``stage`` ("picture" where directions are to be found, "sound", then
        "overlay" and "binaural" where wanted), ``done`` and ``total`` in seconds of the clip, and
        ``eta``.
    cancel
        Stops the work within a second.
    started
        Called with the folder of temporary files once it is made.
    expected
        From a sidecar: the inputs and the bundle must be the ones that it names.

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

    def work(staging: Staging, hashing: Future[list[str]]) -> SpatializeResult:
        return _Job(request, files, staging, cancel, progress).run(hashing, expected, begun)

    return run_staged(
        files,
        input_files(request),
        work,
        overwrite=request.overwrite,
        cancel=cancel,
        started=started,
    )


@dataclass(frozen=True)
class _Range:
    """What of the clip is made: ``samples`` at ``rate`` from sample ``first`` on."""

    rate: int
    first: int
    samples: int
    whole: bool  # whether it reaches to the clip's end

    @property
    def duration(self) -> float:
        return self.samples / self.rate


class _Job:
    """One run of a request, step by step."""

    def __init__(
        self,
        request: SpatializeRequest,
        files: TakeFiles,
        staging: Staging,
        cancel: CancelToken,
        progress: Report | None,
    ) -> None:
        self.request, self.files, self.staging = request, files, staging
        self.cancel, self.progress = cancel, progress
        self.warnings: list[str] = []
        self.bundle: Bundle | None = None

    def run(
        self, hashing: Future[list[str]], expected: Respatialization | None, begun: float
    ) -> SpatializeResult:
        """All steps; the files are in the staging folder afterwards."""
        from omniaudio_studio.media.recording import open_recording

        request, files, path = self.request, self.files, self.staging.path
        info = self._probe_clip()
        recording = open_recording(info, request.audio)
        part = self._range(info, recording)
        if request.method == "learned":
            from omniaudio_studio.bundles.discovery import find_bundle

            self.bundle = find_bundle(request.bundle)
        if expected is not None:
            self._check_expected(expected, hashing.result())
        found = self._find(info, recording, part, lambda: hashing.result()[0])
        peak = self._write_sound(info, recording, part, found)
        beside = self._write_companions(info, part)
        wav = path(files.wav)
        sha256, sound = file_sha256(wav, self.cancel), sound_sha256(wav, self.cancel)
        if expected is not None and not same_sound(sha256, sound, expected.output, expected.sound):
            self.warnings.append(other_bits(expected.source))
        sources: tuple[FoundSource, ...] = given_sources(request.sources)
        result = SpatializeResult(
            wav=files.wav,
            sidecar=files.sidecar,
            files=beside.files,
            samples=part.samples,
            rate=part.rate,
            sha256=sha256,
            method=request.method,
            sources=sources if found is None else found_sources(found),
            confidence=1.0 if found is None else found.confidence,
            peak=peak,
            duration=part.duration,
            seconds=time.monotonic() - begun,
            warnings=tuple(self.warnings),
            problems=beside.problems,
            sound_sha256=sound,
        )
        data = describe_spatialization(
            request,
            result,
            info=info,
            recording=recording,
            bundle=self.bundle,
            inputs=hashing.result(),
            files=beside.entries,
        )
        write_sidecar(path(files.sidecar), data)
        return replace(result, seconds=time.monotonic() - begun)

    def _probe_clip(self) -> ClipInfo:
        from omniaudio_studio.media.probe import probe, require_360, shows_one_picture

        request = self.request
        info = probe(
            request.clip,
            projection=request.projection,
            stereo=request.stereo,
            hfov=request.hfov,
            camera=request.camera,
        )
        looked_at = request.method != "given"
        # With given directions the picture is a clock, and needs no sphere.
        shown = any(DELIVERABLES[name].clip == "must" for name in request.deliverables)
        if looked_at or shown:
            require_360(info)
        if looked_at and shows_one_picture(request.clip):
            raise MediaError(
                f"{request.clip} is a still picture: nothing in it moves with the sound; give the "
                "directions in a file (--sources FILE)"
            )
        self.warnings += info.warnings
        return info

    def _range(self, info: ClipInfo, recording: Recording) -> _Range:
        request = self.request
        rate = request.rate or recording.sound.rate
        # Also refuses a range past the end, before anything is looked at.
        samples = range_samples(info.duration, request.start, request.duration, rate)
        whole = request.start + samples / rate > info.duration - _END
        return _Range(rate, round(request.start * rate), samples, whole)

    def _check_expected(self, expected: Respatialization, found: list[str]) -> None:
        inputs = input_files(self.request)
        check_inputs(inputs, found, expected.inputs, expected.source, "spatialize")
        if self.bundle is not None and self.bundle.sha256 != expected.bundle:
            raise BundleError(
                f"the bundle {self.bundle.name!r} is not the one that {expected.source} was made "
                "with (its hash differs); find the old one, or spatialize without --from"
            )

    def _find(
        self, info: ClipInfo, recording: Recording, part: _Range, clip_sha256: Callable[[], str]
    ) -> Found | None:
        """Where the recording comes from; None where that is given."""
        from omniaudio_studio.media.recording import RecordingPart

        request = self.request
        RecordingPart(recording, part.rate, part.first, part.samples, self.cancel).check_heard()
        if request.method == "given":
            return None
        if self.bundle is not None:
            from omniaudio_studio.engine.spatialize.learned import find_learned

            found = find_learned(
                info,
                recording.path,
                self.bundle,
                request.device,
                start=request.start,
                duration=part.duration,
                max_sources=request.max_sources,
                progress=self.progress,
                cancel=self.cancel,
                clip_sha256=clip_sha256,
            )
        else:
            from omniaudio_studio.engine.spatialize.automatic import find_automatic

            found = find_automatic(
                info,
                recording.path,
                start=request.start,
                duration=part.duration,
                max_sources=request.max_sources,
                progress=self.progress,
                cancel=self.cancel,
            )
        self.warnings += found.warnings
        return found

    def _write_sound(
        self, info: ClipInfo, recording: Recording, part: _Range, found: Found | None
    ) -> float:
        """Write the WAV; returns the peak."""
        from omniaudio_studio.delivery.wav import wav_bext
        from omniaudio_studio.media.recording import RecordingPart

        request, wav = self.request, self.staging.path(self.files.wav)
        source = RecordingPart(recording, part.rate, part.first, part.samples, self.cancel)
        subtype = cast("Subtype", request.subtype)
        begun = time.monotonic()
        with ExitStack() as opened:
            encoder = self._encoder(opened, part, found)
            writer = opened.enter_context(
                TakeWriter(
                    wav,
                    source_rate=part.rate,
                    rate=part.rate,
                    samples=part.samples,
                    subtype=subtype,
                    yaw=math.radians(request.yaw),
                    bext=wav_bext(self._source(info), part.rate, subtype),
                )
            )
            for middle, side in source.blocks():
                writer(encoder.push(middle, side))
                done = writer.written / part.rate
                if self.progress is not None and done:
                    left = (time.monotonic() - begun) * (part.duration - done) / done
                    self.progress(Progress("sound", done, part.duration, left))
            writer(encoder.finish())
            writer.finish()
        if self.progress is not None:
            self.progress(Progress("sound", part.duration, part.duration, 0.0))
        self.warnings += source.compared(part.whole)
        if writer.clipped:
            self.warnings.append(
                f"{writer.clipped} values were beyond full scale and were clipped; use --subtype "
                "float32"
            )
        if writer.peak > _LOUD and subtype == "float32":
            self.warnings.append(
                f"its peak is {writer.peak:.2f}, above full scale, where players clip: so is the "
                "recording's"
            )
        return writer.peak if subtype == "float32" else min(writer.peak, 1.0)

    def _write_companions(self, info: ClipInfo, part: _Range) -> Companions:
        """Make what is wanted beside the WAV."""
        source = self._source(info)
        # Also where the files are not to tell of it.
        origin = placing_provenance(replace(self.request, provenance=True), self.bundle)
        if origin is not None and (told := origin.warning()):
            self.warnings.append(told)
        order = Order(source, part.duration, report=self.progress, cancel=self.cancel)
        made = write_companions(self.files, self.staging, order)
        self.warnings += made.warnings
        return made

    def _source(self, info: ClipInfo) -> DeliverySource:
        """The WAV, its clip, and where it comes from."""
        from omniaudio_studio.delivery.source import DeliverySource

        request = self.request
        return DeliverySource(
            field=self.staging.path(self.files.wav),
            clip=info,
            clip_start=request.start,
            yaw=request.yaw,
            provenance=placing_provenance(request, self.bundle),
            convention="ambix",
        )

    def _encoder(
        self, opened: ExitStack, part: _Range, found: Found | None
    ) -> BandEncoder | DirectedField:
        request = self.request
        if found is not None:
            from omniaudio_studio.foa.band_encoding import BandEncoder

            return BandEncoder(
                found.placement,
                part.rate,
                width=request.width,
                seed=request.seed,
                first=part.first,
            )
        from omniaudio_studio.delivery.directed import DirectedField

        return opened.enter_context(
            DirectedField(
                request.sources,
                part.rate,
                width=request.width,
                seed=request.seed,
                first=part.first,
                cancel=self.cancel,
            )
        )
