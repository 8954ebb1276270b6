"""A small picture of a clip."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.jobs.analysis.cache import cached
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import ClipInfo, probe

WIDTHS = (16, 2048)
PLACES = (0.1, 0.35, 0.6, 0.0)  # parts of the clip, tried in this order
_DARK = 12.0  # mean of 0 to 255: nothing can be told apart


def answer(
    context: Context, path: str, width: int = 320, time: float | None = None
) -> dict[str, Any]:
    """A JPEG of one frame, ``width`` pixels across, as the file holds it.

    Parameters
    ----------
    time
        Seconds; by default a place where the picture is not black.
    """
    width = min(max(int(width), WIDTHS[0]), WIDTHS[1])
    if time is not None and not (math.isfinite(time) and time >= 0):
        raise OptionError(f"time {time}: expected seconds from 0 on")

    def make(file: Path) -> dict[str, Any]:
        from PIL import Image

        info = probe(path)
        places = [time] if time is not None else [part * info.duration for part in PLACES]
        frame, place = _brightest(info, places, context)
        height = max(1, round(frame.shape[0] * width / frame.shape[1]))
        small = Image.fromarray(frame).resize((width, height), Image.Resampling.BOX)
        small.save(file, format="JPEG", quality=85)
        return {"time": place, "width": width, "height": height}

    image, facts = cached("thumbnail", Path(path), ".jpg", make, width=width, time=time)
    return {**facts, "image": str(image)}


def _brightest(
    info: ClipInfo, places: list[float], context: Context
) -> tuple[NDArray[np.uint8], float]:
    """The first picture that is not black, else the brightest; damaged places are passed over."""
    best: tuple[float, NDArray[np.uint8], float] | None = None
    problem: MediaError | None = None
    for place in places:
        context.cancel.check()
        try:
            frame = read_frame(info, place)
        except MediaError as error:
            problem = error
            continue
        light = float(frame.mean())
        if best is None or light > best[0]:
            best = (light, frame, place)
        if light > _DARK:
            break
    if best is None:
        raise problem or MediaError(f"{info.path}: no picture can be decoded; copy it again")
    return best[1], best[2]
