"""`omniaudio gui`: the desktop app."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from omniaudio_studio.errors import DeviceError, MissingDependencyError, MissingFileError


def gui(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Clips and folders to add.", show_default=False)
    ] = None,
    software_view: Annotated[
        bool, typer.Option("--software-view", help="Draw the 360 picture without GL.")
    ] = False,
) -> None:
    """Open the desktop app: a library, a queue, and a preview that follows the mouse."""
    for path in files or ():
        if not path.exists():
            raise MissingFileError(f"expected a clip or a folder, found nothing at {path}")
    headless = not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and headless and not os.environ.get("QT_QPA_PLATFORM"):
        # Qt itself would end the process with a page of its own words.
        raise DeviceError("there is no screen here (DISPLAY is not set); use `omniaudio batch`")
    try:
        from qt_app.app import main
    except ImportError as error:
        raise MissingDependencyError(
            f"the desktop app does not load ({error}); install it with "
            "pip install 'omniaudio-studio[gui]'"
        ) from error
    code = main([str(path) for path in files or ()], software_view=software_view)
    raise typer.Exit(code)
