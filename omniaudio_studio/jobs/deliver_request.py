"""One request for files that leave: a part of a sound field, with placed sounds added to it.

Standard library only. As :class:`jobs.request.GenerateRequest` says what is to be generated, a
:class:`DeliverRequest` says what is to be made of a field that is there; `jobs.deliver` does it.

Units: seconds on the field's time line (0 is its first sample), metres from the listener in the
field's axes (x front, y left, z up), degrees for angles, hertz for rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.checks import (
    MAX_TIME,
    as_rows,
    check_camera,
    check_choice,
    check_deliverables,
    check_flag,
    check_integer,
    check_number,
    check_path,
    check_rows,
    check_time,
    check_version,
    check_wav,
    described,
    given_fields,
    given_parts,
)
from omniaudio_studio.jobs.deliverables import DELIVERABLES, check_needs
from omniaudio_studio.jobs.plain_data import JsonRequest, PlainData
from omniaudio_studio.jobs.request import (
    MAX_RATE,
    MIN_RATE,
    PROJECTIONS,
    STEREO_LAYOUTS,
    SUBTYPES,
)

SCHEMA_VERSION = 1

CONVENTIONS = ("auto", "ambix", "fuma", "n3d", "wxyz")
"""As `foa.convention` has them; this module needs the standard library alone."""

POINT = ("time", "x", "y", "z", "gain")
HEAD = ("time", "yaw", "pitch", "roll")

MAX_COORDINATE = 1e6  # metres
MAX_DELAYED = 10_000.0  # metres: half a minute at the speed of sound
MAX_GAIN = 100.0
MAX_ROLLOFF = 1000.0
_OF_THE_WAV = ("start", "duration", "sources", "rate", "subtype", "loudness")

Point = tuple[float, ...]


@dataclass(frozen=True)
class PlacedSource(PlainData):
    """A sound of its own, put somewhere around the listener and moved along a path.

    Between two points its direction follows the great circle at constant speed, the short way;
    distance and gain change linearly. Before the first and after the last point it stays. A point
    at the listener has no direction: close to it (0.1 m) a source loses its direction smoothly and
    is heard from nowhere in particular, in W alone.

    Its level follows the distance d as a loudspeaker's in Blender and in OpenAL's inverse clamped
    model (OpenAL 1.1 Specification, section 3.4.2)::

        gain = reference / (reference + rolloff * (clamp(d, reference, max_distance) - reference))

    Parameters
    ----------
    file
        Anything with sound in it; mixed to mono.
    name
        What it is called in messages and in the sidecar.
    start
        When the file begins to sound, seconds on the field's time line, to the nearest sample; may
        be negative.
    points
        Its path: (time, x, y, z, gain) by ascending time, at least one; gain is linear, 0 to 100.
    reference
        Metres up to which it is at its full level; greater than 0.
    rolloff
        How fast it gets quieter beyond; 0 for not at all.
    max_distance
        Metres beyond which it gets no quieter; None for no such place.
    delay
        Whether the sound takes d / 343 m/s to arrive, as from d at the moment it is heard: what
        approaches sounds higher (Doppler). For distances up to 10 km.
    loop
        Whether the file begins anew whenever it ends.
    """

    file: Path
    name: str
    start: float
    points: tuple[Point, ...]
    reference: float = 1.0
    rolloff: float = 1.0
    max_distance: float | None = None
    delay: bool = False
    loop: bool = False

    def __post_init__(self) -> None:
        # Front ends hand over strings and lists; inside they are always paths and tuples.
        if isinstance(self.file, str):
            object.__setattr__(self, "file", Path(self.file))
        object.__setattr__(self, "points", as_rows(self.points))

    def validate(self, label: str = "source") -> None:
        """Check every value; raises OptionError with one line."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise OptionError(f"{label} must have a name, found {described(self.name)}")
        label = f"{label} ({self.name[:40]})"
        check_path(f"{label} file", self.file)
        check_number(f"{label} start", self.start, minimum=-MAX_TIME, maximum=MAX_TIME, unit=" s")
        check_number(f"{label} reference", self.reference, above=0.0, unit=" m")
        check_number(f"{label} rolloff", self.rolloff, minimum=0.0, maximum=MAX_ROLLOFF)
        if self.max_distance is not None:
            check_number(
                f"{label} max_distance", self.max_distance, minimum=self.reference, unit=" m"
            )
        check_flag(f"{label} delay", self.delay)
        check_flag(f"{label} loop", self.loop)
        self._validate_points(label)

    def _validate_points(self, label: str) -> None:
        check_rows(f"{label} points", self.points, POINT)
        if not self.points:
            raise OptionError(f"{label} has no points; give at least one place")
        before = -math.inf
        for number, (time, x, y, z, gain) in enumerate(self.points, 1):
            here = f"{label} point {number}"
            check_time(here, time)
            if time <= before:
                raise OptionError(
                    f"{here} is at {time:g} s, not after the one before it ({before:g} s); list "
                    "the points in order"
                )
            before = time
            for axis, value in zip("xyz", (x, y, z), strict=True):
                check_number(
                    f"{here} {axis}",
                    value,
                    minimum=-MAX_COORDINATE,
                    maximum=MAX_COORDINATE,
                    unit=" m",
                )
            check_number(f"{here} gain", gain, minimum=0.0, maximum=MAX_GAIN)
            distance = math.hypot(x, y, z)
            if self.delay and distance > MAX_DELAYED:
                raise OptionError(
                    f"{here} is {distance:.0f} m away; sound is delayed over at most "
                    f"{MAX_DELAYED:.0f} m: bring it nearer, or leave delay out"
                )

    @classmethod
    def from_dict(cls, data: Any, label: str = "source") -> PlacedSource:
        """Read and validate one source; unknown fields and wrong kinds raise OptionError."""
        source = cls(**given_fields(cls, data, label, needed=("file", "name", "start", "points")))
        source.validate(label)
        return source


