"""Small pictures for lists: read in a thread, a bounded number kept."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from PyQt6.QtCore import QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QImage, QImageReader, QPixmap

from qt_app.models.background import Background

KEPT = 256
WAITING = 64  # what was scrolled past long ago is not read any more


class Thumbnails(QObject):
    """Pictures by their path, filled to one size.

    Parameters
    ----------
    size
        Pixels of the device; pictures are scaled and cropped to it.
    """

    arrived = pyqtSignal()

    def __init__(self, size: QSize, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._size = size
        self._kept: OrderedDict[Path, QPixmap] = OrderedDict()
        self._wanted: OrderedDict[Path, None] = OrderedDict()
        self._reading: Path | None = None
        self._thread = Background("thumbnails", self)

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def get(self, path: Path) -> QPixmap | None:
        """The picture, if it is here; else it will be, and ``arrived`` says so."""
        found = self._kept.get(path)
        if found is not None:
            self._kept.move_to_end(path)
            return None if found.isNull() else found
        if path != self._reading:
            self._wanted[path] = None
            self._wanted.move_to_end(path)
            while len(self._wanted) > WAITING:
                self._wanted.popitem(last=False)
            self._go_on()
        return None

    def close(self) -> None:
        """Read nothing more."""
        self._wanted.clear()
        self._thread.close()

    def _go_on(self) -> None:
        if self._reading is not None or not self._wanted:
            return
        # The newest first: it is what is on screen now.
        path, _ = self._wanted.popitem()
        self._reading, size = path, self._size
        self._thread.run(lambda: read_filled(path, size), self._read)

    def _read(self, image: QImage) -> None:
        path, self._reading = self._reading, None
        if path is not None:
            # A null picture is kept too: what cannot be read is not tried at every repaint.
            self._kept[path] = QPixmap.fromImage(image)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            self.arrived.emit()
        self._go_on()


def read_filled(path: Path, size: QSize) -> QImage:
    """A picture scaled to cover ``size`` and cropped to it; null where it cannot be read."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    image = reader.read()
    if image.isNull():
        return image
    covering = image.scaled(
        size,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left, top = (
        (covering.width() - size.width()) // 2,
        (covering.height() - size.height()) // 2,
    )
    return covering.copy(left, top, size.width(), size.height())
