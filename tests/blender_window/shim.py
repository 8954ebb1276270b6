"""What the add-on takes for granted in Blender 4.5 and Debian's Blender 3.4 lacks. Tests only.

Runs inside Blender. Nothing of the add-on is replaced; Blender gets the newer names, and what 3.4
cannot do at all is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy


def install() -> None:
    """To be called before the add-on is imported; does nothing in newer Blenders."""
    if bpy.app.version >= (4, 4, 0):
        return
    bpy.types.Strip = bpy.types.Sequence
    bpy.types.SequenceEditor.strips = property(lambda editor: editor.sequences)
    bpy.types.SequenceEditor.strips_all = property(lambda editor: editor.sequences_all)
    bpy.types.MetaSequence.strips = property(lambda strip: strip.sequences)
    bpy.props.StringProperty = _known_options(bpy.props.StringProperty)
    bpy.types.UILayout.progress = _progress
    bpy.types.WindowManager.omniaudio_shown = bpy.props.FloatProperty(
        min=0.0, max=1.0, subtype="FACTOR", get=lambda _: _shown["factor"]
    )
    bpy.utils.register_cli_command = lambda *_: None
    bpy.utils.unregister_cli_command = lambda *_: None


def register() -> Any:
    """Import and register the add-on; returns it."""
    import blender_addon
    from blender_addon.preview import control

    for name in [name for name in control._HANDLERS if not hasattr(bpy.app.handlers, name)]:
        del control._HANDLERS[name]
    blender_addon.register()
    return blender_addon


def _known_options(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(**keywords: Any) -> Any:
        if "options" in keywords:
            keywords["options"] = keywords["options"] - {"PATH_SUPPORTS_BLEND_RELATIVE"}
        return make(**keywords)

    return made


def _progress(layout: Any, factor: float, type: str, text: str) -> None:
    """A bar, where Blender has none: a slider that shows the same."""
    _shown["factor"] = factor
    layout.prop(bpy.context.window_manager, "omniaudio_shown", slider=True, text=text)


_shown = {"factor": 0.0}
