"""Listening to one take or another, and taking one out of the scene."""

from typing import Any

import bpy
from bpy.props import StringProperty

from .. import compat, recall, takes
from .base import OneLine, register_all, target, unregister_all


class ChooseTake(bpy.types.Operator):
    """Listen to this take; the clip's other takes are muted"""

    bl_idname = "omniaudio.choose_take"
    bl_label = "Listen to Take"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    key: StringProperty(options={"HIDDEN"})

    def execute(self, context: Any) -> set[str]:
        scene, _ = target(context)
        takes.choose(scene, self.key)
        compat.redraw()
        return {"FINISHED"}


class RemoveTake(bpy.types.Operator):
    """Take the strips of this take out of the sequencer; its files stay where they are"""

    bl_idname = "omniaudio.remove_take"
    bl_label = "Remove Take"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    key: StringProperty(options={"HIDDEN"})

    def execute(self, context: Any) -> set[str]:
        scene, _ = target(context)
        takes.remove(scene, self.key)
        compat.redraw()
        return {"FINISHED"}


class UseTakeSettings(OneLine, bpy.types.Operator):
    """Give the scene the settings that this take was made with, as its sidecar tells them"""

    bl_idname = "omniaudio.use_take_settings"
    bl_label = "Use Its Settings"

    key: StringProperty(options={"HIDDEN"})

    def work(self, context: Any) -> set[str]:
        scene, _ = target(context)
        strip = takes.field_strip(scene, self.key)
        if strip is None:
            self.report({"ERROR"}, "that take is not in the scene any more")
            return {"CANCELLED"}
        left = recall.use_settings(scene, strip)
        if left:
            self.report({"INFO"}, left)
        return {"FINISHED"}


CLASSES = (ChooseTake, RemoveTake, UseTakeSettings)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
