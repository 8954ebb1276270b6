"""Work that may wait for a disk, off the window's thread; results come back on it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PyQt6.QtCore import QCoreApplication, QDeadlineTimer, QObject, pyqtSignal, pyqtSlot

from qt_app.yielding import yield_to_window

_Job = tuple[Callable[[], Any], Callable[[Any], None] | None, Callable[[Exception], None] | None]


class Background(QObject):
    """One thread that does jobs in order. It never keeps the program from ending.

    Parameters
    ----------
    name
        Of the thread.
    """

    _finished = pyqtSignal(object, object)  # callback, value

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._open = 0
        self._closed = False
        self._finished.connect(self._deliver)  # from the thread: it comes as an event
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Jobs whose results have not come yet."""
        return self._open

    def run(
        self,
        job: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Do ``job`` in the thread, then ``done(result)`` or ``failed(error)`` in this one."""
        if not self._closed:
            self._open += 1
            self._jobs.put((job, done, failed))

    def post(self, callback: Callable[[Any], None], value: Any) -> None:
        """From inside a job: call ``callback(value)`` in the window's thread, unless closed."""
        with suppress(RuntimeError):  # the QObject went while a job was at work
            self._finished.emit(callback, value)

    def wait(self, seconds: float) -> bool:
        """Let what was asked for come to its end; False where it takes longer."""
        deadline = QDeadlineTimer(round(seconds * 1000))
        while self._open and not deadline.hasExpired():
            QCoreApplication.sendPostedEvents(self)
            threading.Event().wait(0.002)
        return not self._open

    def close(self) -> None:
        """Deliver nothing any more. A job at work ends by itself."""
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        yield_to_window()
        while (item := self._jobs.get()) is not None:
            job, done, failed = item
            try:
                value = job()
            except Exception as error:  # told to whoever asked
                self.post(_Answer(failed), error)
            else:
                self.post(_Answer(done), value)

    @pyqtSlot(object, object)
    def _deliver(self, callback: Callable[[Any], None], value: Any) -> None:
        last = isinstance(callback, _Answer)
        if last:
            self._open -= 1
        if not self._closed:
            callback(value)


class _Answer:
    """Marks a job's last word, so that it is counted even where nobody listens."""

    def __init__(self, function: Callable[[Any], None] | None) -> None:
        self._function = function

    def __call__(self, value: Any) -> None:
        if self._function is not None:
            self._function(value)
