"""What will be generated, to the sample and the frame, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.engine.features import window_times
from omniaudio_studio.engine.windows import Window, plan_windows
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import MAX_SEED, SAMPLERS

if TYPE_CHECKING:
    from omniaudio_studio.jobs.request import GenerateRequest, Segment
    from omniaudio_studio.media.probe import ClipInfo

MIN_LATENTS = 8  # shorter shots are generated this long and cut
FADE_SECONDS = 0.03
_ROUNDING = 1e-4  # seconds; shots begin on samples


@dataclass(frozen=True)
class GenerationSettings:
    """What the engine takes from a request; None stands for the bundle's default.

    Parameters
    ----------
    start, duration
        Range of the clip, seconds; None for the rest of it.
    segments
        Shots by ascending start, in seconds of the clip.
    cfg, seed, steps, sampler
        Guidance scale, noise seed, sampler steps, "euler" or "reflow".
    takes
        Number of results; take k (from 0) adds k to every seed.
    feature_rate
        Frames per second that the vision graph sees.
    fronts
        (second of the clip, azimuth in radians) by ascending second: where the views look from then
        on. A shot takes the one that holds where it begins; straight ahead before the first.
    low_memory
        One graph at a time in memory: slower, the same sound. Without it, too, where the device
        lacks room for all of them.
    """

    start: float = 0.0
    duration: float | None = None
    segments: tuple[Segment, ...] = ()
    cfg: float | None = None
    seed: int = 0
    steps: int | None = None
    sampler: str = "euler"
    takes: int = 1
    feature_rate: float | None = None
    fronts: tuple[tuple[float, float], ...] = ()
    low_memory: bool = False

    @classmethod
    def from_request(cls, request: GenerateRequest) -> GenerationSettings:
        """The engine's part of a request; `engine.front.with_front` adds its front."""
        return cls(
            start=request.start,
            duration=request.duration,
            segments=request.segments,
            cfg=request.cfg,
            seed=request.seed,
            steps=request.steps,
            sampler=request.sampler,
            takes=request.takes,
            feature_rate=request.feature_rate,
            low_memory=request.low_memory,
        )

    def validate(self) -> None:
        """Check every value; OptionError names the one that is wrong."""
        _finite("start", self.start, 0.0)
        if self.duration is not None:
            _finite("duration", self.duration, 0.0)
            if self.duration == 0.0:
                raise OptionError("duration must be above 0 s, found 0")
        if self.cfg is not None:
            _finite("cfg", self.cfg, 0.0)
        if self.feature_rate is not None:
            _finite("feature rate", self.feature_rate, 1e-3)
        if not 0 <= self.seed <= MAX_SEED:
            raise OptionError(f"seed must be from 0 to 2^64 - 1, found {self.seed}")
        if self.steps is not None and self.steps < 1:
            raise OptionError(f"steps must be at least 1, found {self.steps}")
        if self.sampler not in SAMPLERS:
            raise OptionError(
                f"sampler must be one of {', '.join(SAMPLERS)}, found {self.sampler!r}"
            )
        if self.takes < 1:
            raise OptionError(f"takes must be at least 1, found {self.takes}")
        for second, front in self.fronts:
            _finite("the second of a front", second, 0.0)
            if not math.isfinite(front):
                raise OptionError(f"front must be a finite angle, found {front}")

    def front_at(self, second: float) -> float:
        """The azimuth, in radians, that is the front of a shot which begins at ``second``."""
        front = 0.0
        for since, azimuth in self.fronts:
            if since <= second + _ROUNDING:
                front = azimuth
        return front


def _finite(name: str, value: float, minimum: float) -> None:
    if not math.isfinite(value) or value < minimum:
        raise OptionError(f"{name} must be a finite number, at least {minimum:g}; found {value}")


@dataclass(frozen=True)
class Shot:
    """One stretch whose windows know nothing of the others'.

    Parameters
    ----------
    start
        Seconds of the clip.
    samples, tail
        Length, and how much longer it is generated for the fade into the next shot.
    cfg, seed
        Its guidance and seed (of take 0).
    first_frame
        Absolute latent frame of its start, from the clip's start.
    windows, times
        Windows in latent frames from its start, and the frame times of each, seconds of the clip.
    front
        Azimuth in radians that its views take for the front; its sound is turned back by it.
    """

    start: float
    samples: int
    tail: int
    cfg: float
    seed: int
    first_frame: int
    windows: tuple[Window, ...]
    times: tuple[NDArray[np.float64], ...]
    front: float = 0.0

    @property
    def latents(self) -> int:
        """Latent frames that are generated."""
        return self.windows[-1].end


@dataclass(frozen=True)
class Plan:
    """A whole generation.

    Parameters
    ----------
    start
        Seconds of the clip.
    samples
        Length at the bundle's rate.
    feature_rate
        Frames that are looked at, hertz.
    steps, sampler, takes
        Sampler steps, "euler" or "reflow", number of results.
    shots
        In order; their samples add up to the whole.
    """

    start: float
    samples: int
    feature_rate: float
    steps: int
    sampler: str
    takes: int
    shots: tuple[Shot, ...]

    @property
    def window_times(self) -> list[NDArray[np.float64]]:
        """Frame times of all windows of all shots."""
        return [times for shot in self.shots for times in shot.times]

    @property
    def window_fronts(self) -> list[float]:
        """The front of each of them."""
        return [shot.front for shot in self.shots for _ in shot.times]


