"""One request for a recording put on the sphere, as every front end carries it.

Standard library only. A :class:`SpatializeRequest` names a clip, its sound (or another recording)
and where it comes from: given directions, or directions to be found in the picture.
`jobs.spatialize` does it.

Units: seconds from the clip's first video frame, degrees for angles (azimuth counter-clockwise from
the front, left = +90; elevation upwards), hertz for rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.checks import (
    MAX_TIME,
    as_rows,
    check_camera,
    check_choice,
    check_deliverables,
    check_direction,
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
from omniaudio_studio.jobs.deliverables import check_needs
from omniaudio_studio.jobs.plain_data import JsonRequest, PlainData
from omniaudio_studio.jobs.request import (
    DEVICES,
    MAX_RATE,
    MAX_SEED,
    MIN_RATE,
    PROJECTIONS,
    STEREO_LAYOUTS,
    SUBTYPES,
)

SCHEMA_VERSION = 1

METHODS = ("automatic", "learned", "given")
POINT = ("time", "azimuth", "elevation", "gain")
MAX_SOURCES = 16
"""Most directions that can be given; fewer can be found (see `SpatializeRequest.max_sources`)."""
MOST_FOUND = 3

Point = tuple[float, ...]


@dataclass(frozen=True)
class DirectedSource(PlainData):
    """Where a part of the recording comes from, over time.

    Between two points its direction follows the great circle at constant speed, the short way, and
    its gain changes linearly. Before the first and after the last point it stays.

    Parameters
    ----------
    name
        What it is called in messages, in the app and in the sidecar.
    points
        (time, azimuth, elevation, gain) by ascending time, at least one: seconds of the clip,
        degrees (-360 to 360), degrees (-90 to 90), and how much of its sound comes from there, 0 to
        1; the rest of it is heard from everywhere.
    file
        A mono stem: the part of the recording that this source makes, as a file of its own. None
        for the recording as a whole; sources without a stem share it in proportion to their gains
        where these add up to more than 1.
    start
        Where the stem begins, seconds of the clip; may be negative. Not read without ``file``.
    """

    name: str
    points: tuple[Point, ...]
    file: Path | None = None
    start: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.file, str):
            object.__setattr__(self, "file", Path(self.file))
        object.__setattr__(self, "points", as_rows(self.points))

    def validate(self, label: str = "source") -> None:
        """Check every value; raises OptionError with one line."""
        if not isinstance(self.name, str) or not self.name.strip():
            raise OptionError(f"{label} must have a name, found {described(self.name)}")
        label = f"{label} ({self.name[:40]})"
        if self.file is not None:
            check_path(f"{label} file", self.file)
        check_number(f"{label} start", self.start, minimum=-MAX_TIME, maximum=MAX_TIME, unit=" s")
        check_rows(f"{label} points", self.points, POINT)
        if not self.points:
            raise OptionError(f"{label} has no points; give at least one direction")
        before = -math.inf
        for number, (time, azimuth, elevation, gain) in enumerate(self.points, 1):
            here = f"{label} point {number}"
            check_time(here, time)
            if time <= before:
                raise OptionError(
                    f"{here} is at {time:g} s, not after the one before it ({before:g} s); list "
                    "the points in order"
                )
            before = time
            check_direction(here, azimuth, elevation)
            check_number(f"{here} gain", gain, minimum=0.0, maximum=1.0)

    @classmethod
    def from_dict(cls, data: Any, label: str = "source") -> DirectedSource:
        """Read and validate one source; unknown fields and wrong kinds raise OptionError."""
        source = cls(**given_fields(cls, data, label, needed=("name", "points")))
        source.validate(label)
        return source


@dataclass(frozen=True)
class SpatializeRequest(JsonRequest):
    """A recording, where it comes from, and the files to be made of it.

    W of the result is the recording, sample for sample at its level (the mean of a stereo
    recording's channels); Y, Z and X carry where it comes from.

    Parameters
    ----------
    clip, output
        The clip and the WAV to write. The sidecar is ``<stem>.json`` beside it.
    audio
        The recording; the clip's own sound where None. Its sample 0 is at the clip's first frame.
    projection, stereo
        How the sphere lies in the picture; "auto" reads it from the file.
    hfov, camera
        For a flat picture: its horizontal field of view (1 to 179) and the (azimuth, elevation)
        that its middle looks at.
    start, duration
        The range of the clip, seconds; the rest of it where ``duration`` is None.
    method
        "automatic" finds what moves with the sound, "learned" asks the bundle's spatializer,
        "given" takes ``sources``.
    sources
        For "given", and only for it.
    max_sources
        Most directions to be found, 1 to 3.
    bundle, device
        For "learned": the model bundle, and what runs it.
    width
        How much of what comes from nowhere in particular is spread around the listener, 0 (in W
        alone) to 1 (as an isotropic field).
    seed
        Of the spreading: the same seed gives the same sound.
    yaw
        Degrees, positive left: what is at this azimuth becomes the front of the sound-only file.
    rate
        Delivery sample rate in hertz; the recording's own where None.
    subtype
        "float32" or "pcm24".
    deliverables, provenance
        As for `GenerateRequest`.
    overwrite
        Replace existing outputs.
    """

    clip: Path
    output: Path
    audio: Path | None = None
    projection: str = "auto"
    stereo: str = "auto"
    hfov: float | None = None
    camera: tuple[float, float] | None = None
    start: float = 0.0
    duration: float | None = None
    method: str = "automatic"
    sources: tuple[DirectedSource, ...] = ()
    max_sources: int = MOST_FOUND
    bundle: str = "starter"
    device: str = "auto"
    width: float = 0.3
    seed: int = 0
    yaw: float = 0.0
    rate: int | None = None
    subtype: str = "float32"
    deliverables: tuple[str, ...] = ("wav",)
    provenance: bool = True
    overwrite: bool = False
    schema_version: int = SCHEMA_VERSION

    KIND: ClassVar[str] = "spatialize"

    def __post_init__(self) -> None:
        for name in ("clip", "output", "audio"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Path(value))
        for name in ("sources", "deliverables", "camera"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))

    def validate(self) -> SpatializeRequest:
        """Check every value on its own and together; the file system is not touched.

        Returns
        -------
        SpatializeRequest
            Itself.

        Raises
        ------
        OptionError
            One line: expected, found, what to do.
        """
        check_version(self.schema_version, SCHEMA_VERSION)
        check_path("clip", self.clip)
        check_wav("output", self.output)
        if self.audio is not None:
            check_path("audio", self.audio)
        check_choice("projection", self.projection, PROJECTIONS)
        check_choice("stereo", self.stereo, STEREO_LAYOUTS)
        check_camera(self.projection, self.hfov, self.camera)
        check_number("start", self.start, minimum=0.0, maximum=MAX_TIME, unit=" s")
        if self.duration is not None:
            check_number("duration", self.duration, above=0.0, maximum=MAX_TIME, unit=" s")
        check_choice("method", self.method, METHODS)
        check_integer("max_sources", self.max_sources, 1, MOST_FOUND)
        if not isinstance(self.bundle, str) or not self.bundle:
            raise OptionError("bundle must be the name or path of a model bundle")
        check_choice("device", self.device, DEVICES)
        check_number("width", self.width, minimum=0.0, maximum=1.0)
        check_integer("seed", self.seed, 0, MAX_SEED)
        check_number("yaw", self.yaw, minimum=-360.0, maximum=360.0, unit=" degrees")
        if self.rate is not None:
            check_integer("rate", self.rate, MIN_RATE, MAX_RATE)
        check_choice("subtype", self.subtype, SUBTYPES)
        check_deliverables(self.deliverables)
        check_needs(self.deliverables, clip=True, sources=False)
        check_flag("provenance", self.provenance)
        check_flag("overwrite", self.overwrite)
        self._validate_sources()
        return self

    def _validate_sources(self) -> None:
        if not isinstance(self.sources, tuple):
            raise OptionError(f"sources must be a list, found {described(self.sources)}")
        if (self.method == "given") != bool(self.sources):
            raise OptionError(
                'sources and the method "given" belong together; give both or neither'
            )
        if len(self.sources) > MAX_SOURCES:
            raise OptionError(f"there are {len(self.sources)} sources; give at most {MAX_SOURCES}")
        for number, source in enumerate(self.sources, 1):
            if not isinstance(source, DirectedSource):
                raise OptionError(
                    f"source {number} must be a DirectedSource, found {described(source)}"
                )
            source.validate(f"source {number}")

    @classmethod
    def from_dict(cls, data: Any) -> SpatializeRequest:
        """Read and validate plain data as :meth:`as_dict` gives it.

        Raises
        ------
        OptionError
            For another schema version, an unknown or missing field, or a value out of range.
        """
        if isinstance(data, Mapping):
            # Said before unknown fields: a newer version is why they are unknown.
            check_version(data.get("schema_version"), SCHEMA_VERSION)
        values = given_fields(cls, data, "the request", needed=("clip", "output"))
        values["sources"] = given_parts(DirectedSource, values, "sources", "source")
        return cls(**values).validate()
