"""How one take looks in the list: number, name, badges, what made it, star and keep to click."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QModelIndex, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QHelpEvent, QMouseEvent, QPainter
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
)

from qt_app import icons, theme
from qt_app.models.take_words import badges, facts, loudness_text, part_text
from qt_app.models.takes import Take, TakeRole
from qt_app.widgets.labels import badge_size, paint_badge

MARGIN = 10
NUMBER = 26  # the disc with the take's number
MARK = 22  # star and keep
GAP = 6


class TakeDelegate(QStyledItemDelegate):
    """Paints takes as rows of three lines.

    Signals
    -------
    star_clicked(object), keep_clicked(object)
        The mark of this Take was clicked.
    """

    star_clicked = pyqtSignal(object)
    keep_clicked = pyqtSignal(object)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        line = QFontMetrics(option.font).height()
        return QSize(220, 2 * MARGIN + 2 * line + 7 + badge_size("x", option.font).height())

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        take = index.data(TakeRole.TAKE)
        if painter is None or not isinstance(take, Take):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        self._back(painter, option, selected, hovered)
        text = theme.colour("selection text" if selected else "text")
        dim = theme.colour("selection text", 0.8) if selected else theme.colour("secondary")
        if not take.usable:
            text = dim = theme.colour("disabled")
        rect = option.rect
        disc = QRectF(rect.left() + MARGIN, rect.top() + MARGIN, NUMBER, NUMBER)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent") if selected else theme.colour("button"))
        painter.drawEllipse(disc)
        painter.setPen(theme.colour("on accent") if selected else text)
        painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, str(index.row() + 1))
        self._words(painter, option, take, text, dim)
        self._marks(painter, option, take, selected, hovered)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(2.5, 1.5, -2.5, -1.5), 6, 6)
        painter.restore()

    def _back(
        self, painter: QPainter, option: QStyleOptionViewItem, selected: bool, hovered: bool
    ) -> None:
        if not selected and not hovered:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("selection" if selected else "hover"))
        painter.drawRoundedRect(QRectF(option.rect).adjusted(2, 1, -2, -1), 6, 6)

    def _words(
        self, painter: QPainter, option: QStyleOptionViewItem, take: Take, text: QColor, dim: QColor
    ) -> None:
        rect = option.rect
        left = rect.left() + MARGIN + NUMBER + 10
        right = rect.right() - MARGIN - 2 * MARK - GAP - 6
        font = QFont(option.font)
        metrics = QFontMetrics(font)
        line = metrics.height()
        y = rect.top() + MARGIN
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(text)
        title = QFontMetrics(bold).elidedText(
            take.title, Qt.TextElideMode.ElideMiddle, right - left
        )
        painter.drawText(QRect(left, y, right - left, line), Qt.AlignmentFlag.AlignVCenter, title)
        y += line + 3
        said = facts(take)
        said += [fact for fact in (loudness_text(take.loudness), part_text(take)) if fact]
        said.append(f"{take.created:%d %b, %H:%M}")
        painter.setFont(font)
        painter.setPen(dim)
        wide = rect.right() - MARGIN - left
        words = metrics.elidedText(" · ".join(said), Qt.TextElideMode.ElideRight, wide)
        painter.drawText(QRect(left, y, wide, line), Qt.AlignmentFlag.AlignVCenter, words)
        y += line + 4
        x = left
        for word, fill in badges(take):
            size = badge_size(word, font)
            if x > left and x + size.width() > rect.right() - MARGIN:
                break
            paint_badge(painter, QRectF(x, y, size.width(), size.height()), word, fill, font)
            x += size.width() + 4
        room = rect.right() - MARGIN - x - 4
        if room > 40:
            painter.setFont(font)
            painter.setPen(dim)
            bundle = metrics.elidedText(take.bundle_title, Qt.TextElideMode.ElideRight, room)
            painter.drawText(
                QRect(x + (4 if x > left else 0), y, room, badge_size("x", font).height()),
                Qt.AlignmentFlag.AlignVCenter,
                bundle,
            )

    def _marks(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        take: Take,
        selected: bool,
        hovered: bool,
    ) -> None:
        star, keep = self._star_rect(option.rect), self._keep_rect(option.rect)
        faint = theme.colour("selection text" if selected else "secondary", 0.75)
        inner = 2
        if take.starred:
            icons.paint(
                painter,
                "star-filled",
                QRectF(star).adjusted(inner, inner, -inner, -inner),
                theme.colour("star"),
            )
        elif hovered or selected:
            icons.paint(painter, "star", QRectF(star).adjusted(inner, inner, -inner, -inner), faint)
        if take.kept:
            icons.paint(
                painter,
                "keep",
                QRectF(keep).adjusted(inner, inner, -inner, -inner),
                theme.colour("keep"),
            )
        elif hovered or selected:
            icons.paint(painter, "keep", QRectF(keep).adjusted(inner, inner, -inner, -inner), faint)

    def _star_rect(self, rect: QRect) -> QRect:
        return QRect(rect.right() - MARGIN - 2 * MARK - GAP + 4, rect.top() + 7, MARK, MARK)

    def _keep_rect(self, rect: QRect) -> QRect:
        return QRect(rect.right() - MARGIN - MARK + 4, rect.top() + 7, MARK, MARK)

    def editorEvent(
        self,
        event: QEvent | None,
        model: object,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> bool:
        """A click on a mark changes it and leaves the selection."""
        if (
            isinstance(event, QMouseEvent)
            and event.button() == Qt.MouseButton.LeftButton
            and event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease)
        ):
            take = index.data(TakeRole.TAKE)
            spot = event.position().toPoint()
            for rect, signal in (
                (self._star_rect(option.rect), self.star_clicked),
                (self._keep_rect(option.rect), self.keep_clicked),
            ):
                if rect.contains(spot):
                    if event.type() == QEvent.Type.MouseButtonRelease:
                        signal.emit(take)
                    return True
        return False

    def helpEvent(
        self,
        event: QHelpEvent | None,
        view: QAbstractItemView | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> bool:
        """Over a mark, say what a click does; elsewhere everything about the take."""
        take = index.data(TakeRole.TAKE)
        if event is not None and view is not None and isinstance(take, Take):
            for rect, text in (
                (self._star_rect(option.rect), "Take the star away" if take.starred else "Star"),
                (
                    self._keep_rect(option.rect),
                    "Keep no longer" if take.kept else 'Keep: "Remove the others" leaves it',
                ),
            ):
                if rect.contains(event.pos()):
                    QToolTip.showText(event.globalPos(), text, view)
                    return True
        return super().helpEvent(event, view, option, index)
