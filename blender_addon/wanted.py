"""From a scene's settings to the parts of a request."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.jobs.request import Segment

from . import placed_takes, world
from .clips import Source


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


def into_clip(scene: Any, source: Source) -> Matrix:
    """The rotation (3 x 3) from the world's axes to those of the clip's sphere.

    Beside a movie strip +X of the world is the front of the files; in a world it is what its
    environment shows there.
    """
    if source.kind == "WORLD":
        return world.lookup(scene)
    return Matrix.Rotation(front(scene, source), 3, "Z")


def length(scene: Any, source: Source, start: float, end: float | None) -> float:
    """Seconds of a range of the clip, as `clip_range` gives it.

    Where only the file knows how long the clip is, it is as long as it is seen.
    """
    if end is not None:
        return end - start
    count = source.content_frames
    if count is None:
        count = (source.right or scene.frame_end + 1) - round(source.content_start)
    return count / source.fps - start


def frames(scene: Any, source: Source, start: float, end: float | None) -> tuple[int, int]:
    """The first frame of a range of the clip and the one after its last, trimmed away or not."""
    first = round(source.content_start + start * source.fps)
    count = round(length(scene, source, start, end) * source.fps)
    return first, first + max(1, count)


def picture(scene: Any) -> dict[str, Any]:
    """How the sphere lies in the picture: fields that all requests have."""
    settings = scene.omniaudio
    fields: dict[str, Any] = {"projection": settings.projection, "stereo": settings.stereo}
    if settings.projection == "flat":
        fields["hfov"] = degrees(settings.hfov)
        fields["camera"] = (degrees(settings.camera_azimuth), degrees(settings.camera_elevation))
    return fields


def degrees(angle: float) -> float:
    """An angle as the user typed it, in degrees."""
    return round(math.degrees(angle), 4)


def front_view(scene: Any) -> float | str | None:
    """Where the model's view to the front looks, as `GenerateRequest.front` has it."""
    settings = scene.omniaudio
    if settings.front_view == "ANGLE":
        return degrees(settings.front_azimuth)
    return "auto" if settings.front_view == "AUTO" else None


def bed(scene: Any, source: Source) -> dict[str, Any]:
    """What lies under what is generated: fields of a `GenerateRequest`.

    Raises
    ------
    OptionError, MissingFileError
        If placed sound is wanted, and there is none.
    """
    settings = scene.omniaudio
    if not settings.mix:
        return {}
    placed = placed_takes.find(scene, source) if settings.bed == "PLACED" else None
    return {"mix": plain(settings.mix), "mix_field": placed, "duck": plain(settings.duck)}


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
