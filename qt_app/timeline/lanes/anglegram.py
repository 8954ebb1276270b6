"""The anglegram: from which azimuth the sound comes, over time."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QRect, QRectF, Qt
from PyQt6.QtGui import QImage, QPainter, QPixmap
from PyQt6.QtWidgets import QWidget

from qt_app.timeline.colours import faded
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.tiles import TILE, TileCache

# Row 0 of the anglegram is +180 degrees: the left half of the circle is the upper half here.
_LABELS = ((180, "Back"), (90, "Left 90°"), (0, "Front 0°"), (-90, "Right −90°"), (-180, "Back"))


class AnglegramLane(Lane):
    """Left is up, as a head that turns left turns up the page; the back is at both edges."""

    wanted_height = 112
    stretch = 4
    title = "Direction"
    range_fill = 0.0  # a tint would lie about the colours below

    def __init__(self, model: TimelineModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self.setAccessibleName("Anglegram")
        self.setToolTip("Where the sound comes from over time: left above, right below the front.")
        self.tiles = TileCache(self._draw)
        model.field_changed.connect(self._new_field)

    def _new_field(self) -> None:
        self.forget_pictures()
        self.update()

    def forget_pictures(self) -> None:
        self.tiles.clear()

    def y_at(self, azimuth: float) -> float:
        """Pixel row of an azimuth in degrees, +180 to -180."""
        return (180.0 - azimuth) / 360.0 * (self.height() - 1)

    def paint_gutter(self, painter: QPainter, rect: QRect) -> None:
        colours = self.colours()
        painter.setFont(self.small_font())
        line = painter.fontMetrics().height()
        for azimuth, name in _LABELS:
            y = self.y_at(azimuth)
            top = min(max(y - line / 2, 0), self.height() - 1 - line)
            painter.setPen(colours.text if azimuth == 0 else colours.dim)
            painter.drawText(
                QRectF(4, top, GUTTER - 12, line),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                name,
            )
            if abs(azimuth) < 180:
                painter.fillRect(GUTTER - 6, round(y), 5, 1, colours.dim)

    def paint_body(self, painter: QPainter, rect: QRect) -> None:
        colours, view, field = self.colours(), self.model.view, self.model.field
        if field is not None and field.anglegram is not None:
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
        elif field is not None:
            painter.setFont(self.small_font())
            painter.setPen(colours.dim)
            painter.drawText(
                self.body, Qt.AlignmentFlag.AlignCenter, "This sound has no directions"
            )
        for azimuth, _ in _LABELS[1:-1]:
            alpha = 0.34 if azimuth == 0 else 0.18
            y = round(self.y_at(azimuth))
            painter.fillRect(rect.left(), y, rect.width(), 1, faded(colours.text, alpha))

    def _draw(self, tile: QPixmap, start: float, seconds_per_pixel: float) -> None:
        colours, field = self.colours(), self.model.field
        tile.fill(colours.background)
        if field is None or field.anglegram is None:
            return
        rate, width = field.frame_rate, tile.width()
        columns = field.anglegram.columns(start * rate, seconds_per_pixel * rate, width)
        beyond = start + seconds_per_pixel * np.arange(width) >= field.seconds
        pixels = colours.anglegram_table()[columns.astype(np.uint8)]
        pixels[:, beyond] = colours.background.rgb()
        image = QImage(
            pixels.tobytes(), width, pixels.shape[0], 4 * width, QImage.Format.Format_RGB32
        )
        painter = QPainter(tile)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(0, 0, TILE, tile.height() / tile.devicePixelRatio()), image)
        painter.end()
