"""What the buttons do. Each operator is thin: it calls one function and reports its one line."""

from __future__ import annotations

from . import deliver, generate, shots, sound_sources, takes

MODULES = (generate, shots, takes, sound_sources, deliver)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
