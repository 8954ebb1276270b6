"""What can be played. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError

FIELD, PLAIN, MONO = "field", "plain", "mono"
KINDS = (FIELD, PLAIN, MONO)


@dataclass(frozen=True)
class SoundSource:
    """One sound that stands beside others on the same time line.

    Attributes
    ----------
    key : str
        What `select` takes; unique among the sources that are loaded together.
    kind : {"field", "plain", "mono"}
        "field": four channels, AmbiX, heard binaurally. "plain": one or two channels, heard as they
        are. "mono": the first channel (W of a field) in both ears.
    path : Path
        A sound file of any sample rate.
    label : str
        For people.
    gain_db : float, dB
        Applied to the source, for equal loudness among sources.
    start : float, seconds
        Where on the time line the file's first sample lies.
    yaw : float, radians
        For fields: the azimuth in the picture that is the file's front. It is turned there.
    """

    key: str
    kind: str
    path: Path
    label: str
    gain_db: float = 0.0
    start: float = 0.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionError(
                f"unknown kind of sound {self.kind!r}; expected one of {', '.join(KINDS)}"
            )

    def as_dict(self) -> dict[str, Any]:
        """For a line of JSON."""
        return {
            "key": self.key,
            "kind": self.kind,
            "path": str(self.path),
            "label": self.label,
            "gain_db": self.gain_db,
            "start": self.start,
            "yaw": self.yaw,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SoundSource:
        """The inverse of `as_dict`."""
        return cls(**{**data, "path": Path(data["path"])})
