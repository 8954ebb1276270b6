"""Helpers of the tests that must not outlive them, however the tests end."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)


def dies_with_us() -> Callable[[], None] | None:
    """For ``Popen(preexec_fn=...)``: on Linux the child is ended when this process is killed."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)  # loaded here: little is safe between fork and exec

    def arrange() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return arrange
