"""Files for elsewhere, through the core: Blender's mixer would fold the field down."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliverables import DELIVERABLES, ordered

from .. import delivery, takes
from ..jobs import Task, runner
from ..properties import FILES, RATES, SUBTYPES
from .base import Beside, register_all, target, unregister_all


class Deliver(Beside, bpy.types.Operator):
    """Write the take as it is trimmed in the sequencer, with what goes beside it"""

    bl_idname = "omniaudio.deliver"
    bl_label = "Deliver Take"

    filepath: StringProperty(
        name="File",
        description="The sound field to write",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(default="*.wav", options={"HIDDEN"})
    check_existing: BoolProperty(default=True, options={"HIDDEN"})
    files: EnumProperty(
        name="Files",
        description="What is made beside the sound field; videos copy the clip's pictures",
        items=FILES,
        options={"ENUM_FLAG", "SKIP_SAVE"},
        default={"binaural"},
    )
    head: EnumProperty(
        name="Head",
        description="Where the listener looks in files for headphones",
        items=[
            ("FRONT", "Front", "To the front of the sound field, all the time"),
            ("CAMERA", "Active camera", "Where the active camera looks, along its animation"),
        ],
    )
    provenance: BoolProperty(
        name="State Origin", description="State in the files how their sound was made", default=True
    )
    rate: EnumProperty(
        name="Sample rate",
        items=RATES,
    )
    subtype: EnumProperty(
        name="Format",
        items=SUBTYPES,
        description="Sample format of the sound field",
    )
    use_loudness: BoolProperty(name="Loudness", description="Else the level is kept")
    loudness: FloatProperty(
        name="LUFS", description="Integrated loudness", min=-70.0, max=0.0, default=-23.0
    )
    overwrite: BoolProperty(
        name="Overwrite", description="Replace files that are there", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        scene, _ = target(context)
        if scene is None or takes.current(scene) is None:
            cls.poll_message_set("there is no take to deliver; generate one first")
            return False
        return super().poll(context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        scene, strip = target(context)
        take = takes.of_strip(scene, strip) or takes.current(scene)
        if take is None:
            return {"CANCELLED"}
        if not self.filepath:
            self.filepath = str(delivery.suggested(take))
        if not self.properties.is_property_set("files"):
            self.files = scene.omniaudio.files
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        grid = layout.grid_flow(columns=2, even_columns=True, align=True)
        grid.use_property_split = False
        grid.prop(self, "files")
        row = layout.row()
        row.enabled = self._heard()
        row.prop(self, "head")
        for name in ("rate", "subtype", "use_loudness"):
            layout.prop(self, name)
        row = layout.row()
        row.enabled = self.use_loudness
        row.prop(self, "loudness")
        layout.prop(self, "provenance")
        layout.prop(self, "overwrite")

    def _heard(self) -> bool:
        """Whether anything is made for headphones."""
        return any(DELIVERABLES[name].head for name in self.files)

    def work(self, context: Any) -> set[str]:
        # The file browser ends here, in a window: there the timer does the rest.
        return self.run(context, bpy.app.background or not context.window)

    def begin(self, context: Any) -> Task:
        scene, strip = target(context)
        take = takes.of_strip(scene, strip) or takes.current(scene)
        if take is None:
            raise OptionError("there is no take to deliver; generate one first")
        request = delivery.request(
            scene,
            take,
            Path(bpy.path.abspath(self.filepath)) if self.filepath else delivery.suggested(take),
            deliverables=("wav", *ordered(self.files)),
            follow_camera=self._heard() and self.head == "CAMERA",
            rate=int(self.rate),
            subtype=self.subtype,
            loudness=self.loudness if self.use_loudness else None,
            provenance=self.provenance,
            overwrite=self.overwrite,
        )
        return runner.start(
            f"delivery of {take.wav.stem}",
            scene,
            delivery.steps(request),
            frozenset([request.output]),
        )


CLASSES = (Deliver,)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
