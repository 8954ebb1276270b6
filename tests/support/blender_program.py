"""A whole Blender as a program, where the machine has one; not the Python module."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from tests.support.children import dies_with_us
from tests.support.pulse import NullSink

START_SECONDS = 60.0

# Blender's sound devices, and what makes each play on the test's PulseAudio.
DEVICES = {
    "SDL": {"SDL_AUDIODRIVER": "pulseaudio"},
    "OpenAL": {"ALSOFT_DRIVERS": "pulse"},
}


@lru_cache(maxsize=1)
def missing_blender() -> str | None:
    """Why no Blender with sound can be run here; None where one can."""
    if shutil.which("blender") is None:
        return "blender is not installed (Debian: apt-get install blender)"
    done = subprocess.run(
        [
            "blender",
            "-b",
            "--factory-startup",
            "--python-expr",
            "import aud; print('aud', 'is in')",
        ],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if "aud is in" not in done.stdout:
        return "Blender's sound library needs NumPy (Debian: apt-get install python3-numpy)"
    return None


def start_blender(
    script: Path, *arguments: object, sink: NullSink, device: str, window: bool = False
) -> subprocess.Popen[str]:
    """Run a script in Blender, which plays on ``sink`` through one of `DEVICES`.

    What the script prints is on the process's stdout. Settings are the factory's, and are kept in
    the sink's own folder.
    """
    environment = {**os.environ, **sink.environment, **DEVICES[device], "HOME": str(sink.folder)}
    environment.update(LIBGL_ALWAYS_SOFTWARE="1", PYTHONUNBUFFERED="1")
    # A small window: without a GPU a large one takes a second to draw. In the background Blender
    # would choose no sound device, so that comes after.
    shown = ["-p", "0", "0", "640", "400"] if window else ["-b"]
    command = ["blender", *shown, "--factory-startup", "-setaudio", device]
    command += ["--python-exit-code", "3", "--python", str(script), "--", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=dies_with_us(),
    )
