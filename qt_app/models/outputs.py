"""Names of takes: the first number that nothing has and nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

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
    """
    folder, number = output_folder(clip, settings), 0
    while True:
        number += 1
        output = folder / f"{clip.stem}-take{number}.wav"
        if not any(taken(path) or path.exists() for path in _files(output, settings)):
            return output


def _files(output: Path, settings: ClipSettings) -> Iterator[Path]:
    for index in range(settings.takes):
        wav = output if index == 0 else output.with_name(f"{output.stem}-take{index + 1}.wav")
        yield wav
        yield wav.with_suffix(".json")
        if settings.overlay:
            yield wav.with_name(f"{wav.stem}.overlay.mp4")
        if settings.plot:
            yield wav.with_suffix(".png")
