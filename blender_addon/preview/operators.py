"""The preview's buttons and its box in the panels."""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat
from ..drawing import lines
from ..operators.base import OneLine, register_all, target, unregister_all
from .control import preview


class PreviewStart(OneLine, bpy.types.Operator):
    """Hear the take turn with the view: with the viewport, or with the active camera"""

    bl_idname = "omniaudio.preview_start"
    bl_label = "Listen with the View"
    bl_options = {"REGISTER"}  # noqa: RUF012

    def work(self, context: Any) -> set[str]:
        scene, _ = target(context)
        preview.start(scene)
        return {"FINISHED"}


class PreviewStop(bpy.types.Operator):
    """Hear the take facing the front again"""

    bl_idname = "omniaudio.preview_stop"
    bl_label = "Stop Listening"
    bl_options = {"REGISTER"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        preview.stop()
        return {"FINISHED"}


class PreviewToggle(OneLine, bpy.types.Operator):
    """Hear the take turn with the view, or facing the front again"""

    bl_idname = "omniaudio.preview_toggle"
    bl_label = "Listen with the View"
    bl_options = {"REGISTER"}  # noqa: RUF012

    def work(self, context: Any) -> set[str]:
        scene, _ = target(context)
        if preview.running:
            preview.stop()
        else:
            preview.start(scene)
        return {"FINISHED"}


def draw(layout: Any, context: Any) -> None:
    """The preview in a panel: whose view, on or off, and what became of it."""
    scene, _ = target(context)
    layout.prop(scene.omniaudio, "preview_from")
    if preview.fraction is not None:
        compat.progress(layout, preview.fraction, f"making it turn: {100 * preview.fraction:.0f} %")
    if preview.running:
        layout.operator("omniaudio.preview_stop", icon="PAUSE")
    else:
        layout.operator("omniaudio.preview_start", icon="PLAY")
    problem = preview.message or (preview.live.problem if preview.live is not None else "")
    if problem:
        lines(layout, problem, "INFO")


CLASSES = (PreviewStart, PreviewStop, PreviewToggle)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
