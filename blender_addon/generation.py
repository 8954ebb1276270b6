"""Generating for a scene: from its settings to a request, and from the result to strips."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mathutils import Matrix

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.request import GenerateRequest

from . import attaching, catalogue, clips, hints, probing, sources, strips, wanted, world
from .attaching import Home
from .jobs import Pause, Steps, Task, Work, runner
from .names import free_takes, objects_file


@dataclass(frozen=True)
class Plan:
    """What is going to be generated for a scene.

    Attributes
    ----------
    requests
        One for each take, without a duration.
    end
        Seconds of the clip at which the range ends; None for the clip's end.
    objects
        Sources to add to each take, on the time line of the take.
    """

    home: Home
    requests: tuple[GenerateRequest, ...]
    end: float | None
    objects: tuple[PlacedSource, ...]


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
    first, last = wanted.frames(scene, source, start, end)
    yaw = wanted.front(scene, source)
    request = GenerateRequest(
        clip=source.clip,
        output=folder / "take.wav",
        **wanted.picture(scene),
        front=wanted.front_view(scene),
        start=start,
        segments=wanted.segments(scene, source),
        bundle=settings.bundle or "starter",
        cfg=wanted.plain(settings.cfg) if settings.use_cfg else None,
        seed=settings.seed,
        steps=settings.steps if settings.use_steps else None,
        sampler=settings.sampler,
        yaw=wanted.degrees(yaw),
        device=settings.device,
        rate=int(settings.rate),
        subtype=settings.subtype,
        loudness=wanted.plain(settings.loudness) if settings.use_loudness else None,
        **wanted.bed(scene, source),
        hints=hints.hints(scene, source, first, last, wanted.into_clip(scene, source)),
        deliverables=("wav", "binaural"),
    ).validate()
    objects: tuple[PlacedSource, ...] = ()
    if sources.objects(scene):
        turned = Matrix.Identity(3)
        if source.kind == "WORLD":
            turned = world.field_rotation(scene, yaw)
        place = strips.placement(source, start, wanted.length(scene, source, start, end))
        objects = sources.placed(scene, place, turned)
    return Plan(
        home=attaching.home(scene, source, folder),
        requests=free_takes(folder, request, settings.takes, objects=bool(objects)),
        end=end,
        objects=objects,
    )


def start(scene: Any, strip: Any | None) -> Task:
    """Plan it, and start the task; raises as `plan`."""
    made = plan(scene, strip)
    return runner.start(f"sound for {made.home.source.name}", scene, steps(made), outputs(made))


def outputs(made: Plan) -> frozenset[Path]:
    """Every WAV that a plan is going to write."""
    wavs = [request.output for request in made.requests]
    return frozenset(wavs + [objects_file(wav) for wav in wavs if made.objects])


def steps(made: Plan) -> Steps:
    """Generate, add the objects, and put every take into the scene."""
    duration = yield from probing.look(made.home.source, made.requests[0], made.end)
    catalogue.want()
    lines = []
    for number, request in enumerate(made.requests, 1):
        label = f"take {number} of {len(made.requests)}: " if len(made.requests) > 1 else ""
        lines.append((yield from _take(made, replace(request, duration=duration), label)))
    return "; ".join(lines)


def _take(made: Plan, request: GenerateRequest, label: str) -> Generator[Any, Any, str]:
    """One take, until it is in the scene; a part of each tick at a time."""
    result = yield Work(request, label)
    take = result["takes"][0]
    heard, problem, attached = take, None, False
    try:
        if made.objects:
            try:
                heard = yield Work(_with_objects(made, request), f"{label}objects, ")
            except OmniAudioError as error:
                problem = error  # what was generated is put into the scene all the same
        yield Pause()
        key = _attach_field(made, request, result, heard)
        attached = True
        yield Pause()
        attaching.attach_binaural(made.home.scene, key, attaching.for_headphones(heard))
        yield Pause()
        runner.undo_push("Generate Spatial Audio")
    except GeneratorExit:  # it was cancelled
        if not attached:
            for path in (take["wav"], take["sidecar"], *take["files"].values()):
                Path(path).unlink(missing_ok=True)
        raise
    if problem is not None:
        raise OmniAudioError(
            f"{Path(take['wav']).name} is there, but without the objects: {problem}"
        ) from problem
    device = attaching.device(result["provider"])
    line = (
        f"{Path(heard['wav']).name} in {result['seconds']:.1f} s on {device}, "
        f"{result['realtime']:.1f} times real time"
    )
    warnings = [*result["warnings"], *(heard["warnings"] if made.objects else ())]
    if not result["commercial"]:
        warnings.append("the model's licence forbids commercial use")
    return "; ".join([line, *warnings])


def _with_objects(made: Plan, request: GenerateRequest) -> DeliverRequest:
    return DeliverRequest(
        field=request.output,
        output=objects_file(request.output),
        sources=made.objects,
        rate=request.rate,
        subtype=request.subtype,
        deliverables=("wav", "binaural"),
    )


def _attach_field(
    made: Plan, request: GenerateRequest, result: dict[str, Any], heard: dict[str, Any]
) -> str:
    """Put the field into the scene; returns the take's key."""
    take = result["takes"][0]
    resolved = json.loads(Path(take["sidecar"]).read_text(encoding="utf-8"))["resolved"]
    strip = attaching.attach_field(
        made.home, Path(heard["wav"]), request.start, result["duration"], request.yaw
    )
    mine = strip.omniaudio
    mine.bundle, mine.seed = result["bundle_title"], str(take["seed"])
    mine.cfg, mine.steps = resolved["cfg"], resolved["steps"]
    mine.provider = attaching.device(result["provider"])
    if heard is not take:
        mine.objects, mine.field = len(made.objects), Path(take["wav"]).name
    key: str = mine.take
    return key
