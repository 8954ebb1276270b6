"""Where Pythons with OmniAudio Studio are, for programs that bring none of their own.

The desktop app leaves word of itself at each start. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

from omniaudio_studio import __version__
from omniaudio_studio.errors import OutputError
from omniaudio_studio.files import written_whole

NAME = "environments.json"
MOST = 8  # the last ones to have left word


def data_folder() -> Path:
    """The user's data folder of the program, as ``platformdirs.user_data_dir`` gives it."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME", "").strip() or Path.home() / ".local" / "share"
    return Path(base) / "omniaudio-studio"


def announce(python: str | os.PathLike[str] | None = None, folder: Path | None = None) -> None:
    """Leave word that this Python (by default the running one) has OmniAudio Studio.

    Where the user's folder cannot be written, nobody hears of it.
    """
    folder = folder or data_folder()
    own = os.fspath(python or sys.executable)
    entries = [entry for entry in _entries(folder) if entry["python"] != own]
    entries = [{"python": own, "version": __version__}, *entries][:MOST]
    text = json.dumps({"environments": entries}, indent=2) + "\n"
    with contextlib.suppress(OSError, OutputError):
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / NAME, overwrite=True) as file:
            file.write_text(text, encoding="utf-8")


def find(folder: Path | None = None) -> list[Path]:
    """Pythons that have it: those that left word, the last one first, then the one on the PATH.

    Those of this version come before others.
    """
    entries = _entries(folder or data_folder())
    entries.sort(key=lambda entry: entry["version"] != __version__)
    found = [Path(entry["python"]) for entry in entries]
    command = shutil.which("omniaudio")
    if command is not None:
        python = python_of(Path(command).resolve().parent.parent)
        if python is not None:
            found.append(python)
    unique = dict.fromkeys(path for path in found if path.is_file() and os.access(path, os.X_OK))
    return list(unique)


def python_of(place: Path) -> Path | None:
    """The Python of a virtual environment's folder, or ``place`` itself where it is one."""
    if place.is_file():
        return place if os.access(place, os.X_OK) else None
    for name in ("bin/python3", "bin/python", "Scripts/python.exe", "python.exe"):
        if (place / name).is_file():
            return place / name
    return None


def _entries(folder: Path) -> list[dict[str, str]]:
    try:
        data = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return [
            {"python": str(entry["python"]), "version": str(entry["version"])}
            for entry in data["environments"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
