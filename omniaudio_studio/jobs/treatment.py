"""What was done to a take's sound after the model had made it. Standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.jobs.outputs import sidecar_path
from omniaudio_studio.jobs.request import GenerateRequest


@dataclass(frozen=True)
class Treatment:
    """Turned, mixed and levelled, in this order.

    Parameters
    ----------
    yaw
        Degrees: what was at this azimuth became the front.
    mix
        Gain (linear) of the camera's own sound under it.
    gain_db
        What all of it was levelled with, at last.
    """

    yaw: float = 0.0
    mix: float = 0.0
    gain_db: float = 0.0

    @property
    def gain(self) -> float:
        """``gain_db`` as a factor."""
        return float(10 ** (self.gain_db / 20))

    def as_dict(self) -> dict[str, float]:
        """Plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Treatment | None:
        """Read plain data as :meth:`as_dict` gives it; None where it is not such."""
        if data is None:
            return None
        try:
            values = [float(data[name]) for name in ("yaw", "mix", "gain_db")]
        except (KeyError, TypeError, ValueError):
            return None
        return cls(*values) if all(math.isfinite(value) for value in values) else None


def treatment_of(take: Path, request: GenerateRequest) -> Treatment:
    """What was done to a take, as its sidecar says.

    Without a sidecar: the yaw and the mix of ``request``, which should be the take's own, and the
    level as it is.
    """
    try:
        data = json.loads(sidecar_path(take).read_text(encoding="utf-8"))
        told = Treatment.from_dict({**data["request"], "gain_db": data["output"]["gain_db"]})
    except (OSError, ValueError, KeyError, TypeError):
        told = None
    return told or Treatment(yaw=request.yaw, mix=request.mix)
