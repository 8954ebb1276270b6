"""For render farms: ``blender -b SCENE.blend --command omniaudio generate``.

Blocking, with a line for each stage on stderr and an exit code: 0 done, 2 for what the user can
mend, 130 stopped, 70 for a fault of the program.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError, OptionError, OutputError
from omniaudio_studio.jobs.deliverables import DELIVERABLES, OFFERED, ordered
from omniaudio_studio.jobs.request import DEVICES, SAMPLERS
from omniaudio_studio.jobs.spatialize_request import METHODS

from . import compat, delivery, generation, questions, spatializing, takes
from .jobs import Task, runner

NAME = "omniaudio"
SAY_SECONDS = 5.0
_handle: Any = None


def run(arguments: Sequence[str]) -> int:
    """Do what a command line says; returns the exit code. No error leaves as a traceback."""
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as end:  # argparse has said what is wrong
        return int(end.code or 0)
    try:
        _refuse_pointless(options)
        codes = [_one(scene, options) for scene in _scenes(options)]
        if options.save:
            _save()
        return next((code for code in codes if code), 0)
    except OmniAudioError as error:
        say(str(error))
        return error.exit_code
    finally:
        runner.close()
        questions.close()


def _one(scene: Any, options: argparse.Namespace) -> int:
    """One scene's work; what goes wrong in it does not keep the others from theirs."""
    try:
        return _wait(options.start(scene, options))
    except OmniAudioError as error:
        say(f"{scene.name}: {error}")
        return error.exit_code


def _save() -> None:
    try:
        bpy.ops.wm.save_mainfile()
    except RuntimeError as error:
        raise OutputError(
            f"the .blend could not be saved ({error}); the sound is there, but not in the scene"
        ) from error


def _refuse_pointless(options: argparse.Namespace) -> None:
    """Options that would do nothing, or do it twice."""
    if options.verb == "deliver":
        heard = [name for name in OFFERED if DELIVERABLES[name].head]
        if options.follow_camera and not set(heard) & set(options.files):
            raise OptionError(
                f"--follow-camera is about what is made for headphones ({', '.join(heard)}); give "
                "that too, as in --as binaural"
            )
        if options.all_scenes and options.output is not None:
            raise OptionError("-o names one file; leave it or --all-scenes out")
    if options.all_scenes and options.scene is not None:
        raise OptionError("give --scene or --all-scenes, not both")


