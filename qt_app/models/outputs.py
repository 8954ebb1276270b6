"""Names of takes: the first number that nothing has and nobody waits for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from omniaudio_studio.jobs.outputs import all_outputs
from qt_app.models.settings import ClipSettings


def output_folder(clip: Path, settings: ClipSettings) -> Path:
    """Where the takes of a clip go: the chosen folder, else the clip's own."""
    return clip.parent if settings.output_folder is None else settings.output_folder


def next_output(clip: Path, settings: ClipSettings, taken: Callable[[Path], bool]) -> Path:
    """``<folder>/<stem>-take1.wav``, with the first number of which no file is there.

    Looks at every file that the request would make: WAV, sidecar, overlay and plot of each take.

    Parameters
    ----------
    clip
        The video.
    settings
        Its settings; ``takes`` and the deliverables count.
    taken
        True for a path that something else is going to write.

    Raises
    ------
    OptionError
        If the settings are not valid.
    """
    folder, number = output_folder(clip, settings), 0
    request = settings.request(clip, folder / "take.wav")
    while True:
        number += 1
        output = folder / f"{clip.stem}-take{number}.wav"
        files = all_outputs(replace(request, output=output))
        if not any(taken(path) or os.path.lexists(path) for path in files):
            return output
