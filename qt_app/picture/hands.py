"""Mouse, wheel and keys turned into looks."""

from __future__ import annotations

import math

from PyQt6.QtCore import QObject, QPointF, QSizeF, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QWheelEvent

from qt_app.picture.camera import Vector
from qt_app.picture.look import DEFAULT_FOV, LookModel

# A press of an arrow key turns so far at the default field of view, radians; with Shift thrice.
TURN = math.radians(5)
_NOTCH = 120.0  # Qt's units of a wheel's notch
_NOTCH_PIXELS = 40.0  # of a touchpad

_ARROWS = {
    Qt.Key.Key_Left: (1, 0),
    Qt.Key.Key_Right: (-1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
_ZOOMS = {
    Qt.Key.Key_Plus: 1.0,
    Qt.Key.Key_Equal: 1.0,
    Qt.Key.Key_Minus: -1.0,
    Qt.Key.Key_Underscore: -1.0,
}
_OTHERS = (Qt.Key.Key_Home, Qt.Key.Key_G, Qt.Key.Key_E)
_FOREIGN = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


class Hands(QObject):
    """Moves a look model by hand."""

    grid_wanted = pyqtSignal()  # the other way round
    energy_wanted = pyqtSignal()

    def __init__(self, look: LookModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self._held: Vector | None = None

    @property
    def dragging(self) -> bool:
        """Whether a direction is being held."""
        return self._held is not None

    def grip(self, at: QPointF, size: QSizeF) -> None:
        """Take hold of the direction that is shown there."""
        self._held = self._look.direction_at(at.x(), at.y(), size.width(), size.height())

    def drag(self, to: QPointF, size: QSizeF) -> None:
        """Bring the held direction there."""
        if self._held is not None:
            self._look.hold(self._held, to.x(), to.y(), size.width(), size.height())

    def let_go(self) -> None:
        """The look stays where it is."""
        self._held = None

    def wheel(self, event: QWheelEvent) -> bool:
        """Zoom by a wheel or a touchpad; False if it went nowhere."""
        notches = event.angleDelta().y() / _NOTCH
        if not notches:
            notches = event.pixelDelta().y() / _NOTCH_PIXELS
        if notches:
            self._look.zoom(notches)
        return bool(notches)

    @staticmethod
    def knows(event: QKeyEvent) -> bool:
        """Whether a key is one of the view's."""
        if event.modifiers() & _FOREIGN:
            return False
        key = event.key()
        return key in _ARROWS or key in _ZOOMS or key in _OTHERS

    def key(self, event: QKeyEvent) -> bool:
        """Do what a key says; False if it is not one of the view's."""
        if not self.knows(event):
            return False
        key = Qt.Key(event.key())
        if key in _ARROWS:
            far = 3 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            step = TURN * far * math.tan(self._look.fov / 2) / math.tan(DEFAULT_FOV / 2)
            left, up = _ARROWS[key]
            self._look.turn(left * step, up * step)
        elif key in _ZOOMS:
            self._look.zoom(_ZOOMS[key])
        elif key == Qt.Key.Key_Home:
            self._look.recentre()
        elif not event.isAutoRepeat():
            (self.grid_wanted if key == Qt.Key.Key_G else self.energy_wanted).emit()
        return True
