"""The canvas for machines without OpenGL: drawn in a thread, shown as an image."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PyQt6.QtCore import QRectF, pyqtSignal
from PyQt6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QWidget

from qt_app import theme
from qt_app.picture.gl_view import Overlay
from qt_app.picture.scene import Scene
from qt_app.picture.software import Colour, SoftwareRenderer

# Widths that are drawn while the look moves and when it rests, pixels.
MOVING, RESTING = 480, 960


class SoftwareCanvas(QWidget):
    """Draws a scene, and an overlay with a painter on top; never waits for the drawing.

    Parameters
    ----------
    overlay : callable
        Called with a painter, the area and the scene after each picture.
    parent : QWidget, optional
    """

    broken = pyqtSignal(str)  # a picture cannot be drawn, and why
    _drawn = pyqtSignal(QImage, object)

    def __init__(self, overlay: Overlay, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._overlay = overlay
        self._scene = Scene()
        self._image: QImage | None = None
        self._image_of = Scene()
        self._drawn.connect(self._take)
        self._back = theme.colour("picture")
        self._drawer = _Drawer(
            self._drawn.emit, self.broken.emit, _rgb("picture grid"), _rgb("picture")
        )
        self.destroyed.connect(self._drawer.close)

    def show_scene(self, scene: Scene) -> None:
        """Draw this as soon as the thread is free; a newer one takes its place."""
        self._scene = scene
        self._ask()
        self.update()  # the overlay follows at once

    def close_canvas(self) -> None:
        """End the thread."""
        self._drawer.close()

    def image(self) -> QImage | None:
        """What was drawn last."""
        return self._image

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._image is None:
            painter.fillRect(self.rect(), self._back)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(self.rect()), self._image)
        # With what has been drawn, not with what is asked for: the two would slide apart.
        self._overlay(painter, QRectF(self.rect()), self._image_of)
        painter.end()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._ask()

    def _ask(self) -> None:
        ratio = self.devicePixelRatioF()
        if self.width() > 0 and self.height() > 0:
            self._drawer.ask(self._scene, self.width() * ratio, self.height() * ratio)

    def _take(self, image: QImage, scene: Scene) -> None:
        self._image, self._image_of = image, scene
        self.update()


class _Drawer:
    """The thread. It draws the last scene it was given; coarsely first if the look moved."""

    def __init__(
        self,
        on_image: Callable[[QImage, Scene], None],
        on_failure: Callable[[str], None],
        grid: Colour,
        background: Colour,
    ) -> None:
        self._on_image = on_image
        self._on_failure = on_failure
        self._colours = (grid, background)
        self._changed = threading.Condition()
        self._asked: tuple[Scene, float, float] | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def ask(self, scene: Scene, width: float, height: float) -> None:
        with self._changed:
            self._asked = (scene, width, height)
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="drawing", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        renderer = SoftwareRenderer(*self._colours)
        look: object = None
        while True:
            with self._changed:
                while self._asked is None and not self._closing:
                    self._changed.wait()
                if self._closing or self._asked is None:
                    return
                (scene, width, height), self._asked = self._asked, None
            now = (scene.look, scene.fov, width, height)
            moving, look = now != look, now
            try:
                if moving and width > MOVING:
                    self._draw(renderer, scene, width, height, MOVING)
                    with self._changed:
                        if self._asked is not None or self._closing:
                            continue
                self._draw(renderer, scene, width, height, RESTING)
            except Exception as error:  # the next picture may do better
                self._on_failure(f"the picture cannot be drawn ({error})")

    def _draw(
        self, renderer: SoftwareRenderer, scene: Scene, width: float, height: float, most: int
    ) -> None:
        scale = min(1.0, most / width)
        columns, rows = max(round(width * scale), 2), max(round(height * scale), 2)
        rgb = renderer.render(scene, columns, rows)
        image = QImage(rgb.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        self._on_image(image.copy(), scene)


def _rgb(name: str) -> Colour:
    colour = theme.colour(name)
    return colour.red(), colour.green(), colour.blue()
