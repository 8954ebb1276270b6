"""Where the panels are: every place gets a main panel, and those it needs below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from .. import preview, takes
from ..operators.base import register_all, target, unregister_all
from . import boxes, status

CATEGORY = "Spatial Audio"
Draw = Callable[[Any, Any, Any], None]


def _main(layout: Any, scene: Any, strip: Any) -> None:
    found, problem = boxes.look_up(scene, strip)
    status.draw(layout, scene, found)
    boxes.source(layout, scene, found, problem)
    boxes.sound(layout, scene)
    boxes.extent(layout, scene, found)


def _own_sound(layout: Any, scene: Any, strip: Any) -> None:
    boxes.own_sound(layout, scene)


def _shots(layout: Any, scene: Any, strip: Any) -> None:
    boxes.shots(layout, scene)


def _takes(layout: Any, scene: Any, strip: Any) -> None:
    boxes.take_list(layout, scene)


def _listen(layout: Any, scene: Any, strip: Any) -> None:
    preview.draw(layout, bpy.context)


def _objects(layout: Any, scene: Any, strip: Any) -> None:
    boxes.scene_objects(layout, scene)


def _output(layout: Any, scene: Any, strip: Any) -> None:
    boxes.output(layout, scene)


def _strip(layout: Any, scene: Any, strip: Any) -> None:
    take = takes.of_strip(scene, strip)
    if take is not None:
        boxes.take_details(layout, scene, take)
        boxes.delivery(layout, scene)
    else:
        _main(layout, scene, strip)


def _heard_strip(context: Any) -> bool:
    scene, strip = target(context)
    if strip is None:
        return False
    return strip.type in ("MOVIE", "IMAGE") or takes.of_strip(scene, strip) is not None


def _panel(
    name: str,
    label: str,
    place: dict[str, str],
    draw_it: Draw,
    *,
    parent: str = "",
    closed: bool = False,
    seen: Callable[[Any], bool] | None = None,
) -> type:
    def draw(self: Any, context: Any) -> None:
        scene, strip = target(context)
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_it(layout, scene, strip)

    def poll(cls: type, context: Any) -> bool:
        scene, _ = target(context)
        return scene is not None and (seen is None or seen(context))

    members: dict[str, Any] = {
        "__doc__": label,
        "__module__": __name__,
        "bl_idname": name,
        "bl_label": label,
        "draw": draw,
        "poll": classmethod(poll),
        **place,
    }
    if parent:
        members["bl_parent_id"] = parent
    if closed:
        members["bl_options"] = {"DEFAULT_CLOSED"}
    return type(name, (bpy.types.Panel,), members)


SUB_PANELS: tuple[tuple[str, str, Draw, bool], ...] = (
    ("takes", "Takes", _takes, False),
    ("own", "The Clip's Own Sound", _own_sound, True),
    ("listen", "Preview with the View", _listen, False),
    ("shots", "Shots", _shots, True),
    ("objects", "Objects", _objects, True),
    ("output", "Output", _output, True),
)


def _family(key: str, place: dict[str, str], *, closed: bool) -> list[type]:
    """A main panel with everything below it."""
    main = f"OMNIAUDIO_PT_{key}"
    panels = [_panel(main, "Spatial Audio", place, _main, closed=closed)]
    for name, label, draw_it, shut in SUB_PANELS:
        panels.append(_panel(f"{main}_{name}", label, place, draw_it, parent=main, closed=shut))
    return panels


SEQUENCER = {
    "bl_space_type": "SEQUENCE_EDITOR",
    "bl_region_type": "UI",
    "bl_category": CATEGORY,
}
VIEWPORT = {"bl_space_type": "VIEW_3D", "bl_region_type": "UI", "bl_category": CATEGORY}


def _properties(context: str) -> dict[str, str]:
    return {
        "bl_space_type": "PROPERTIES",
        "bl_region_type": "WINDOW",
        "bl_context": context,
    }


def _object_panel(name: str, label: str, draw_it: Callable[[Any, Any], None]) -> type:
    """A panel about the active object."""
    return _panel(
        f"OMNIAUDIO_PT_{name}",
        label,
        _properties("object"),
        lambda layout, scene, strip: draw_it(layout, bpy.context.object),
        closed=True,
        seen=lambda context: context.object is not None,
    )


CLASSES: tuple[type, ...] = (
    boxes.OMNIAUDIO_UL_shots,
    *_family("sequencer", SEQUENCER, closed=False),
    *_family("viewport", VIEWPORT, closed=False),
    *_family("scene", _properties("scene"), closed=True),
    *_family("world", _properties("world"), closed=True),
    _panel(
        "OMNIAUDIO_PT_strip",
        "Spatial Audio",
        _properties("strip"),
        _strip,
        seen=_heard_strip,
    ),
    _object_panel("object", "Sound Source", boxes.sound_object),
    _object_panel("object_own", "The Clip's Own Sound", boxes.own_sound_object),
    _object_panel("object_hint", "Hint for Generating", boxes.hint_object),
)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
