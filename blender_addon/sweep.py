"""Moving a scene through its frames to read what moves in it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy


def frames_of(scene: Any, first: int, last: int) -> Generator[tuple[int, Any], None, None]:
    """Every frame from ``first`` to ``last`` with the scene evaluated there, and then back.

    Blender can evaluate a scene at one frame at a time only, and shows that it is busy meanwhile.

    Yields
    ------
    frame, depsgraph
    """
    before, subframe = scene.frame_current, scene.frame_subframe
    layer = scene.view_layers[0]
    manager = bpy.context.window_manager
    manager.progress_begin(first, last + 1)
    try:
        for frame in range(first, last + 1):
            scene.frame_set(frame)
            manager.progress_update(frame)
            yield frame, layer.depsgraph
    finally:
        manager.progress_end()
        scene.frame_set(before, subframe=subframe)
