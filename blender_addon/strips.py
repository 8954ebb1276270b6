"""Takes as strips of the sequencer: the field, muted, and the sound for headphones above it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from omniaudio_studio.errors import OutputError

from . import compat
from .clips import Source

MOST_CHANNELS = 128


@dataclass(frozen=True)
class Placement:
    """Where a take's sound lies on the time line, in frames of the scene.

    Attributes
    ----------
    start
        The frame at which the files' sample 0 sounds.
    left, right
        It is heard from ``left`` to before ``right``.
    """

    start: int
    left: int
    right: int


def placement(source: Source, clip_start: float, duration: float) -> Placement:
    """Where sound of ``duration`` seconds from ``clip_start`` seconds of the clip on belongs.

    It is heard only where the clip is seen: as trimmed as its strip is.
    """
    start = round(source.content_start + clip_start * source.fps)
    end = start + max(1, round(duration * source.fps))
    left = max(start, source.left)
    right = end if source.right is None else min(end, source.right)
    # What lies outside of all that is seen stays whole: the user may want to move it.
    return Placement(start, left, right) if left < right else Placement(start, start, end)


def place_of(strip: Any) -> Placement:
    """Where a sound strip lies."""
    return Placement(
        round(compat.content_start(strip)), compat.left_handle(strip), compat.right_handle(strip)
    )


def add_sound(
    scene: Any,
    beside: Any | None,
    path: Path,
    name: str,
    place: Placement,
    *,
    mute: bool,
) -> Any:
    """Add a sound strip on a free channel above ``beside``; returns it.

    Parameters
    ----------
    beside
        The clip's movie strip; None puts the sound into the scene's own strips.

    Raises
    ------
    OutputError
        If no channel is free.
    """
    strips = compat.siblings(scene, beside)
    lowest = 1 if beside is None else beside.channel + 1
    channel = free_channel(strips, lowest, place)
    strip = strips.new_sound(name, stored_path(path), channel, place.start)
    if compat.content_duration(strip) < 1:
        strips.remove(strip)
        raise OutputError(f"Blender cannot read {path} as sound; see whether it is still there")
    compat.set_handles(strip, place.left, place.right)
    strip.mute, strip.select = mute, False
    strip.show_waveform = not mute
    return strip


def free_channel(strips: Any, lowest: int, place: Placement) -> int:
    """The lowest channel from ``lowest`` on in which nothing lies where the sound goes."""
    taken = {
        strip.channel
        for strip in strips
        if compat.left_handle(strip) < place.right and compat.right_handle(strip) > place.left
    }
    for channel in range(lowest, MOST_CHANNELS + 1):
        if channel not in taken:
            return channel
    raise OutputError(
        f"all {MOST_CHANNELS} channels of the sequencer are taken where the sound goes; remove "
        "takes that are not needed any more"
    )


def stored_path(path: Path) -> str:
    """A path as the user's preferences have it kept in the .blend: relative to it, or whole."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            return bpy.path.relpath(os.fspath(path))
        except ValueError:  # on another drive
            pass
    return os.fspath(path)
