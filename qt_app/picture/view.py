"""The 360 view: a picture to look around in, slaved to a clock."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QGestureEvent, QPinchGesture, QToolTip, QVBoxLayout, QWidget

from qt_app.picture import camera, overlay
from qt_app.picture.decoder import FrameSource
from qt_app.picture.energy import Energy
from qt_app.picture.frames import Picture
from qt_app.picture.gl_view import GlCanvas, missing_gl
from qt_app.picture.hands import Hands
from qt_app.picture.look import ZOOM_PER_STEP, LookModel
from qt_app.picture.marking import MarkersAt, Marking
from qt_app.picture.scene import Scene
from qt_app.picture.software_view import SoftwareCanvas

# While playing the clock is read this often; a picture is drawn when there is a new one (ms).
TICK_MS = 16
# Turns of the head are drawn at most this often (ms); by the processor less often, pictures of the
# clip included: while it draws no mouse is heard, and the ear must not wait for the eye.
TURN_MS, TURN_BY_CPU_MS = 15, 30
EMPTY = "Choose a clip to look around in it"
_ABOUT = (
    "Drag or use the arrow keys to look around, plus and minus to zoom, Home to look at the front, "
    "G for a grid, E for where the sound comes from."
)
_ABOUT_MARKS = (
    "N adds a source in the middle, H a hint, M chooses the next one; arrow keys move the one that "
    "is chosen, Delete removes it, Escape lets go of it."
)

Clock = Callable[[], float]
CovarianceAt = Callable[[float], NDArray[np.float64] | None]


class SphereView(QWidget):
    """Looks into a sphere of pictures.

    Drag to turn, wheel to zoom, arrows, + and -, Home to see the front again; G shows a grid, E the
    sound's energy; Ctrl-click names a direction. Marks (see `set_markers`) can be dragged; a double
    click asks for one, or shows the front again where there are none to be had.

    Parameters
    ----------
    look : LookModel
    source : FrameSource
    clock : callable
        Seconds of the clip that are heard now; cheap.
    parent : QWidget, optional
    software : bool
        Draw without OpenGL.
    """

    direction_clicked = pyqtSignal(float, float)  # azimuth, elevation, radians
    grid_changed = pyqtSignal(bool)
    energy_changed = pyqtSignal(bool)
    fell_back = pyqtSignal(str)  # OpenGL gave up while running, and why

    def __init__(
        self,
        look: LookModel,
        source: FrameSource,
        clock: Clock,
        parent: QWidget | None = None,
        *,
        software: bool = False,
    ) -> None:
        super().__init__(parent)
        self._look, self._source, self._clock = look, source, clock
        self._shown = overlay.Shown(message=EMPTY)
        self._picture: Picture | None = None
        self._covariance_at: CovarianceAt | None = None
        self._covariance: NDArray[np.float64] | None = None
        self._opacity = 1.0
        self._energy: Energy | None = None
        self._energy_shown = True
        self._playing = False
        self._fallback_reason = "turned off by the user" if software else missing_gl()
        self._canvas: GlCanvas | SoftwareCanvas

        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        self._pressed_at: QPointF | None = None  # where no mark was, and the mouse has not moved
        self._use(self._new_canvas())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.setMinimumSize(160, 90)
        self.setAccessibleName("360 picture")
        self.setAccessibleDescription(_ABOUT)
        self.setMouseTracking(True)
        self.grabGesture(Qt.GestureType.PinchGesture)

        self.marking = Marking(look, self)
        self._hands = Hands(look, self)
        self._hands.grid_wanted.connect(lambda: self.set_grid(not self.grid))
        self._hands.energy_wanted.connect(lambda: self.set_energy_shown(not self.energy_shown))
        self._tick = QTimer(self)
        self._tick.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self.refresh)
        self._pause = QTimer(self)  # between two drawings of a turning head
        self._pause.setTimerType(Qt.TimerType.PreciseTimer)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self._draw_turned)
        self._turned = False
        look.changed.connect(self._draw_soon)
        source.arrived.connect(self.refresh)
        source.changed.connect(self._on_clip)
        source.failed.connect(self._on_failure)
        self._on_clip()

    # --- what it shows ---

    @property
    def fallback_reason(self) -> str | None:
        """Why OpenGL is not used, one line; None where it is."""
        return self._fallback_reason

    @property
    def picture(self) -> Picture | None:
        """What is shown."""
        return self._picture

    @property
    def message(self) -> str:
        """What the view says, one line; empty for nothing."""
        return self._shown.message

    @property
    def grid(self) -> bool:
        """Whether the grid is shown."""
        return self._shown.grid

    @property
    def energy_shown(self) -> bool:
        """Whether the sound's energy is shown, where there is a covariance."""
        return self._energy_shown

    def set_grid(self, on: bool) -> None:
        """Show meridians and parallels every 30 degrees."""
        if on != self._shown.grid:
            self._shown.grid = on
            self.grid_changed.emit(on)
            self._draw()

    def set_front(self, yaw: float) -> None:
        """Mark this azimuth (radians) as the clip's front; `LookModel.recentre` goes there."""
        self._shown.front = self._look.home = camera.wrapped(yaw)
        self._draw()

    def set_energy(self, covariance_at: CovarianceAt | None, opacity: float = 1.0) -> None:
        """Paint the energy of a sound field over the picture.

        Parameters
        ----------
        covariance_at : callable or None
            From the time in seconds to the field's covariance (4, 4) then, W Y Z X; None where
            there is no sound. Cheap: asked for every picture. None: no field.
        opacity : float
            0 to 1; at 1 as in delivered overlay videos.
        """
        self._covariance_at, self._opacity = covariance_at, opacity
        self._covariance = self._energy = None
        self.refresh()
        self._draw()

    def set_markers(self, markers_at: MarkersAt | None) -> None:
        """Show marks, as a function of the clip's time gives them; None for no marks at all."""
        self.marking.follow(markers_at)
        self.refresh_markers()

    def refresh_markers(self) -> None:
        """Ask for the marks again: some have changed."""
        t = self._clock()
        if self.marking.update(t if math.isfinite(t) else 0.0):
            self._draw()
        said = [_ABOUT, _ABOUT_MARKS] if self.marking.on else [_ABOUT]
        self.setAccessibleDescription(
            " ".join([*said, *(f"{marker.words}." for marker in self.marking.markers)])
        )

    def set_energy_shown(self, on: bool) -> None:
        """Switch the energy on or off without forgetting the field."""
        if on != self._energy_shown:
            self._energy_shown = on
            self._covariance = self._energy = None
            self.energy_changed.emit(on)
            self.refresh()
            self._draw()

    def set_playing(self, playing: bool) -> None:
        """Read the clock all the time (True), or only when asked to `refresh`."""
        self._playing = playing
        self._run_timer()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Read the clock and draw if that changes anything; after a seek, for instance."""
        t = self._clock()
        if not math.isfinite(t):
            return
        picture = self._source.frame_at(t)
        changed = self._update_energy(t)
        changed = self.marking.update(t) or changed
        if picture is not self._picture:
            self._picture = picture
            self._shown.has_picture = picture is not None
            changed = True
        if changed and self._playing and self._by_cpu:
            self._draw_soon()
        elif changed:
            self._draw()

    def close_view(self) -> None:
        """Stop timers and threads of the view (not the source's)."""
        self._tick.stop()
        self._pause.stop()
        if isinstance(self._canvas, SoftwareCanvas):
            self._canvas.close_canvas()

    # --- how it draws ---

    def _new_canvas(self) -> GlCanvas | SoftwareCanvas:
        if self._fallback_reason is None:
            return GlCanvas(self._paint_over)
        return SoftwareCanvas(self._paint_over)

    def _use(self, canvas: GlCanvas | SoftwareCanvas) -> None:
        self._canvas = canvas
        # All input is the view's own, whatever draws it.
        canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        if isinstance(canvas, GlCanvas):
            # Later: the canvas is in the middle of a call of Qt's.
            canvas.broken.connect(lambda why: QTimer.singleShot(0, lambda: self._fall_back(why)))
        else:
            canvas.broken.connect(self._on_failure)
            self.setToolTip(f"Drawn without the graphics card: {self._fallback_reason}")
        box = self.layout()
        assert box is not None
        box.addWidget(canvas)

    def _fall_back(self, reason: str) -> None:
        if self._fallback_reason is not None:
            return
        self._fallback_reason = reason
        old = self._canvas
        box = self.layout()
        assert box is not None
        box.removeWidget(old)
        old.hide()
        old.deleteLater()
        self._use(self._new_canvas())
        self._draw()
        self.fell_back.emit(reason)

    def _update_energy(self, t: float) -> bool:
        """Have the energy of this moment; whether it is another one."""
        wanted = self._covariance_at if self._energy_shown else None
        found = None if wanted is None else wanted(t)
        before = self._covariance
        if found is None or before is None:
            if found is before:
                return False
        elif np.array_equal(found, before):
            return False
        self._covariance = None if found is None else np.array(found, dtype=np.float64)
        self._energy = None if found is None else Energy.of(found, self._opacity)
        return True

    def _draw(self) -> None:
        self._canvas.show_scene(self._scene())

    def _scene(self) -> Scene:
        look = self._look
        return Scene(
            self._picture,
            (look.yaw, look.pitch, look.roll),
            look.fov,
            self._energy if self._picture is not None else None,
            self._shown.grid,
        )

    def _paint_over(self, painter: QPainter, area: QRectF, scene: Scene) -> None:
        self._shown.focused = self.hasFocus()
        overlay.paint(painter, area, scene, self._shown, self.palette())
        if self._shown.has_picture:
            self.marking.paint(painter, area, scene)

    @property
    def _by_cpu(self) -> bool:
        return not isinstance(self._canvas, GlCanvas) or self._canvas.by_cpu

    def _draw_soon(self, *_: object) -> None:
        """Draw now, or when the last drawing is long enough ago."""
        if self._pause.isActive():
            self._turned = True
        else:
            self._draw()
            self._pause.start(TURN_BY_CPU_MS if self._by_cpu else TURN_MS)

    def _draw_turned(self) -> None:
        if self._turned:
            self._turned = False
            self._draw_soon()

    def _on_clip(self) -> None:
        self._shown.message = EMPTY if self._source.clip is None else ""
        self.refresh()
        self._draw()

    def _on_failure(self, line: str) -> None:
        self._shown.message = line
        self._draw()

    def _run_timer(self) -> None:
        if self._playing and self.isVisible():
            self._tick.start()
        else:
            self._tick.stop()

    # --- Qt's events ---

    def sizeHint(self) -> QSize:
        return QSize(640, 360)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._run_timer()
        self.refresh()

    def hideEvent(self, event: QHideEvent | None) -> None:
        super().hideEvent(event)
        self._run_timer()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        at, area = event.position(), self._area()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.direction_clicked.emit(*self.marking.direction_at(at, area))
            return
        if not (self.can_mark and self.marking.press(at, area, self._scene())):
            if self._shown.has_picture and overlay.compass_area(area).contains(at):
                self._look.recentre()
                return
            self._pressed_at = at
            self._hands.grip(at, self._size())
        self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        at = event.position()
        if self._hands.dragging:
            if at != self._pressed_at:
                self._pressed_at = None
            self._hands.drag(at, self._size())
        elif not self.marking.move(at, self._area()):
            self._show_cursor(at)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if not self.marking.let_go() and self._pressed_at is not None and self.marking.any_chosen:
            self.marking.chosen.emit(None)  # a click beside all marks
        self._pressed_at = None
        self._hands.let_go()
        self._show_cursor(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        at, area = event.position(), self._area()
        if self.can_mark and not overlay.compass_area(area).contains(at):
            self.marking.ask_for_one(at, area, self._scene())
        else:
            self._look.recentre()

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        if event is not None and self.can_mark:
            by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
            at = self._area().center() if by_key else QPointF(event.pos())
            on_screen = self.mapToGlobal(at).toPoint()
            self.marking.ask_for_menu(at, self._area(), self._scene(), on_screen)

    @property
    def can_mark(self) -> bool:
        """Whether marks can be made in what is shown."""
        return self.marking.on and self._shown.has_picture

    def centre(self) -> tuple[float, float]:
        """Azimuth and elevation of the view's middle, radians."""
        return self.marking.direction_at(self._area().center(), self._area())

    def _show_cursor(self, at: QPointF) -> None:
        marker = self.marking.under(at, self._area(), self._scene())
        over = Qt.CursorShape.OpenHandCursor if marker is None else Qt.CursorShape.SizeAllCursor
        if self.cursor().shape() != over:
            self.setCursor(over)

    def _area(self) -> QRectF:
        return QRectF(self.rect())

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None:
            event.setAccepted(self._hands.wheel(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and not (self.marking.key(event) or self._hands.key(event)):
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        super().focusInEvent(event)
        self._draw()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        super().focusOutEvent(event)
        self._draw()

    def event(self, event: QEvent | None) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            # With the focus here these keys are the view's before the window's.
            if self._hands.knows(event) or self.marking.knows(event):
                event.accept()
                return True
        elif isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            at = QPointF(event.pos())
            marker = self.marking.under(at, self._area(), self._scene())
            if marker is not None:
                QToolTip.showText(event.globalPos(), marker.words, self)
                return True
        elif isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                self._hands.let_go()
                self._zoom_by(pinch.scaleFactor())
                return True
        elif (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self._zoom_by(1 + event.value())
            return True
        return super().event(event)

    def _zoom_by(self, factor: float) -> None:
        self._look.zoom(math.log(max(factor, 1e-3)) / math.log(ZOOM_PER_STEP))

    def _size(self) -> QSizeF:
        return QSizeF(self.size())


def make_sphere_view(
    look: LookModel,
    source: FrameSource,
    clock: Clock,
    parent: QWidget | None = None,
    *,
    software: bool = False,
) -> SphereView:
    """A view drawn by OpenGL, or in software where that cannot be had (``fallback_reason``)."""
    return SphereView(look, source, clock, parent, software=software)
