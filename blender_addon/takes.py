"""Takes: results that lie in a scene as strips, with what made them.

A take is a field (muted, Blender cannot play it) and its sound for headphones. Nothing is kept but
the strips' own properties, so that copies, undo and saved files need no care.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError, OptionError
from omniaudio_studio.jobs.request import GenerateRequest

from . import compat
from .clips import scene_fps
from .properties import MAX_SEED


@dataclass(frozen=True)
class Take:
    """A take in a scene. Frames are the scene's.

    Attributes
    ----------
    key
        The same on all strips of the take.
    wav
        The field (AmbiX).
    foa_strip, binaural_strip
        Names; ``binaural_strip`` is None where it was removed.
    frame_start
        The frame at which sample 0 of the field sounds.
    first_frame, last_frame
        It is heard from the one through the other.
    yaw
        Radians: what of the clip is the field's front.
    world
        Whether the clip is the world's environment.
    """

    key: str
    wav: Path
    foa_strip: str
    binaural_strip: str | None
    frame_start: float
    first_frame: int
    last_frame: int
    fps: float
    yaw: float
    world: bool


def all_of(scene: Any) -> list[Take]:
    """The takes of a scene, in the order of their strips' names."""
    strips = list(compat.all_strips(scene))
    fields = [strip for strip in strips if strip.omniaudio.role == "FOA" and strip.sound]
    fields.sort(key=lambda strip: _natural(strip.name))
    binaural = {
        strip.omniaudio.take: strip.name for strip in strips if strip.omniaudio.role == "BINAURAL"
    }
    fps = scene_fps(scene)
    return [_take(strip, binaural.get(strip.omniaudio.take), fps) for strip in fields]


def current(scene: Any) -> Take | None:
    """The take that is listened to: the chosen one, else the last that is there."""
    found = all_of(scene)
    for take in found:
        if take.key == scene.omniaudio.active_take:
            return take
    return found[-1] if found else None


def of_strip(scene: Any, strip: Any | None) -> Take | None:
    """The take that a strip is part of; None where it is none."""
    if strip is None or strip.omniaudio.role not in ("FOA", "BINAURAL"):
        return None
    for take in all_of(scene):
        if take.key == strip.omniaudio.take:
            return take
    return None


def field_strip(scene: Any, key: str) -> Any:
    """The strip of a take's field, None where it is gone: never for a take that was just listed."""
    return _part(scene, key, "FOA")


def binaural_strip(scene: Any, key: str) -> Any | None:
    """The strip of a take's sound for headphones."""
    return _part(scene, key, "BINAURAL")


def choose(scene: Any, key: str) -> None:
    """Listen to this take: its sound for headphones is heard, that of the clip's others is not."""
    chosen = field_strip(scene, key)
    if chosen is None:
        return
    scene.omniaudio.active_take = key
    for strip in compat.all_strips(scene):
        mine = strip.omniaudio
        if mine.role == "BINAURAL" and mine.clip == chosen.omniaudio.clip:
            strip.mute = mine.take != key


def remove(scene: Any, key: str) -> None:
    """Take a take's strips out of the sequencer; its files stay."""
    for role in ("BINAURAL", "FOA"):
        strip = _part(scene, key, role)
        if strip is not None:
            sound = strip.sound
            compat.siblings(scene, strip).remove(strip)
            if sound is not None and sound.users == 0:
                bpy.data.sounds.remove(sound)
    if scene.omniaudio.active_take == key:
        scene.omniaudio.active_take = ""


def clip_file(scene: Any, take: Take) -> str:
    """The file of the clip that a take was generated for, as its sidecar names it."""
    strip = field_strip(scene, take.key)
    return "" if strip is None else str(_request(generated(strip)).get("clip", ""))


def generated(strip: Any) -> Path:
    """The sidecar of the field as it was generated, for a strip of a field."""
    mine = strip.omniaudio
    if mine.field:
        return Path(bpy.path.abspath(mine.field)).with_suffix(".json")
    return Path(bpy.path.abspath(mine.sidecar))


def use_settings(scene: Any, sidecar: Path) -> None:
    """Give a scene the settings that a take was made with.

    Raises
    ------
    OptionError
        If the sidecar cannot be read.
    """
    request = _request(sidecar)
    if not request:
        raise OptionError(f"{sidecar} is no sidecar of a generated take; generate it again")
    settings = scene.omniaudio
    settings.bundle = request["bundle"]
    settings.seed = min(request["seed"], MAX_SEED)
    for name in ("cfg", "steps"):
        setattr(settings, f"use_{name}", request[name] is not None)
        if request[name] is not None:
            setattr(settings, name, request[name])
    settings.mix, settings.yaw = request["mix"], math.radians(request["yaw"])
    settings.use_loudness = request["loudness"] is not None
    if settings.use_loudness:
        settings.loudness = request["loudness"]
    settings.projection, settings.stereo = request["projection"], request["stereo"]
    settings.takes = 1


def _request(sidecar: Path) -> dict[str, Any]:
    try:
        data = json.loads(sidecar.read_text(encoding="utf-8"))
        return GenerateRequest.from_dict(data["request"]).as_dict()
    except (OSError, ValueError, KeyError, TypeError, OmniAudioError):
        return {}


def _part(scene: Any, key: str, role: str) -> Any | None:
    for strip in compat.all_strips(scene):
        if strip.omniaudio.role == role and strip.omniaudio.take == key:
            return strip
    return None


def _take(strip: Any, binaural: str | None, fps: float) -> Take:
    mine = strip.omniaudio
    return Take(
        key=mine.take,
        wav=Path(bpy.path.abspath(strip.sound.filepath)),
        foa_strip=strip.name,
        binaural_strip=binaural,
        frame_start=compat.content_start(strip),
        first_frame=compat.left_handle(strip),
        last_frame=compat.right_handle(strip) - 1,
        fps=fps,
        yaw=mine.yaw,
        world=mine.world,
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Take 10 comes after take 9."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for character in name + "\0":
        if character.isdigit():
            digits += character
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, character))
    return parts
