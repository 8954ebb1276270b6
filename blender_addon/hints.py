"""Objects as hints: where they are, what is generated is pulled to.

A hint of a request has one direction, so that an object that moves is several of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from mathutils import Matrix, Vector

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Hint

from . import marked
from .clips import Source
from .own_sound import angles

MOVED = math.radians(5.0)  # from here on another direction is worth a hint of its own,
SHORTEST = 0.5  # but not more often than so many seconds.
FADE = 0.25  # seconds: in these a hint comes and goes within its range, so that two that follow
# each other overlap by as much, and the pull between them is whole

Heading = tuple[float, Vector]  # seconds of the clip, unit vector


def objects(scene: Any) -> list[Any]:
    """The objects that are marked as hints and can be rendered."""
    return marked.objects(scene, "is_hint")


def hints(scene: Any, source: Source, first: int, last: int, into_clip: Matrix) -> tuple[Hint, ...]:
    """The hints from frame ``first`` to before frame ``last``, on the time line of the clip.

    An object pulls on the frames on which its own range and its visibility in renderings let it.

    Parameters
    ----------
    into_clip
        The rotation (3 x 3) from the world's axes to those of the clip's sphere.

    Raises
    ------
    OptionError
        If there is no camera to listen from, or an object is where the camera is.
    """
    found = objects(scene)
    if not found:
        return ()
    marked.need_camera(scene)
    # Each with the stretches on which it pulls without a gap.
    stretches: list[list[list[Heading]]] = [[] for _ in found]
    pulling = [False] * len(found)
    with closing(marked.directions(scene, found, first, last - 1, into_clip)) as frames:
        for frame, seen in frames:
            time = (frame - source.content_start) / source.fps
            for place, (item, away) in enumerate(seen):
                pulls = _pulls(item, frame) and time >= 0.0
                if pulls and away.length <= marked.NOWHERE:
                    raise OptionError(
                        f"the hint {item.name} is where the camera is at frame {frame}, which is "
                        "no direction; move it away, or leave that frame out of its range"
                    )
                if pulls and not pulling[place]:
                    stretches[place].append([])
                if pulls:
                    stretches[place][-1].append((time, away.normalized()))
                pulling[place] = pulls
    return tuple(
        Hint(start, end, *angles(towards), strength=round(item.omniaudio.strength, 4))
        for item, own in zip(found, stretches, strict=True)
        for stretch in own
        for start, end, towards in pieces(stretch, 1.0 / source.fps)
    )


def _pulls(item: Any, frame: int) -> bool:
    mine = item.omniaudio
    if item.hide_render:
        return False
    return mine.hint_range == "CLIP" or mine.hint_first <= frame <= mine.hint_last


def pieces(stretch: list[Heading], frame: float) -> Iterator[tuple[float, float, Vector]]:
    """Start, end and one direction of each part of a stretch that stays about there.

    Parameters
    ----------
    frame
        Seconds that a frame lasts.
    """
    starts = [0]
    for index, (time, towards) in enumerate(stretch):
        begun, before = stretch[starts[-1]]
        if time - begun > SHORTEST - frame / 2 and before.angle(towards) > MOVED:
            starts.append(index)
    end = stretch[-1][0] + frame
    if len(starts) > 1 and end - stretch[starts[-1]][0] < SHORTEST - frame / 2:
        starts.pop()  # what is left over belongs to the one before
    last = len(starts) - 1
    for number, index in enumerate(starts):
        until = len(stretch) if number == last else starts[number + 1]
        middle = stretch[(index + until - 1) // 2][1]
        start = stretch[index][0] - (FADE / 2 if number else 0.0)
        yield start, end if number == last else stretch[until][0] + FADE / 2, middle
