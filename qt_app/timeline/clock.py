"""Times as people read and write them. Standard library only."""

from __future__ import annotations

import math
import re

_CLOCK = re.compile(
    r"\s*(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:[.,]\d*)?|[.,]\d+)\s*s?\s*"
)


def clock_text(seconds: float, decimals: int = 3) -> str:
    """`h:mm:ss.mmm`, rounded to ``decimals`` (0 to 3) places; negative times count as 0."""
    unit = 10**decimals
    ticks = round(max(0.0, seconds) * unit) if math.isfinite(seconds) else 0
    whole, fraction = divmod(ticks, unit)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}"
    return f"{text}.{fraction:0{decimals}d}" if decimals else text


def short_clock_text(seconds: float, decimals: int = 0) -> str:
    """`m:ss` or `h:mm:ss`: as short as the time allows."""
    text = clock_text(seconds, decimals)
    if not text.startswith("0:"):
        return text
    text = text[2:]
    return text[1:] if text[0] == "0" else text


def spoken_time(seconds: float) -> str:
    """For screen readers: `1 h 2 min 3.5 s`."""
    tenths = round(max(0.0, seconds) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes or hours else []
    return " ".join([*parts, f"{rest / 10:g} s"])


def parse_clock(text: str) -> float | None:
    """Seconds of `h:mm:ss.mmm`, `m:ss`, or plain seconds; None when it is no time."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    seconds = float(match["seconds"].replace(",", "."))
    if match["minutes"] is not None and seconds >= 60:
        return None
    if match["hours"] is not None and int(match["minutes"]) >= 60:
        return None
    total = int(match["hours"] or 0) * 3600 + int(match["minutes"] or 0) * 60 + seconds
    return total if math.isfinite(total) else None
