"""Folders of the user's that the program keeps things in, and how large they grow."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

CACHE_VARIABLE = "OMNIAUDIO_CACHE"
"""A host program that may write into a folder of its own only names it in this variable."""

_ABANDONED = 3600.0  # seconds after which a half-written file has nobody who writes it


def cache_folder(name: str) -> Path:
    """Where a kind of what can be made again is kept, in the platform's place or the host's."""
    own = os.environ.get(CACHE_VARIABLE, "").strip()
    if own:
        return Path(own) / name
    import platformdirs

    return Path(platformdirs.user_cache_dir("omniaudio-studio", appauthor=False)) / name


def trim_folder(folder: Path, most: int, spare: Collection[Path] = ()) -> None:
    """Remove what was used longest ago until the folder's files hold at most ``most`` bytes.

    What a killed process left half-written goes too. Files that other processes remove meanwhile,
    or hold open, are no error.

    Parameters
    ----------
    spare
        Files that stay, and count.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    held = []
    for path in folder.iterdir():
        with suppress(OSError):
            status = path.stat()
            half = path.name.startswith(".") and ".part" in path.suffixes
            if half and time.time() - status.st_mtime > _ABANDONED:
                path.unlink()
            elif not half:
                held.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in held)
    for _, size, path in sorted(held):
        if total <= most:
            return
        if path in spare:
            continue
        with suppress(OSError):
            path.unlink()
            total -= size
