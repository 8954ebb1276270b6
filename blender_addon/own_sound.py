"""Objects that the clip's own sound comes from, as they are seen from the active camera."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any

from mathutils import Matrix, Vector

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.spatialize_request import DirectedSource

from . import marked
from .clips import Source, existing
from .paths import CLOSE, Row, place_off, thinned

# Of a direction 0.11 degrees, of the share as much: what is between the points is a great circle.
TOLERANCE = 2e-3


def objects(scene: Any) -> list[Any]:
    """The objects that are marked as carrying the clip's own sound and can be rendered."""
    return marked.objects(scene, "carries_sound")


def sources(
    scene: Any, source: Source, first: int, last: int, into_clip: Matrix
) -> tuple[DirectedSource, ...]:
    """Where they are along the frames from ``first`` to ``last``, on the time line of the clip.

    Close to the camera (0.1 m) a direction says less and less: its share goes to 0. So it is where
    the object is hidden from rendering.

    Parameters
    ----------
    into_clip
        The rotation (3 x 3) from the world's axes to those of the clip's sphere.

    Raises
    ------
    OptionError, MissingFileError
        If there are no such objects, no camera to listen from, or a stem is gone.
    """
    found = objects(scene)
    if not found:
        raise OptionError(
            "no object of the scene carries the clip's own sound; mark one in its object "
            "properties, or have the directions found automatically"
        )
    marked.need_camera(scene)
    stems = [_stem(item) for item in found]
    paths: list[list[Row]] = [[] for _ in found]
    with closing(marked.directions(scene, found, first, last, into_clip)) as frames:
        for frame, seen in frames:
            time = (frame - source.content_start) / source.fps
            for path, (item, away) in zip(paths, seen, strict=True):
                towards = _towards(away, path)
                share = 0.0 if item.hide_render else item.omniaudio.share
                path.append((time, *towards, share * min(1.0, away.length / CLOSE)))
    return tuple(
        DirectedSource(
            name=item.name,
            points=tuple(_angles(row) for row in thinned(path, TOLERANCE, place_off)),
            file=stem,
        )
        for item, path, stem in zip(found, paths, stems, strict=True)
    )


def _stem(item: Any) -> Path | None:
    stem = item.omniaudio.stem
    return existing(stem, f"the stem of {item.name}") if stem else None


def _towards(away: Vector, path: list[Row]) -> Vector:
    """The direction; where there is none, the one before."""
    if away.length > marked.NOWHERE:
        return away.normalized()
    return Vector(path[-1][1:4]) if path else Vector((1.0, 0.0, 0.0))


def _angles(row: Row) -> Row:
    time, x, y, z, share = row
    azimuth, elevation = angles(Vector((x, y, z)))
    return time, azimuth, elevation, share


def angles(towards: Vector) -> tuple[float, float]:
    """Azimuth and elevation in degrees, to what 32 bits are good for."""
    azimuth = math.degrees(math.atan2(towards.y, towards.x))
    elevation = math.degrees(math.atan2(towards.z, math.hypot(towards.x, towards.y)))
    return round(azimuth, 4), round(elevation, 4)
