"""Long work on the command line: in a thread, so that Ctrl-C is heard at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeVar

from omniaudio_studio.errors import Cancelled

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken

T = TypeVar("T")

POLL_SECONDS = 0.05
GRACE_SECONDS = 0.6  # for the work to stop by itself after Ctrl-C


def run_cancellable(work: Callable[[CancelToken], T]) -> T:
    """Run ``work(token)`` in a thread and wait; SIGINT and SIGTERM cancel the token.

    A library that computes inside one long call would keep Python from handling signals if it ran
    in the main thread. Work that has not stopped after a short grace is given up: its temporary
    files are removed and the process ends.

    Raises
    ------
    Exception
        Whatever ``work`` raises. After a signal the process ends instead, with exit code 130.
    """
    from omniaudio_studio.engine.cancel import CancelToken

    token = CancelToken()
    signals: list[int] = []
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work(token))
        except BaseException as error:
            errors.append(error)

    def heard(number: int, frame: FrameType | None) -> None:
        signals.append(number)  # nothing else is safe here: locks may be held

    kinds = [signal.SIGINT, signal.SIGTERM]
    before = {kind: signal.signal(kind, heard) for kind in kinds}
    thread = threading.Thread(target=body, name="omniaudio-work", daemon=True)
    try:
        thread.start()
        since: float | None = None
        while thread.is_alive():
            thread.join(POLL_SECONDS)
            if signals and since is None:
                since = time.monotonic()
                token.cancel()
            if since is not None and (time.monotonic() - since > GRACE_SECONDS):
                _give_up()
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    if errors:
        error = errors[0]
        if signals:
            # The interpreter would take its time to take down sessions; there is nothing to save.
            _leave()
        raise error
    return results[0]


def _give_up() -> NoReturn:
    """End the process although the work is still in a library's hands; leave nothing behind."""
    from omniaudio_studio.jobs.staging import remove_all

    remove_all()
    _leave()


def _leave() -> NoReturn:
    print("omniaudio: stopped; nothing was written", file=sys.stderr, flush=True)
    os._exit(Cancelled.exit_code)
