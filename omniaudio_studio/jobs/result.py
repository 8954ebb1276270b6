"""What a finished request amounts to. Standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PATHS = ("wav", "sidecar", "binaural", "overlay", "plot")


@dataclass(frozen=True)
class TakeResult:
    """One take's files. ``sha256`` is the WAV's; ``samples`` per channel."""

    wav: Path
    sidecar: Path
    binaural: Path | None
    overlay: Path | None
    plot: Path | None
    seed: int
    samples: int
    sha256: str
    gain_db: float = 0.0  # applied to reach the loudness asked for


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
        The part of it until the sound was written: without overlays and plots.
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
        data["realtime"] = self.realtime
        return data


@dataclass(frozen=True)
class DeliverResult:
    """What a delivery made.

    Attributes
    ----------
    samples, rate
        Per channel of the WAV, and hertz; ``sha256`` is the WAV's.
    peak
        Largest value of the four channels, linear; above 1 only a float32 file holds it.
    gain_db
        What was applied to reach the loudness asked for.
    duration, seconds
        Seconds of sound, and of work.
    """

    wav: Path
    sidecar: Path
    binaural: Path | None
    overlay: Path | None
    plot: Path | None
    samples: int
    rate: int
    sha256: str
    peak: float
    gain_db: float
    duration: float
    seconds: float
    warnings: tuple[str, ...] = ()

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
    """

    wav: Path
    sidecar: Path
    binaural: Path | None
    overlay: Path | None
    plot: Path | None
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


def _as_text(data: dict[str, Any]) -> dict[str, str | None]:
    return {name: None if data[name] is None else str(data[name]) for name in _PATHS}


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
