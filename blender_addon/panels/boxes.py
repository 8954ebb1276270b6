"""The settings and lists, as functions that draw them anywhere."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError

from .. import catalogue, clips, hints, sources, takes, world
from .. import own_sound as carriers
from ..drawing import lines


def look_up(scene: Any, strip: Any) -> tuple[clips.Source | None, str]:
    """Which clip is meant, or why there is none."""
    try:
        return clips.find(scene, strip), ""
    except OmniAudioError as error:
        return None, str(error)


def source(layout: Any, scene: Any, found: clips.Source | None, problem: str) -> None:
    """The clip that is meant, or why there is none."""
    layout.prop(scene.omniaudio, "source")
    if found is None:
        lines(layout, problem, "ERROR")
        return
    icon = "FILE_MOVIE" if found.kind == "STRIP" else "WORLD"
    layout.label(text=found.clip.name, icon=icon)


def sound(layout: Any, scene: Any) -> None:
    """Model, guidance, seed, steps, takes."""
    settings = scene.omniaudio
    layout.prop(settings, "bundle", icon="FILE_3D")
    row_of = catalogue.bundle(settings.bundle)
    if row_of is not None and row_of["problem"]:
        lines(layout, str(row_of["problem"]), "ERROR", alert=True)
    _optional(layout, settings, "use_cfg", "cfg", row_of)
    row = layout.row(align=True)
    row.prop(settings, "seed")
    row.operator("omniaudio.roll_seed", text="", icon="FILE_REFRESH").shot = -1
    # One that was chosen can be left, whatever the model is.
    fast = settings.sampler != "euler"
    few = row_of.get("reflow") if row_of is not None else None
    if few or fast:
        layout.prop(settings, "sampler")
    _optional(layout, settings, "use_steps", "steps", {"sampler": few} if few and fast else row_of)
    layout.prop(settings, "takes")


def extent(layout: Any, scene: Any, found: clips.Source | None) -> None:
    """Range, front, front view and the clip's own sound, for the clip that is meant."""
    settings = scene.omniaudio
    by_hand = True
    layout.prop(settings, "range")
    if settings.range == "FRAMES":
        column = layout.column(align=True)
        column.prop(settings, "first_frame")
        column.prop(settings, "last_frame")
    if found is not None and found.kind == "WORLD":
        layout.prop(settings, "yaw_from_world")
        by_hand = not settings.yaw_from_world
        if not by_hand:
            _world_front(layout, scene)
    if by_hand:
        layout.prop(settings, "yaw")
    layout.prop(settings, "front_view")
    if settings.front_view == "ANGLE":
        layout.prop(settings, "front_azimuth")
    layout.prop(settings, "mix", slider=True)
    column = layout.column()
    column.enabled = settings.mix > 0.0
    column.prop(settings, "bed")
    if settings.bed == "PLACED":
        column.prop(settings, "mix_field")
    column.prop(settings, "duck")


def own_sound(layout: Any, scene: Any) -> None:
    """How the clip's own sound is placed."""
    settings = scene.omniaudio
    layout.prop(settings, "place_method")
    layout.prop(settings, "recording")
    layout.prop(settings, "width", slider=True)
    if settings.place_method != "given":
        layout.prop(settings, "max_sources")
        return
    found = carriers.objects(scene)
    for item in found:
        layout.label(text=item.name, icon="PIVOT_CURSOR")
    if not found:
        lines(layout, "no object carries it; mark one in its object properties", "INFO")


def _world_front(layout: Any, scene: Any) -> None:
    try:
        yaw, tilted = world.front_yaw(scene), world.is_tilted(scene)
    except OmniAudioError as error:
        lines(layout, str(error), "ERROR", alert=True)
        return
    layout.label(text=f"the world's front is at {math.degrees(yaw):+.1f} degrees of the clip")
    if tilted:
        lines(layout, "the environment is tilted: files keep the clip's own horizon", "INFO")


def _optional(layout: Any, settings: Any, use: str, name: str, bundle: Any) -> None:
    """A value that is the model's own unless it is switched on."""
    row = layout.row(align=True, heading=settings.bl_rna.properties[name].name)
    row.prop(settings, use, text="")
    field = row.row(align=True)
    field.enabled = getattr(settings, use)
    if not getattr(settings, use) and bundle is not None and bundle["sampler"]:
        field.label(text=f"{bundle['sampler'][name]:g} (the model's)")
    else:
        field.prop(settings, name, text="")


def output(layout: Any, scene: Any) -> None:
    """Where files go and what they are like."""
    settings = scene.omniaudio
    layout.prop(settings, "folder")
    layout.prop(settings, "rate")
    layout.prop(settings, "subtype")
    row = layout.row(align=True, heading="Loudness")
    row.prop(settings, "use_loudness", text="")
    field = row.row(align=True)
    field.enabled = settings.use_loudness
    field.prop(settings, "loudness", text="LUFS")
    layout.prop(settings, "device")
    layout.prop(settings, "projection")
    if settings.projection == "flat":
        for name in ("hfov", "camera_azimuth", "camera_elevation"):
            layout.prop(settings, name)
    layout.prop(settings, "stereo")


