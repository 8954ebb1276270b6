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

import bpy

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.outputs import next_output
from omniaudio_studio.jobs.request import GenerateRequest, Segment

from . import catalogue, clips, compat, sources, strips, takes, world
from .clips import Source
from .jobs import Ask, Pause, Steps, Work, runner
from .strips import Placement
from .takes import Take


@dataclass(frozen=True)
class Plan:
    """What is going to be generated for a scene.

    Attributes
    ----------
    requests
        One for each take, without a duration.
    end
        Seconds of the clip at which the range ends; None for the clip's end.
    clip_key
        On the movie strip, to find it again; that of the world has none.
    objects
        Sources to add to each take, on the time line of the take.
    """

    scene_uid: int
    scene_name: str
    source: Source
    requests: tuple[GenerateRequest, ...]
    end: float | None
    clip_key: str
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
    folder = output_folder(scene)
    start, end = clip_range(scene, source)
    yaw = front(scene, source)
    movie = _strip_named(scene, source)
    request = GenerateRequest(
        clip=source.clip,
        output=folder / "take.wav",
        projection=settings.projection,
        stereo=settings.stereo,
        start=start,
        segments=segments(scene, source),
        bundle=settings.bundle or "starter",
        cfg=plain(settings.cfg) if settings.use_cfg else None,
        seed=settings.seed,
        steps=settings.steps if settings.use_steps else None,
        yaw=round(math.degrees(yaw), 4),
        device=settings.device,
        rate=int(settings.rate),
        subtype=settings.subtype,
        loudness=plain(settings.loudness) if settings.use_loudness else None,
        mix=plain(settings.mix),
        deliverables=("wav", "binaural"),
    ).validate()
    objects: tuple[PlacedSource, ...] = ()
    if sources.objects(scene):
        frames = source.content_frames
        if frames is None:
            frames = (source.right or scene.frame_end + 1) - round(source.content_start)
        length = frames / source.fps - start if end is None else end - start
        objects = sources.placed(scene, strips.placement(source, start, length))
        request = replace(request, deliverables=("wav",))
    if movie is not None and not _has_own_key(scene, movie):
        movie.omniaudio.role, movie.omniaudio.clip = "CLIP", uuid.uuid4().hex
    return Plan(
        scene_uid=compat.session_uid(scene),
        scene_name=scene.name,
        source=source,
        requests=_takes(folder, request, settings.takes, bool(objects)),
        end=end,
        clip_key=movie.omniaudio.clip if movie is not None else f"world {source.clip}",
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
    runner.undo_push("Generate Spatial Audio")
    return "; ".join(lines)


def _take(made: Plan, request: GenerateRequest, label: str) -> Generator[Any, Any, str]:
    """One take, until it is in the scene; a part of each tick at a time."""
    result = yield Work(request, label)
    take = result["takes"][0]
    heard = take
    if made.objects:
        heard = yield Work(
            DeliverRequest(
                field=Path(take["wav"]),
                output=objects_file(Path(take["wav"])),
                sources=made.objects,
                rate=request.rate,
                subtype=request.subtype,
                deliverables=("wav", "binaural"),
            ),
            f"{label}objects, ",
        )
    yield Pause()
    key = _attach_field(made, request, result, heard)
    yield Pause()
    _attach_binaural(made, key, Path(heard["binaural"]))
    yield Pause()
    line = (
        f"{Path(heard['wav']).name} in {result['seconds']:.1f} s on {device(result['provider'])}, "
        f"{result['realtime']:.1f} times real time"
    )
    warnings = [*result["warnings"], *(heard["warnings"] if made.objects else ())]
    if not result["commercial"]:
        warnings.append("the model's licence forbids commercial use")
    return "; ".join([line, *warnings])


@dataclass(frozen=True)
class ObjectPlan:
    """Adding the scene's objects to a take that is there; ``key`` is the take's."""

    scene_uid: int
    scene_name: str
    key: str
    request: DeliverRequest


def plan_objects(scene: Any, take: Take) -> ObjectPlan:
    """A new take: the field of an earlier one as it was generated, and the objects as they are now.

    Raises
    ------
    OmniAudioError
        One line: what is missing or wrong.
    """
    strip = takes.field_strip(scene, take.key)
    stored = strip.omniaudio.field or str(take.wav)
    field = clips.existing(stored, "the take without objects")
    end = round(take.frame_start) + compat.content_duration(strip)
    whole = Placement(round(take.frame_start), round(take.frame_start), end)
    taken = {path for task in runner.running() for path in task.outputs}
    output, number = objects_file(field), 1
    while output in taken or output.exists() or output.with_suffix(".json").exists():
        number += 1
        output = field.with_name(f"{objects_file(field).stem}{number}.wav")
    request = DeliverRequest(
        field=field,
        output=output,
        sources=sources.placed(scene, whole),
        rate=int(scene.omniaudio.rate),
        subtype=scene.omniaudio.subtype,
        deliverables=("wav", "binaural"),
    ).validate()
    return ObjectPlan(compat.session_uid(scene), scene.name, take.key, request)


def object_steps(made: ObjectPlan) -> Steps:
    """Add the objects, and put the new take where the earlier one lies."""
    result = yield Work(made.request)
    scene = compat.scene_of(made.scene_uid, made.scene_name)
    earlier = takes.field_strip(scene, made.key) if scene is not None else None
    if earlier is None:
        raise OutputError(f"the take is gone from the scene; the new one is {result['wav']}")
    wav = Path(result["wav"])
    strip = strips.add_sound(scene, earlier, wav, wav.stem, strips.place_of(earlier), mute=True)
    mine = strip.omniaudio
    for name in ("role", "clip", "bundle", "seed", "cfg", "steps", "yaw", "world", "clip_start"):
        setattr(mine, name, getattr(earlier.omniaudio, name))
    mine.provider = earlier.omniaudio.provider
    mine.take, mine.title = uuid.uuid4().hex, wav.stem
    mine.sidecar = strips.stored_path(Path(result["sidecar"]))
    if made.request.field is not None:
        mine.field = strips.stored_path(made.request.field)
    mine.objects = len(made.request.sources)
    key: str = mine.take
    yield Pause()
    _attach_binaural(made, key, Path(result["binaural"]))
    yield Pause()
    runner.undo_push("Place Objects in the Take")
    return "; ".join([wav.name, *result["warnings"]])


def device(provider: str) -> str:
    """A provider's name for people: CPU, CUDA, ..."""
    return provider.removesuffix("ExecutionProvider")


def output_folder(scene: Any) -> Path:
    """Where takes go: the scene's folder, else that of the .blend.

    Raises
    ------
    OutputError
        If the .blend has never been saved and no folder is chosen, or the folder is not there.
    """
    wanted = scene.omniaudio.folder
    if not bpy.data.filepath and (not wanted or wanted.startswith("//")):
        raise OutputError(
            "the .blend has not been saved yet, so there is no folder to write to; save it, or "
            "choose a folder in the settings of spatial audio"
        )
    folder = Path(bpy.path.abspath(wanted)) if wanted else Path(bpy.data.filepath).parent
    if not folder.is_dir():
        raise OutputError(f"the folder {folder} is not there; choose another one, or make it")
    return folder.resolve()


def clip_range(scene: Any, source: Source) -> tuple[float, float | None]:
    """The part of the clip that gets sound, seconds of the clip: start and end.

    ``end`` is None for the clip's own end.

    Raises
    ------
    OptionError
        If the range shows nothing of the clip.
    """
    kind = scene.omniaudio.range
    if kind == "CLIP":
        return 0.0, None
    if kind == "STRIP":
        first, end = source.left, source.right
    elif kind == "PREVIEW":
        if not scene.use_preview_range:
            raise OptionError(
                "the scene has no preview range; set one (P in the time line), or choose another "
                "range"
            )
        first, end = scene.frame_preview_start, scene.frame_preview_end + 1
    else:
        first, end = scene.omniaudio.first_frame, scene.omniaudio.last_frame + 1
    if end is not None and end <= first:
        raise OptionError(f"the range ends at frame {end - 1}, before its start {first}")
    start = max(0.0, (first - source.content_start) / source.fps)
    if end is None:
        return start, None
    until = (end - source.content_start) / source.fps
    if source.content_frames is not None:
        until = min(until, source.content_frames / source.fps)
    if until <= start:
        raise OptionError(
            f"frames {first} to {end - 1} show nothing of {source.name}; choose others"
        )
    return start, until


def plain(value: float) -> float:
    """A number as the user typed it: Blender keeps 32 bits, in which 5.3 is 5.30000019."""
    return float(f"{value:.6g}")


def front(scene: Any, source: Source) -> float:
    """Radians: what of the clip is the front of the files."""
    settings = scene.omniaudio
    if source.kind == "WORLD" and settings.yaw_from_world:
        return world.front_yaw(scene)
    return float(settings.yaw)


def segments(scene: Any, source: Source) -> tuple[Segment, ...]:
    """The shots as the request has them; those before the clip's start begin with it.

    Raises
    ------
    OptionError
        If two of them begin on the same frame.
    """
    result: list[Segment] = []
    for shot in sorted(scene.omniaudio.shots, key=lambda shot: shot.start):
        start = max(0.0, (shot.start - source.content_start) / source.fps)
        segment = Segment(
            start=start,
            cfg=plain(shot.cfg) if shot.use_cfg else None,
            seed=shot.seed if shot.use_seed else None,
        )
        if result and result[-1].start == start == 0.0:
            result[-1] = segment  # of several before the clip, the last one counts
        elif result and result[-1].start == start:
            raise OptionError(f"two shots begin at frame {shot.start}; remove one of them")
        else:
            result.append(segment)
    return tuple(result)


def _takes(
    folder: Path, request: GenerateRequest, count: int, objects: bool
) -> tuple[GenerateRequest, ...]:
    """A request for each take, with its seed, under names that nothing has or will have."""
    taken = {path for task in runner.running() for path in task.outputs}

    def used(path: Path) -> bool:
        return path in taken or (objects and objects_file(path).exists())

    requests = []
    for index in range(count):
        output = next_output(folder, request.clip.stem, request, used)
        taken.add(output)
        requests.append(replace(request.for_take(index), output=output))
    return tuple(requests)


def _has_own_key(scene: Any, movie: Any) -> bool:
    """Whether takes can be told to be this strip's: a copy of a strip has the same key."""
    key = movie.omniaudio.clip
    return bool(key) and not any(
        strip.type == "MOVIE" and strip.omniaudio.clip == key and strip.name != movie.name
        for strip in compat.all_strips(scene)
    )


def objects_file(wav: Path) -> Path:
    """Where the field of a take lies once the scene's objects are in it."""
    return wav.with_name(f"{wav.stem}-objects{wav.suffix}")


def _scene(made: Plan | ObjectPlan) -> Any:
    scene = compat.scene_of(made.scene_uid, made.scene_name)
    if scene is None:
        raise OutputError(
            f"the scene {made.scene_name} is gone; the files are where they were to go"
        )
    return scene


def _movie(scene: Any, made: Plan) -> Any | None:
    """The clip's strip, wherever it is by now; None where it is gone."""
    found = [
        strip
        for strip in compat.all_strips(scene)
        if strip.type == "MOVIE" and strip.omniaudio.clip == made.clip_key
    ]
    named = [strip for strip in found if strip.name == made.source.name]
    return (named or found or [None])[0]


def _strip_named(scene: Any, source: Source) -> Any | None:
    if source.kind != "STRIP":
        return None
    return next(strip for strip in compat.all_strips(scene) if strip.name == source.name)


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
    mine.role, mine.clip, mine.take = "FOA", made.clip_key, uuid.uuid4().hex
    mine.title = wav.stem
    mine.bundle, mine.seed = result["bundle_title"], str(take["seed"])
    mine.cfg, mine.steps = resolved["cfg"], resolved["steps"]
    mine.yaw, mine.world = math.radians(request.yaw), made.source.kind == "WORLD"
    mine.clip_start = request.start
    mine.provider = device(result["provider"])
    mine.sidecar = strips.stored_path(Path(heard["sidecar"]))
    mine.objects = len(made.objects)
    mine.field = strips.stored_path(Path(take["wav"])) if made.objects else ""
    key: str = mine.take
    return key


def _attach_binaural(made: Plan | ObjectPlan, key: str, wav: Path) -> None:
    scene = _scene(made)
    field = takes.field_strip(scene, key)
    if field is None:
        return  # taken away again in the moment between
    strip = strips.add_sound(scene, field, wav, wav.stem, strips.place_of(field), mute=False)
    mine = strip.omniaudio
    mine.role, mine.clip, mine.take = "BINAURAL", field.omniaudio.clip, key
    mine.title = field.omniaudio.title
    takes.choose(scene, key)
