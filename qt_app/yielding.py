"""Threads of the window's process that let the window go first."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

NICENESS = 5  # of threads that decode and read; the window's own is 0


def yield_to_window() -> None:
    """Lower the calling thread's priority, and that of threads which it starts.

    Only Linux gives each thread a niceness of its own; elsewhere nothing happens.
    """
    if sys.platform.startswith("linux"):
        thread = threading.get_native_id()
        with suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(own + NICENESS, 19))