class OMNIAUDIO_UL_shots(bpy.types.UIList):
    """Shots: the frame, and values of their own."""

    def draw_item(
        self,
        context: Any,
        layout: Any,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        row = layout.row(align=True)
        row.prop(item, "start", text="", emboss=False)
        for use, name in (("use_cfg", "cfg"), ("use_seed", "seed")):
            part = row.row(align=True)
            part.prop(item, use, text="")
            value = part.row(align=True)
            value.enabled = getattr(item, use)
            value.prop(item, name)
        row.operator("omniaudio.roll_seed", text="", icon="FILE_REFRESH").shot = index


def shots(layout: Any, scene: Any) -> None:
    """The list of shots and what changes it."""
    settings = scene.omniaudio
    row = layout.row()
    row.template_list("OMNIAUDIO_UL_shots", "", settings, "shots", settings, "active_shot", rows=3)
    column = row.column(align=True)
    column.operator("omniaudio.add_shot", text="", icon="ADD")
    column.operator("omniaudio.remove_shot", text="", icon="REMOVE").which = "ACTIVE"
    column.separator()
    column.operator("omniaudio.remove_shot", text="", icon="X").which = "ALL"
    row = layout.row(align=True)
    row.operator("omniaudio.find_shots", icon="VIEWZOOM")
    row.operator("omniaudio.shots_from_markers", text="From Markers", icon="MARKER")


def take_list(layout: Any, scene: Any) -> None:
    """The takes, which of them is heard, and what made that one."""
    found = takes.all_of(scene)
    if not found:
        layout.label(text="nothing was generated yet")
        return
    heard = takes.chosen(scene, found)
    column = layout.column(align=True)
    for take in found:
        mine = heard is not None and take.key == heard.key
        row = column.row(align=True)
        row.operator(
            "omniaudio.choose_take",
            text=take.wav.stem,
            icon="RADIOBUT_ON" if mine else "RADIOBUT_OFF",
            depress=mine,
        ).key = take.key
        row.operator("omniaudio.remove_take", text="", icon="X").key = take.key
    if heard is not None:
        take_details(layout, scene, heard)
        delivery(layout, scene)


def delivery(layout: Any, scene: Any) -> None:
    """What leaves, and the button for it."""
    grid = layout.grid_flow(columns=3, even_columns=True, align=True)
    grid.use_property_split = False
    grid.prop(scene.omniaudio, "files")
    layout.operator("omniaudio.deliver", text="Deliver Take...", icon="EXPORT")


def take_details(layout: Any, scene: Any, take: takes.Take) -> None:
    """What a take was made with, from its strip."""
    strip = takes.field_strip(scene, take.key)
    if strip is None:
        return
    mine = strip.omniaudio
    column = layout.column(align=True)
    if mine.placed:
        sure = "" if mine.placed == "given" else f", confidence {100 * mine.confidence:.0f} %"
        column.label(text=f"the clip's own sound, placed: {mine.placed}")
        column.label(text=f"sources: {mine.directions}{sure}")
    else:
        column.label(text=f"{mine.bundle}, seed {mine.seed}, CFG {mine.cfg:g}, {mine.steps} steps")
        column.label(text=f"made on {mine.provider}")
    if mine.yaw:
        column.label(text=f"its front is at {math.degrees(mine.yaw):+.1f} degrees of the clip")
    if mine.objects:
        column.label(text=f"with {mine.objects} objects of the scene")
    if not take.wav.is_file():
        column.label(text=f"its file is missing: {Path(take.wav).name}", icon="ERROR")
    layout.operator("omniaudio.use_take_settings", icon="LOOP_BACK").key = take.key


def scene_objects(layout: Any, scene: Any) -> None:
    """The objects that are heard, and what to do with them; those that are hints."""
    for item in sources.objects(scene):
        layout.label(text=item.name, icon="SPEAKER")
    for item in hints.objects(scene):
        layout.label(text=f"{item.name} (hint)", icon="TRACKER")
    row = layout.row(align=True)
    row.operator("omniaudio.convert_speakers", icon="OUTLINER_OB_SPEAKER")
    row.operator("omniaudio.place_objects", text="Place in the Take", icon="EMPTY_AXIS")
    layout.prop(scene.omniaudio, "stems")


def sound_object(layout: Any, item: Any) -> None:
    """An object as a source of sound."""
    mine = item.omniaudio
    layout.prop(mine, "is_source")
    column = layout.column()
    column.active = mine.is_source
    column.prop(mine, "file")
    column.prop(mine, "volume")
    column.prop(mine, "start")
    column.prop(mine, "loop")
    column.prop(mine, "delay")
    column.prop(mine, "use_distance")
    if mine.use_distance:
        column.prop(mine, "reference")
        column.prop(mine, "rolloff")
        row = column.row(align=True, heading="Limit")
        row.prop(mine, "use_max_distance", text="")
        field = row.row()
        field.enabled = mine.use_max_distance
        field.prop(mine, "max_distance", text="")


def own_sound_object(layout: Any, item: Any) -> None:
    """An object as a place that the clip's own sound comes from."""
    mine = item.omniaudio
    layout.prop(mine, "carries_sound")
    column = layout.column()
    column.active = mine.carries_sound
    column.prop(mine, "share", slider=True)
    column.prop(mine, "stem")


def hint_object(layout: Any, item: Any) -> None:
    """An object as a direction that what is generated is pulled to."""
    mine = item.omniaudio
    layout.prop(mine, "is_hint")
    column = layout.column()
    column.active = mine.is_hint
    column.prop(mine, "strength", slider=True)
    column.prop(mine, "hint_range")
    if mine.hint_range == "FRAMES":
        column.prop(mine, "hint_first")
        column.prop(mine, "hint_last")
