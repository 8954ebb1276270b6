"""One request for generated sound, as every front end carries it. Standard library only.

The command line, the queue, the desktop app, Blender and the sidecar beside each output all hold
the same :class:`GenerateRequest`. It says *what* is wanted; `jobs.run` does it.

Units: seconds from the clip's first video frame, degrees for angles, hertz for rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.checks import (
    check_camera,
    check_choice,
    check_deliverables,
    check_direction,
    check_flag,
    check_integer,
    check_number,
    check_path,
    check_version,
    check_wav,
    described,
    given_fields,
    given_parts,
    refuse_unknown,
)
from omniaudio_studio.jobs.deliverables import check_needs
from omniaudio_studio.jobs.plain_data import JsonRequest, PlainData

SCHEMA_VERSION = 1

PROJECTIONS = ("auto", "equirectangular", "eac", "cubemap", "dual-fisheye", "flat")
STEREO_LAYOUTS = ("auto", "mono", "top-bottom", "left-right")
SAMPLERS = ("euler", "reflow")
DEVICES = ("auto", "cpu", "cuda", "directml", "coreml")
SUBTYPES = ("float32", "pcm24")

MAX_SEED = 2**64 - 1
MAX_STEPS = 1000
MAX_CFG = 100.0
MAX_TAKES = 99
MIN_RATE, MAX_RATE = 8_000, 384_000
MAX_FEATURE_RATE = 240.0
MAX_MIX = 10.0
MAX_DUCK = 60.0  # dB


@dataclass(frozen=True)
class Segment(PlainData):
    """One shot of the clip. It lasts until the next segment starts, or the clip ends.

    What lies before the first segment is a shot of its own with the request's values.

    Parameters
    ----------
    start
        Seconds from the clip's first frame (not from the request's ``start``), at least 0.
    cfg, seed
        The shot's own values; the request's where None.
    """

    start: float
    cfg: float | None = None
    seed: int | None = None

    def validate(self, label: str = "shot") -> None:
        """Check every value; raises OptionError with one line."""
        check_number(f"{label} start", self.start, minimum=0.0, unit=" s")
        if self.cfg is not None:
            check_number(f"{label} CFG", self.cfg, minimum=0.0, maximum=MAX_CFG)
        if self.seed is not None:
            check_integer(f"{label} seed", self.seed, 0, MAX_SEED)

    @classmethod
    def from_dict(cls, data: Any, label: str = "shot") -> Segment:
        """Read one segment; unknown fields and wrong kinds raise OptionError."""
        if not isinstance(data, Mapping):
            raise OptionError(
                f"{label}: expected an object with start, cfg and seed, found {described(data)}"
            )
        refuse_unknown(label, data, ("start", "cfg", "seed"))
        if "start" not in data:
            raise OptionError(f"{label}: start is missing; give it in seconds from the first frame")
        segment = cls(start=data["start"], cfg=data.get("cfg"), seed=data.get("seed"))
        segment.validate(label)
        return segment


@dataclass(frozen=True)
class Hint(PlainData):
    """A direction that the generated field is pulled to for a while.

    Parameters
    ----------
    start, end
        Seconds from the clip's first frame.
    azimuth, elevation
        Degrees: left is +90, up is +90.
    strength
        0 (nothing changes, bit for bit) to 1.
    """

    start: float
    end: float
    azimuth: float
    elevation: float
    strength: float = 0.5

    def validate(self, label: str = "hint") -> None:
        """Check every value; raises OptionError with one line."""
        check_number(f"{label} start", self.start, minimum=0.0, unit=" s")
        check_number(f"{label} end", self.end, above=self.start, unit=" s")
        check_direction(label, self.azimuth, self.elevation)
        check_number(f"{label} strength", self.strength, minimum=0.0, maximum=1.0)

    @classmethod
    def from_dict(cls, data: Any, label: str = "hint") -> Hint:
        """Read one hint; unknown fields and wrong kinds raise OptionError."""
        hint = cls(
            **given_fields(cls, data, label, needed=("start", "end", "azimuth", "elevation"))
        )
        hint.validate(label)
        return hint


@dataclass(frozen=True)
class GenerateRequest(JsonRequest):
    """Everything that decides what is generated, and where it goes.

    ``None`` stands for the bundle's default (``cfg``, ``steps``, ``feature_rate``), the rest of the
    clip (``duration``) or "not wanted" (``loudness``, ``base_take``, ``base_range``).

    Parameters
    ----------
    clip, output
        The 360 clip and the WAV to write. The sidecar is ``<stem>.json`` beside it.
    projection, stereo
        How the sphere lies in the picture; "auto" reads it from the file.
    hfov, camera
        For a flat picture: its horizontal field of view (1 to 179 degrees) and the (azimuth,
        elevation) in degrees that its middle looks at; straight ahead where None.
    front
        Where the model's front view looks: an azimuth in degrees, or "auto" for where sound is
        likely, one choice per shot; straight ahead where None. The field keeps the clip's axes.
    start, duration
        The range of the clip, seconds.
    segments
        Shots with their own CFG and seed, by ascending start.
    bundle
        Name or path of the model bundle.
    cfg, seed, steps, sampler
        Guidance scale (0 to 100), noise seed (0 to 2^64 - 1), sampler steps (1 to 1000), "euler" or
        "reflow" (few steps, for bundles that were trained for it, with the guidance that they
        know).
    takes
        Number of results; take k (from 0) uses ``seed + k``, and so do the segments' own seeds.
    base_take, base_range
        An earlier output to keep, and the (start, end) in seconds of the clip to roll again. The
        other values should be that output's own, but for the seed.
    yaw
        Degrees, positive left: what is at this azimuth becomes the front of the sound-only file.
    feature_rate
        Pictures per second that the vision graph sees.
    features
        An ``.npz`` with the features of the clip's pictures, an array for each view of the bundle
        (see `engine.given_features`): the clip is not looked at. For bundles without a vision
        graph, and for others too.
    device
        "auto", "cpu", "cuda", "directml" or "coreml".
    low_memory
        One graph at a time in memory: slower to begin, the same sound. It is so without being asked
        for where a graphics card lacks room for all of them.
    rate, subtype
        Delivery sample rate in hertz and "float32" or "pcm24".
    loudness
        Integrated loudness of W to reach, LUFS (-70 to 0); level is kept where None.
    mix
        Gain (linear, 0 to 10) of the camera's own sound as a bed under the generated field.
    mix_field
        The camera's own sound as a field (four channels of AmbiX whose sample 0 is at the clip's
        first frame, as `spatialize` writes it) to be mixed in place of the bed in W; ``mix`` is its
        gain.
    duck
        Decibels (0 to 60) by which the generated field steps back while the camera's own sound is
        heard.
    hints
        Directions that the generated field is pulled to.
    deliverables
        Names from `jobs.deliverables`; "wav" always. For headphones the head faces the WAV's front.
    provenance
        Whether every deliverable states in its metadata that its sound was generated, and by what.
    overwrite
        Replace existing outputs.
    """

    clip: Path
    output: Path
    projection: str = "auto"
    stereo: str = "auto"
    hfov: float | None = None
    camera: tuple[float, float] | None = None
    front: float | str | None = None
    start: float = 0.0
    duration: float | None = None
    segments: tuple[Segment, ...] = ()
    bundle: str = "starter"
    cfg: float | None = None
    seed: int = 0
    steps: int | None = None
    sampler: str = "euler"
    takes: int = 1
    base_take: Path | None = None
    base_range: tuple[float, float] | None = None
    yaw: float = 0.0
    feature_rate: float | None = None
    features: Path | None = None
    device: str = "auto"
    low_memory: bool = False
    rate: int = 48_000
    subtype: str = "float32"
    loudness: float | None = None
    mix: float = 0.0
    mix_field: Path | None = None
    duck: float = 0.0
    hints: tuple[Hint, ...] = ()
    deliverables: tuple[str, ...] = ("wav",)
    provenance: bool = True
    overwrite: bool = False
    schema_version: int = SCHEMA_VERSION

    KIND: ClassVar[str] = "generate"

    def __post_init__(self) -> None:
        # Front ends hand over strings and lists; inside they are always paths and tuples.
        for name in ("clip", "output", "base_take", "mix_field", "features"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Path(value))
        for name in ("segments", "deliverables", "base_range", "camera", "hints"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))

    def validate(self) -> GenerateRequest:
        """Check every value on its own and together; the file system is not touched.

        Returns
        -------
        GenerateRequest
            Itself, so that ``GenerateRequest(...).validate()`` reads well.

        Raises
        ------
        OptionError
            One line: expected, found, what to do.
        """
        check_version(self.schema_version, SCHEMA_VERSION)
        check_path("clip", self.clip)
        check_wav("output", self.output)
        check_choice("projection", self.projection, PROJECTIONS)
        check_choice("stereo", self.stereo, STEREO_LAYOUTS)
        check_camera(self.projection, self.hfov, self.camera)
        if isinstance(self.front, str):
            if self.front != "auto":
                raise OptionError(
                    f'front must be an azimuth in degrees or "auto", found {self.front[:40]!r}'
                )
        elif self.front is not None:
            check_number("front", self.front, minimum=-360.0, maximum=360.0, unit=" degrees")
        check_number("start", self.start, minimum=0.0, unit=" s")
        if self.duration is not None:
            check_number("duration", self.duration, above=0.0, unit=" s")
        if not isinstance(self.bundle, str) or not self.bundle:
            raise OptionError("bundle must be the name or path of a model bundle")
        if self.cfg is not None:
            check_number("cfg", self.cfg, minimum=0.0, maximum=MAX_CFG)
        check_integer("seed", self.seed, 0, MAX_SEED)
        if self.steps is not None:
            check_integer("steps", self.steps, 1, MAX_STEPS)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_integer("takes", self.takes, 1, MAX_TAKES)
        check_number("yaw", self.yaw, minimum=-360.0, maximum=360.0, unit=" degrees")
        if self.feature_rate is not None:
            check_number("feature rate", self.feature_rate, above=0.0, maximum=MAX_FEATURE_RATE)
        if self.features is not None:
            check_path("features", self.features)
            if isinstance(self.front, str) or (self.front or 0.0) % 360:
                raise OptionError(
                    "features were made of views that look straight ahead; leave front out, or "
                    "leave features out"
                )
        check_choice("device", self.device, DEVICES)
        check_flag("low_memory", self.low_memory)
        check_integer("rate", self.rate, MIN_RATE, MAX_RATE)
        check_choice("subtype", self.subtype, SUBTYPES)
        if self.loudness is not None:
            check_number("loudness", self.loudness, minimum=-70.0, maximum=0.0, unit=" LUFS")
        self._validate_mix()
        self._validate_hints()
        check_flag("overwrite", self.overwrite)
        self._validate_segments()
        self._validate_base()
        check_flag("provenance", self.provenance)
        check_deliverables(self.deliverables)
        check_needs(self.deliverables, clip=True, sources=False)
        return self

    def _validate_segments(self) -> None:
        if not isinstance(self.segments, tuple):
            raise OptionError(f"segments must be a list of shots, found {described(self.segments)}")
        previous = -1.0
        for number, segment in enumerate(self.segments, 1):
            if not isinstance(segment, Segment):
                raise OptionError(f"shot {number} must be a Segment, found {described(segment)}")
            segment.validate(f"shot {number}")
            if segment.start <= previous:
                raise OptionError(
                    f"shot {number} starts at {segment.start:g} s, not after the one before it "
                    f"({previous:g} s); list the shots in order"
                )
            previous = segment.start

    def _validate_mix(self) -> None:
        check_number("mix", self.mix, minimum=0.0, maximum=MAX_MIX)
        check_number("duck", self.duck, minimum=0.0, maximum=MAX_DUCK, unit=" dB")
        if self.mix_field is not None:
            check_path("mix_field", self.mix_field)
        if not self.mix and (self.mix_field is not None or self.duck):
            raise OptionError(
                "mix_field and duck are for the camera's own sound; give mix, its gain, too"
            )

    def _validate_hints(self) -> None:
        if not isinstance(self.hints, tuple):
            raise OptionError(f"hints must be a list, found {described(self.hints)}")
        for number, hint in enumerate(self.hints, 1):
            if not isinstance(hint, Hint):
                raise OptionError(f"hint {number} must be a Hint, found {described(hint)}")
            hint.validate(f"hint {number}")

    def _validate_base(self) -> None:
        if (self.base_take is None) != (self.base_range is None):
            raise OptionError("base_take and base_range belong together; give both or neither")
        if self.base_take is None or self.base_range is None:
            return
        check_path("base_take", self.base_take)
        if not isinstance(self.base_range, tuple) or len(self.base_range) != 2:
            raise OptionError("base_range must be two times in seconds: start and end")
        if self.loudness is not None:
            raise OptionError("a part rolled again keeps its take's level; leave loudness out")
        check_number("base_range start", self.base_range[0], minimum=0.0, unit=" s")
        check_number("base_range end", self.base_range[1], above=self.base_range[0], unit=" s")

    def for_take(self, index: int) -> GenerateRequest:
        """The request that makes take ``index`` (from 0) alone: seeds are raised by ``index``.

        Its output is :meth:`take_output`. Seeds wrap around at 2^64.
        """
        segments = tuple(
            replace(segment, seed=None if segment.seed is None else _shifted(segment.seed, index))
            for segment in self.segments
        )
        return replace(
            self,
            output=self.take_output(index),
            seed=_shifted(self.seed, index),
            segments=segments,
            takes=1,
        )

    def take_output(self, index: int) -> Path:
        """Where take ``index`` (from 0) goes: OUT.wav, OUT-take2.wav, OUT-take3.wav, ..."""
        if index == 0:
            return self.output
        return self.output.with_name(f"{self.output.stem}-take{index + 1}{self.output.suffix}")

    @classmethod
    def from_dict(cls, data: Any) -> GenerateRequest:
        """Read and validate plain data as :meth:`as_dict` gives it.

        Raises
        ------
        OptionError
            For another schema version, an unknown or missing field, or a value out of range.
        """
        if not isinstance(data, Mapping):
            raise OptionError(f"a request must be an object, found {described(data)}")
        # Said before unknown fields: a newer version is why they are unknown.
        check_version(data.get("schema_version"), SCHEMA_VERSION)
        refuse_unknown("the request", data, tuple(field.name for field in fields(cls)))
        for name in ("clip", "output"):
            if name not in data:
                raise OptionError(f"the request has no {name}")
        values = dict(data)
        values["segments"] = given_parts(Segment, values, "segments", "shot", " of shots")
        values["hints"] = given_parts(Hint, values, "hints", "hint")
        return cls(**values).validate()


def _shifted(seed: int, index: int) -> int:
    return (seed + index) % (MAX_SEED + 1)
