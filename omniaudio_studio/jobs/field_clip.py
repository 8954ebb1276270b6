"""Which clip a sound field belongs to, as the sidecar beside it tells. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OF_THE_CLIP = ("projection", "stereo", "hfov", "camera", "yaw")
_DEEPEST = 8  # a delivery's field may be a delivery's output itself; more is a circle


def clip_of(field: Path) -> dict[str, Any]:
    """The fields of a `DeliverRequest` that say what the clip of a field is and how both lie.

    Returns
    -------
    dict
        ``clip`` (where it is now, or was), ``clip_start``, ``yaw``, ``projection``, ``stereo``,
        ``hfov`` and ``camera``; empty where no sidecar of ours tells of a clip.
    """
    return _clip_of(field, _DEEPEST)


def _clip_of(field: Path, deepest: int) -> dict[str, Any]:
    try:
        data = json.loads(field.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # any other program may have put a file of this name there
    request = data.get("request") if isinstance(data, Mapping) else None
    if not isinstance(request, Mapping) or not str(data.get("kind")).startswith("omniaudio-"):
        return {}
    try:
        return _told(request, field, deepest)
    except (TypeError, ValueError):
        return {}


def _told(request: Mapping[str, Any], field: Path, deepest: int) -> dict[str, Any]:
    start = float(request.get("start") or 0.0)
    if not request.get("clip"):
        if not request.get("field") or not deepest:
            return {}
        # A delivery without a picture: its field may know one.
        found = _clip_of(_where_now(Path(request["field"]), field), deepest - 1)
        return {**found, "clip_start": found["clip_start"] + start} if found else {}
    values = {name: request[name] for name in _OF_THE_CLIP if request.get(name) is not None}
    if isinstance(values.get("camera"), list):
        values["camera"] = tuple(values["camera"])
    return {
        **values,
        "clip": _where_now(Path(request["clip"]), field),
        "clip_start": float(request.get("clip_start") or 0.0) + start,
    }


def _where_now(path: Path, field: Path) -> Path:
    """A file that a sidecar names: where it was, else beside the field if it is there."""
    beside = field.parent / path.name
    return beside if not path.exists() and beside.exists() else path
