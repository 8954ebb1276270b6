"""Generating for a scene: from its settings to a request, and from the result to strips.

What the user may go on changing meanwhile (where the strip lies, the scene's name) is looked up
again when the sound is there.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mathutils import Matrix

from omniaudio_studio.errors import OmniAudioError, OptionError, OutputError
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.request import GenerateRequest

from . import catalogue, clips, compat, sources, strips, takes, wanted, world
from .clips import Source
from .jobs import Ask, Pause, Steps, Work, runner
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
    movie_key
        On the movie strip, to find it again; empty for the world's movie.
    objects
        Sources to add to each take, on the time line of the take.
    """

    scene_uid: int
    scene_name: str
    source: Source
    requests: tuple[GenerateRequest, ...]
    end: float | None
    movie_key: str
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
    yaw = wanted.front(scene, source)
    request = GenerateRequest(
        clip=source.clip,
        output=folder / "take.wav",
        projection=settings.projection,
        stereo=settings.stereo,
        start=start,
        segments=wanted.segments(scene, source),
        bundle=settings.bundle or "starter",
        cfg=wanted.plain(settings.cfg) if settings.use_cfg else None,
        seed=settings.seed,
        steps=settings.steps if settings.use_steps else None,
        yaw=round(math.degrees(yaw), 4),
        device=settings.device,
        rate=int(settings.rate),
        subtype=settings.subtype,
        loudness=wanted.plain(settings.loudness) if settings.use_loudness else None,
        mix=wanted.plain(settings.mix),
        deliverables=("wav", "binaural"),
    ).validate()
    objects: tuple[PlacedSource, ...] = ()
    if sources.objects(scene):
        frames = source.content_frames
        if frames is None:
            frames = (source.right or scene.frame_end + 1) - round(source.content_start)
        length = frames / source.fps - start if end is None else end - start
        turned = Matrix.Identity(3)
        if source.kind == "WORLD":
            turned = world.field_rotation(scene, yaw)
        objects = sources.placed(scene, strips.placement(source, start, length), turned)
    movie = _named(scene, source)
    if movie is not None and not movie.omniaudio.movie:
        movie.omniaudio.role, movie.omniaudio.movie = "CLIP", uuid.uuid4().hex
    return Plan(
        scene_uid=compat.session_uid(scene),
        scene_name=scene.name,
        source=source,
        requests=free_takes(folder, request, settings.takes, objects=bool(objects)),
        end=end,
        movie_key=movie.omniaudio.movie if movie is not None else "",
        objects=objects,
    )


def outputs(made: Plan) -> frozenset[Path]:
    """Every WAV that a plan is going to write."""
    wavs = [request.output for request in made.requests]
    return frozenset(wavs + [objects_file(wav) for wav in wavs if made.objects])


def steps(made: Plan) -> Steps:
    """Generate, add the objects, and put every take into the scene."""
    first, source = made.requests[0], made.source
    info = yield Ask(
        "probe",
        {"path": str(source.clip), "projection": first.projection, "stereo": first.stereo},
        "looking at the clip",
    )
    catalogue.want()
    clips.check_timing(source, info["duration"], info["fps"])
    duration = None
    if made.end is not None:
        duration = min(made.end, info["duration"]) - first.start
        if duration <= 0:
            raise OptionError(
                f"the range begins at {first.start:.2f} s of the clip, which ends at "
                f"{info['duration']:.2f} s; choose frames that show the clip"
            )
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
        attach_binaural(_scene(made), key, Path(heard["binaural"]))
        yield Pause()
        runner.undo_push("Generate Spatial Audio")
    except GeneratorExit:  # it was cancelled
        if not attached:
            for name in ("wav", "binaural", "sidecar"):
                Path(take[name]).unlink(missing_ok=True)
        raise
    if problem is not None:
        raise OmniAudioError(
            f"{Path(take['wav']).name} is there, but without the objects: {problem}"
        ) from problem
    line = (
        f"{Path(heard['wav']).name} in {result['seconds']:.1f} s on {device(result['provider'])}, "
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


def device(provider: str) -> str:
    """A provider's name for people: CPU, CUDA, ..."""
    return provider.removesuffix("ExecutionProvider")


def _scene(made: Plan) -> Any:
    scene = compat.scene_of(made.scene_uid, made.scene_name)
    if scene is None:
        folder = made.requests[0].output.parent
        raise OutputError(f"the scene {made.scene_name} is gone; its sound is in {folder}")
    return scene


def _named(scene: Any, source: Source) -> Any | None:
    """The movie strip of a source."""
    return compat.strip_named(scene, source.name) if source.kind == "STRIP" else None


def _movie(scene: Any, made: Plan) -> Any | None:
    """The clip's strip, wherever it is by now; None where it is gone.

    Copies of a strip have the same key, and an undo takes the key away.
    """
    if made.source.kind != "STRIP":
        return None
    named = _named(scene, made.source)
    if named is not None and named.omniaudio.movie in ("", made.movie_key):
        named.omniaudio.role, named.omniaudio.movie = "CLIP", made.movie_key
        return named
    for strip in compat.all_strips(scene):
        if strip.type == "MOVIE" and strip.omniaudio.movie == made.movie_key:
            return strip
    return None


def _attach_field(
    made: Plan, request: GenerateRequest, result: dict[str, Any], heard: dict[str, Any]
) -> str:
    """Put the field into the scene; returns the take's key."""
    scene = _scene(made)
    movie = _movie(scene, made)
    source = made.source if movie is None else clips.as_it_lies(made.source, movie)
    place = strips.placement(source, request.start, result["duration"])
    wav = Path(heard["wav"])
    take = result["takes"][0]
    resolved = json.loads(Path(take["sidecar"]).read_text(encoding="utf-8"))["resolved"]
    strip = strips.add_sound(scene, movie, wav, wav.stem, place, mute=True)
    mine = strip.omniaudio
    mine.role, mine.take = "FOA", uuid.uuid4().hex
    mine.movie, mine.clip = made.movie_key, str(made.source.clip)
    mine.bundle, mine.seed = result["bundle_title"], str(take["seed"])
    mine.cfg, mine.steps = resolved["cfg"], resolved["steps"]
    mine.yaw, mine.world = math.radians(request.yaw), made.source.kind == "WORLD"
    mine.provider = device(result["provider"])
    if heard is not take:
        mine.objects, mine.field = len(made.objects), Path(take["wav"]).name
    key: str = mine.take
    return key


def attach_binaural(scene: Any, key: str, wav: Path) -> None:
    """Put the sound for headphones above the field of a take, and have it heard."""
    field = takes.field_strip(scene, key)
    if field is None:
        return  # taken away again in the moment between
    strip = strips.add_sound(scene, field, wav, wav.stem, strips.place_of(field), mute=False)
    for name in ("take", "movie", "clip"):
        setattr(strip.omniaudio, name, getattr(field.omniaudio, name))
    strip.omniaudio.role = "BINAURAL"
    takes.choose(scene, key)
