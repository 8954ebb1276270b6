"""What was found about a recording: where its parts come from, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from omniaudio_studio.foa.placement import Placement

MIN_CONFIDENCE = 0.3
"""Below it nothing is placed."""


@dataclass(frozen=True)
class Found:
    """A recording's sources.

    Attributes
    ----------
    placement
        Shares and directions over time; times count from the clip's first frame.
    names
        One for each of the placement's sources.
    confidence
        0 to 1, of the whole: how surely sounds and picture belong together.
    warnings
        One line each, for the user; among them that confidence is low and nothing was placed.
    """

    placement: Placement
    names: tuple[str, ...]
    confidence: float
    warnings: tuple[str, ...] = ()
