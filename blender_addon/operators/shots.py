"""Shots with their own CFG and seed: found in the clip, made by hand or taken from markers."""

from typing import Any

import bpy
from bpy.props import EnumProperty

from .. import clips, shot_list
from ..jobs import Task, runner
from .base import Beside, OneLine, register_all, target, unregister_all


class FindShots(Beside, bpy.types.Operator):
    """Look for cuts in the clip, beside Blender; what was listed before is replaced"""

    bl_idname = "omniaudio.find_shots"
    bl_label = "Find Shots"

    def begin(self, context: Any) -> Task:
        scene, strip = target(context)
        source = clips.find(scene, strip)
        return runner.start(f"shots of {source.name}", scene, shot_list.find(scene, source))


class AddShot(bpy.types.Operator):
    """Add a shot that begins at the current frame"""

    bl_idname = "omniaudio.add_shot"
    bl_label = "Add Shot"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        scene, _ = target(context)
        shot_list.add(scene, scene.frame_current)
        return {"FINISHED"}


class RemoveShot(bpy.types.Operator):
    """Remove the shot, or all of them"""

    bl_idname = "omniaudio.remove_shot"
    bl_label = "Remove Shot"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    which: EnumProperty(
        items=[("ACTIVE", "This one", ""), ("ALL", "All", "")], options={"SKIP_SAVE"}
    )

    def execute(self, context: Any) -> set[str]:
        scene, _ = target(context)
        settings = scene.omniaudio
        if self.which == "ALL":
            settings.shots.clear()
        elif 0 <= settings.active_shot < len(settings.shots):
            settings.shots.remove(settings.active_shot)
        settings.active_shot = max(0, min(settings.active_shot, len(settings.shots) - 1))
        return {"FINISHED"}


class ShotsFromMarkers(OneLine, bpy.types.Operator):
    """One shot for each marker of the time line; what was listed before is replaced"""

    bl_idname = "omniaudio.shots_from_markers"
    bl_label = "Shots from Markers"

    def work(self, context: Any) -> set[str]:
        scene, _ = target(context)
        if not scene.timeline_markers:
            self.report({"ERROR"}, "the time line has no markers; add them with M")
            return {"CANCELLED"}
        shot_list.replace(scene, sorted({marker.frame for marker in scene.timeline_markers}))
        return {"FINISHED"}


CLASSES = (FindShots, AddShot, RemoveShot, ShotsFromMarkers)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
