"""Giving a scene the settings that one of its takes was made with."""

from __future__ import annotations

import math
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest

from . import compat, takes
from .clips import scene_fps
from .properties import MAX_SEED


def use_settings(scene: Any, strip: Any) -> None:
    """Set everything that decides about the sound as it was for the take of this field's strip.

    Raises
    ------
    OptionError
        If the take's sidecar cannot be read, or has what Blender's settings cannot hold.
    """
    request = takes.request_of(strip)
    largest = max([request.seed, *(shot.seed or 0 for shot in request.segments)])
    if largest > MAX_SEED:
        raise OptionError(
            f"the take's seed {largest} is larger than Blender's whole numbers ({MAX_SEED}); make "
            "it again on the command line: omniaudio generate --from its sidecar"
        )
    settings = scene.omniaudio
    settings.bundle, settings.seed, settings.takes = request.bundle, request.seed, 1
    for name in ("cfg", "steps"):
        value = getattr(request, name)
        setattr(settings, f"use_{name}", value is not None)
        if value is not None:
            setattr(settings, name, value)
    settings.use_loudness = request.loudness is not None
    if request.loudness is not None:
        settings.loudness = request.loudness
    settings.mix, settings.yaw = request.mix, math.radians(request.yaw)
    settings.yaw_from_world = False
    for name in ("projection", "stereo", "device", "subtype"):
        setattr(settings, name, getattr(request, name))
    settings.rate = str(request.rate)
    fps = scene_fps(scene)
    clip_start = compat.content_start(strip) - request.start * fps
    _use_range(settings, request, clip_start, fps)
    settings.shots.clear()
    for shot in request.segments:
        made = settings.shots.add()
        made.start = round(clip_start + shot.start * fps)
        made.use_cfg, made.use_seed = shot.cfg is not None, shot.seed is not None
        made.cfg = settings.cfg if shot.cfg is None else shot.cfg
        made.seed = settings.seed if shot.seed is None else shot.seed


def _use_range(settings: Any, request: GenerateRequest, clip_start: float, fps: float) -> None:
    if request.start == 0.0 and request.duration is None:
        settings.range = "CLIP"
        return
    settings.range = "FRAMES"
    settings.first_frame = round(clip_start + request.start * fps)
    if request.duration is not None:
        end = clip_start + (request.start + request.duration) * fps
        settings.last_frame = round(end) - 1
