"""What a finished request amounts to. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TakeResult:
    """One take's files.

    ``files`` are those beside the WAV, by deliverable; ``sha256`` is the WAV's, ``samples`` per
    channel. ``problems`` tell of each deliverable that could not be made, in one line.
    ``sound_sha256`` is that of the samples alone: the WAV also names the version that wrote it.
    """

    wav: Path
    sidecar: Path
    files: Mapping[str, Path]
    seed: int
    samples: int
    sha256: str
    gain_db: float = 0.0  # applied to reach the loudness asked for
    problems: tuple[str, ...] = ()
    sound_sha256: str = ""


@dataclass(frozen=True)
class RunResult:
    """All takes of a request, and how they came about.

    Attributes
    ----------
    duration
        Seconds of sound per take; ``rate`` in hertz.
    seconds
        Wall-clock time of everything, reading and writing included.
    sound_seconds
        The part of it until the sound was written: without what goes beside it.
    provider, reason
        What the graphs ran on, and why that.
    commercial
        Whether the bundle's licence allows commercial use of what it made.
    """

    takes: tuple[TakeResult, ...]
    duration: float
    rate: int
    seconds: float
    sound_seconds: float
    provider: str
    reason: str
    bundle: str
    bundle_title: str
    demonstration: bool
    commercial: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be made beside the takes' WAVs."""
        return tuple(problem for take in self.takes for problem in take.problems)

    @property
    def realtime(self) -> float:
        """Seconds of sound made per second of work on it, over all takes."""
        return self.duration * len(self.takes) / max(self.sound_seconds, 1e-9)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        for take in data["takes"]:
            take.update(_as_text(take))
        data["takes"] = list(data["takes"])
        data["warnings"] = list(data["warnings"])
        data["problems"] = list(self.problems)
        data["realtime"] = self.realtime
        return data


@dataclass(frozen=True)
class DeliverResult:
    """What a delivery made.

    Attributes
    ----------
    wav, sidecar, files
        The WAV (or the field, where no WAV was written), its sidecar, and what lies beside them, by
        deliverable.
    samples, rate
        Per channel of the WAV, and hertz; ``sha256`` is the WAV's.
    peak
        Largest value of the four channels, linear; above 1 only a float32 file holds it. None where
        no WAV was written.
    gain_db
        What was applied to reach the loudness asked for.
    duration, seconds
        Seconds of sound, and of work.
    problems
        A line for each deliverable that could not be made.
    sound_sha256
        As for `TakeResult`; empty where no WAV was written.
    """

    wav: Path
    sidecar: Path
    files: Mapping[str, Path]
    samples: int
    rate: int
    sha256: str
    peak: float | None
    gain_db: float
    duration: float
    seconds: float
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    sound_sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; ``kind`` tells it from a generation's."""
        data = asdict(self)
        return {"kind": "deliver", **data, **_as_text(data), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class FoundSource:
    """Where a part of a recording was put, as `jobs.spatialize_request.DirectedSource` has it.

    ``points`` are (time, azimuth, elevation, gain): seconds of the clip, degrees, 0 to 1.
    ``confidence`` is 0 to 1 for each point; 1 where the direction was given.
    """

    name: str
    points: tuple[tuple[float, ...], ...]
    confidence: tuple[float, ...]


@dataclass(frozen=True)
class SpatializeResult:
    """What became of a recording.

    Attributes
    ----------
    wav, sidecar, files
        The WAV (or the field, where no WAV was written), its sidecar, and what lies beside them, by
        deliverable.
    samples, rate
        Per channel of the WAV, and hertz; ``sha256`` is the WAV's.
    sources
        Where its parts were put.
    confidence
        0 to 1, of the whole: how surely sounds and picture belong together; 1 where all was given.
    peak
        Largest value of the four channels, linear.
    duration, seconds
        Seconds of sound, and of work.
    problems
        A line for each deliverable that could not be made.
    sound_sha256
        As for `TakeResult`.
    """

    wav: Path
    sidecar: Path
    files: Mapping[str, Path]
    samples: int
    rate: int
    sha256: str
    method: str
    sources: tuple[FoundSource, ...]
    confidence: float
    peak: float
    duration: float
    seconds: float
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    sound_sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; ``kind`` tells it from a generation's."""
        data = asdict(self)
        sources = [
            {
                "name": source.name,
                "points": [list(point) for point in source.points],
                "confidence": list(source.confidence),
            }
            for source in self.sources
        ]
        return {
            "kind": "spatialize",
            **data,
            **_as_text(data),
            "sources": sources,
            "warnings": list(self.warnings),
        }


def _as_text(data: dict[str, Any]) -> dict[str, Any]:
    """What is not plain data yet: paths, and the lines about what could not be made."""
    return {
        "wav": str(data["wav"]),
        "sidecar": str(data["sidecar"]),
        "files": {name: str(path) for name, path in data["files"].items()},
        "problems": list(data["problems"]),
    }


@dataclass(frozen=True)
class Preview:
    """A short look at sound just made: one block of one take.

    ``level`` is the RMS of W in dB relative to full scale (-120 for silence), ``azimuth`` and
    ``elevation`` the direction of arrival in radians, ``start`` and ``seconds`` the block's place
    in the output.
    """

    take: int
    start: float
    seconds: float
    level: float
    azimuth: float
    elevation: float
