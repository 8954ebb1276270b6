"""Folders of the user's that the program keeps things in."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "OMNIAUDIO_CACHE"
"""A host program that may write into a folder of its own only names it in this variable."""


def cache_folder(name: str) -> Path:
    """Where a kind of what can be made again is kept, in the platform's place or the host's."""
    own = os.environ.get(CACHE_VARIABLE, "").strip()
    if own:
        return Path(own) / name
    import platformdirs

    return Path(platformdirs.user_cache_dir("omniaudio-studio", appauthor=False)) / name
