"""When a clip was recorded, as its file states it: a timecode, or the time of its creation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from omniaudio_studio.media.container import nominal_rate, open_input, video_streams

_TIMECODE = re.compile(r"(\d{1,2}):(\d\d):(\d\d)([:;.])(\d{1,3})")
# QuickTime counts from 1904, everything else from 1970: the beginning of either was never set.
_FIRST_YEAR = 1971


@dataclass(frozen=True)
class ClipTime:
    """When the first picture was taken.

    Attributes
    ----------
    date, time : str
        "2026-01-31" and "14:05:59"; empty where the file does not say.
    midnight : float
        Seconds since midnight: the timecode where there is one, else the time; 0 without either.
    """

    date: str = ""
    time: str = ""
    midnight: float = 0.0


def clip_time(path: Path) -> ClipTime:
    """Read a clip's timecode and its time of creation (UTC, as MP4 and Matroska keep it).

    Raises
    ------
    MissingFileError, MediaError
        If the file cannot be read.
    """
    with open_input(path) as container:
        tags: list[dict[str, Any]] = [container.metadata, *(s.metadata for s in container.streams)]
        pictures = video_streams(container)
        fps = nominal_rate(pictures[0]) if pictures else Fraction(25)
        made = _first(tags, "creation_time")
        stamp = _first(tags, "timecode")
    when = _moment(made)
    seconds = None if stamp is None else timecode_seconds(stamp, fps)
    if when is None:
        return ClipTime(midnight=seconds or 0.0)
    since = 3600 * when.hour + 60 * when.minute + when.second + when.microsecond / 1e6
    return ClipTime(
        date=f"{when:%Y-%m-%d}",
        time=f"{when:%H:%M:%S}",
        midnight=since if seconds is None else seconds,
    )


def timecode_seconds(timecode: str, fps: Fraction | float) -> float | None:
    """Seconds since midnight that a timecode stands for; None for what is none.

    It numbers pictures (SMPTE ST 12-1): at 29.97 a second every number counts 30 to the second,
    and drop-frame numbering (";") leaves out two numbers (four at 59.94) in every minute but each
    tenth, so that it keeps up with the clock.

    Parameters
    ----------
    timecode : str
        "HH:MM:SS:FF", or "HH:MM:SS;FF" with dropped numbers.
    fps : Fraction or float
        Pictures a second.
    """
    found = _TIMECODE.fullmatch(timecode.strip())
    if found is None or fps <= 0:
        return None
    hours, minutes, seconds, pictures = (int(found[group]) for group in (1, 2, 3, 5))
    whole = round(fps)  # numbers to the second
    total = 60 * hours + minutes
    number = (60 * total + seconds) * whole + pictures
    if found[4] != ":" and whole % 30 == 0:
        number -= whole // 15 * (total - total // 10)
    return float(number / fps)


def _first(tags: list[dict[str, Any]], name: str) -> str | None:
    for values in tags:
        for key, value in values.items():
            if key.lower() == name and value:
                return str(value)
    return None


def _moment(text: str | None) -> datetime | None:
    try:
        when = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    return when if when.year >= _FIRST_YEAR else None