def say(line: str) -> None:
    """One line on stderr: Blender's own words go to stdout."""
    print(f"omniaudio: {' '.join(line.split())}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blender -b SCENE.blend --command omniaudio",
        description="Spatial sound for the 360 clip of a scene, as set in the .blend.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    generate = verbs.add_parser("generate", help="generate, and put the takes into the scene")
    generate.set_defaults(start=_generate)
    spatialize = verbs.add_parser(
        "spatialize", help="place the clip's own sound, and put it into the scene"
    )
    spatialize.set_defaults(start=_spatialize)
    for verb in (generate, spatialize):
        verb.add_argument("--strip", help="the movie strip, by name; else as set in the scene")
        verb.add_argument("--folder", type=Path, help="where takes go")
        verb.add_argument("--bundle", help="the model, by name or path")
        verb.add_argument("--seed", type=int)
        verb.add_argument("--device", choices=DEVICES)
    generate.add_argument("--cfg", type=float)
    generate.add_argument("--steps", type=int)
    generate.add_argument("--sampler", choices=SAMPLERS)
    generate.add_argument("--takes", type=int)
    spatialize.add_argument("--method", choices=METHODS, help="given: as the scene's objects lie")
    spatialize.add_argument("--audio", type=Path, help="another recording of the same time")
    spatialize.add_argument("--max-sources", type=int)
    spatialize.add_argument("--width", type=float)
    deliver = verbs.add_parser("deliver", help="write the chosen take, trimmed to its strip")
    deliver.set_defaults(start=_deliver)
    deliver.add_argument("--take", help="by name; else the one that is heard in the scene")
    deliver.add_argument("-o", "--output", type=Path, help="the WAV to write")
    deliver.add_argument(
        "--as", dest="files", action="append", default=[], choices=OFFERED, help="may repeat"
    )
    deliver.add_argument(
        "--follow-camera", action="store_true", help="the head looks where the camera looks"
    )
    for name in ("binaural", "overlay", "plot"):
        deliver.add_argument(
            f"--{name}",
            dest="files",
            action="append_const",
            const=name,
            help=f"the same as --as {name}",
        )
    deliver.add_argument(
        "--no-provenance",
        dest="provenance",
        action="store_false",
        help="don't state in the files how their sound was made",
    )
    deliver.add_argument("--overwrite", action="store_true", help="replace files that are there")
    for verb in (generate, spatialize, deliver):
        verb.add_argument("--scene", help="by name; else the .blend's active one")
        verb.add_argument("--all-scenes", action="store_true", help="one after another")
        verb.add_argument("--save", action="store_true", help="save the .blend afterwards")
    return parser


def _scenes(options: argparse.Namespace) -> list[Any]:
    if options.all_scenes:
        return list(bpy.data.scenes)
    if options.scene is None:
        return [bpy.context.scene]
    scene = bpy.data.scenes.get(options.scene)
    if scene is None:
        names = ", ".join(other.name for other in bpy.data.scenes)
        raise OptionError(f"there is no scene {options.scene!r} in the .blend; it has {names}")
    return [scene]


def _generate(scene: Any, options: argparse.Namespace) -> Task:
    _set(scene.omniaudio, options, ("seed", "takes", "cfg", "steps"))
    for name in ("cfg", "steps"):
        if getattr(options, name) is not None:
            setattr(scene.omniaudio, f"use_{name}", True)
    if options.sampler is not None:
        scene.omniaudio.sampler = options.sampler
    return generation.start(scene, _clip_strip(scene, options))


def _spatialize(scene: Any, options: argparse.Namespace) -> Task:
    settings = scene.omniaudio
    _set(settings, options, ("seed", "max_sources", "width"))
    if options.method is not None:
        settings.place_method = options.method
    if options.audio is not None:
        settings.recording = str(options.audio.absolute())
    return spatializing.start(scene, _clip_strip(scene, options))


def _set(settings: Any, options: argparse.Namespace, numbers: Sequence[str]) -> None:
    """Have the scene's settings be what the options say."""
    if options.folder is not None:
        settings.folder = str(options.folder.absolute())
    for name in ("bundle", "device"):
        if getattr(options, name) is not None:
            setattr(settings, name, getattr(options, name))
    for name in numbers:
        value = getattr(options, name)
        if value is None:
            continue
        known = settings.bl_rna.properties[name]
        if not known.hard_min <= value <= known.hard_max:
            option = name.replace("_", "-")
            raise OptionError(
                f"--{option} must be from {known.hard_min:g} to {known.hard_max:g}, found {value:g}"
            )
        setattr(settings, name, value)


def _clip_strip(scene: Any, options: argparse.Namespace) -> Any | None:
    """The strip that is meant: the one that was named, else the active one."""
    if options.strip is None:
        return scene.sequence_editor.active_strip if scene.sequence_editor else None
    scene.omniaudio.source = "STRIP"
    return _movie(scene, options.strip)


def _movie(scene: Any, name: str) -> Any:
    movies = [strip for strip in compat.all_strips(scene) if strip.type == "MOVIE"]
    for strip in movies:
        if strip.name == name:
            return strip
    names = ", ".join(strip.name for strip in movies) or "none"
    raise OptionError(f"there is no movie strip {name!r} in {scene.name}; it has {names}")


def _deliver(scene: Any, options: argparse.Namespace) -> Task:
    found = takes.current(scene)
    if options.take is not None:
        named = [take for take in takes.all_of(scene) if take.wav.stem == options.take]
        found = named[0] if named else None
    if found is None:
        raise OptionError(
            f"the scene {scene.name} has no take{f' {options.take}' if options.take else ''}; "
            "generate one first"
        )
    request = delivery.request(
        scene,
        found,
        options.output.absolute() if options.output else delivery.suggested(found),
        deliverables=("wav", *ordered(options.files)),
        follow_camera=options.follow_camera,
        rate=int(scene.omniaudio.rate),
        subtype=scene.omniaudio.subtype,
        provenance=options.provenance,
        overwrite=options.overwrite,
    )
    return runner.start(f"delivery of {found.wav.stem}", scene, delivery.steps(request))


def _wait(task: Task) -> int:
    """Turn the wheel until a task is over, saying what it does; Ctrl-C cancels it."""
    stops: list[int] = []

    def stop(number: int, frame: Any) -> None:
        stops.append(number)

    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    said, at = "", 0.0
    try:
        while task.running:
            runner.tick()
            questions.poll()
            now = time.monotonic()
            if task.stage != said or now - at > SAY_SECONDS:
                said, at = task.stage, now
                share = "" if task.fraction is None else f" {100 * task.fraction:.0f} %"
                left = "" if task.eta is None else f", {task.eta:.0f} s left"
                say(f"{task.title}: {task.stage}{share}{left}")
            if stops:
                runner.cancel(task)
            time.sleep(0.02)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    say(f"{task.title}: {task.message}")
    return task.exit_code


def register() -> None:
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, run)


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None
