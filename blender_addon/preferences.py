"""The add-on's preferences: what runs the models, and a test of it.

Blender reads the annotations of these classes, so they must not be postponed.
"""

import os
from dataclasses import dataclass, field
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from omniaudio_studio.errors import OmniAudioError

from . import catalogue, compat, questions, runtime
from .drawing import lines
from .jobs import runner


@dataclass
class Report:
    """What the runtime said of itself. ``lines`` for people; ``problem`` in one line."""

    running: bool = False
    problem: str = ""
    lines: list[str] = field(default_factory=list)


report = Report()


def changed(preferences: Any, context: Any) -> None:
    """Another runtime takes the next job; it may have other models."""
    catalogue.forget()
    report.running, report.problem, report.lines = False, "", []


class Preferences(bpy.types.AddonPreferences):
    """Where the models run."""

    bl_idname = compat.package()

    runtime: EnumProperty(
        name="Runtime",
        description="What runs the models",
        items=[
            ("BUNDLED", "The extension's own", "Comes with the extension and runs on the CPU"),
            (
                "ENVIRONMENT",
                "A separate environment",
                "Another Python that has OmniAudio Studio, like the desktop app's: for CUDA",
            ),
        ],
        default="BUNDLED",
        update=changed,
    )
    environment: StringProperty(
        name="Environment",
        description="Folder of the virtual environment, or its python; where it is empty, the "
        "desktop app's is looked for",
        subtype="FILE_PATH",
        update=changed,
    )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "runtime")
        if self.runtime == "ENVIRONMENT":
            layout.prop(self, "environment")
        layout.operator("omniaudio.test_runtime", icon="CHECKMARK")
        box = layout.column(align=True)
        if report.running:
            box.label(text="asking ...", icon="SORTTIME")
        if report.problem:
            lines(box, report.problem, "ERROR", alert=True)
        for line in report.lines:
            box.label(text=line)
        row = layout.row()
        row.operator("omniaudio.unload", icon="TRASH")
        row.operator("omniaudio.open_log", icon="TEXT")
        if runner.blocked:
            row.operator("omniaudio.try_again", icon="FILE_REFRESH")


class TestRuntime(bpy.types.Operator):
    """Ask the runtime for its version, its device and its models"""

    bl_idname = "omniaudio.test_runtime"
    bl_label = "Test Runtime"

    def execute(self, context: Any) -> set[str]:
        changed(None, context)
        report.running = True
        try:
            chosen = runtime.chosen()
            report.lines = [f"runtime: {chosen.name} ({chosen.python})"]
            questions.ask("device", _device_known, _failed)
        except OmniAudioError as error:
            _failed(str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background:
            questions.wait_until(lambda: not report.running)
            for line in report.lines:
                self.report({"INFO"}, line)
            if report.problem:
                self.report({"ERROR"}, report.problem)
                return {"CANCELLED"}
        return {"FINISHED"}


def _device_known(answer: dict[str, Any]) -> None:
    versions = answer["versions"]
    report.lines += [
        f"version: OmniAudio Studio {versions.get('OmniAudio Studio')}, Python "
        f"{versions.get('Python')}, NumPy {versions.get('numpy')}",
        f"device: {answer['chosen']} ({answer['reason']})",
    ]
    questions.ask("bundles", _bundles_known, _failed)


def _bundles_known(rows: list[dict[str, Any]]) -> None:
    catalogue.take(rows)
    for row in rows:
        what = row["problem"] or f"{row['title']} {row['version'] or ''}".strip()
        report.lines.append(f"model: {row['name']} - {what}")
    if not rows:
        report.problem = "the runtime has no model bundles; install the extension again"
    report.running = False


def _failed(line: str) -> None:
    report.running, report.problem = False, line


class Unload(bpy.types.Operator):
    """Free the memory that the model takes; it is loaded again when needed"""

    bl_idname = "omniaudio.unload"
    bl_label = "Free the Model's Memory"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return runner.worker_pid is not None

    def execute(self, context: Any) -> set[str]:
        runner.unload()
        return {"FINISHED"}


class OpenLog(bpy.types.Operator):
    """Show the log of the worker in a text block"""

    bl_idname = "omniaudio.open_log"
    bl_label = "Show Log"

    def execute(self, context: Any) -> set[str]:
        path = runner.log
        if path is None or not path.is_file():
            self.report({"INFO"}, "there is no log yet: nothing was generated in this session")
            return {"CANCELLED"}
        text = bpy.data.texts.get(path.name) or bpy.data.texts.new(path.name)
        text.from_string(path.read_text(encoding="utf-8", errors="replace")[-100_000:])
        self.report({"INFO"}, f"{path}{os.linesep}is in the text block {text.name}")
        return {"FINISHED"}


class TryAgain(bpy.types.Operator):
    """Allow the worker to be started again after it ended unasked several times"""

    bl_idname = "omniaudio.try_again"
    bl_label = "Try Again"

    def execute(self, context: Any) -> set[str]:
        runner.try_again()
        return {"FINISHED"}


CLASSES = (Preferences, TestRuntime, Unload, OpenLog, TryAgain)


def register() -> None:
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
