"""Giving a scene the settings that one of its takes was made with."""

from __future__ import annotations

import math
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

from . import compat, placed_takes, takes
from .clips import scene_fps
from .properties import MAX_SEED


def use_settings(scene: Any, strip: Any) -> str:
    """Set everything that decides about the sound as it was for the take of this field's strip.

    Returns
    -------
    str
        What was not set, since it is the scene's objects; empty where that is nothing.

    Raises
    ------
    OptionError
        If the take's sidecar cannot be read, or has what Blender's settings cannot hold.
    """
    request = takes.request_of(strip)
    shots = request.segments if isinstance(request, GenerateRequest) else ()
    largest = max([request.seed, *(shot.seed or 0 for shot in shots)])
    if largest > MAX_SEED:
        raise OptionError(
            f"the take's seed {largest} is larger than Blender's whole numbers ({MAX_SEED}); make "
            f"it again on the command line: omniaudio {request.KIND} --from its sidecar"
        )
    settings = scene.omniaudio
    settings.bundle, settings.seed = request.bundle, request.seed
    settings.yaw, settings.yaw_from_world = math.radians(request.yaw), False
    for name in ("projection", "stereo", "device", "subtype"):
        setattr(settings, name, getattr(request, name))
    if request.hfov is not None:
        settings.hfov = math.radians(request.hfov)
        azimuth, elevation = request.camera or (0.0, 0.0)
        settings.camera_azimuth = math.radians(azimuth)
        settings.camera_elevation = math.radians(elevation)
    fps = scene_fps(scene)
    clip_start = compat.content_start(strip) - request.start * fps
    _use_range(settings, request, clip_start, fps)
    if isinstance(request, SpatializeRequest):
        return _use_placing(settings, request)
    left = _use_generating(scene, request)
    _use_shots(settings, request, clip_start, fps)
    return left


def _use_placing(settings: Any, request: SpatializeRequest) -> str:
    settings.place_method, settings.max_sources = request.method, request.max_sources
    settings.recording = str(request.audio or "")
    settings.width = request.width
    if request.method != "given":
        return ""
    return "its directions were those of objects, which are left as they are now"


def _use_generating(scene: Any, request: GenerateRequest) -> str:
    settings = scene.omniaudio
    settings.takes, settings.rate = 1, str(request.rate)
    settings.sampler = request.sampler
    for name in ("cfg", "steps"):
        value = getattr(request, name)
        setattr(settings, f"use_{name}", value is not None)
        if value is not None:
            setattr(settings, name, value)
    settings.use_loudness = request.loudness is not None
    if request.loudness is not None:
        settings.loudness = request.loudness
    settings.mix, settings.duck = request.mix, request.duck
    settings.bed = "CLIP" if request.mix_field is None else "PLACED"
    settings.mix_field = placed_takes.name_of(scene, request.mix_field)
    settings.front_view = "AHEAD" if request.front is None else "AUTO"
    if request.front is not None and not isinstance(request.front, str):
        settings.front_view, settings.front_azimuth = "ANGLE", math.radians(request.front)
    if not request.hints:
        return ""
    return "its hints were objects, which are left as they are now"


def _use_shots(settings: Any, request: GenerateRequest, clip_start: float, fps: float) -> None:
    settings.shots.clear()
    for shot in request.segments:
        made = settings.shots.add()
        made.start = round(clip_start + shot.start * fps)
        made.use_cfg, made.use_seed = shot.cfg is not None, shot.seed is not None
        made.cfg = settings.cfg if shot.cfg is None else shot.cfg
        made.seed = settings.seed if shot.seed is None else shot.seed


def _use_range(
    settings: Any, request: GenerateRequest | SpatializeRequest, clip_start: float, fps: float
) -> None:
    if request.start == 0.0 and request.duration is None:
        settings.range = "CLIP"
        return
    settings.range = "FRAMES"
    settings.first_frame = round(clip_start + request.start * fps)
    if request.duration is not None:
        end = clip_start + (request.start + request.duration) * fps
        settings.last_frame = round(end) - 1
