"""Generate, place the clip's own sound, cancel, and what helps before it."""

import random
from typing import Any

import bpy
from bpy.props import StringProperty

from omniaudio_studio.errors import OutputError

from .. import clips, compat, generation, questions, spatializing, wanted
from ..jobs import Task, runner
from ..properties import MAX_SEED
from .base import Beside, OneLine, register_all, target, unregister_all


class IntoFolder(Beside):
    """Mixed into operators that make takes: they ask for a folder where there is none."""

    directory: StringProperty(
        name="Folder", description="Where takes go", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        scene, _ = target(context)
        try:
            wanted.output_folder(scene)
        except OutputError as error:
            self.report({"WARNING"}, str(error))
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return super().invoke(context, event)

    def work(self, context: Any) -> set[str]:
        chosen = bool(self.directory)  # in the file browser, which ends here
        return self.run(context, bpy.app.background or not chosen)

    def begin(self, context: Any) -> Task:
        scene, strip = target(context)
        if self.directory:
            scene.omniaudio.folder = self.directory
        return self.start(scene, strip)

    def start(self, scene: Any, strip: Any | None) -> Task:
        """Start the task; raises OmniAudioError."""
        raise NotImplementedError


class Generate(IntoFolder, bpy.types.Operator):
    """Generate the sound field of the 360 clip, beside Blender, and put it into the scene"""

    bl_idname = "omniaudio.generate"
    bl_label = "Generate Spatial Audio"

    def start(self, scene: Any, strip: Any | None) -> Task:
        return generation.start(scene, strip)


class PlaceOwnSound(IntoFolder, bpy.types.Operator):
    """Give the clip's own sound its directions, beside Blender, and put it into the scene"""

    bl_idname = "omniaudio.place_own_sound"
    bl_label = "Place the Clip's Own Sound"

    def start(self, scene: Any, strip: Any | None) -> Task:
        return spatializing.start(scene, strip)


class Cancel(bpy.types.Operator):
    """Stop what is being done for this scene; takes that are finished stay"""

    bl_idname = "omniaudio.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        scene, _ = target(context)
        return scene is not None and runner.is_busy(scene)

    def execute(self, context: Any) -> set[str]:
        scene, _ = target(context)
        task = runner.of_scene(scene)
        if task is not None:
            runner.cancel(task)
            runner.tick()
        compat.redraw()
        return {"FINISHED"}


class RollSeed(bpy.types.Operator):
    """Another seed, by chance"""

    bl_idname = "omniaudio.roll_seed"
    bl_label = "Roll the Dice"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    shot: bpy.props.IntProperty(default=-1, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        scene, _ = target(context)
        settings = scene.omniaudio
        place = settings.shots[self.shot] if 0 <= self.shot < len(settings.shots) else settings
        place.seed = random.SystemRandom().randint(0, MAX_SEED)
        return {"FINISHED"}


class MatchFps(OneLine, bpy.types.Operator):
    """Set the scene to the frame rate of the clip, so that picture and sound keep in step"""

    bl_idname = "omniaudio.match_fps"
    bl_label = "Set the Scene to the Clip's Frame Rate"

    def work(self, context: Any) -> set[str]:
        scene, strip = target(context)
        task = runner.of_scene(scene)
        rate = getattr(task.error, "fps", None) if task is not None else None
        if rate is None:
            info = questions.wait_for("probe", path=str(clips.find(scene, strip).clip))
            rate = clips.rational(info["fps"])
        clips.set_fps(scene, rate)
        self.report({"INFO"}, f"the scene has {float(rate):g} frames a second now")
        return {"FINISHED"}


CLASSES = (Generate, PlaceOwnSound, Cancel, RollSeed, MatchFps)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
