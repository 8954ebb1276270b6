"""Objects that are marked as something, and where they are as seen from the active camera.

Their places are read frame by frame, so that parents, constraints and drivers count.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

from mathutils import Matrix, Vector

from omniaudio_studio.errors import OptionError

from .sweep import frames_of

NOWHERE = 1e-6  # metres: what is so near to the camera has no direction

Seen = list[tuple[Any, Vector]]


def objects(scene: Any, mark: str) -> list[Any]:
    """The objects whose setting ``mark`` is on and that can be rendered.

    One that is hidden from rendering is left out, unless that may be animated.
    """
    found: dict[Any, None] = {}
    # A scene that was never looked at has no such tree yet, and nothing of it is left out.
    layer = scene.view_layers[0].layer_collection
    waiting = [(scene.collection, layer)]
    while waiting:
        collection, layer = waiting.pop(0)
        if collection.hide_render or (layer is not None and layer.exclude):
            continue
        found |= dict.fromkeys(collection.objects)
        below = {} if layer is None else {child.collection: child for child in layer.children}
        waiting += [(child, below.get(child)) for child in collection.children]
    return [
        item
        for item in found
        if getattr(item.omniaudio, mark)
        and (not item.hide_render or item.animation_data is not None)
    ]


def need_camera(scene: Any) -> None:
    """Refuse a scene that nobody listens in; raises OptionError."""
    if scene.camera is None:
        raise OptionError(
            "objects are heard from the active camera, and the scene has none; add a camera and "
            "make it active"
        )


def followed(
    scene: Any, items: list[Any], first: int, last: int
) -> Generator[tuple[int, Seen], None, None]:
    """Where objects are on every frame from ``first`` to ``last``; close it when done.

    The scene is moved through all these frames and back; nothing else of it is changed.

    Yields
    ------
    frame, seen
        For each of ``items``, itself as it is on the frame, and the way (metres, in the world's
        axes) from the active camera to it.
    """
    with _evaluated(scene, items), closing(frames_of(scene, first, last)) as frames:
        for frame, graph in frames:
            ear = scene.camera.evaluated_get(graph).matrix_world.translation
            now = [original.evaluated_get(graph) for original in items]
            yield frame, [(item, item.matrix_world.translation - ear) for item in now]


def directions(
    scene: Any, items: list[Any], first: int, last: int, into_clip: Matrix
) -> Generator[tuple[int, Seen], None, None]:
    """As `followed`, with the ways in the axes of the clip's sphere.

    Parameters
    ----------
    into_clip
        The rotation (3 x 3) from the world's axes to those of the clip's sphere.
    """
    with closing(followed(scene, items, first, last)) as frames:
        for frame, seen in frames:
            yield frame, [(item, into_clip @ away) for item, away in seen]


@contextmanager
def _evaluated(scene: Any, items: list[Any]) -> Iterator[None]:
    """Show objects meanwhile that are hidden from view: Blender does not follow those."""
    layer = scene.view_layers[0]
    hidden = [(item, item.hide_viewport, item.hide_get(view_layer=layer)) for item in items]
    try:
        for item, in_all, in_layer in hidden:
            if in_all and item.library is None:
                item.hide_viewport = False
            if in_layer:
                item.hide_set(False, view_layer=layer)
        yield
    finally:
        for item, in_all, in_layer in hidden:
            if in_all and item.library is None:
                item.hide_viewport = True
            if in_layer:
                item.hide_set(True, view_layer=layer)
