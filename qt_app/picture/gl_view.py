"""The canvas that OpenGL draws on."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QRectF, pyqtSignal
from PyQt6.QtGui import (
    QGuiApplication,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QSurfaceFormat,
)
from PyQt6.QtOpenGL import QOpenGLPaintDevice
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget

from qt_app import theme
from qt_app.picture.gl_program import SphereProgram
from qt_app.picture.gl_shader import GlUnavailable
from qt_app.picture.scene import Scene

GRID_OPACITY = 0.55
# Platforms without a window system: QOpenGLWidget may crash there instead of saying no.
_WITHOUT_GL = ("offscreen", "minimal", "vnc", "linuxfb")

# A painter in logical pixels, the whole view, and what it shows.
Overlay = Callable[[QPainter, QRectF, Scene], None]


def surface_format() -> QSurfaceFormat:
    """What the canvas asks of OpenGL."""
    wanted = QSurfaceFormat()
    wanted.setVersion(4, 1)
    wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    wanted.setSwapInterval(1)
    return wanted


def missing_gl() -> str | None:
    """Why OpenGL cannot be used here, one line; None if a context can be had."""
    platform = QGuiApplication.platformName()
    if platform in _WITHOUT_GL:
        return f"the platform {platform} has no OpenGL"
    context = QOpenGLContext()
    context.setFormat(surface_format())
    if not context.create():
        return "no OpenGL context can be made; the graphics driver is missing or too old"
    surface = QOffscreenSurface()
    surface.setFormat(context.format())
    surface.create()
    if not context.makeCurrent(surface):
        return "an OpenGL context was made but cannot be used"
    try:
        version = context.format().version()
        if version < (4, 1):
            return "OpenGL 4.1 is needed, found {}.{}".format(*version)
    finally:
        context.doneCurrent()
    return None


class GlCanvas(QOpenGLWidget):
    """Draws a scene, and an overlay with a painter on top.

    Parameters
    ----------
    overlay : callable
        Called with a painter, the area and the scene after each picture.
    parent : QWidget, optional
    """

    broken = pyqtSignal(str)  # OpenGL does not work after all, and why

    def __init__(self, overlay: Overlay, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFormat(surface_format())
        self._overlay = overlay
        self._scene = Scene()
        self._program: SphereProgram | None = None

    @property
    def by_cpu(self) -> bool:
        """Whether there is no graphics card behind it; not known before the first picture."""
        return self._program is not None and self._program.by_cpu

    def show_scene(self, scene: Scene) -> None:
        """Draw this at the next opportunity."""
        self._scene = scene
        self.update()

    def initializeGL(self) -> None:
        context = self.context()
        try:
            self._program = SphereProgram(context)
        except GlUnavailable as error:
            self.broken.emit(str(error))
            return
        if context is not None:
            # Moving to another window or screen makes a new context.
            context.aboutToBeDestroyed.connect(self._free)

    def paintGL(self) -> None:
        ratio = self.devicePixelRatioF()
        width = max(round(self.width() * ratio), 1)
        height = max(round(self.height() * ratio), 1)
        if self._program is not None:
            grid, back = theme.colour("picture grid", GRID_OPACITY), theme.colour("picture")
            try:
                self._program.draw(
                    self._scene, width, height, self.defaultFramebufferObject(), grid, back
                )
            except GlUnavailable as error:
                self._program = None
                self.broken.emit(str(error))
        # Not on the widget: where the window is grabbed its painters go to the grabbed image, which
        # this picture then covers.
        device = QOpenGLPaintDevice(width, height)
        device.setDevicePixelRatio(ratio)
        painter = QPainter(device)
        self._overlay(painter, QRectF(self.rect()), self._scene)
        painter.end()

    def _free(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            self.makeCurrent()
            program.free()
            self.doneCurrent()
