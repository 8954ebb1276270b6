"""Do what a request says: from the clip to the files, all of them or none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.front import with_front
from omniaudio_studio.engine.given_features import GivenFeatures, check_given, load_features
from omniaudio_studio.engine.plan import GenerationSettings, range_samples
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import BundleError, MediaError
from omniaudio_studio.files import check_output, file_sha256
from omniaudio_studio.jobs.companions import Companions, check_companions, write_companions
from omniaudio_studio.jobs.hinting import hints_outside, pulled_field
from omniaudio_studio.jobs.mixing import Recording
from omniaudio_studio.jobs.outputs import TakeFiles, take_files
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.rerolling import Reroll, plan_reroll, surroundings
from omniaudio_studio.jobs.result import Preview, RunResult, TakeResult
from omniaudio_studio.jobs.sidecar import (
    Reproduction,
    describe,
    take_provenance,
    write_sidecar,
)
from omniaudio_studio.jobs.splicing import splice
from omniaudio_studio.jobs.staged import same_sound
from omniaudio_studio.jobs.staging import Staging, check_distinct, require_file
from omniaudio_studio.jobs.treatment import MixedField, asked_for
from omniaudio_studio.jobs.writers import Order
from omniaudio_studio.jobs.writing import (
    TakeWriter,
    clipping_warning,
    reach_loudness,
)
from omniaudio_studio.media.bext import sound_sha256

if TYPE_CHECKING:
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.engine.generate import Generator
    from omniaudio_studio.media.bext import Bext
    from omniaudio_studio.media.probe import ClipInfo
    from omniaudio_studio.media.wav import Subtype

Report = Callable[[Progress], None]


def open_generator(request: GenerateRequest, previous: Generator | None = None) -> Generator:
    """The generator that a request needs; ``previous`` itself where it serves.

    Raises
    ------
    MissingFileError, BundleError, DeviceError
        If the bundle is not there, not whole, or the device cannot be used.
    """
    from omniaudio_studio.bundles.discovery import find_bundle
    from omniaudio_studio.engine.devices import choose_provider
    from omniaudio_studio.engine.generate import Generator

    bundle = find_bundle(request.bundle)
    if (
        previous is not None
        and previous.provider == choose_provider(request.device)
        and previous.bundle.path == bundle.path
        and previous.bundle.manifest == bundle.manifest  # with the hash of every file
    ):
        return previous
    if previous is not None:
        previous.close()  # before the next one's graphs are loaded: never both in memory
    return Generator(bundle, device=request.device)


def with_shots(
    request: GenerateRequest, shots: str, cancel: CancelToken | None = None
) -> GenerateRequest:
    """The request with its shots: found in the clip ("auto"), or read from a file.

    Raises
    ------
    OptionError, MissingFileError, MediaError
        If the file is no list of shots, or the clip cannot be read.
    OutputError, OutputExistsError
        If the outputs could not be written: found before the clip is searched.
    """
    from omniaudio_studio.engine.shots import find_shots, load_shots

    if shots != "auto":
        return replace(request, segments=tuple(load_shots(Path(shots)))).validate()
    # Looking at every frame takes a while: what would be refused afterwards is refused now.
    for files in take_files(request):
        for path in files.all():
            check_output(path, overwrite=request.overwrite)
    info = probe_clip(request)
    return replace(request, segments=tuple(find_shots(info, cancel=cancel))).validate()


def probe_clip(request: GenerateRequest) -> ClipInfo:
    """Look at the request's clip and refuse what cannot be placed on the sphere."""
    from omniaudio_studio.media.probe import probe, require_360

    require_file(request.clip, "the clip")
    info = probe(
        request.clip,
        request.projection,
        request.stereo,
        hfov=request.hfov,
        camera=request.camera,
    )
    require_360(info)
    return info


