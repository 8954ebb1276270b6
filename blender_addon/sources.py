"""Objects of a scene as sources of sound, as they are seen from the active camera."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import PlacedSource

from . import marked
from .clips import existing, scene_fps
from .paths import Row, place_off, thinned
from .strips import Placement

# Of the distance: 0.17 degrees, or 0.03 dB. With the Doppler effect the pitch follows the path's
# slope, and steps of it are heard sooner.
TOLERANCE, TOLERANCE_DELAYED = 3e-3, 2e-5


def objects(scene: Any) -> list[Any]:
    """The objects that are marked as sound sources and can be rendered."""
    return marked.objects(scene, "is_source")


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
    if found:
        marked.need_camera(scene)


def placed(scene: Any, place: Placement, field: Matrix) -> tuple[PlacedSource, ...]:
    """The sources along the frames of a take.

    The scene is moved through all these frames and back; nothing else of it is changed.

    Parameters
    ----------
    place
        The field's sample 0 sounds at ``place.start``; places are read from there to the end.
    field
        The rotation (3 x 3) from the field's own axes to the world's.

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
    into_field = field.transposed()
    paths: list[list[Row]] = [[] for _ in found]
    with closing(marked.followed(scene, found, place.start, place.right)) as frames:
        for frame, seen in frames:
            for path, (item, away) in zip(paths, seen, strict=True):
                gain = 0.0 if item.hide_render else item.omniaudio.volume
                path.append(((frame - place.start) / fps, *(into_field @ away), gain))
    return tuple(
        _source(item, path, (item.omniaudio.start - place.start) / fps)
        for item, path in zip(found, paths, strict=True)
    )


def _source(item: Any, path: list[Row], start: float) -> PlacedSource:
    mine = item.omniaudio
    return PlacedSource(
        file=existing(mine.file, f"the sound source {item.name}"),
        name=item.name,
        start=start,
        points=thinned(path, TOLERANCE_DELAYED if mine.delay else TOLERANCE, place_off),
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
