"""The panels: the same boxes in the sequencer, the properties editor and the 3D viewport."""

from __future__ import annotations

from . import places


def register() -> None:
    places.register()


def unregister() -> None:
    places.unregister()
