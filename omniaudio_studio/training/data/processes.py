"""Shards by many processes on this machine.

A worker that dies (killed, out of memory, a decoder that crashes) is replaced. The piece that it
was at is tried once more; where that ends a second worker, the piece is left out and listed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from omniaudio_studio.errors import OmniAudioError, WorkerError
from omniaudio_studio.training.data.encode import Job, make_shard

#: How often a piece may end a worker.
PATIENCE = 2


@dataclass
class _Worker:
    """A process, and what it is at."""

    process: Any
    connection: Connection
    shard: int = -1
    pieces: int = 0  # of the shard, done
    ready: bool = False


@dataclass
class _Crashes:
    """Workers that pieces have ended."""

    counts: dict[int, int] = field(default_factory=dict)

    def left_out(self, pieces: Sequence[int]) -> dict[int, str]:
        return {
            piece: "ended the process that read it, twice"
            for piece in pieces
            if self.counts.get(piece, 0) >= PATIENCE
        }


def spread_over_processes(
    job: Job, shards: Sequence[int], workers: int, one_more: Callable[[int], None]
) -> None:
    """Make shards with so many processes; they end when this one does.

    Parameters
    ----------
    one_more
        Called with the number of pieces that have been done since the last call (less than none
        where a shard has to be begun again).

    Raises
    ------
    OmniAudioError
        The first one that a worker met.
    WorkerError
        If workers die before they begin, or meet a fault of the program.
    """
    workers = min(workers, len(shards))
    threads = max(1, (os.cpu_count() or 1) // workers)
    job.encoder.threads = threads
    waiting, crashes = list(shards), _Crashes()
    crew = [_start(job) for _ in range(workers)]
    try:
        while crew:
            ready = wait([worker.connection for worker in crew])
            for worker in [each for each in crew if each.connection in ready]:
                try:
                    kind, value = worker.connection.recv()
                except (EOFError, ConnectionError):
                    crew.remove(worker)
                    _bury(worker, job, crashes, one_more)
                    waiting.insert(0, worker.shard)
                    crew.append(_start(job))
                    continue
                if kind == "piece":
                    worker.pieces += 1
                    one_more(1)
                elif kind == "error":
                    raise value
                else:  # it wants work
                    worker.ready = True
                    _hand_out(worker, waiting, job, crashes)
                    if worker.shard < 0:
                        crew.remove(worker)
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()


def _hand_out(worker: _Worker, waiting: list[int], job: Job, crashes: _Crashes) -> None:
    worker.shard, worker.pieces = (waiting.pop(0) if waiting else -1), 0
    left_out = crashes.left_out(job.pieces_of(worker.shard)) if worker.shard >= 0 else {}
    worker.connection.send((worker.shard, left_out))


def _bury(worker: _Worker, job: Job, crashes: _Crashes, one_more: Callable[[int], None]) -> None:
    worker.process.join()
    if not worker.ready or worker.shard < 0:
        raise WorkerError(
            f"a worker ended before it began (exit code {worker.process.exitcode}); try fewer "
            "--workers"
        )
    at = job.pieces_of(worker.shard)
    piece = at[min(worker.pieces, len(at) - 1)]
    crashes.counts[piece] = crashes.counts.get(piece, 0) + 1
    one_more(-worker.pieces)


def _start(job: Job) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, job), daemon=True)
    with _deaf():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes begun here ignore Ctrl-C, which reaches the whole group: the first one decides."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so; it alone is told of Ctrl-C, too
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, job: Job) -> None:
    """The worker: one shard after another, until there is none, or nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            connection.send(("idle", None))
            shard, left_out = connection.recv()
            if shard < 0:
                return
            make_shard(job, shard, lambda: connection.send(("piece", None)), left_out)
    except (EOFError, BrokenPipeError, ConnectionError):
        return
    except OmniAudioError as error:
        connection.send(("error", error))
    except Exception as error:
        connection.send(("error", WorkerError(f"a worker met {type(error).__name__}: {error}")))