def range_samples(clip: float, start: float, duration: float | None, rate: int) -> int:
    """Samples of a range of a clip, exactly.

    Parameters
    ----------
    clip
        Duration of the clip, seconds.
    start, duration
        The range; None for the rest.
    rate
        Sample rate, hertz.

    Raises
    ------
    OptionError
        If the range is not inside the clip, or shorter than a sample.
    """
    if start >= clip:
        raise OptionError(
            f"the range starts at {start:g} s, but the clip is {clip:.3f} s long; "
            "choose a smaller start"
        )
    # Durations are read off displays with three digits: half of the last one is no mistake.
    if duration is not None and start + duration > clip + 0.0006:
        raise OptionError(
            f"the range ends at {start + duration:.3f} s, but the clip is {clip:.3f} s long; "
            f"choose a duration of at most {clip - start:.3f} s"
        )
    if duration is None:
        samples = round(clip * rate) - round(start * rate)
    else:
        samples = round(duration * rate)
    if samples < 1:
        raise OptionError(f"the range is shorter than one sample at {rate} Hz; choose a longer one")
    return samples


def plan_generation(info: ClipInfo, settings: GenerationSettings, manifest: Manifest) -> Plan:
    """Lay out shots and windows.

    Raises
    ------
    OptionError
        If a setting is out of range, the range or a shot is outside the clip, or the bundle lacks
        the sampler.
    """
    settings.validate()
    rate = manifest.sample_rate
    samples = range_samples(info.duration, settings.start, settings.duration, rate)
    feature_rate = settings.feature_rate or manifest.features.rate
    cuts = _cuts(settings, samples, rate, info.duration)
    fade = round(FADE_SECONDS * rate)
    shots = []
    for index, (first, segment) in enumerate(cuts):
        end = cuts[index + 1][0] if index + 1 < len(cuts) else samples
        after = cuts[index + 2][0] if index + 2 < len(cuts) else samples
        start = settings.start + first / rate
        limit = None
        if index + 1 < len(cuts):
            # Half a frame early, so that rounding never shows the next shot's first frame.
            limit = settings.start + end / rate - 0.5 / max(info.fps, 1.0)
        tail = min(fade, after - end)
        latents = max(MIN_LATENTS, -(-(end - first + tail) // manifest.latent.hop))
        windows = plan_windows(latents, manifest.window.length, manifest.window.overlap)
        hop = manifest.latent.hop / rate
        cfg = segment.cfg if segment is not None and segment.cfg is not None else settings.cfg
        own_seed = segment.seed if segment is not None else None
        shots.append(
            Shot(
                start=start,
                samples=end - first,
                tail=tail,
                cfg=manifest.sampler.cfg if cfg is None else cfg,
                seed=settings.seed if own_seed is None else own_seed,
                first_frame=math.floor(start / hop + 1e-6),
                windows=tuple(windows),
                times=tuple(
                    window_times(start + w.start * hop, w.length * hop, feature_rate, limit)
                    for w in windows
                ),
                front=settings.front_at(start),
            )
        )
    check_sampler(manifest, settings.sampler, [shot.cfg for shot in shots])
    return Plan(
        start=settings.start,
        samples=samples,
        feature_rate=feature_rate,
        steps=settings.steps or manifest.steps_of(settings.sampler),
        sampler=settings.sampler,
        takes=settings.takes,
        shots=tuple(shots),
    )


def check_sampler(manifest: Manifest, sampler: str, scales: Sequence[float]) -> None:
    """Refuse (OptionError) a sampler, or guidance for it, that a bundle was not trained for."""
    if sampler != "reflow":
        return
    if manifest.reflow is None:
        raise OptionError(
            f"the bundle {manifest.name!r} has no sampler reflow: choose euler, or a bundle that "
            "was trained for few steps"
        )
    least, largest = manifest.reflow.cfg
    for cfg in scales:
        if not least <= cfg <= largest:
            raise OptionError(
                f"the sampler reflow of {manifest.name!r} knows a cfg from {least:g} to "
                f"{largest:g}, found {cfg:g}: choose one of those, or the sampler euler"
            )


def _cuts(
    settings: GenerationSettings, samples: int, rate: int, clip: float
) -> list[tuple[int, Segment | None]]:
    """First sample of every shot in the range, with the segment that rules it.

    Segments before the range rule its beginning; of several that begin at one sample, the last
    does.
    """
    cuts: dict[int, Segment | None] = {0: None}
    previous = -1.0
    for number, segment in enumerate(settings.segments, 1):
        _finite(f"shot {number} start", segment.start, 0.0)
        if segment.start <= previous:
            raise OptionError(
                f"shot {number} starts at {segment.start:g} s, not after the one before it "
                f"({previous:g} s); list the shots in order"
            )
        if segment.start >= clip:
            raise OptionError(
                f"shot {number} starts at {segment.start:g} s, but the clip is {clip:.3f} s long; "
                "remove it"
            )
        previous = segment.start
        first = max(0, round((segment.start - settings.start) * rate))
        if first < samples:
            cuts[first] = segment
    return list(cuts.items())


def total_frames(times: Sequence[NDArray[np.float64]]) -> int:
    """Different frame times over all windows."""
    return len(np.unique(np.round(np.concatenate(list(times)) * 1e6)))
