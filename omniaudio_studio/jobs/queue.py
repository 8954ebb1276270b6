"""The durable queue of requests. Standard library only.

Everything that a front end asks for is on the disk when the call returns, so that a kill at any
moment loses nothing. `jobs.runner` does the work; any number of windows and commands may look at
the same queue and change it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.outputs import claimed_outputs
from omniaudio_studio.jobs.queue_file import QueueFile
from omniaudio_studio.jobs.queued_request import (
    QueuedRequest,
    device_of,
    read_request,
    subject_of,
    with_absolute_paths,
)

_FINEST = 1e-6  # between two places; below it they are numbered anew


class JobState(StrEnum):
    """What a job is doing. HELD waits until it is released."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing will happen to it any more unless it is asked for again."""
        return self in _FINISHED


_FINISHED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
_OPEN = (JobState.QUEUED, JobState.HELD, JobState.RUNNING)


@dataclass(frozen=True)
class Job:
    """One request in the queue, as it was when it was looked up.

    Attributes
    ----------
    order
        Jobs run by ascending order.
    clip_seconds
        Length of the clip, where it is known.
    created, started, finished
        Seconds since the epoch; ``started`` is that of the last attempt.
    attempts
        How often it was begun.
    deaths
        How often its worker died under it since it was last asked for.
    round
        Jobs that were added before the queue ran empty share a round, and one total progress.
    stopping
        A running job that was cancelled and is about to end.
    temporary
        Folder of its half-done files.
    error, error_kind
        One line and the error's class, where it failed.
    result
        As a result of `jobs.result` gives it as plain data, where it is done.
    """

    id: int
    order: float
    state: JobState
    request: QueuedRequest
    label: str
    clip_seconds: float | None = None
    round: int = 1
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    deaths: int = 0
    stopping: bool = False
    temporary: Path | None = None
    worker: str | None = None
    error: str | None = None
    error_kind: str | None = None
    result: dict[str, Any] | None = None

    @property
    def seconds(self) -> float | None:
        """Seconds of the clip that are to be made, where known."""
        if self.clip_seconds is None:
            return self.request.duration
        rest = max(0.0, self.clip_seconds - self.request.start)
        return rest if self.request.duration is None else min(rest, self.request.duration)


@dataclass(frozen=True)
class Speed:
    """How long work of one kind took: the history that estimates are made of.

    ``loading`` in seconds (None where the model was warm), the others in seconds per second of
    clip; ``overlay``, of all that was made beside the sound for what of it would be an overlay's
    share (`Deliverable.work`), None where there was nothing.
    """

    kind: str
    bundle: str
    loading: float | None
    sound: float
    overlay: float | None
    finishing: float
    jobs: int = 1


