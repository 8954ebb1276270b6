"""The timeline's colours: the theme's, and a scale for the anglegram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QColor

from qt_app import theme

# Dark to bright, as sRGB: silence sinks into the background, the loudest direction stands out.
# On a light background the ends change places, so that loud is always what differs most.
_GLOW = ("#2a1a5e", "#7a1f7d", "#c8324f", "#f2803a", "#ffd76a", "#fffbe0")
_INK = ("#d9e6f7", "#8fc1e3", "#3f8fc4", "#2359a6", "#2b2a78", "#1b1038")


def faded(colour: QColor, alpha: float) -> QColor:
    """The colour with another opacity, 0 to 1."""
    result = QColor(colour)
    result.setAlphaF(alpha)
    return result


@dataclass(frozen=True)
class Colours:
    """What the lanes paint with."""

    dark: bool
    background: QColor
    gutter: QColor
    line: QColor
    text: QColor
    dim: QColor
    accent: QColor
    range: QColor
    wave: QColor
    over: QColor
    playhead: QColor
    shot: QColor
    shot_edge: QColor
    suggestion: QColor

    @classmethod
    def now(cls) -> Colours:
        """Of the theme in use."""
        return _colours(theme.is_dark())

    def anglegram_table(self) -> NDArray[np.uint32]:
        """256 colours (0xffRRGGBB) from nothing to the loudest; lightness only goes one way."""
        return _table(self.background.rgb(), self.dark)


@lru_cache(maxsize=2)
def _colours(dark: bool) -> Colours:
    named = theme.colour
    return Colours(
        dark=dark,
        background=named("lane"),
        gutter=named("ruler"),
        line=named("lane line"),
        text=named("text"),
        dim=named("secondary"),
        accent=named("accent"),
        range=named("range"),
        wave=named("waveform"),
        over=named("meter high"),
        playhead=named("playhead"),
        shot=named("shot"),
        shot_edge=named("shot edge"),
        suggestion=named("star"),
    )


@lru_cache(maxsize=8)
def _table(background: int, dark: bool) -> NDArray[np.uint32]:
    stops = [QColor(background), *(QColor(name) for name in (_GLOW if dark else _INK))]
    rgb = np.array([[c.redF(), c.greenF(), c.blueF()] for c in stops])
    # Mixed in linear light's cube root, roughly as the eye sees it.
    places = np.linspace(0, 1, len(stops))
    at = np.linspace(0, 1, 256)
    mixed_rgb = np.stack([np.interp(at, places, rgb[:, k] ** (2.2 / 3)) for k in range(3)], axis=1)
    values = np.rint(255 * np.clip(mixed_rgb ** (3 / 2.2), 0, 1)).astype(np.uint32)
    return (0xFF000000 | values[:, 0] << 16 | values[:, 1] << 8 | values[:, 2]).astype(np.uint32)
