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


class Beside(OneLine):
    """Mixed into operators that start a task. A click goes on at once; a script gets the result.

    In the background no timer ticks, so that there a click waits too.
    """

    poll_message_set: Any

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Whether there is a scene, and no task of it runs."""
        scene, _ = target(context)
        if scene is None:
            return False
        if runner.is_busy(scene):
            cls.poll_message_set("something is being done for this scene: wait, or cancel it")
            return False
        return True

    def begin(self, context: Any) -> Task:
        """Start the task; raises OmniAudioError."""
        raise NotImplementedError

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Called by a click."""
        return self.in_one_line(self.run, context, bpy.app.background)

    def work(self, context: Any) -> set[str]:
        """Called by a script."""
        return self.run(context, True)

    def run(self, context: Any, wait: bool) -> set[str]:
        """Start the task; wait for its end and report it, or leave it to the timer."""
        task = self.begin(context)
        if not wait:
            compat.redraw()
            return {"FINISHED"}
        runner.wait(task)
        if task.state == DONE:
            self.report({"INFO"}, task.message)
            return {"FINISHED"}
        self.report({"ERROR"}, task.message)
        return {"CANCELLED"}


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
