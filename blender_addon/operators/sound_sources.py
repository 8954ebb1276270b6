"""Objects as sound sources."""

from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError, OptionError

from .. import placing, sources, takes
from ..jobs import Task, runner
from .base import Beside, OneLine, register_all, target, unregister_all


class MarkSource(bpy.types.Operator):
    """Make the selected objects sound sources, or no longer"""

    bl_idname = "omniaudio.mark_source"
    bl_label = "Sound Source"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.object is not None

    def execute(self, context: Any) -> set[str]:
        wanted = not context.object.omniaudio.is_source
        for item in {context.object, *context.selected_objects}:
            item.omniaudio.is_source = wanted
            if wanted and item.type == "SPEAKER" and item.data.sound is not None:
                self._convert(item, context.scene)
        return {"FINISHED"}

    def _convert(self, item: Any, scene: Any) -> None:
        try:
            sources.from_speaker(item, scene)
        except OmniAudioError as error:
            self.report({"WARNING"}, str(error))


class ConvertSpeakers(OneLine, bpy.types.Operator):
    """Make all speakers of the scene sound sources, with their sounds, levels and distances"""

    bl_idname = "omniaudio.convert_speakers"
    bl_label = "Convert Speakers"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return any(item.type == "SPEAKER" for item in context.scene.objects)

    def work(self, context: Any) -> set[str]:
        speakers = [
            item
            for item in context.scene.objects
            # What was converted may have been changed since; what is muted is not to be heard.
            if item.type == "SPEAKER" and not item.omniaudio.is_source and not item.data.muted
        ]
        if not speakers:
            raise OptionError("there is no speaker left to convert that is not muted")
        problems = []
        for item in speakers:
            try:
                sources.from_speaker(item, context.scene)
            except OmniAudioError as error:
                problems.append(str(error))
        for problem in problems:
            self.report({"WARNING"}, problem)
        if len(problems) == len(speakers):
            return {"CANCELLED"}
        self.report({"INFO"}, f"{len(speakers) - len(problems)} speakers are sound sources now")
        return {"FINISHED"}


class PlaceObjects(Beside, bpy.types.Operator):
    """Add the scene's sound sources to the take as it was generated: a new take"""

    bl_idname = "omniaudio.place_objects"
    bl_label = "Place Objects in the Take"

    def begin(self, context: Any) -> Task:
        scene, strip = target(context)
        take = takes.of_strip(scene, strip) or takes.current(scene)
        if take is None:
            raise OptionError("there is no take to place objects in; generate one first")
        if not sources.objects(scene):
            raise OptionError(
                "no object of the scene is a sound source; mark one in its object properties"
            )
        made = placing.plan(scene, take)
        return runner.start(
            f"objects in {take.wav.stem}",
            scene,
            placing.steps(made),
            frozenset([made.request.output]),
        )


CLASSES = (MarkSource, ConvertSpeakers, PlaceObjects)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
