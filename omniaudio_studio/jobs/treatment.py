"""What was done to a take's sound after the model had made it. Standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.outputs import sidecar_path
from omniaudio_studio.jobs.request import GenerateRequest

# Kinds of sidecars whose request says from where on in the clip, and turned by how much.
_FIELDS = ("omniaudio-spatialization", "omniaudio-sidecar")


@dataclass(frozen=True)
class MixedField:
    """The camera's own sound as a file of four channels.

    Parameters
    ----------
    path
        The WAV, AmbiX.
    yaw
        Degrees: what was at this azimuth of the clip is its front.
    start
        Seconds of the clip at its first sample.
    sha256
        Of the file, where it is known.
    """

    path: Path
    yaw: float = 0.0
    start: float = 0.0
    sha256: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        path = str(self.path.absolute())
        return {"path": path, "yaw": self.yaw, "start": self.start, "sha256": self.sha256}

    @classmethod
    def from_dict(cls, data: Any) -> MixedField | None:
        """Read plain data as :meth:`as_dict` gives it; None where it is not such."""
        try:
            yaw, start = float(data["yaw"]), float(data["start"])
            path, sha256 = Path(data["path"]), data["sha256"]
        except (KeyError, TypeError, ValueError):
            return None
        if not (math.isfinite(yaw) and math.isfinite(start)):
            return None
        return cls(path, yaw, start, None if sha256 is None else str(sha256))

    @classmethod
    def of(cls, path: Path, sha256: str | None = None) -> MixedField:
        """The field in a file, with what its sidecar says of it; without one in the clip's axes,
        from the clip's first frame on.

        Raises
        ------
        OptionError
            If the sidecar's values make no sense.
        """
        sidecar = sidecar_path(path)
        try:
            data = json.loads(sidecar.read_text(encoding="utf-8"))
            request = data["request"] if data["kind"] in _FIELDS else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return cls(path, sha256=sha256)
        found = [request.get(name, 0.0) for name in ("yaw", "start")]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in found):
            raise OptionError(
                f"{sidecar} should say in degrees and seconds how {path.name} lies in the clip, "
                f"found yaw {found[0]!r} and start {found[1]!r}; correct or remove it"
            )
        return cls(path, float(found[0]), float(found[1]), sha256)


@dataclass(frozen=True)
class Treatment:
    """Turned, ducked, mixed and levelled, in this order.

    Parameters
    ----------
    yaw
        Degrees: what was at this azimuth became the front.
    mix
        Gain (linear) of the camera's own sound under it.
    gain_db
        What all of it was levelled with, at last.
    duck
        Decibels by which it stepped back under the camera's own sound.
    field
        The camera's own sound where it was mixed in as a field; in W alone where None.
    """

    yaw: float = 0.0
    mix: float = 0.0
    gain_db: float = 0.0
    duck: float = 0.0
    field: MixedField | None = None

    @property
    def gain(self) -> float:
        """``gain_db`` as a factor."""
        return float(10 ** (self.gain_db / 20))

    def agrees(self, other: Treatment) -> bool:
        """Whether both are alike but for the level."""
        return (
            (self.yaw - other.yaw) % 360 == 0
            and (self.mix, self.duck) == (other.mix, other.duck)
            and self._field_path() == other._field_path()
        )

    def __str__(self) -> str:
        """All but the level, for messages."""
        told = f"yaw {self.yaw:g} and mix {self.mix:g}"
        if self.duck:
            told += f" and duck {self.duck:g}"
        return told if self.field is None else f"{told} of {self.field.path.name}"

    def _field_path(self) -> Path | None:
        return None if self.field is None else self.field.path.absolute()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "yaw": self.yaw,
            "mix": self.mix,
            "gain_db": self.gain_db,
            "duck": self.duck,
            "mix_field": None if self.field is None else self.field.as_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Treatment | None:
        """Read plain data as :meth:`as_dict` gives it; None where it is not such."""
        if data is None:
            return None
        try:
            # Sidecars from before there was ducking don't name it.
            named = {"duck": 0.0, **data}
            values = {name: float(named[name]) for name in ("yaw", "mix", "gain_db", "duck")}
        except (KeyError, TypeError, ValueError):
            return None
        if not all(math.isfinite(value) for value in values.values()):
            return None
        return cls(**values, field=MixedField.from_dict(data.get("mix_field")))


def treatment_of(take: Path, request: GenerateRequest) -> Treatment:
    """What was done to a take, as its sidecar says.

    Without a sidecar: what ``request`` says, which should be the take's own, and the level as it
    is.
    """
    try:
        data = json.loads(sidecar_path(take).read_text(encoding="utf-8"))
        told = Treatment.from_dict(
            {
                **data["request"],
                "gain_db": data["output"]["gain_db"],
                # Of the request only where the file was; here also how it lay.
                "mix_field": data.get("mix_field"),
            }
        )
    except (OSError, ValueError, KeyError, TypeError):
        told = None
    return told or asked_for(request)


def asked_for(request: GenerateRequest, field: MixedField | None = None) -> Treatment:
    """What a request wants done, at the level as it is; ``field`` is read if None."""
    if field is None and request.mix_field is not None:
        field = MixedField.of(request.mix_field)
    return Treatment(request.yaw, request.mix, duck=request.duck, field=field)
