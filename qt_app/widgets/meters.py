"""Level meters: the field's four channels, both ears, and the loudness of the whole."""

from __future__ import annotations

import math
import time
from typing import Protocol

from PyQt6.QtCore import QRect, QRectF, QSize, Qt, QTimer
from PyQt6.QtGui import QFont, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QShowEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from qt_app import theme
from qt_app.models.meters import FLOOR, MeterNeedles, deflection
from qt_app.models.player import Player

CHANNELS = ("W", "Y", "Z", "X", "L", "R")
NAMES = ("omnidirectional", "left-right", "up-down", "front-back", "left ear", "right ear")
INTERVAL = 34
"""Milliseconds between looks at the levels: not more than 30 a second."""

_MARKS = (0, -6, -12, -18, -24, -30, -40, -50)
_MID, _HIGH = -18.0, -6.0  # dB where the colours change
_SPEAK = 0.5  # seconds


class LevelSource(Protocol):
    """What has levels: peaks and root mean squares of the six channels, linear."""

    @property
    def peak(self) -> tuple[float, ...]: ...

    @property
    def rms(self) -> tuple[float, ...]: ...


class Meters(QWidget):
    """Bars for W Y Z X and L R. A click (or Return) clears held peaks and "over".

    Parameters
    ----------
    player
        Asked for its levels while the widget is shown and something plays.
    """

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.player = player
        self.needles = MeterNeedles(len(CHANNELS))
        self._loudness: float | None = None
        self._loudness_of = ""
        self._fed = time.monotonic()
        self._spoken = -math.inf
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Level meters")
        self.setToolTip(
            "Levels in dB of full scale: the bar is the mean, its light part the peak, the line "
            "the highest peak. The lamp at the top says that full scale was reached; click to "
            "clear it."
        )
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self.refresh)
        player.playing_changed.connect(self._wake)

    # Levels

    def refresh(self) -> None:
        """Look at the levels; the timer rests once nothing plays and all bars have fallen."""
        now = time.monotonic()
        self.feed(self.player.meters(), now - self._fed)
        self._fed = now
        if not self.player.playing and self.needles.at_rest:
            self._timer.stop()

    def feed(self, levels: LevelSource, elapsed: float) -> None:
        """Show levels, ``elapsed`` seconds after the last ones."""
        before = self._drawn()
        self.needles.feed(levels.peak, levels.rms, elapsed)
        if self._drawn() != before:
            self.update(self.bars)
        now = time.monotonic()
        if now - self._spoken > _SPEAK:
            self._spoken = now
            self.setAccessibleDescription(self._words())

    def set_loudness(self, loudness: float | None, of: str = "") -> None:
        """Integrated loudness in LUFS (None: unknown) and what it belongs to."""
        self._loudness, self._loudness_of = loudness, of
        self.setAccessibleDescription(self._words())
        self.update()

    def clear(self) -> None:
        """Forget held peaks and "over"."""
        self.needles.clear()
        self.update()

    @property
    def loudness_text(self) -> str:
        """As shown under the bars."""
        if self._loudness is None or not math.isfinite(self._loudness):
            return "– LUFS"
        return f"{self._loudness:.1f}".replace("-", "−") + " LUFS"

    def _words(self) -> str:
        parts = []
        for name, needle in zip(NAMES, self.needles.needles, strict=True):
            level = "silent" if needle.peak <= FLOOR else f"{needle.peak:.0f} dB"
            parts.append(f"{name} {level}" + (", was over full scale" if needle.over else ""))
        return f"{'; '.join(parts)}. Integrated loudness {self.loudness_text}"

    def _drawn(self) -> tuple[tuple[int, int, int, bool], ...]:
        """What the bars look like in pixels: no change, nothing to paint."""
        height = self._track.height()
        return tuple(
            (
                round(deflection(needle.peak) * height),
                round(deflection(needle.rms) * height),
                round(deflection(needle.hold) * height),
                needle.over,
            )
            for needle in self.needles.needles
        )

    def _wake(self, playing: bool) -> None:
        if playing and self.isVisible():
            self._fed = time.monotonic()
            self._timer.start()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._fed = time.monotonic()
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        self.clear()

    def keyPressEvent(self, event: object) -> None:
        key = event.key() if hasattr(event, "key") else None
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clear()
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]

    # Geometry

    def sizeHint(self) -> QSize:
        return QSize(176, 220)

    def minimumSizeHint(self) -> QSize:
        return QSize(176, 140)

    @property
    def bars(self) -> QRect:
        """What changes while playing: lamps and bars."""
        track = self._track
        return QRect(track.left(), track.top() - 10, track.width(), track.height() + 11)

    @property
    def _track(self) -> QRect:
        line = self.fontMetrics().height()
        top, bottom = 18, self.height() - 2 * line - 14
        return QRect(34, top, self.width() - 44, max(10, bottom - top))

    def _bar(self, index: int) -> QRectF:
        """The ears stand apart from the field."""
        track = self._track
        gap, apart = 5.0, 12.0
        width = (track.width() - gap * (len(CHANNELS) - 2) - apart) / len(CHANNELS)
        left = track.left() + index * (width + gap) + (apart - gap if index >= 4 else 0.0)
        return QRectF(round(left), track.top(), round(left + width) - round(left), track.height())

    # Painting

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if event is None:
            return
        painter = QPainter(self)
        painter.fillRect(event.rect(), self.palette().window())
        if not self.bars.contains(event.rect()):
            self._paint_scale(painter)
            self._paint_names(painter)
        for index in range(len(CHANNELS)):
            self._paint_bar(painter, index)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.end()

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(6.5, font.pointSizeF() * 0.82))
        return font

    def _paint_scale(self, painter: QPainter) -> None:
        track = self._track
        painter.setFont(self._small())
        painter.setPen(theme.colour("secondary"))
        line = painter.fontMetrics().height()
        last = -math.inf
        for mark in _MARKS:
            y = track.bottom() - deflection(mark) * track.height()
            if y - last < line * 0.95:
                continue
            last = y
            painter.drawText(
                QRectF(2, y - line / 2, track.left() - 10, line),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{mark}".replace("-", "−"),
            )
            painter.fillRect(QRectF(track.left() - 6, round(y), 4, 1), theme.colour("border"))

    def _paint_names(self, painter: QPainter) -> None:
        track, line = self._track, self.fontMetrics().height()
        painter.setFont(self.font())
        painter.setPen(theme.colour("secondary"))
        for index, name in enumerate(CHANNELS):
            bar = self._bar(index)
            painter.drawText(
                QRectF(bar.left() - 4, track.bottom() + 4, bar.width() + 8, line),
                Qt.AlignmentFlag.AlignCenter,
                name,
            )
        painter.setPen(theme.colour("text" if self._loudness is not None else "secondary"))
        text = self.loudness_text
        if self._loudness_of:
            text = f"{text}  ·  {self._loudness_of}"
        place = QRect(6, track.bottom() + line + 8, self.width() - 12, line)
        text = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_bar(self, painter: QPainter, index: int) -> None:
        bar, needle = self._bar(index), self.needles.needles[index]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("meter high" if needle.over else "meter back"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(QRectF(bar.left(), bar.top() - 9, bar.width(), 5), 2, 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(bar, theme.colour("meter back"))
        zones = ((FLOOR, _MID, "meter low"), (_MID, _HIGH, "meter mid"), (_HIGH, 0.0, "meter high"))
        for low, high, name in zones:
            for level, alpha in ((needle.peak, 0.42), (needle.rms, 1.0)):
                start, end = deflection(low), deflection(min(level, high))
                if end > start:
                    top = bar.bottom() - end * bar.height()
                    part = QRectF(bar.left(), top, bar.width(), (end - start) * bar.height())
                    painter.fillRect(part, theme.colour(name, alpha))
        if needle.hold > FLOOR:
            y = bar.bottom() - deflection(needle.hold) * bar.height()
            name = "meter high" if needle.hold > _HIGH else "text"
            painter.fillRect(
                QRectF(bar.left(), max(bar.top(), y - 1), bar.width(), 1.6), theme.colour(name)
            )
