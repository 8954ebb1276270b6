"""From where a scene is looked at: a 3D viewport or the active camera."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .orientation import Rows

# Looks along +X, the field's front, with +Z up: where there is neither viewport nor camera.
FRONT: Rows = ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))

_MOVED = 1e-6


def windows(scene: Any) -> Iterator[Any]:
    """The windows that show a scene, or edit its strips."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            pinned = getattr(window.workspace, "sequencer_scene", None)
            if scene in (window.scene, pinned):
                yield window


def playing(scene: Any) -> bool:
    """Whether a scene is played in one of its windows."""
    return any(window.screen.is_animation_playing for window in windows(scene))


def of_region(region: Any) -> Rows:
    """The rotation of a viewport (a `RegionView3D`), from its axes to the world's."""
    return _rows(region.view_rotation.to_matrix())


def of_camera(camera: Any, layer: Any) -> Rows:
    """The rotation of a camera as it stands now, constraints and animation included."""
    graph = layer.depsgraph if layer is not None else None
    placed = camera if graph is None else camera.evaluated_get(graph)
    # By the quaternion: a camera that is scaled or sheared still looks somewhere.
    return _rows(placed.matrix_world.to_quaternion().to_matrix())


class Viewpoint:
    """Whose view counts, when there are several: the viewport that was turned last."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], Rows] = {}
        self._followed: tuple[int, int] | None = None

    def rotation(self, scene: Any, source: str) -> Rows:
        """The rotation from the view's axes to the world's.

        Parameters
        ----------
        source : {"VIEW", "CAMERA"}
            A viewport that looks through a camera is that camera. Where there is no viewport the
            active camera counts, and without that the front.
        """
        if source == "VIEW":
            found = self._viewport(scene)
            if found is not None:
                window, space = found
                if space.region_3d.view_perspective != "CAMERA":
                    return of_region(space.region_3d)
                camera = space.camera if space.use_local_camera else window.scene.camera
                if camera is not None:
                    return of_camera(camera, window.view_layer)
        for window in windows(scene):
            camera = scene.camera or window.scene.camera
            if camera is not None:
                return of_camera(camera, window.view_layer)
        return FRONT if scene.camera is None else of_camera(scene.camera, scene.view_layers[0])

    def _viewport(self, scene: Any) -> tuple[Any, Any] | None:
        found = {}
        for number, window in enumerate(windows(scene)):
            for place, area in enumerate(window.screen.areas):
                if area.type == "VIEW_3D":
                    found[number, place] = (window, area)
        if not found:
            return None
        rotations = {
            key: of_region(area.spaces.active.region_3d) for key, (_, area) in found.items()
        }
        for key, rotation in rotations.items():
            if key in self._seen and _differs(self._seen[key], rotation):
                self._followed = key
        self._seen = rotations
        if self._followed not in found:
            self._followed = max(found, key=lambda key: found[key][1].width * found[key][1].height)
        window, area = found[self._followed]
        return window, area.spaces.active


def _rows(matrix: Any) -> Rows:
    first, second, third = (tuple(row) for row in matrix)
    return first, second, third


def _differs(one: Rows, other: Rows) -> bool:
    return any(
        abs(a - b) > _MOVED
        for row, its in zip(one, other, strict=True)
        for a, b in zip(row, its, strict=True)
    )
