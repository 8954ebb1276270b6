"""Takes: results that lie in a scene as strips, with what made them.

A take is a field (muted, Blender cannot play it) and its sound for headphones. Nothing is kept but
the strips' own properties, so that copies, undo and saved files need no care.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError, OptionError
from omniaudio_studio.jobs.outputs import sidecar_path
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

from . import compat
from .clips import scene_fps


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
    return chosen(scene, all_of(scene))


def chosen(scene: Any, found: list[Take]) -> Take | None:
    """As `current`, of takes that were looked up already."""
    for take in found:
        if take.key == scene.omniaudio.active_take:
            return take
    return found[-1] if found else None


def of_strip(scene: Any, strip: Any | None) -> Take | None:
    """The take that a strip is part of, as it lies there; None where it is none.

    Of a take that was cut into pieces, it is the piece.
    """
    if strip is None or strip.omniaudio.role not in ("FOA", "BINAURAL"):
        return None
    pieces = [take for take in all_of(scene) if take.key == strip.omniaudio.take]
    left = compat.left_handle(strip)
    for take in pieces:
        if strip.name == take.foa_strip or take.first_frame <= left <= take.last_frame:
            return take
    return pieces[0] if pieces else None


def field_strip(scene: Any, key: str) -> Any:
    """The strip of a take's field, None where it is gone: never for a take that was just listed."""
    return _part(scene, key, "FOA")


def binaural_strip(scene: Any, key: str) -> Any | None:
    """The strip of a take's sound for headphones."""
    return _part(scene, key, "BINAURAL")


def choose(scene: Any, key: str) -> None:
    """Listen to this take: what else was made for the clip at the same time is muted."""
    parts = [strip for strip in compat.all_strips(scene) if strip.omniaudio.take == key]
    if not parts:
        return
    scene.omniaudio.active_take = key
    for strip in compat.all_strips(scene):
        mine = strip.omniaudio
        if mine.role != "BINAURAL" or mine.clip != parts[0].omniaudio.clip:
            continue
        if mine.take == key:
            strip.mute = False
        elif any(_overlap(strip, other) for other in parts):
            strip.mute = True


def remove(scene: Any, key: str) -> None:
    """Take all strips of a take out of the sequencer; its files stay."""
    for strip in [strip for strip in compat.all_strips(scene) if strip.omniaudio.take == key]:
        sound = strip.sound
        compat.siblings(scene, strip).remove(strip)
        if sound is not None and sound.users == 0:
            bpy.data.sounds.remove(sound)
    if scene.omniaudio.active_take == key:
        scene.omniaudio.active_take = ""


def generated(strip: Any) -> Path:
    """The field of a take as it was generated, for the strip of its field: without objects."""
    wav = Path(os.path.normpath(bpy.path.abspath(strip.sound.filepath)))
    return wav.with_name(strip.omniaudio.field) if strip.omniaudio.field else wav


def request_of(strip: Any) -> GenerateRequest | SpatializeRequest:
    """What a take was made from, as the sidecar beside its field tells.

    Raises
    ------
    OptionError
        If there is no sidecar, or it cannot be read.
    """
    sidecar = sidecar_path(generated(strip))
    try:
        data = json.loads(sidecar.read_text(encoding="utf-8"))
        kind = SpatializeRequest if strip.omniaudio.placed else GenerateRequest
        return kind.from_dict(data["request"])
    except (OSError, ValueError, KeyError, TypeError, OmniAudioError) as error:
        raise OptionError(
            f"{sidecar} does not tell how the take was made ({error}); put it back beside the "
            "take, or make it anew"
        ) from error


def _overlap(one: Any, other: Any) -> bool:
    return compat.left_handle(one) < compat.right_handle(other) and compat.left_handle(
        other
    ) < compat.right_handle(one)


def _part(scene: Any, key: str, role: str) -> Any | None:
    for strip in compat.all_strips(scene):
        if strip.omniaudio.role == role and strip.omniaudio.take == key:
            return strip
    return None


def _take(strip: Any, binaural: str | None, fps: float) -> Take:
    mine = strip.omniaudio
    return Take(
        key=mine.take,
        wav=Path(os.path.normpath(bpy.path.abspath(strip.sound.filepath))),
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
    return [
        (int(part), "") if number % 2 else (-1, part)
        for number, part in enumerate(re.split(r"([0-9]+)", name))
    ]
