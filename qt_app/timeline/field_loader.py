"""Reads a field's summary in a thread: an hour of it is no work for the window."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QObject, QRunnable, QThreadPool, pyqtSignal

from omniaudio_studio.errors import OmniAudioError
from qt_app.timeline.field import FieldSummary


class FieldLoader(QObject):
    """Loads one summary at a time; a later request wins over an earlier one."""

    loaded = pyqtSignal(object)
    failed = pyqtSignal(str)
    _ready = pyqtSignal(int, object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._number = 0
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        # Emitted in the pool's thread: Qt queues it into this object's own.
        self._ready.connect(self._deliver)

    def load(self, path: Path, seconds: float | None, loudness: float | None) -> None:
        """Read; `loaded` or `failed` follows in this object's thread."""
        self._number += 1
        self._pool.start(_Reading(self, self._number, path, seconds, loudness))

    def forget(self) -> None:
        """What is still being read is not wanted any more."""
        self._number += 1

    def _deliver(self, number: int, field: object, problem: str) -> None:
        if number != self._number:
            return
        if problem:
            self.failed.emit(problem)
        else:
            self.loaded.emit(field)


class _Reading(QRunnable):
    def __init__(
        self,
        loader: FieldLoader,
        number: int,
        path: Path,
        seconds: float | None,
        loudness: float | None,
    ) -> None:
        super().__init__()
        self._loader, self._number = loader, number
        self._path, self._seconds, self._loudness = path, seconds, loudness

    def run(self) -> None:
        field, problem = None, ""
        try:
            field = FieldSummary.load(self._path, seconds=self._seconds, loudness=self._loudness)
        except OmniAudioError as error:
            problem = str(error)
        # The window may have gone while this was read.
        try:
            self._loader._ready.emit(self._number, field, problem)
        except RuntimeError:
            return
