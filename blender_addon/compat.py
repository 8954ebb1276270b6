"""What differs between the Blenders that are supported (4.5 LTS to 5.2 LTS), and only that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

# Names of 5.2 first; it deprecates the older ones, which 4.5 and 5.0 have.
_LEFT = ("left_handle", "frame_final_start")
_RIGHT = ("right_handle", "frame_final_end")
_CONTENT_START = ("content_start", "frame_start")
_CONTENT_DURATION = ("content_duration", "frame_duration")
_TRIM_START = ("content_trim_start", "animation_offset_start")
_TRIM_END = ("content_trim_end", "animation_offset_end")

# Blender may keep such a property relative to the .blend ("//folder").
RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"}


def _name(strip: Any, names: tuple[str, str]) -> str:
    return names[0] if names[0] in strip.bl_rna.properties else names[1]


def left_handle(strip: Any) -> int:
    """The first frame on which a strip is shown or heard."""
    return int(getattr(strip, _name(strip, _LEFT)))


def right_handle(strip: Any) -> int:
    """The frame after the last one on which a strip is shown or heard."""
    return int(getattr(strip, _name(strip, _RIGHT)))


def set_handles(strip: Any, left: int, right: int) -> None:
    """Trim a strip to the frames from ``left`` to before ``right``; its content stays in place."""
    setattr(strip, _name(strip, _LEFT), left)
    setattr(strip, _name(strip, _RIGHT), right)


def content_start(strip: Any) -> float:
    """The frame at which the strip's content begins, whether it is trimmed away or not."""
    return float(getattr(strip, _name(strip, _CONTENT_START)))


def content_duration(strip: Any) -> int:
    """Frames of the time line that the whole content takes."""
    return int(getattr(strip, _name(strip, _CONTENT_DURATION)))


def whole_start(strip: Any) -> float:
    """The frame of a movie's first picture, also where a hard cut took it out of the content."""
    return content_start(strip) - int(getattr(strip, _name(strip, _TRIM_START)))


def whole_duration(strip: Any) -> int:
    """Frames of the time line that a movie takes with what hard cuts took out."""
    trimmed = [getattr(strip, _name(strip, names)) for names in (_TRIM_START, _TRIM_END)]
    return content_duration(strip) + int(sum(trimmed))


def is_retimed(strip: Any) -> bool:
    """Whether keys give parts of a strip another speed: its first and last one alone do not."""
    return len(getattr(strip, "retiming_keys", ())) > 2


def sequencer_scene(context: Any) -> Any:
    """The scene whose sequencer is on screen: 5.0 and later let a workspace pin one."""
    return getattr(context, "sequencer_scene", None) or context.scene


def all_strips(scene: Any) -> Iterator[Any]:
    """Every strip of a scene, those inside metas too."""
    if scene.sequence_editor is not None:
        yield from scene.sequence_editor.strips_all


def strip_named(scene: Any, name: str) -> Any | None:
    """A strip by its name, inside metas too."""
    return next((strip for strip in all_strips(scene) if strip.name == name), None)


def siblings(scene: Any, strip: Any | None) -> Any:
    """The collection that a strip lies in, to add others beside it: its meta's, or the scene's."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    parent = strip.parent_meta() if strip is not None else None
    return editor.strips if parent is None else parent.strips


def scene_of(uid: int, name: str) -> Any:
    """A scene again, however it is called by now; None where it is gone.

    References to Blender's data do not outlive an undo; the session's number of an ID does.
    """
    for scene in bpy.data.scenes:
        if uid and session_uid(scene) == uid:
            return scene
    return None if uid else bpy.data.scenes.get(name)


def session_uid(block: Any) -> int:
    """The number of a data block in this session; 0 where this Blender has none."""
    return int(getattr(block, "session_uid", 0))


def progress(layout: Any, factor: float, text: str) -> None:
    """A progress bar in a panel."""
    layout.progress(factor=factor, type="BAR", text=text)


def package() -> str:
    """The name that Blender knows this add-on by: ``bl_ext.<repository>.omniaudio_studio``."""
    return __package__ or "blender_addon"


def undo_push(message: str) -> None:
    """One step for Ctrl+Z, for what was changed outside an operator (in a timer)."""
    windows = bpy.context.window_manager.windows
    if bpy.context.window is None and len(windows):
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message=message)
    else:
        bpy.ops.ed.undo_push(message=message)


def redraw() -> None:
    """Have our panels drawn anew: the side bars, and the editors that are all panels."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type in ("PROPERTIES", "PREFERENCES"):
                    area.tag_redraw()
                elif area.type in ("SEQUENCE_EDITOR", "VIEW_3D"):
                    for region in area.regions:
                        if region.type == "UI":
                            region.tag_redraw()
