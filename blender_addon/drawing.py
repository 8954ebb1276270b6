"""Text in panels, which do not break lines themselves."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

CHARACTER = 6.6  # pixels of a line that one takes on average, at Blender's usual scale
ICON_AND_EDGES = 60  # pixels


def lines(layout: Any, text: str, icon: str, *, alert: bool = False) -> None:
    """A text over several lines, the first with an icon."""
    column = layout.column(align=True)
    column.alert = alert
    for number, line in enumerate(textwrap.wrap(text, max(width(), 20))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


def width() -> int:
    """Characters that fit into a line of the panel that is being drawn."""
    region = bpy.context.region
    if region is None:
        return 80
    scale = bpy.context.preferences.system.ui_scale
    return int((region.width / scale - ICON_AND_EDGES) / CHARACTER)
