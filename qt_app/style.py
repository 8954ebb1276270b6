"""Fusion with edges of fields that can be seen, and dialog buttons without stock icons."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QPainter, QPen
from PyQt6.QtWidgets import (
    QProxyStyle,
    QStyle,
    QStyleHintReturn,
    QStyleOption,
    QStyleOptionComplex,
    QWidget,
)

from qt_app import theme

_PRIMITIVE, _STATE = QStyle.PrimitiveElement, QStyle.StateFlag
_BOXES = (_PRIMITIVE.PE_IndicatorCheckBox, _PRIMITIVE.PE_IndicatorItemViewItemCheck)


class Style(QProxyStyle):
    """Fusion's outlines are the window's colour made darker: faint on light, gone on dark."""

    def __init__(self) -> None:
        super().__init__("Fusion")
        self.setObjectName("fusion")

    def styleHint(
        self,
        hint: QStyle.StyleHint,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
        returnData: QStyleHintReturn | None = None,
    ) -> int:
        if hint == QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons:
            return 0
        return super().styleHint(hint, option, widget, returnData)

    def drawPrimitive(
        self,
        element: QStyle.PrimitiveElement,
        option: QStyleOption | None,
        painter: QPainter | None,
        widget: QWidget | None = None,
    ) -> None:
        super().drawPrimitive(element, option, painter, widget)
        if option is None or painter is None:
            return
        if element in _BOXES:
            self._edge(painter, option, 2.0, focusable=False)
        elif element == _PRIMITIVE.PE_FrameLineEdit:
            self._edge(painter, option, 2.0, focusable=True)
        elif element == _PRIMITIVE.PE_IndicatorRadioButton:
            self._edge(painter, option, option.rect.width() / 2, focusable=False)

    def drawComplexControl(
        self,
        control: QStyle.ComplexControl,
        option: QStyleOptionComplex | None,
        painter: QPainter | None,
        widget: QWidget | None = None,
    ) -> None:
        super().drawComplexControl(control, option, painter, widget)
        spin = control == QStyle.ComplexControl.CC_SpinBox
        if spin and option is not None and painter is not None:
            self._edge(painter, option, 2.0, focusable=True)

    def _edge(
        self, painter: QPainter, option: QStyleOption, radius: float, *, focusable: bool
    ) -> None:
        focused = focusable and bool(option.state & _STATE.State_HasFocus)
        enabled = bool(option.state & _STATE.State_Enabled)
        name = "accent" if focused else ("field edge" if enabled else "border")
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour(name), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        painter.restore()
