"""The take's sound for headphones is silent while the preview sounds.

A strip that was muted for the preview says so itself. So it is found again, and heard again, after
an undo, in another session, or in a copy of the scene.
"""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat, takes

_MARK = "omniaudio_preview_mutes"


def mute(scene: Any, key: str) -> None:
    """Mute a take's sound for headphones; where it is muted already, it stays as it is."""
    strip = takes.binaural_strip(scene, key)
    if strip is not None and not strip.mute:
        strip.mute = True
        strip[_MARK] = True


def release() -> None:
    """Let everything be heard that was muted here, in any scene."""
    for scene in bpy.data.scenes:
        if scene.library is not None:
            continue
        for strip in compat.all_strips(scene):
            if _MARK in strip:
                del strip[_MARK]
                strip.mute = _another_is_heard(scene, strip)


def _another_is_heard(scene: Any, strip: Any) -> bool:
    """Whether another take of the same clip was chosen meanwhile: then it is heard instead."""
    chosen = takes.current(scene)
    if chosen is None or chosen.key == strip.omniaudio.take:
        return False
    field = takes.field_strip(scene, chosen.key)
    return field is not None and field.omniaudio.clip == strip.omniaudio.clip
