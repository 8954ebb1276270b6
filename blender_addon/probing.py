"""What a clip's file says, asked for before any work on it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

from . import clips
from .clips import Source
from .jobs import Ask

_sound: dict[Path, bool] = {}  # of the clips that were asked about


def look(
    source: Source, request: GenerateRequest | SpatializeRequest, end: float | None
) -> Generator[Ask, Any, float | None]:
    """Steps: refuse what cannot keep in step, and find out how long the range is.

    Parameters
    ----------
    end
        Seconds of the clip at which the range ends; None for the clip's end.

    Returns
    -------
    float or None
        Seconds; None for the rest of the clip.

    Raises
    ------
    TimingError, OptionError
        If Blender plays the clip at another speed, or the range begins after its end.
    """
    info = yield Ask(
        "probe",
        {
            "path": str(source.clip),
            "projection": request.projection,
            "stereo": request.stereo,
        },
        "looking at the clip",
    )
    _sound[source.clip] = info["audio"] is not None
    clips.check_timing(source, info["duration"], info["fps"])
    if end is None:
        return None
    duration: float = min(end, info["duration"]) - request.start
    if duration <= 0:
        raise OptionError(
            f"the range begins at {request.start:.2f} s of the clip, which ends at "
            f"{info['duration']:.2f} s; choose frames that show the clip"
        )
    return duration


def is_silent(clip: Path) -> bool:
    """Whether a clip is known to have no sound, as far as `look` has asked; no file is read."""
    return not _sound.get(clip, True)


@persistent
def _loaded(*_: Any) -> None:
    """Another .blend was opened; the clips' files may be others by now."""
    _sound.clear()


def register() -> None:
    bpy.app.handlers.load_post.append(_loaded)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_loaded)
