"""What the operators share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError

from .. import compat
from ..jobs import DONE, Task, runner


class OneLine:
    """Mixed into operators: what is expected to go wrong becomes one line, never a traceback."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender wants a plain set
    report: Any

    def execute(self, context: Any) -> set[str]:
        """Called by scripts, and after a file browser."""
        return self.in_one_line(self.work, context)

    def work(self, context: Any) -> set[str]:
        """What the operator does; raises OmniAudioError."""
        raise NotImplementedError

    def in_one_line(self, work: Callable[..., set[str]], *arguments: Any) -> set[str]:
        """Do something; an error that is told to the user is reported."""
        try:
            return work(*arguments)
        except OmniAudioError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def finish(self, task: Task) -> set[str]:
        """Block until a task is over, and report what became of it."""
        runner.wait(task)
        if task.state == DONE:
            self.report({"INFO"}, task.message)
            return {"FINISHED"}
        self.report({"ERROR"}, task.message)
        return {"CANCELLED"}


def is_free(cls: Any, context: Any) -> bool:
    """For `poll`: whether there is a scene, and no task of it runs."""
    scene, _ = target(context)
    if scene is None:
        return False
    if runner.is_busy(scene):
        cls.poll_message_set("something is being done for this scene: wait for it, or cancel it")
        return False
    return True


def target(context: Any) -> tuple[Any, Any]:
    """The scene and the active strip that a button in this context means."""
    space = context.space_data
    kind = space.type if space is not None else ""
    scene = compat.sequencer_scene(context) if kind == "SEQUENCE_EDITOR" else context.scene
    if kind == "PROPERTIES" and getattr(space, "context", "") in ("STRIP", "STRIP_MODIFIER"):
        scene = compat.sequencer_scene(context)
    editor = scene.sequence_editor if scene is not None else None
    return scene, editor.active_strip if editor is not None else None


def register_all(kinds: Sequence[type]) -> None:
    for kind in kinds:
        bpy.utils.register_class(kind)


def unregister_all(kinds: Sequence[type]) -> None:
    for kind in reversed(kinds):
        bpy.utils.unregister_class(kind)
