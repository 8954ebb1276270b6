"""Stopping work from another thread. Standard library only."""

from __future__ import annotations

import threading
from collections.abc import Callable

from omniaudio_studio.errors import Cancelled


class CancelToken:
    """Says once, to everyone who asks, that the work is no longer wanted.

    All methods may be called from any thread, and from a signal handler.
    """

    def __init__(self) -> None:
        # Re-entrant: a signal handler may cancel while this thread is registering a callback.
        self._lock = threading.RLock()
        self._cancelled = False
        self._callbacks: dict[object, Callable[[], None]] = {}

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel; callbacks run here, once each. Calling it again does nothing."""
        with self._lock:
            self._cancelled = True
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise Cancelled if the work was cancelled."""
        if self._cancelled:
            raise Cancelled("cancelled; nothing was written")

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run ``callback`` at cancellation: at once where that has happened already.

        Returns
        -------
        callable
            Takes the callback off again. Safe to call more than once.
        """
        key = object()
        with self._lock:
            if not self._cancelled:
                self._callbacks[key] = callback

                def remove() -> None:
                    with self._lock:
                        self._callbacks.pop(key, None)

                return remove
        callback()
        return lambda: None
