"""Reads a field's summary in a thread: an hour of it is no work for the window."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from qt_app.models.background import Background
from qt_app.timeline.field import FieldSummary


class FieldLoader(QObject):
    """Loads one summary at a time; a later request wins over an earlier one."""

    loaded = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._number = 0
        self._background: Background | None = None

    def load(self, path: Path, seconds: float | None, loudness: float | None) -> None:
        """Read; `loaded` or `failed` follows in this object's thread."""
        self._number += 1
        if self._background is None:
            # A thread of Python's: one of Qt's pool would be waited for at the end, with the
            # interpreter's lock held that the thread needs to get there.
            self._background = Background("timeline-field", self)
        number = self._number
        self._background.run(
            partial(self._read, number, path, seconds, loudness),
            partial(self._deliver, number),
            partial(self._tell, number),
        )

    def forget(self) -> None:
        """What is still being read is not wanted any more."""
        self._number += 1

    def _read(
        self, number: int, path: Path, seconds: float | None, loudness: float | None
    ) -> FieldSummary | None:
        if number != self._number:
            return None  # overtaken while it waited
        return FieldSummary.load(path, seconds=seconds, loudness=loudness)

    def _deliver(self, number: int, field: FieldSummary | None) -> None:
        if number == self._number and field is not None:
            self.loaded.emit(field)

    def _tell(self, number: int, error: Exception) -> None:
        if number == self._number:
            self.failed.emit(str(error))
