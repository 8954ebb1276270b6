"""Which OSC messages run a DAW's time line, and those that it sends of it.

REAPER's default patterns (``Default.ReaperOSC``, as it ships): ``TIME f/time``, ``PLAY t/play``,
``STOP t/stop``, ``PAUSE t/pause``. To REAPER they are commands; from it they say how it is: 1 for
yes, 0 for no, ``/time`` in seconds of the project.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Message = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Moment:
    """What a message says of the time line: whether it runs, or where it is; the other is None."""

    playing: bool | None = None
    seconds: float | None = None


def read_transport(address: str, values: Sequence[object]) -> Moment | None:
    """What a message says; None for another message, or for a value that makes no sense."""
    address = address.lower().rstrip("/")
    if address not in ("/play", "/stop", "/pause", "/time") or len(values) > 1:
        return None
    # A trigger may come without a value.
    value = values[0] if values else 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if address == "/time":
        return Moment(seconds=max(0.0, float(value))) if values else None
    if address == "/play":
        return Moment(playing=value > 0)
    # That it is not stopped, or not paused, says no more than /play does.
    return Moment(playing=False) if value > 0 else None


def write_transport(moment: Moment) -> list[Message]:
    """What makes REAPER do the same.

    Its stop brings the cursor back to where it was before: a place that is meant comes after it.
    """
    messages: list[Message] = []
    if moment.playing is False:
        messages.append(("/stop", (1.0,)))
    if moment.seconds is not None:
        messages.append(("/time", (moment.seconds,)))
    if moment.playing:
        messages.append(("/play", (1.0,)))
    return messages
