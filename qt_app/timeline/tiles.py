"""Pictures of a lane, kept per zoom level: scrolling and playing draw no curve again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from PyQt6.QtCore import QRect, QRectF, QSize
from PyQt6.QtGui import QPainter, QPixmap

TILE = 256
"""Logical pixels across."""

Draw = Callable[[QPixmap, float, float], None]


class TileCache:
    """Draws a long strip from tiles and makes only those that are missing.

    Parameters
    ----------
    draw
        Called with an empty pixmap of ``TILE`` by ``height`` logical pixels, the time at its left
        edge (seconds) and the seconds per *device* pixel.
    limit
        Device pixels kept; the longest unused tiles go first.
    """

    def __init__(self, draw: Draw, limit: int = 6_000_000) -> None:
        self._draw, self.limit = draw, limit
        self._tiles: OrderedDict[tuple[object, ...], QPixmap] = OrderedDict()
        self._held = 0
        self.made = 0
        """Tiles drawn so far: the work done, for measurements."""

    @property
    def held_pixels(self) -> int:
        """Device pixels kept now."""
        return self._held

    def clear(self) -> None:
        """The curve or its colours changed."""
        self._tiles.clear()
        self._held = 0

    def paint(
        self,
        painter: QPainter,
        rect: QRect,
        *,
        left: int,
        start: float,
        scale: float,
        top: int,
        height: int,
        ratio: float,
    ) -> None:
        """Fill ``rect`` of the widget.

        Parameters
        ----------
        painter, rect
            Where, in logical pixels.
        left, start, scale
            The strip shows time ``start`` at x = ``left``, with ``scale`` seconds per pixel.
        top, height
            Of the strip.
        ratio
            Device pixels per logical pixel.
        """
        # Tiles lie on whole device pixels from time 0 on.
        offset = round(start / scale * ratio) / ratio
        first = int((rect.left() - left + offset) // TILE)
        last = int((rect.right() - left + offset) // TILE)
        for index in range(first, last + 1):
            tile = self._tile(index, scale, height, ratio)
            x = left + index * TILE - offset
            shown_left = max(x, rect.left())
            shown_right = min(x + TILE, rect.right() + 1)
            width = shown_right - shown_left
            source = QRectF((shown_left - x) * ratio, 0, width * ratio, tile.height())
            painter.drawPixmap(QRectF(shown_left, top, width, height), tile, source)

    def _tile(self, index: int, scale: float, height: int, ratio: float) -> QPixmap:
        key = (index, scale, height, ratio)
        tile = self._tiles.get(key)
        if tile is not None:
            self._tiles.move_to_end(key)
            return tile
        tile = QPixmap(QSize(round(TILE * ratio), round(height * ratio)))
        tile.setDevicePixelRatio(ratio)
        self._draw(tile, index * TILE * scale, scale / ratio)
        self.made += 1
        self._tiles[key] = tile
        self._held += tile.width() * tile.height()
        while self._held > self.limit and len(self._tiles) > 1:
            _, old = self._tiles.popitem(last=False)
            self._held -= old.width() * old.height()
        return tile
