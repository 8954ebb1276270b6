"""Names of takes: the first number that nothing has and nobody waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from omniaudio_studio.jobs.outputs import next_output as next_free
from qt_app.models.settings import ClipSettings


def output_folder(clip: Path, settings: ClipSettings) -> Path:
    """Where the takes of a clip go: the chosen folder, else the clip's own."""
    return clip.parent if settings.output_folder is None else settings.output_folder


def next_output(clip: Path, settings: ClipSettings, taken: Callable[[Path], bool]) -> Path:
    """``<folder>/<stem>-take1.wav``, with the first number of which no file is there.

    As `jobs.outputs.next_output`, in the folder that the settings name.

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
    folder = output_folder(clip, settings)
    return next_free(folder, clip.stem, settings.request(clip, folder / "take.wav"), taken)
