"""Mouse and keys on the marks over the picture: what is wanted of them. Changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from PyQt6.QtCore import QObject, QPoint, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QPainter

from qt_app.picture import camera
from qt_app.picture.look import LookModel
from qt_app.picture.markers import Marker, marker_at, paint_markers
from qt_app.picture.overlay import placed
from qt_app.picture.scene import Scene

MarkersAt = Callable[[float], tuple[Marker, ...]]

# An arrow key moves the chosen mark so far, degrees; with Shift more.
STEP, FAR_STEP = 1.0, 5.0
_ARROWS = {
    Qt.Key.Key_Left: (1, 0),
    Qt.Key.Key_Right: (-1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
_REMOVE = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class Marking(QObject):
    """Knows which marks there are now, which one is held, and says what the user wants.

    Parameters
    ----------
    look
        Where the viewer looks.

    Signals
    -------
    pressed(object), moved(float, float), released(bool)
        A mark, by its key, is taken hold of; it is dragged to an azimuth and elevation (radians);
        it is let go, to be kept where it is or put back.
    wanted(float, float)
        A new mark at an azimuth and elevation, radians.
    menu_wanted(object, float, float, object)
        What can be done with a mark (None: beside all marks) and in a direction, radians, at a
        point of the screen.
    chosen(object)
        Keys are to act on this mark, or on none (None).
    nudged(float, float)
        The chosen mark is to go so many degrees to the left and up.
    removed(), next_wanted()
        The chosen mark is to be removed; the next one is to be chosen.
    source_wanted(), hint_wanted()
        A source or a hint is to be added in the middle of the view.
    """

    pressed = pyqtSignal(object)
    moved = pyqtSignal(float, float)
    wanted = pyqtSignal(float, float)
    menu_wanted = pyqtSignal(object, float, float, object)
    released = pyqtSignal(bool)
    chosen = pyqtSignal(object)
    nudged = pyqtSignal(float, float)
    removed = pyqtSignal()
    next_wanted = pyqtSignal()
    source_wanted = pyqtSignal()
    hint_wanted = pyqtSignal()

    def __init__(self, look: LookModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self._markers_at: MarkersAt | None = None
        self.markers: tuple[Marker, ...] = ()
        self._held: Hashable | None = None
        # From the mark's middle to where it was taken: it must not jump under the hand.
        self._offset = QPointF()

    @property
    def on(self) -> bool:
        """Whether marks can be made here at all."""
        return self._markers_at is not None

    @property
    def any_chosen(self) -> bool:
        """Whether keys act on a mark."""
        return any(marker.chosen for marker in self.markers)

    def follow(self, markers_at: MarkersAt | None) -> None:
        """Where marks come from: a function of the clip's time; None for no marks."""
        self._markers_at = markers_at
        self.markers = ()

    def update(self, time: float) -> bool:
        """Have the marks of this moment; whether they are other ones."""
        found = () if self._markers_at is None else self._markers_at(time)
        changed = found != self.markers
        self.markers = found
        return changed

    def paint(self, painter: QPainter, area: QRectF, scene: Scene) -> None:
        """Over the picture."""
        paint_markers(painter, area, scene, self.markers)

    def under(self, at: QPointF, area: QRectF, scene: Scene) -> Marker | None:
        """The mark at a place of the view."""
        return marker_at(area, scene, self.markers, at)

    def direction_at(self, at: QPointF, area: QRectF) -> tuple[float, float]:
        """Azimuth and elevation of a place of the view, radians."""
        seen = self._look.direction_at(at.x(), at.y(), area.width(), area.height())
        return camera.angles(seen)

    @property
    def holding(self) -> bool:
        """Whether a mark is held."""
        return self._held is not None

    def press(self, at: QPointF, area: QRectF, scene: Scene) -> bool:
        """Take hold of the mark at a place; False where there is none."""
        marker = self.under(at, area, scene)
        where = None if marker is None else placed(area, scene, marker.direction)
        if marker is None or where is None:
            return False
        self._held, self._offset = marker.key, at - where
        self.pressed.emit(marker.key)
        return True

    def move(self, at: QPointF, area: QRectF) -> bool:
        """Drag what is held; False where nothing is."""
        if self._held is None:
            return False
        self.moved.emit(*self.direction_at(at - self._offset, area))
        return True

    def let_go(self, keep: bool = True) -> bool:
        """Let go of what is held; False where nothing is."""
        if self._held is None:
            return False
        self._held = None
        self.released.emit(keep)
        return True

    def ask_for_one(self, at: QPointF, area: QRectF, scene: Scene) -> None:
        """A new mark is wanted at a place, unless there is one."""
        if self.under(at, area, scene) is None:
            self.wanted.emit(*self.direction_at(at, area))

    def ask_for_menu(self, at: QPointF, area: QRectF, scene: Scene, on_screen: QPoint) -> None:
        """What can be done at a place?"""
        marker = self.under(at, area, scene)
        key = None if marker is None else marker.key
        self.menu_wanted.emit(key, *self.direction_at(at, area), on_screen)

    def knows(self, event: QKeyEvent) -> bool:
        """Whether a key is about marks now."""
        if not self.on:
            return False
        key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if modifiers == Qt.KeyboardModifier.NoModifier:
            if key in (Qt.Key.Key_N, Qt.Key.Key_H, Qt.Key.Key_M):
                return True
            if key == Qt.Key.Key_Escape:
                return self._held is not None or self.any_chosen
            if key in _REMOVE:
                return self.any_chosen
        shifted = modifiers in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
        return shifted and key in _ARROWS and self.any_chosen

    def key(self, event: QKeyEvent) -> bool:
        """Do what a key says; False if it is not about marks."""
        if not self.knows(event):
            return False
        key = Qt.Key(event.key())
        if key in _ARROWS:
            far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            left, up = _ARROWS[key]
            step = FAR_STEP if far else STEP
            self.nudged.emit(left * step, up * step)
        elif key == Qt.Key.Key_Escape:
            if not self.let_go(keep=False):
                self.chosen.emit(None)
        elif key in _REMOVE:
            self.removed.emit()
        elif key == Qt.Key.Key_M:
            self.next_wanted.emit()
        elif not event.isAutoRepeat():
            (self.source_wanted if key == Qt.Key.Key_N else self.hint_wanted).emit()
        return True
