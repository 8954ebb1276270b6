"""Which Python runs the models, and the processes that it runs. Nothing is loaded in here.

Either the extension's own wheels with Blender's Python, or a separate environment (the desktop
app's), which may have CUDA.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

import omniaudio_studio
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs import environments

from . import compat

CACHE = "OMNIAUDIO_CACHE"  # as `omniaudio_studio.places` knows it
LARGEST_LOG = 1_000_000  # bytes; then a new one is begun


@dataclass(frozen=True)
class Runtime:
    """A Python that has OmniAudio Studio.

    Attributes
    ----------
    python
        Its executable.
    package_path
        Folder to put on its module path; None where everything is installed there.
    name
        For people.
    """

    python: Path
    package_path: Path | None
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables for its processes.

        With Blender's own Python, no package of the user's comes before Blender's, and what is
        kept lies in the extension's own folder: it goes with the extension.
        """
        if self.package_path is None:
            return {}
        folder = user_folder()
        kept = {} if folder is None else {CACHE: str(folder / "cache")}
        return {"PYTHONNOUSERSITE": "1", **kept}


def preferences() -> Any:
    """The add-on's preferences; None where it runs without having been enabled."""
    addon = bpy.context.preferences.addons.get(compat.package())
    return addon.preferences if addon is not None else None


def chosen() -> Runtime:
    """The runtime that the preferences name.

    Raises
    ------
    OptionError
        If it is a separate environment, and there is none.
    """
    wanted = preferences()
    if wanted is not None and wanted.runtime == "ENVIRONMENT":
        return separate(bpy.path.abspath(wanted.environment) if wanted.environment else "")
    return bundled()


def bundled() -> Runtime:
    """Blender's own Python, with the wheels that came with the extension."""
    return Runtime(
        python=Path(sys.executable),
        package_path=Path(omniaudio_studio.__file__).resolve().parents[1],
        name="the extension's own",
    )


def separate(folder: str) -> Runtime:
    """An environment of its own: the one in ``folder``, else the first that is found.

    Raises
    ------
    OptionError
        If there is none.
    """
    if folder:
        python = environments.python_of(Path(folder))
        if python is None:
            raise OptionError(
                f"there is no Python in {folder}; name the folder of a virtual environment, or "
                "its python, in the add-on's preferences"
            )
        return Runtime(python, None, str(python))
    found = environments.find()
    if not found:
        raise OptionError(
            "no separate environment was found; start the desktop app once, or name the folder "
            "of its environment in the add-on's preferences"
        )
    return Runtime(found[0], None, str(found[0]))


def user_folder() -> Path | None:
    """Where the extension may write; None where it was not installed as one."""
    try:
        return Path(bpy.utils.extension_path_user(compat.package(), create=True))
    except (ValueError, AttributeError):
        return None


def log_file(name: str) -> Path | None:
    """Where a process of ours writes its own words; None for a temporary file."""
    folder = user_folder()
    if folder is None:
        return None
    log = folder / f"{name}.log"
    with contextlib.suppress(OSError):
        if log.stat().st_size > LARGEST_LOG:
            log.unlink()
    return log
