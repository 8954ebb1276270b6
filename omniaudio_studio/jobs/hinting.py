"""A request's hints at work on the sound that is generated for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from omniaudio_studio.foa.hints import Pull, PulledField
from omniaudio_studio.jobs.request import GenerateRequest

if TYPE_CHECKING:
    from omniaudio_studio.jobs.rerolling import Part


def pulled_field(
    request: GenerateRequest, rate: int, start: float, part: Part | None = None
) -> PulledField | None:
    """What the blocks of a take go through; None where no hint would change anything.

    Parameters
    ----------
    rate
        Of the blocks, hertz.
    start
        Seconds of the clip at their first sample.
    part
        What is rolled again of an earlier take. Hints begin and end within it: at its seams it
        agrees with the take, which has had its own hints.
    """
    first, last = 0.0, math.inf
    if part is not None:
        first = request.start + part.begin / request.rate if part.fade_in else 0.0
        last = request.start + part.end / request.rate if part.fade_out else math.inf
    pulls = [
        Pull(
            max(hint.start, first),
            min(hint.end, last),
            math.radians(hint.azimuth),
            math.radians(hint.elevation),
            hint.strength,
        )
        for hint in request.hints
        if hint.strength and max(hint.start, first) < min(hint.end, last)
    ]
    return PulledField(pulls, rate, start) if pulls else None


def hints_outside(request: GenerateRequest, duration: float) -> list[str]:
    """What is to be told of hints that lie outside of the ``duration`` seconds generated."""
    begin, end = request.start, request.start + duration
    return [
        f"hint {number} ({hint.start:g} to {hint.end:g} s) is not within the {begin:g} to "
        f"{end:g} s generated, and does nothing"
        for number, hint in enumerate(request.hints, 1)
        if hint.end <= begin or hint.start >= end
    ]
