"""A small picture of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omniaudio_studio.jobs.analysis.cache import cached
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import probe

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

    def make(file: Path) -> dict[str, Any]:
        from PIL import Image

        info = probe(path)
        places = [time] if time is not None else [part * info.duration for part in PLACES]
        best = None
        for place in places:
            context.cancel.check()
            frame = read_frame(info, place)
            if best is None or frame.mean() > best[0].mean():
                best = (frame, place)
            if best[0].mean() > _DARK:
                break
        assert best is not None
        frame, place = best
        height = max(1, round(frame.shape[0] * width / frame.shape[1]))
        small = Image.fromarray(frame).resize((width, height), Image.Resampling.BOX)
        small.save(file, format="JPEG", quality=85)
        return {"time": place, "width": width, "height": height}

    image, facts = cached("thumbnail", Path(path), ".jpg", make, width=width, time=time)
    return {**facts, "image": str(image)}
