"""Objects of a scene as sources of sound, as they are seen from the active camera.

Their places are read frame by frame, so that parents, constraints and drivers count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from mathutils import Vector

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import PlacedSource

from .clips import existing, scene_fps
from .strips import Placement

# Of the distance: 0.17 degrees, or 0.03 dB. With the Doppler effect the pitch
# follows the path's slope, and steps of it are heard sooner.
TOLERANCE, TOLERANCE_DELAYED = 3e-3, 2e-5
CLOSE = 0.1  # metres: nearer than this a direction says little

Point = tuple[float, float, float, float, float]


def objects(scene: Any) -> list[Any]:
    """The scene's objects that are marked as sound sources and not hidden from rendering."""
    return [
        item
        for item in scene.objects
        if item.omniaudio.is_source and (not item.hide_render or item.animation_data is not None)
    ]


def check(scene: Any) -> None:
    """Refuse what could not be heard, before any work.

    Raises
    ------
    OptionError, MissingFileError
        If an object has no file, or it is gone; if there is no camera to listen from.
    """
    found = objects(scene)
    for item in found:
        if not item.omniaudio.file:
            raise OptionError(
                f"{item.name} is marked as a sound source but has no file; choose one in its "
                "object properties, or unmark it"
            )
        existing(item.omniaudio.file, f"the sound source {item.name}")
    if found and scene.camera is None:
        raise OptionError(
            "objects are heard from the active camera, and the scene has none; add a camera and "
            "make it active"
        )


def placed(scene: Any, place: Placement) -> tuple[PlacedSource, ...]:
    """The sources along the frames of a take.

    The scene is moved through all these frames and back; nothing else of it is changed.

    Parameters
    ----------
    place
        The field's sample 0 sounds at ``place.start``; places are read from there to the end.

    Raises
    ------
    OptionError, MissingFileError
        As `check`.
    """
    check(scene)
    found = objects(scene)
    if not found:
        return ()
    fps = scene_fps(scene)
    paths = _paths(scene, [item.name for item in found], range(place.start, place.right + 1), fps)
    return tuple(
        _source(item, paths[item.name], (item.omniaudio.start - place.start) / fps)
        for item in found
    )


def _paths(scene: Any, names: list[str], frames: range, fps: float) -> dict[str, list[Point]]:
    """(time, x, y, z, gain) of every object on every frame, relative to the active camera."""
    before, subframe = scene.frame_current, scene.frame_subframe
    view_layer = scene.view_layers[0]
    points: dict[str, list[Point]] = {name: [] for name in names}
    try:
        for frame in frames:
            scene.frame_set(frame)
            graph = view_layer.depsgraph
            ear = scene.camera.evaluated_get(graph).matrix_world.translation
            seconds = (frame - frames.start) / fps
            for name in names:
                item = scene.objects[name].evaluated_get(graph)
                away: Vector = item.matrix_world.translation - ear
                gain = 0.0 if item.hide_render else item.omniaudio.volume
                points[name].append((seconds, *away, gain))
    finally:
        scene.frame_set(before, subframe=subframe)
    return points


def thinned(points: Sequence[Point], tolerance: float) -> tuple[Point, ...]:
    """Without points that lie on the way between those around them, as near as can be heard.

    Ramer-Douglas-Peucker: of a stretch, the point that is farthest off the way between its ends
    stays, and divides it, until none is farther off than ``tolerance`` (of its distance).
    """
    kept = {0, len(points) - 1}
    stretches = [(0, len(points) - 1)]
    while stretches:
        start, end = stretches.pop()
        off, worst = max(
            ((_off(points, start, end, place), place) for place in range(start + 1, end)),
            default=(0.0, start),
        )
        if off > tolerance:
            kept.add(worst)
            stretches += [(start, worst), (worst, end)]
    return tuple(points[place] for place in sorted(kept))


def _off(points: Sequence[Point], start: int, end: int, place: int) -> float:
    """How far a point is off the way from one point to another.

    That way is the great circle, with distance and gain on a line (`PlacedSource`).
    """
    first, last, point = points[start], points[end], points[place]
    share = (point[0] - first[0]) / (last[0] - first[0])
    begun, ended, here = Vector(first[1:4]), Vector(last[1:4]), Vector(point[1:4])
    near, far = begun.length, ended.length
    if begun == ended:
        way = begun
    elif min(near, far) < CLOSE or begun.dot(ended) < -0.5 * near * far:
        return math.inf  # there is no one way
    else:
        way = begun.normalized().slerp(ended.normalized(), share) * (near + share * (far - near))
    gain = first[4] + share * (last[4] - first[4])
    return max((here - way).length / max(here.length, CLOSE), abs(point[4] - gain))


def _source(item: Any, points: list[Point], start: float) -> PlacedSource:
    mine = item.omniaudio
    return PlacedSource(
        file=existing(mine.file, f"the sound source {item.name}"),
        name=item.name,
        start=start,
        points=thinned(points, TOLERANCE_DELAYED if mine.delay else TOLERANCE),
        reference=mine.reference,
        rolloff=mine.rolloff if mine.use_distance else 0.0,
        max_distance=max(mine.max_distance, mine.reference) if mine.use_max_distance else None,
        delay=mine.delay,
        loop=mine.loop,
    )


def from_speaker(item: Any, scene: Any) -> None:
    """Make a speaker object a sound source with the same sound, level and distances; mute it.

    Raises
    ------
    OptionError
        If it has no sound, or one that is packed into the .blend.
    """
    speaker = item.data
    if speaker.sound is None:
        raise OptionError(f"the speaker {item.name} has no sound; open one in it")
    path = Path(bpy.path.abspath(speaker.sound.filepath))
    if speaker.sound.packed_file is not None and not path.is_file():
        raise OptionError(
            f"the sound of the speaker {item.name} is packed into the .blend; unpack it "
            "(File > External Data > Unpack Resources)"
        )
    mine = item.omniaudio
    mine.is_source, mine.file = True, speaker.sound.filepath
    mine.volume = speaker.volume
    mine.use_distance, mine.rolloff = True, speaker.attenuation
    mine.reference = max(speaker.distance_reference, 0.001)
    # Blender's own limit is so far away that it is none.
    mine.use_max_distance = speaker.distance_max < 1e6
    if mine.use_max_distance:
        mine.max_distance = max(speaker.distance_max, 0.001)
    mine.start = _speaker_start(item, scene)
    speaker.muted = True


def _speaker_start(item: Any, scene: Any) -> int:
    """A speaker sounds where its first sound clip lies in the NLA editor."""
    for data in (item.animation_data, item.data.animation_data):
        for track in data.nla_tracks if data is not None else ():
            for strip in track.strips:
                if strip.type == "SOUND":
                    return round(strip.frame_start)
    return int(scene.frame_start)