@dataclass(frozen=True)
class DeliverRequest(JsonRequest):
    """A part of a sound field, with placed sounds added, as the files that leave.

    Where nothing is to be done to it (the field's own rate, no sources, no loudness, float32) the
    WAV holds the field's samples bit for bit.

    Parameters
    ----------
    field
        Four channels of AmbiX (W Y Z X, SN3D) in any file; None for the sources alone.
    output
        The WAV to write. The sidecar is ``<stem>.json`` beside it; where no WAV is written and one
        is there, it is told of what was added.
    start, duration
        The part of the field's time line that is delivered, seconds: the WAV's sample k is the
        field's sample round(start * rate) + k. The rest of the field where ``duration`` is None,
        which has to be given where there is no field.
    sources
        Placed sounds.
    head
        For what is made for headphones: where the head looks, as (time, yaw, pitch, roll) by time,
        in seconds on the field's time line and degrees (left, up, left ear up). Empty for the
        field's front.
    convention
        Channel order and weights of the field: "auto" for what the file states (AmbiX where it says
        nothing), or one of `CONVENTIONS`.
    head_locked
        For "youtube": stereo or mono sound that does not turn with the head, such as a narrator or
        music, from the clip's first picture on.
    clip
        The 360 clip, for deliverables that show it; the others take their title and the time of day
        from it.
    clip_start
        The clip's time at the field's first sample, seconds.
    yaw
        What the field's front is in the clip, degrees, positive left, as in `GenerateRequest`.
    projection, stereo
        How the sphere lies in the clip's picture; "auto" reads it from the file.
    hfov, camera
        For a flat picture, as for `GenerateRequest`.
    rate, subtype
        Delivery sample rate in hertz and "float32" or "pcm24".
    loudness
        Integrated loudness of W to reach, LUFS (-70 to 0); level is kept where None.
    deliverables
        Names from `jobs.deliverables`. Without "wav" the field stays where it is and as it is, and
        only more is made of it, named after ``output``: start, duration, sources, rate, subtype and
        loudness have no place then.
    provenance
        Whether every deliverable states in its metadata where its sound comes from, where that is
        known.
    overwrite
        Replace existing outputs.
    """

    field: Path | None
    output: Path
    start: float = 0.0
    duration: float | None = None
    sources: tuple[PlacedSource, ...] = ()
    head: tuple[Point, ...] = ()
    convention: str = "auto"
    head_locked: Path | None = None
    clip: Path | None = None
    clip_start: float = 0.0
    yaw: float = 0.0
    projection: str = "auto"
    stereo: str = "auto"
    hfov: float | None = None
    camera: tuple[float, float] | None = None
    rate: int = 48_000
    subtype: str = "float32"
    loudness: float | None = None
    deliverables: tuple[str, ...] = ("wav",)
    provenance: bool = True
    overwrite: bool = False
    schema_version: int = SCHEMA_VERSION

    KIND: ClassVar[str] = "deliver"

    def __post_init__(self) -> None:
        for name in ("field", "output", "clip", "head_locked"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Path(value))
        for name in ("sources", "deliverables", "camera"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
        object.__setattr__(self, "head", as_rows(self.head))

    def validate(self) -> DeliverRequest:
        """Check every value on its own and together; the file system is not touched.

        Returns
        -------
        DeliverRequest
            Itself, so that ``DeliverRequest(...).validate()`` reads well.

        Raises
        ------
        OptionError
            One line: expected, found, what to do.
        """
        check_version(self.schema_version, SCHEMA_VERSION)
        if self.field is not None:
            check_path("field", self.field)
        elif self.convention != "auto":
            raise OptionError("convention is the field's, and there is none; leave it out")
        check_choice("convention", self.convention, CONVENTIONS)
        check_wav("output", self.output)
        check_number("start", self.start, minimum=0.0, maximum=MAX_TIME, unit=" s")
        if self.duration is not None:
            check_number("duration", self.duration, above=0.0, maximum=MAX_TIME, unit=" s")
        check_choice("projection", self.projection, PROJECTIONS)
        check_choice("stereo", self.stereo, STEREO_LAYOUTS)
        check_camera(self.projection, self.hfov, self.camera)
        check_number("clip_start", self.clip_start, minimum=-MAX_TIME, maximum=MAX_TIME, unit=" s")
        check_number("yaw", self.yaw, minimum=-360.0, maximum=360.0, unit=" degrees")
        check_integer("rate", self.rate, MIN_RATE, MAX_RATE)
        check_choice("subtype", self.subtype, SUBTYPES)
        if self.loudness is not None:
            check_number("loudness", self.loudness, minimum=-70.0, maximum=0.0, unit=" LUFS")
        check_deliverables(self.deliverables, wav=False)
        check_flag("provenance", self.provenance)
        check_flag("overwrite", self.overwrite)
        self._validate_sources()
        self._validate_head()
        self._validate_clip()
        self._validate_kept()
        check_needs(self.deliverables, clip=self.clip is not None, sources=bool(self.sources))
        return self

    @property
    def in_place(self) -> bool:
        """Whether more is made beside the field itself, whose sidecar is told of it."""
        field = self.field
        return (
            "wav" not in self.deliverables
            and field is not None
            and field.with_suffix("").absolute() == self.output.with_suffix("").absolute()
        )

    def _validate_sources(self) -> None:
        if not isinstance(self.sources, tuple):
            raise OptionError(f"sources must be a list, found {described(self.sources)}")
        for number, source in enumerate(self.sources, 1):
            if not isinstance(source, PlacedSource):
                raise OptionError(
                    f"source {number} must be a PlacedSource, found {described(source)}"
                )
            source.validate(f"source {number}")
        if self.field is None and (not self.sources or self.duration is None):
            raise OptionError("without a field there must be sources and a duration; give both")

    def _validate_head(self) -> None:
        check_rows("head", self.head, HEAD)
        follow = [name for name, row in DELIVERABLES.items() if row.head]
        if self.head and not set(follow) & set(self.deliverables):
            raise OptionError(
                f"head is for what is made for headphones ({', '.join(follow)}); ask for it, or "
                "leave head out"
            )
        before = -math.inf
        for number, (time, *angles) in enumerate(self.head, 1):
            check_time(f"head {number}", time)
            if time < before:
                raise OptionError(
                    f"head {number} is at {time:g} s, before the one above it ({before:g} s); "
                    "list them in order"
                )
            before = time
            for name, angle in zip(HEAD[1:], angles, strict=True):
                check_number(f"head {number} {name}", angle, minimum=-1e6, maximum=1e6)

    def _validate_clip(self) -> None:
        if self.head_locked is not None:
            check_path("head_locked", self.head_locked)
            if "youtube" not in self.deliverables:
                raise OptionError(
                    'head_locked is for the deliverable "youtube"; ask for that, or leave it out'
                )
        if self.clip is not None:
            check_path("clip", self.clip)

    def _validate_kept(self) -> None:
        """Without a WAV nothing can be done to the field."""
        if "wav" in self.deliverables:
            return
        for given in fields(self):
            if given.name in _OF_THE_WAV and getattr(self, given.name) != given.default:
                raise OptionError(
                    f"{given.name} is for the WAV that is written; ask for wav too, or leave "
                    f"{given.name} out"
                )

    @classmethod
    def from_dict(cls, data: Any) -> DeliverRequest:
        """Read and validate plain data as :meth:`as_dict` gives it.

        Raises
        ------
        OptionError
            For another schema version, an unknown or missing field, or a value out of range.
        """
        if isinstance(data, Mapping):
            # Said before unknown fields: a newer version is why they are unknown.
            check_version(data.get("schema_version"), SCHEMA_VERSION)
        values = given_fields(cls, data, "the request", needed=("field", "output"))
        values["sources"] = given_parts(PlacedSource, values, "sources", "source")
        return cls(**values).validate()
