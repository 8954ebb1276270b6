"""Hearing a take from where the view looks, live.

The analyst makes ten streams of the take (`omniaudio_studio.foa.head_streams`); Blender's own sound
device plays them, and their volumes follow the view.
"""

from . import control, operators
from .operators import draw

__all__ = ["draw", "register", "unregister"]


def register() -> None:
    """Called by the add-on."""
    operators.register()
    control.register()


def unregister() -> None:
    """Called by the add-on; the preview ends."""
    control.unregister()
    operators.unregister()
