"""Stopping work from another thread or with Ctrl-C. Standard library only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

from omniaudio_studio.errors import Cancelled

Result = TypeVar("Result")


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

        def remove() -> None:
            with self._lock:
                self._callbacks.pop(key, None)

        with self._lock:
            waiting = not self._cancelled
            if waiting:
                self._callbacks[key] = callback
        if not waiting:
            callback()
        return remove


@cache
def _helper() -> ThreadPoolExecutor:
    # One thread for good: CUDA keeps a context for each thread that runs a graph.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="omniaudio-graph")


def run_interruptibly(function: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """Call a function that blocks outside Python, so that Ctrl-C is still heard.

    Python's signal handlers run in the main thread between two steps of Python; while that thread
    is inside a graph there are none. So from the main thread the function runs on a helper thread
    and the main one waits in Python. From other threads it is called directly.

    Parameters
    ----------
    function
        What to run.
    stop
        Makes it return soon; called when waiting is interrupted (KeyboardInterrupt), which is
        raised again once the function has returned.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    future = _helper().submit(function)
    try:
        # In short waits, since on Windows an endless one cannot be interrupted.
        while not wait((future,), timeout=0.1).done:
            pass
    except BaseException:
        stop()
        wait((future,))
        raise
    return future.result()