class JobQueue:
    """The queue in one file. Threads and processes may share it.

    Parameters
    ----------
    path
        The file; made where it is missing. A file that is no queue, or a damaged one, is refused
        and left as it is.

    Raises
    ------
    OutputError
        Here and in every method: the file cannot be used (damaged, disk full, permission).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = QueueFile(path)
        self._read: dict[int, tuple[tuple[Any, ...], Job]] = {}  # by id: a row and what it means
        self.unreadable: dict[int, str] = {}  # jobs of another version: kept, not run

    def __enter__(self) -> JobQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # -- looking ----------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """A number that grows with every change, by whomever; cheap."""
        return self._fact("revision")

    @property
    def round(self) -> int:
        """The current round: see `Job.round`."""
        return self._fact("round")

    @property
    def paused(self) -> bool:
        """Whether no further job is begun. Kept over restarts; what runs goes on."""
        return bool(self._fact("paused"))

    @paused.setter
    def paused(self, value: bool) -> None:
        with self._file.writing() as database:
            database.execute("UPDATE facts SET value = ? WHERE name = 'paused'", (int(value),))

    def jobs(self) -> list[Job]:
        """Every job, by order. One that has not changed is the same object as before."""
        with self._file.reading() as database:
            rows = database.execute("SELECT * FROM jobs ORDER BY place, id").fetchall()
            jobs = [job for row in rows if (job := self._job(row)) is not None]
            for gone in self._read.keys() - {row["id"] for row in rows}:
                del self._read[gone]
        return jobs

    def get(self, job: int) -> Job | None:
        """One job, or None where it is not (any more)."""
        with self._file.reading() as database:
            row = database.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
            return None if row is None else self._job(row)

    def in_state(self, *states: JobState) -> list[Job]:
        """The jobs in these states, by order."""
        with self._file.reading() as database:
            return self._in_state(database, states)

    # -- what a front end asks for ----------------------------------------------------------------

    def add(
        self,
        requests: Iterable[QueuedRequest],
        *,
        clip_seconds: float | Sequence[float | None] | None = None,
    ) -> list[int]:
        """Put requests at the end; all of them, or none.

        Parameters
        ----------
        requests
            Their paths are made absolute: the queue may be worked off from another folder.
        clip_seconds
            Length of the clips, one for all or one each, for estimates.

        Returns
        -------
        list of int
            The jobs' ids, in order.

        Raises
        ------
        OptionError
            If a request is not valid, or an output is already in the queue.
        """
        wanted = [absolute(request.validate()) for request in requests]
        lengths: Sequence[float | None]
        if clip_seconds is None or isinstance(clip_seconds, int | float):
            lengths = [clip_seconds] * len(wanted)
        else:
            lengths = list(clip_seconds)
            if len(lengths) != len(wanted):
                raise OptionError(f"{len(wanted)} requests have {len(lengths)} clip lengths")
        with self._file.writing() as database:
            self._check_free(wanted, self._in_state(database, _OPEN))
            round_ = self._begin_round(database)
            place = database.execute("SELECT max(place) FROM jobs").fetchone()[0] or 0.0
            ids = []
            for number, (request, seconds) in enumerate(zip(wanted, lengths, strict=True), 1):
                cursor = database.execute(
                    "INSERT INTO jobs (place, state, kind, request, device, label, clip_seconds,"
                    " round, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        place + number,
                        JobState.QUEUED,
                        request.KIND,
                        request.to_json(),
                        device_of(request),
                        subject_of(request).name,
                        seconds,
                        round_,
                        time.time(),
                    ),
                )
                ids.append(int(cursor.lastrowid or 0))
        return ids

    def move(self, jobs: Iterable[int], before: int | None) -> None:
        """Put jobs, in their present order, before another one; at the end where None.

        Unknown jobs are passed over; ``before`` may be one of those moved.
        """
        chosen = set(jobs)
        with self._file.writing() as database:
            rows = database.execute("SELECT id, place FROM jobs ORDER BY place, id").fetchall()
            order = [row["id"] for row in rows]
            places = {row["id"]: row["place"] for row in rows}
            moved = [job for job in order if job in chosen]
            if before is not None and before not in places:
                before = None
            following = order[order.index(before) :] if before is not None else []
            # Where the target itself moves, its next neighbour that stays is meant.
            target = next((job for job in following if job not in chosen), None)
            rest = [job for job in order if job not in chosen]
            at = len(rest) if target is None else rest.index(target)
            low = places[rest[at - 1]] if at else None
            high = places[target] if target is not None else None
            if moved and (fresh := _between(low, high, len(moved))) is not None:
                changes = list(zip(fresh, moved, strict=True))
            else:
                whole = rest[:at] + moved + rest[at:]
                changes = [(float(place), job) for place, job in enumerate(whole, 1)]
            database.executemany("UPDATE jobs SET place = ? WHERE id = ?", changes)

    def hold(self, jobs: Iterable[int]) -> None:
        """Keep jobs that wait from being begun."""
        self._set(jobs, (JobState.QUEUED,), state=JobState.HELD)

    def release(self, jobs: Iterable[int]) -> None:
        """Let held jobs run again."""
        self._set(jobs, (JobState.HELD,), state=JobState.QUEUED)

    def cancel(self, jobs: Iterable[int]) -> None:
        """Cancel jobs; one that runs is stopped by the runner within a second."""
        chosen = list(jobs)
        waiting = (JobState.QUEUED, JobState.HELD)
        with self._file.writing() as database:
            self._update(database, chosen, waiting, state=JobState.CANCELLED, finished=time.time())
            database.executemany(
                "UPDATE jobs SET stopping = max(stopping, 1) WHERE id = ? AND state = 'running'",
                [(job,) for job in chosen],
            )

    def retry(self, jobs: Iterable[int]) -> None:
        """Ask again for jobs that failed or were cancelled.

        Raises
        ------
        OptionError
            If an output of one is in the queue again already.
        """
        chosen = set(jobs)
        over = (JobState.FAILED, JobState.CANCELLED)
        with self._file.writing() as database:
            again = [job for job in self._in_state(database, over) if job.id in chosen]
            self._check_free([job.request for job in again], self._in_state(database, _OPEN))
            if again:
                round_ = self._begin_round(database)
                self._update(
                    database,
                    [job.id for job in again],
                    over,
                    state=JobState.QUEUED,
                    round=round_,
                    deaths=0,
                    started=None,
                    finished=None,
                    error=None,
                    error_kind=None,
                )

    def remove(self, jobs: Iterable[int]) -> None:
        """Take jobs out of the queue; one that runs is cancelled first. Files are left alone."""
        chosen = [(job,) for job in jobs]
        with self._file.writing() as database:
            database.executemany("DELETE FROM jobs WHERE id = ? AND state <> 'running'", chosen)
            database.executemany(
                "UPDATE jobs SET stopping = 2 WHERE id = ? AND state = 'running'", chosen
            )

    def clear_finished(self) -> None:
        """Take everything out that is done, failed or cancelled."""
        with self._file.writing() as database:
            database.execute("DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled')")

    # -- what the runner notes --------------------------------------------------------------------

    def next_queued(self) -> list[Job]:
        """The first waiting job of every device that a request names."""
        with self._file.reading() as database:
            devices = database.execute("SELECT DISTINCT device FROM jobs WHERE state = 'queued'")
            first = []
            for (device,) in devices.fetchall():
                rows = database.execute(
                    "SELECT * FROM jobs WHERE state = 'queued' AND device = ? ORDER BY place, id",
                    (device,),
                )
                # One that another version wrote is passed over.
                first += [job for job in map(self._job, rows) if job is not None][:1]
        return sorted(first, key=lambda job: (job.order, job.id))

    def begin(self, job: int, worker: str | None) -> bool:
        """Note that a waiting job is handed to a worker; False where it waits no longer."""
        with self._file.writing() as database:
            cursor = database.execute(
                "UPDATE jobs SET state = 'running', started = ?, finished = NULL, stopping = 0,"
                " attempts = attempts + 1, temporary = NULL, worker = ?"
                " WHERE id = ? AND state = 'queued'",
                (time.time(), worker, job),
            )
            return cursor.rowcount == 1

    def note(
        self,
        job: int,
        *,
        temporary: Path | None = None,
        worker: str | None = None,
        clip_seconds: float | None = None,
    ) -> None:
        """Note what is learned about a running job."""
        values = {"temporary": temporary, "worker": worker, "clip_seconds": clip_seconds}
        known: dict[str, Any] = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in values.items()
            if value is not None
        }
        if known:
            self._set([job], (JobState.RUNNING,), **known)

    def end(
        self,
        job: int,
        state: JobState,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
        error_kind: str | None = None,
    ) -> None:
        """Note how a running job ended."""
        with self._file.writing() as database:
            self._update(
                database,
                [job],
                (JobState.RUNNING,),
                state=state,
                finished=time.time(),
                result=None if result is None else json.dumps(result, ensure_ascii=False),
                error=error,
                error_kind=error_kind,
                temporary=None,
                worker=None,
            )
            database.execute(
                "DELETE FROM jobs WHERE id = ? AND stopping = 2 AND state <> 'running'", (job,)
            )
            database.execute("UPDATE jobs SET stopping = 0 WHERE id = ?", (job,))

    def put_back(self, job: int, *, died: bool) -> None:
        """Let an interrupted job wait again, in its old place.

        Parameters
        ----------
        died
            Whether its own worker died under it, which is counted.
        """
        with self._file.writing() as database:
            database.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, deaths = deaths + ?,"
                " temporary = NULL, worker = NULL, stopping = 0 WHERE id = ? AND state = 'running'",
                (int(died), job),
            )

    def speeds(self) -> list[Speed]:
        """The history of how long work took."""
        with self._file.reading() as database:
            rows = database.execute("SELECT * FROM speeds ORDER BY updated").fetchall()
        names = ("kind", "bundle", "loading", "sound", "overlay", "finishing", "jobs")
        return [Speed(**{name: row[name] for name in names}) for row in rows]

    def keep_speed(self, speed: Speed) -> None:
        """Replace the history of one kind of work."""
        with self._file.writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO speeds"
                " (kind, bundle, jobs, loading, sound, overlay, finishing, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    speed.kind,
                    speed.bundle,
                    speed.jobs,
                    speed.loading,
                    speed.sound,
                    speed.overlay,
                    speed.finishing,
                    time.time(),
                ),
            )

    # -- inside -----------------------------------------------------------------------------------

    def _fact(self, name: str) -> int:
        with self._file.reading() as database:
            row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def _begin_round(self, database: sqlite3.Connection) -> int:
        """The round of what is added now: a new one where nothing waits or runs any more."""
        waiting = database.execute(
            "SELECT count(*) FROM jobs WHERE state IN ('queued', 'held', 'running')"
        ).fetchone()[0]
        if not waiting:
            database.execute("UPDATE facts SET value = value + 1 WHERE name = 'round'")
        row = database.execute("SELECT value FROM facts WHERE name = 'round'").fetchone()
        return int(row[0])

    def _set(self, jobs: Iterable[int], states: Sequence[JobState], **values: Any) -> None:
        with self._file.writing() as database:
            self._update(database, jobs, states, **values)

    @staticmethod
    def _update(
        database: sqlite3.Connection,
        jobs: Iterable[int],
        states: Sequence[JobState],
        **values: Any,
    ) -> None:
        """Set columns (named in this file alone) of those jobs that are in one of ``states``."""
        columns = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" for _ in states)
        database.executemany(
            f"UPDATE jobs SET {columns} WHERE id = ? AND state IN ({marks})",
            [(*values.values(), job, *states) for job in jobs],
        )

    def _in_state(self, database: sqlite3.Connection, states: Sequence[JobState]) -> list[Job]:
        marks = ", ".join("?" for _ in states)
        rows = database.execute(
            f"SELECT * FROM jobs WHERE state IN ({marks}) ORDER BY place, id", states
        ).fetchall()
        return [job for job in map(self._job, rows) if job is not None]

    def _job(self, row: sqlite3.Row) -> Job | None:
        key = tuple(row)
        known = self._read.get(row["id"])
        if known is not None and known[0] == key:
            return known[1]
        try:
            request = read_request(row["kind"], row["request"])
        except OptionError as error:
            self.unreadable[row["id"]] = str(error)
            return None
        job = Job(
            id=row["id"],
            order=row["place"],
            state=JobState(row["state"]),
            request=request if known is None or known[1].request != request else known[1].request,
            label=row["label"],
            clip_seconds=row["clip_seconds"],
            round=row["round"],
            created=row["created"],
            started=row["started"],
            finished=row["finished"],
            attempts=row["attempts"],
            deaths=row["deaths"],
            stopping=bool(row["stopping"]),
            temporary=None if row["temporary"] is None else Path(row["temporary"]),
            worker=row["worker"],
            error=row["error"],
            error_kind=row["error_kind"],
            result=None if row["result"] is None else json.loads(row["result"]),
        )
        self._read[job.id] = (key, job)
        return job

    @staticmethod
    def _check_free(wanted: Sequence[QueuedRequest], others: Sequence[Job]) -> None:
        """Refuse two jobs that would write one file."""
        # As names of one file on systems that fold case.
        taken = {str(path).casefold() for job in others for path in claimed_outputs(job.request)}
        for request in wanted:
            for path in claimed_outputs(request):
                key = str(path).casefold()
                if key in taken:
                    raise OptionError(f"{path} is already in the queue; choose another name")
                taken.add(key)


def absolute(request: QueuedRequest) -> QueuedRequest:
    """The same request, meant from any folder."""
    if isinstance(request, DeliverRequest):
        return with_absolute_paths(request)
    bundle = request.bundle
    path = Path(bundle)
    # As `bundles.discovery` tells a path from a name.
    if path.name != bundle or path.suffix.lower() == ".zip" or (path / "bundle.json").is_file():
        bundle = str(path.absolute())
    return replace(with_absolute_paths(request), bundle=bundle)


def _between(low: float | None, high: float | None, count: int) -> list[float] | None:
    """``count`` ascending places between two, None where there is no room left."""
    if low is None and high is None:
        return [float(number) for number in range(1, count + 1)]
    if high is None:
        assert low is not None
        return [low + number for number in range(1, count + 1)]
    if low is None:
        return [high - count + number for number in range(count)]
    step = (high - low) / (count + 1)
    if step < _FINEST * max(1.0, abs(low), abs(high)):
        return None
    return [low + step * number for number in range(1, count + 1)]
