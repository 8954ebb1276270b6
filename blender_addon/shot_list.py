"""The list of shots of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omniaudio_studio.errors import OutputError

from . import compat
from .clips import Source
from .jobs import Ask, Steps, runner


def add(scene: Any, frame: int) -> None:
    """Add a shot at a frame, in its place; one that is there is chosen."""
    settings = scene.omniaudio
    frames = [shot.start for shot in settings.shots]
    if frame not in frames:
        shot = settings.shots.add()
        shot.start, shot.cfg, shot.seed = frame, settings.cfg, settings.seed
        place = sum(other < frame for other in frames)
        settings.shots.move(len(frames), place)
    settings.active_shot = [shot.start for shot in settings.shots].index(frame)


def replace(scene: Any, frames: Sequence[int]) -> None:
    """Have shots at these frames and no others; those that are there keep their values."""
    settings = scene.omniaudio
    for index in reversed(range(len(settings.shots))):
        if settings.shots[index].start not in frames:
            settings.shots.remove(index)
    for frame in frames:
        add(scene, frame)
    settings.active_shot = 0


def find(scene: Any, source: Source) -> Steps:
    """Steps of a task: look for cuts, and list a shot for each."""
    uid, name = compat.session_uid(scene), scene.name
    settings = scene.omniaudio
    answer = yield Ask(
        "shots",
        {
            "path": str(source.clip),
            "projection": settings.projection,
            "stereo": settings.stereo,
        },
        "looking for shots",
    )
    now = compat.scene_of(uid, name)
    if now is None:
        raise OutputError(f"the scene {name} is gone")
    starts = answer["starts"]
    replace(now, sorted({round(source.content_start + start * source.fps) for start in starts}))
    runner.undo_push("Find Shots")
    return f"{len(starts)} shots" if len(starts) != 1 else "one shot: there are no cuts"
