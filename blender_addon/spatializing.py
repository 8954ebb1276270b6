"""Placing the clip's own sound: from a scene's settings to a request, and from there to strips.

"Given" directions are those of the objects that carry the clip's own sound (`own_sound`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest

from . import attaching, catalogue, clips, own_sound, probing, wanted
from .attaching import Home
from .jobs import Pause, Steps, Task, Work, runner
from .names import free_beside


@dataclass(frozen=True)
class Plan:
    """What is going to be placed.

    Attributes
    ----------
    request
        Without a duration.
    end
        Seconds of the clip at which the range ends; None for the clip's end.
    """

    home: Home
    request: SpatializeRequest
    end: float | None


def plan(scene: Any, strip: Any | None) -> Plan:
    """Everything that can be decided and refused at once.

    Raises
    ------
    OmniAudioError
        One line: what is missing or wrong, and what to do.
    """
    settings = scene.omniaudio
    source = clips.find(scene, strip)
    folder = wanted.output_folder(scene)
    start, end = wanted.clip_range(scene, source)
    given: tuple[DirectedSource, ...] = ()
    if settings.place_method == "given":
        first, last = wanted.frames(scene, source, start, end)
        given = own_sound.sources(scene, source, first, last, wanted.into_clip(scene, source))
    request = SpatializeRequest(
        clip=source.clip,
        output=free_beside(folder / source.clip.name, "-placed"),
        audio=recording(scene),
        **wanted.picture(scene),
        start=start,
        method=settings.place_method,
        sources=given,
        max_sources=settings.max_sources,
        bundle=settings.bundle or "starter",
        device=settings.device,
        width=wanted.plain(settings.width),
        seed=settings.seed,
        yaw=wanted.degrees(wanted.front(scene, source)),
        # At its own rate W stays the recording, sample for sample.
        rate=None,
        subtype=settings.subtype,
        deliverables=("wav", "binaural"),
    ).validate()
    return Plan(attaching.home(scene, source, folder), request, end)


def start(scene: Any, strip: Any | None) -> Task:
    """Plan it, and start the task; raises as `plan`."""
    made = plan(scene, strip)
    title = f"own sound of {made.home.source.name}"
    return runner.start(title, scene, steps(made), frozenset([made.request.output]))


def recording(scene: Any) -> Path | None:
    """The recording that is placed; None for the clip's own sound.

    Raises
    ------
    MissingFileError
        If it is gone.
    """
    chosen = scene.omniaudio.recording
    return clips.existing(chosen, "the recording") if chosen else None


def refusal(scene: Any, clip: Path) -> str:
    """Why there is nothing to place, as far as it is known; empty else. No file is read."""
    if scene.omniaudio.recording or not probing.is_silent(clip):
        return ""
    return no_sound(clip)


def no_sound(clip: Path) -> str:
    """The line about a clip without sound."""
    return (
        f"{clip.name} has no sound of its own to place; generate sound for it, or choose another "
        "recording"
    )


def steps(made: Plan) -> Steps:
    """Have the sound placed, and put it into the scene as a take."""
    duration = yield from probing.look(made.home.source, made.request, made.end)
    catalogue.want()
    if made.request.audio is None and probing.is_silent(made.request.clip):
        raise OptionError(no_sound(made.request.clip))
    request = replace(made.request, duration=duration)
    result = yield Work(request)
    key = _attach_field(made.home, request, result)
    yield Pause()
    attaching.attach_binaural(made.home.scene, key, attaching.for_headphones(result))
    yield Pause()
    runner.undo_push("Place the Clip's Own Sound")
    name, seconds = Path(result["wav"]).name, result["seconds"]
    return "; ".join([f"{name} in {seconds:.1f} s, {said(result)}", *result["warnings"]])


def said(result: dict[str, Any]) -> str:
    """What came of it, in a few words."""
    count = len(result["sources"])
    words = "1 source" if count == 1 else f"{count} sources"
    if result["method"] == "given":
        return f"{words} as the objects lie"
    return f"{words}, confidence {100 * result['confidence']:.0f} %"


def _attach_field(home: Home, request: SpatializeRequest, result: dict[str, Any]) -> str:
    """Put the field into the scene; returns the take's key."""
    strip = attaching.attach_field(
        home, Path(result["wav"]), request.start, result["duration"], request.yaw
    )
    mine = strip.omniaudio
    mine.placed, mine.directions = result["method"], len(result["sources"])
    mine.confidence = result["confidence"]
    key: str = mine.take
    return key
