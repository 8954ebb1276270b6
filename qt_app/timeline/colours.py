"""The timeline's colours, from the window's palette: they follow light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QColor, QPalette

# Dark to bright, as sRGB: silence sinks into the background, the loudest direction stands out.
# On a light background the ends change places, so that loud is always what differs most.
_GLOW = ("#2a1a5e", "#7a1f7d", "#c8324f", "#f2803a", "#ffd76a", "#fffbe0")
_INK = ("#d9e6f7", "#8fc1e3", "#3f8fc4", "#2359a6", "#2b2a78", "#1b1038")


def mixed(first: QColor, second: QColor, part: float) -> QColor:
    """``part`` (0 to 1) of the second colour in the first."""
    return QColor.fromRgbF(
        first.redF() + (second.redF() - first.redF()) * part,
        first.greenF() + (second.greenF() - first.greenF()) * part,
        first.blueF() + (second.blueF() - first.blueF()) * part,
    )


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
    wave: QColor
    over: QColor
    playhead: QColor
    suggestion: QColor

    @classmethod
    def of(cls, palette: QPalette) -> Colours:
        """For a palette; equal palettes give the very same object."""
        return _colours(
            *(
                palette.color(QPalette.ColorGroup.Active, role).rgb()
                for role in (
                    QPalette.ColorRole.Base,
                    QPalette.ColorRole.Window,
                    QPalette.ColorRole.Text,
                    QPalette.ColorRole.Highlight,
                )
            )
        )

    def anglegram_table(self) -> NDArray[np.uint32]:
        """256 colours (0xffRRGGBB) from nothing to the loudest; lightness only ever goes one way."""
        return _table(self.background.rgb(), self.dark)


@lru_cache(maxsize=8)
def _colours(base: int, window: int, text: int, accent: int) -> Colours:
    background, foreground, highlight = QColor(base), QColor(text), QColor(accent)
    dark = background.lightnessF() < 0.5
    return Colours(
        dark=dark,
        background=background,
        gutter=mixed(background, QColor(window), 0.8),
        line=mixed(background, foreground, 0.16),
        text=foreground,
        dim=mixed(background, foreground, 0.66),
        accent=highlight,
        wave=mixed(highlight, foreground, 0.18),
        over=QColor("#ff5a4d") if dark else QColor("#c62828"),
        playhead=QColor("#ff6b5e") if dark else QColor("#d0342c"),
        suggestion=QColor("#f0b429") if dark else QColor("#9a6700"),
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