def run_request(
    request: GenerateRequest,
    *,
    progress: Report | None = None,
    cancel: CancelToken | None = None,
    generator: Generator | None = None,
    preview: Callable[[Preview], None] | None = None,
    started: Callable[[Path], None] | None = None,
    expected: Reproduction | None = None,
) -> RunResult:
    """Generate everything that a request asks for.

    All files appear together at the end, or none; memory stays flat for any length. Only what
    cannot be made beside a WAV is left out, and told of in the take's ``problems``.

    Parameters
    ----------
    progress
        Called with Progress reports.
    cancel
        Stops the work within a second, inside a running graph too.
    generator
        A warm one from :func:`open_generator`; made here if None.
    preview
        Called with a Preview per block of finished sound.
    started
        Called with the folder of temporary files once it is made.
    expected
        From a sidecar: the clip and the bundle must be the ones that it names.

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
    files = take_files(request)
    finals = [path for take in files for path in take.all()]
    inputs = [request.clip]
    require_file(request.clip, "the clip")
    if request.base_take is not None:
        require_file(request.base_take, "the earlier take")
        inputs.append(request.base_take)
    if request.mix_field is not None:
        require_file(request.mix_field, "the field to mix in")
        inputs.append(request.mix_field)
    if request.features is not None:
        require_file(request.features, "the features")
        inputs.append(request.features)
    check_distinct(finals, inputs)
    stop_hashing = CancelToken()
    cancel.on_cancel(stop_hashing.cancel)
    folders = [folder for take in files for folder in take.folders()]
    with (
        Staging(finals, overwrite=request.overwrite, folders=folders) as staging,
        ThreadPoolExecutor(1) as pool,
    ):
        if started is not None:
            started(staging.folder)
        # Reading a large clip once more for its hash goes on beside the work.
        hashing = pool.submit(file_sha256, request.clip, stop_hashing)
        try:
            job = _Job(request, files, staging, cancel, progress, preview)
            result = job.run(generator, hashing, expected, begun)
            cancel.check()
        except BaseException:
            stop_hashing.cancel()
            raise
        takes = ((take.wav, take.sidecar, *take.files.values()) for take in result.takes)
        staging.commit([path for take in takes for path in take])
    return result


class _Job:
    """One run of a request, step by step."""

    def __init__(
        self,
        request: GenerateRequest,
        files: list[TakeFiles],
        staging: Staging,
        cancel: CancelToken,
        progress: Report | None,
        preview: Callable[[Preview], None] | None,
    ) -> None:
        self.request, self.files, self.staging = request, files, staging
        self.cancel, self.progress, self.preview = cancel, progress, preview
        self.warnings: list[str] = []

    def run(
        self,
        generator: Generator | None,
        hashing: Future[str],
        expected: Reproduction | None,
        begun: float,
    ) -> RunResult:
        """All steps; the files are in the staging folder afterwards."""
        request = self.request
        info = probe_clip(request)
        # Also refuses a range past the end, before anything is loaded.
        samples = range_samples(info.duration, request.start, request.duration, request.rate)
        field = self._mix_field(expected)
        recording = Recording(
            info, request.rate, request.start, samples, asked_for(request, field), self.cancel.check
        )
        self.warnings += info.warnings
        self.warnings += recording.warnings
        self.warnings += hints_outside(request, samples / request.rate)
        if generator is None:
            generator = open_generator(request)
        self.cancel.check()
        # What cannot be seen is told before anything large is loaded.
        check_given(generator.bundle.manifest, request.features is not None)
        given, features_sha256 = None, None
        if request.features is not None:
            given = load_features(request.features, generator.bundle.manifest)
            features_sha256 = file_sha256(request.features, self.cancel)
        if expected is not None:
            self._check_expected(expected, generator, hashing, features_sha256)
        reroll = None
        if request.base_take is not None:
            treatment = None if expected is None else expected.base_treatment
            reroll = plan_reroll(request, info, samples, generator.bundle.manifest, treatment)
            self.warnings += reroll.warnings
        settings = self._settings(info, generator, expected)
        gains = self._write_sound(
            info, samples, generator, settings, reroll, recording, hashing.result, given
        )
        sound_seconds = time.monotonic() - begun
        beside = [
            self._write_companions(index, info, samples, generator)
            for index in range(len(self.files))
        ]
        clip_sha256 = hashing.result()
        takes = [
            TakeResult(
                wav=files.wav,
                sidecar=files.sidecar,
                files=beside[index].files,
                seed=request.for_take(index).seed,
                samples=samples,
                sha256=file_sha256(self.staging.path(files.wav), self.cancel),
                gain_db=gains[index],
                problems=beside[index].problems,
                sound_sha256=sound_sha256(self.staging.path(files.wav), self.cancel),
            )
            for index, files in enumerate(self.files)
        ]
        provider = generator.provider
        if expected is not None and not same_sound(
            takes[0].sha256,
            takes[0].sound_sha256,
            expected.output_sha256,
            expected.sound_sha256,
        ):
            self.warnings.append(_difference(expected, provider.provider))
        result = RunResult(
            takes=tuple(takes),
            duration=samples / request.rate,
            rate=request.rate,
            seconds=time.monotonic() - begun,
            sound_seconds=sound_seconds,
            provider=provider.provider,
            reason=provider.reason,
            bundle=generator.bundle.name,
            bundle_title=generator.bundle.manifest.title,
            demonstration=generator.bundle.manifest.demonstration,
            commercial=generator.bundle.manifest.licence.commercial,
            warnings=tuple(self.warnings),
        )
        for index, take in enumerate(takes):
            data = describe(
                request.for_take(index),
                take,
                result,
                clip_sha256=clip_sha256,
                info=info,
                bundle=generator.bundle,
                base_treatment=None if reroll is None else reroll.take.treatment,
                field=field,
                fronts=settings.fronts,
                features_sha256=features_sha256,
                files=beside[index].entries,
            )
            write_sidecar(self.staging.path(take.sidecar), data)
        return result

    def _mix_field(self, expected: Reproduction | None) -> MixedField | None:
        """The field to mix in; from a sidecar it has to be the one that it names."""
        path = self.request.mix_field
        if path is None:
            return None
        sha256 = file_sha256(path, self.cancel)
        if expected is None or expected.field is None:
            return MixedField.of(path, sha256)
        if sha256 != expected.field.sha256:
            raise MediaError(
                f"{path} is not the field that {expected.source} had mixed in (its hash differs); "
                "put the right one back, or generate without --from"
            )
        return replace(expected.field, path=path)

    def _settings(
        self, info: ClipInfo, generator: Generator, expected: Reproduction | None
    ) -> GenerationSettings:
        """What the engine is told; fronts that were found once are taken from the sidecar."""
        request = self.request
        settings = GenerationSettings.from_request(request)
        if expected is not None and expected.fronts is not None and request.front == "auto":
            return replace(settings, fronts=expected.fronts)
        return with_front(
            settings,
            request.front,
            info,
            generator.bundle.manifest,
            progress=self.progress,
            cancel=self.cancel,
        )

    def _check_expected(
        self,
        expected: Reproduction,
        generator: Generator,
        hashing: Future[str],
        features_sha256: str | None,
    ) -> None:
        """Refuse to reproduce from another clip or bundle: it would be another sound."""
        if generator.bundle.sha256 != expected.bundle_sha256:
            raise BundleError(
                f"the bundle {generator.bundle.name!r} is not the one that {expected.source} was "
                "made with (its hash differs); find the old one, or generate without --from"
            )
        base = self.request.base_take
        if base is not None and file_sha256(base, self.cancel) != expected.base_sha256:
            raise MediaError(
                f"{base} is not the earlier take that {expected.source} kept (its hash differs); "
                "put the right one back, or generate without --from"
            )
        if features_sha256 != expected.features_sha256:
            raise MediaError(
                f"{self.request.features} does not hold the features that {expected.source} was "
                "made with (its hash differs); put the right ones back, or generate without --from"
            )
        if hashing.result() != expected.clip_sha256:
            raise MediaError(
                f"{self.request.clip} is not the clip that {expected.source} was made from (its "
                "hash differs); name the right one, or generate without --from"
            )

    def _write_sound(
        self,
        info: ClipInfo,
        samples: int,
        generator: Generator,
        settings: GenerationSettings,
        reroll: Reroll | None,
        recording: Recording,
        clip_sha256: Callable[[], str],
        given: GivenFeatures | None,
    ) -> list[float]:
        """Write every take's WAV; returns the gain of each in decibels."""
        from omniaudio_studio.delivery.wav import wav_bext

        request = self.request
        start, around, part = request.start, None, None
        if reroll is not None:
            part = reroll.part
            settings, samples = part.settings(request, settings), part.samples
            shots = generator.plan(info, settings).shots
            fronts = shots[0].front, shots[-1].front
            start, around = settings.start, surroundings(reroll, generator, fronts, self.cancel)
        first = 0 if part is None else part.first
        # With a loudness target the level is known only at the end; a part goes into a whole.
        detour = request.loudness is not None or reroll is not None
        stated = [
            wav_bext(self._source(index, info, generator), request.rate, self.subtype)
            for index in range(len(self.files))
        ]
        with ExitStack() as stack:
            writers = [
                stack.enter_context(
                    TakeWriter(
                        self._sound_path(files, detour),
                        source_rate=generator.sample_rate,
                        rate=request.rate,
                        samples=samples,
                        subtype="float32" if detour else self.subtype,
                        pulled=pulled_field(request, generator.sample_rate, start, part),
                        yaw=math.radians(request.yaw),
                        gains=recording.gains(first),
                        bed=recording.bed(first, samples),
                        metered=request.loudness is not None,
                        bext=None if detour else stated[index],
                        on_preview=self.preview,
                        take=index,
                    )
                )
                for index, files in enumerate(self.files)
            ]
            made = generator.generate(
                info,
                settings,
                writers,
                self.progress,
                self.cancel,
                around,
                clip_sha256=clip_sha256,
                given=given,
            )
            self.warnings += made.warnings
            for writer in writers:
                writer.finish()
        finished = [
            self._finish(files, writer, reroll, bext)
            for files, writer, bext in zip(self.files, writers, stated, strict=True)
        ]
        self.warnings += clipping_warning(sum(values for _, values in finished))
        return [gain for gain, _ in finished]

    @property
    def subtype(self) -> Subtype:
        """The delivery's sample format."""
        return cast("Subtype", self.request.subtype)

    def _sound_path(self, files: TakeFiles, detour: bool) -> Path:
        path = self.staging.path(files.wav)
        return self.staging.extra(path.name) if detour else path

    def _finish(
        self, files: TakeFiles, writer: TakeWriter, reroll: Reroll | None, bext: Bext
    ) -> tuple[float, int]:
        """Bring a take's sound to its final form; (gain in decibels, values clipped)."""
        request = self.request
        path, source = self.staging.path(files.wav), self._sound_path(files, True)
        check = self.cancel.check
        if reroll is not None:
            clipped = splice(reroll, source, path, self.subtype, check, bext)
            gain = reroll.take.treatment.gain_db
        elif request.loudness is not None:
            gain, clipped, told = reach_loudness(
                writer, path, request.loudness, self.subtype, check, bext
            )
            self.warnings += told
        else:
            return 0.0, writer.clipped
        source.unlink()
        return gain, clipped

    def _write_companions(
        self, index: int, info: ClipInfo, samples: int, generator: Generator
    ) -> Companions:
        """Make what is wanted beside a take's WAV."""
        source, seconds = self._source(index, info, generator), samples / self.request.rate
        order = Order(source, seconds, report=self.progress, cancel=self.cancel)
        made = write_companions(self.files[index], self.staging, order)
        self.warnings += made.warnings
        return made

    def _source(self, index: int, info: ClipInfo, generator: Generator) -> DeliverySource:
        """A take's WAV, its clip, and where it comes from."""
        from omniaudio_studio.delivery.source import DeliverySource

        request = self.request.for_take(index)
        return DeliverySource(
            field=self.staging.path(self.files[index].wav),
            clip=info,
            clip_start=request.start,
            yaw=request.yaw,
            provenance=take_provenance(request, generator.bundle),
            convention="ambix",
        )


def _difference(expected: Reproduction, provider: str) -> str:
    if provider != expected.provider:
        why = f"it was made on {expected.provider}, this on {provider}"
    else:
        why = "another version of a library, or another processor, rounds differently"
    return f"the sound differs in its bits from the one that {expected.source} names: {why}"
