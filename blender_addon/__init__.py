"""OmniAudio Studio in Blender: "Generate spatial audio" for a 360 clip.

Everything that computes runs in processes of its own (`jobs`, `questions`); in Blender's there is
the standard library, `bpy` and the small part of the core that needs nothing else.
"""

from __future__ import annotations

import atexit

from . import command, jobs, operators, panels, preferences, preview, probing, properties

MODULES = (properties, preferences, jobs, probing, preview, operators, panels, command)


def register() -> None:
    """Called by Blender when the extension is enabled."""
    for module in MODULES:
        module.register()
    # Blender may end without unregistering anything; no process of ours outlives it.
    atexit.register(jobs.close_all)


def unregister() -> None:
    """Called by Blender when it is disabled, and when Blender ends."""
    atexit.unregister(jobs.close_all)
    for module in reversed(MODULES):
        module.unregister()
