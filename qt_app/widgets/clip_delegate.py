"""How a clip looks in the library: picture, name, facts, and what is wrong with it."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPen
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from qt_app import icons, theme
from qt_app.models.clip import Clip
from qt_app.models.library_rows import CLIP_ROLE, facts, time_text
from qt_app.widgets.thumbnails import Thumbnails

PICTURE = QSize(104, 52)  # logical pixels: the sphere is twice as wide as high
MARGIN = 6
RADIUS = 5


class ClipDelegate(QStyledItemDelegate):
    """Draws rows of one height. ``painted`` tells which clips are on screen.

    Parameters
    ----------
    parent
        The view: its pixel ratio decides the pictures' size.
    """

    painted = pyqtSignal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = Thumbnails(PICTURE * parent.devicePixelRatioF(), self)
        viewport = getattr(parent, "viewport", lambda: parent)()
        self._thumbnails.arrived.connect(viewport.update)

    def close(self) -> None:
        """Read no more pictures."""
        self._thumbnails.close()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """The same for every row."""
        height = max(PICTURE.height(), 3 * QFontMetrics(option.font).height() + 2)
        return QSize(PICTURE.width() + 60, height + 2 * MARGIN)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw a row."""
        clip = index.data(CLIP_ROLE)
        if painter is None or not isinstance(clip, Clip):
            return
        self.painted.emit(clip.id)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        row = option.rect.adjusted(3, 1, -3, -1)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("selection" if chosen else "hover"))
            painter.drawRoundedRect(QRectF(row), RADIUS + 1, RADIUS + 1)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(theme.colour("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(row).adjusted(0.75, 0.75, -0.75, -0.75), RADIUS, RADIUS)
        place = QRect(row.left() + MARGIN, 0, PICTURE.width(), PICTURE.height())
        place.moveTop(row.center().y() - PICTURE.height() // 2 + 1)
        self._paint_picture(painter, option, place, clip)
        text = row.adjusted(PICTURE.width() + 2 * MARGIN + 4, 3, -MARGIN, -3)
        self._paint_text(painter, option, text, clip, chosen)
        painter.restore()

    def _paint_picture(
        self, painter: QPainter, option: QStyleOptionViewItem, place: QRect, clip: Clip
    ) -> None:
        picture = None if clip.thumbnail is None else self._thumbnails.get(clip.thumbnail)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(place), RADIUS, RADIUS)
        painter.save()
        painter.setClipPath(outline)
        painter.fillPath(outline, theme.colour("picture"))
        if picture is not None:
            if clip.missing:
                painter.setOpacity(0.35)
            painter.drawPixmap(place, picture)
            painter.setOpacity(1.0)
        painter.restore()
        light = theme.colour("picture text")
        if clip.problem is not None:
            side = 20
            mark = QRectF(0, 0, side, side)
            mark.moveCenter(QRectF(place).center())
            icons.paint(painter, "warning", mark, QColor(theme.colour("front")))
        elif clip.info is None:
            light.setAlphaF(0.65)
            painter.setPen(light)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, "...")
        if clip.seconds is not None:
            self._paint_length(painter, option, place, time_text(clip.seconds))

    def _paint_length(
        self, painter: QPainter, option: QStyleOptionViewItem, place: QRect, text: str
    ) -> None:
        """The length in the picture's corner."""
        font = QFont(option.font)  # a copy: the option's own is every row's
        font.setPointSizeF(font.pointSizeF() * 0.82)
        metrics = QFontMetrics(font)
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 8, metrics.height() + 1)
        box.moveBottomRight(QRectF(place).bottomRight() - QRectF(0, 0, 3, 3).bottomRight())
        shade = theme.colour("picture", 0.78)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawRoundedRect(box, 3, 3)
        painter.setFont(font)
        painter.setPen(theme.colour("picture text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_text(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        place: QRect,
        clip: Clip,
        chosen: bool,
    ) -> None:
        metrics = QFontMetrics(option.font)
        line = QRect(place.left(), place.top(), place.width(), metrics.height())
        elide, width = Qt.TextElideMode, place.width()
        strong = theme.colour("selection text" if chosen else "text")
        weak = strong if chosen else theme.colour("secondary")
        problem = clip.problem
        lines: list[tuple[str, QColor]] = [
            (metrics.elidedText(clip.name, elide.ElideMiddle, width), strong)
        ]
        if problem is None:
            known = facts(clip)[1:]
            first = ", ".join(known[:2]) if known else "Looking at it..."
            lines.append((metrics.elidedText(first, elide.ElideRight, width), weak))
            second = ", ".join(known[2:])
            lines.append((metrics.elidedText(second, elide.ElideRight, width), weak))
        else:
            tone = strong if chosen else theme.colour("warning")
            head, rest = _two_lines(problem, metrics, width)
            lines += [(head, tone), (metrics.elidedText(rest, elide.ElideRight, width), tone)]
        line.moveTop(place.center().y() - len(lines) * metrics.height() // 2 + 1)
        for text, colour in lines:
            painter.setPen(colour)
            painter.setFont(option.font)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
            line.translate(0, metrics.height())


def _two_lines(text: str, metrics: QFontMetrics, width: int) -> tuple[str, str]:
    """Break a sentence at a space so that the first part fits."""
    words, head = text.split(" "), ""
    for at, word in enumerate(words):
        longer = f"{head} {word}".strip()
        if head and metrics.horizontalAdvance(longer) > width:
            return head, " ".join(words[at:])
        head = longer
    return head, ""
