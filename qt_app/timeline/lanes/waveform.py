"""The waveform of W: the smallest and largest sample under every pixel."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QImage, QPainter, QPixmap
from PyQt6.QtWidgets import QWidget

from qt_app.timeline.colours import faded
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.tiles import TileCache

_MOST_GAIN = 36.0  # dB: quieter clips look quiet


class WaveformLane(Lane):
    """Quiet clips are drawn larger, in steps of 6 dB that the gutter names."""

    wanted_height = 84
    stretch = 3
    title = "Level"

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.setAccessibleName("Waveform")
        self.setToolTip("The sound pressure over time. Red: it reaches full scale.")
        self.tiles = TileCache(self._draw)
        self._gain_db = 0.0
        model.field_changed.connect(self._new_field)

    @property
    def gain_db(self) -> float:
        """How much larger than the sound the curve is drawn, dB."""
        return self._gain_db

    def _new_field(self) -> None:
        field, self._gain_db = self.model.field, 0.0
        if field is not None and field.peaks.pyramid.length:
            peak = float(np.max(field.peaks.pyramid.levels[-1]))
            if peak > 0:
                room = -20 * math.log10(peak)
                self._gain_db = min(max(6.0 * math.floor(room / 6.0), 0.0), _MOST_GAIN)
        self.forget_pictures()
        self.update()

    def forget_pictures(self) -> None:
        self.tiles.clear()

    def paint_gutter(self, painter: QPainter, rect: QRect) -> None:
        super().paint_gutter(painter, rect)
        gain = f", +{self._gain_db:.0f} dB" if self._gain_db else ""
        painter.setPen(faded(self.colours().dim, 0.85))
        painter.drawText(
            rect.adjusted(10, 26, -2, 8),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            f"W{gain}",
        )

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        colours, view = self.colours(), self.model.view
        if self.model.field is None:
            painter.fillRect(
                rect.left(), self.height() // 2, rect.width(), 1, faded(colours.dim, 0.3)
            )
            return
        self.tiles.paint(
            painter,
            rect,
            left=GUTTER,
            start=view.start,
            scale=view.scale,
            top=0,
            height=self.height() - 1,
            ratio=self.devicePixelRatioF(),
        )

    def _draw(self, tile: QPixmap, start: float, seconds_per_pixel: float) -> None:
        colours = self.colours()
        tile.fill(colours.background)
        field = self.model.field
        if field is None:
            return
        width, height = tile.width(), tile.height()
        low, high = field.peaks.columns(start, seconds_per_pixel, width)
        times = start + seconds_per_pixel * np.arange(width)
        beyond = times >= field.seconds
        over = (np.maximum(high, -low) >= 1.0) & ~beyond
        gain = 10 ** (self._gain_db / 20)
        middle = height / 2
        reach = middle - 3 * tile.devicePixelRatio()
        top = middle - np.clip(high * gain, -1, 1) * reach - 0.6
        bottom = middle - np.clip(low * gain, -1, 1) * reach + 0.6
        rows = np.arange(height, dtype=np.float32)[:, None]
        cover = np.minimum(rows + 1, bottom.astype(np.float32))
        cover -= np.maximum(rows, top.astype(np.float32))
        np.clip(cover, 0, 1, out=cover)
        cover[:, beyond] = 0
        shades = (cover * 255 + 0.5).astype(np.uint8)
        pixels = _shades(colours.wave.rgb())[shades]
        if over.any():
            pixels[:, over] = _shades(colours.over.rgb())[shades[:, over]]
        image = QImage(
            pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied
        )
        image.setDevicePixelRatio(tile.devicePixelRatio())
        painter = QPainter(tile)
        painter.drawImage(0, 0, image)
        painter.end()


@lru_cache(maxsize=8)
def _shades(colour: int) -> NDArray[np.uint32]:
    """A colour (0xffRRGGBB) at 256 opacities, premultiplied, as 0xAARRGGBB."""
    alpha = np.arange(256, dtype=np.uint32)
    parts = [((colour >> shift & 255) * alpha + 127) // 255 << shift for shift in (16, 8, 0)]
    return (alpha << 24 | parts[0] | parts[1] | parts[2]).astype(np.uint32)
