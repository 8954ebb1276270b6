"""A screen of the tests' own, so that real windows open, also GL ones, and disturb nobody."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess

from tests.support.children import dies_with_us

SCREEN = "1680x1050x24"


def start_display() -> str | None:
    """Start one Xvfb for this process and point Qt at it.

    Returns
    -------
    str or None
        Why there is no screen; None where there is one. GL is drawn by Mesa's software renderer,
        as on a machine without a GPU.
    """
    if "OMNIAUDIO_TEST_DISPLAY" in os.environ:
        return None
    if shutil.which("Xvfb") is None:
        return "Xvfb is not installed (Debian: apt-get install xvfb)"
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"],
        pass_fds=(write,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=dies_with_us(),
    )
    os.close(write)
    with os.fdopen(read) as stream:
        number = stream.readline().strip()
    if not number:
        server.wait()
        return "Xvfb did not start"

    if dies_with_us() is None:
        atexit.register(server.terminate)
    # Elsewhere it ends after this process: Qt would end it with an error if it went before.
    os.environ["OMNIAUDIO_TEST_DISPLAY"] = os.environ["DISPLAY"] = f":{number}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    os.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
    os.environ.pop("WAYLAND_DISPLAY", None)
    return None
