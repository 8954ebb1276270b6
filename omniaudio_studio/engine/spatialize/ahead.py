"""What one thread makes while another works with what was made before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class _End:
    """Nothing more comes: the source has ended, or failed."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(source: Generator[T, None, None], depth: int = 8) -> Iterator[Iterator[T]]:
    """Run a generator in a thread of its own, at most ``depth`` + 1 results ahead.

    Leaving the ``with`` block early, by an error too, closes the generator after the result that
    it is at, and waits for that.

    Parameters
    ----------
    source
        Not yet begun; it runs, and is closed, in that thread alone.
    depth
        Results that may wait; 2 or more.

    Yields
    ------
    iterator
        The same results in the same order. Where the source raises, this does, after the results
        that came before.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(depth)
    left = threading.Event()

    def run() -> None:
        error: BaseException | None = None
        try:
            for result in source:
                waiting.put(result)
                if left.is_set():
                    break
            source.close()
        except BaseException as raised:
            error = raised
        waiting.put(_End(error))

    def results() -> Iterator[T]:
        while True:
            result = waiting.get()
            if isinstance(result, _End):
                if result.error is not None:
                    raise result.error
                return
            yield result

    thread = threading.Thread(target=run, name="omniaudio-ahead", daemon=True)
    thread.start()
    try:
        yield results()
    finally:
        left.set()
        # Make room: whoever waits to put a result down goes on, sees that, and ends.
        while not waiting.empty():
            waiting.get_nowait()
        thread.join()
