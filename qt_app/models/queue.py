"""The queue as the window sees it: a table of jobs, and what can be asked of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QMimeData, QModelIndex, QObject, Qt, pyqtSignal

from omniaudio_studio.jobs.estimate import JobProgress
from omniaudio_studio.jobs.outputs import all_outputs
from omniaudio_studio.jobs.queue import Job, JobState, absolute
from omniaudio_studio.jobs.queued_request import QueuedRequest
from qt_app.models.queue_texts import name_text, progress_text, state_text, time_text, tooltip
from qt_app.models.queue_thread import Command, Picture, QueueThread, Reports, Settings

MIME_TYPE = "application/x-omniaudio-jobs"
COLUMNS = ("Take", "State", "Progress", "Time left")
NAME, STATE, PROGRESS, LEFT = range(4)
JOIN_SECONDS = 5.0


class Role(IntEnum):
    """What can be asked for a row, beside the usual roles."""

    ID = Qt.ItemDataRole.UserRole + 1
    JOB = Qt.ItemDataRole.UserRole + 2
    STATE = Qt.ItemDataRole.UserRole + 3
    FRACTION = Qt.ItemDataRole.UserRole + 4  # 0 to 1; None while it waits
    ETA = Qt.ItemDataRole.UserRole + 5  # seconds or None
    STAGE = Qt.ItemDataRole.UserRole + 6
    LABEL = Qt.ItemDataRole.UserRole + 7
    ERROR = Qt.ItemDataRole.UserRole + 8
    OUTPUT = Qt.ItemDataRole.UserRole + 9  # path of the first take


@dataclass(frozen=True)
class Can:
    """What may be done with a choice of jobs."""

    hold: bool
    release: bool
    cancel: bool
    retry: bool
    remove: bool


class QueueModel(QAbstractTableModel):
    """All jobs by order; asks are carried out in the queue's thread and show soon after.

    Parameters
    ----------
    path
        The queue's file.
    log_folder
        Where the workers' words go.
    python, environment, low_priority
        For the workers; see `QueueRunner`.

    Attributes
    ----------
    job_finished
        (id, result as of `RunResult.as_dict` or `SpatializeResult.as_dict`). Also for a job that
        was found to be done when the program started.
    job_failed
        (id, one line).
    totals_changed
        (fraction from 0 to 1, seconds left or None).
    paused_changed, problem_changed
        The problem is one line, or None: why nothing is begun.
    refused
        One line: something asked for cannot be done.
    noticed
        One line that needs no answer, as that a worker died.
    """

    job_finished = pyqtSignal(int, dict)
    job_failed = pyqtSignal(int, str)
    totals_changed = pyqtSignal(float, object)
    paused_changed = pyqtSignal(bool)
    problem_changed = pyqtSignal(object)
    refused = pyqtSignal(str)
    noticed = pyqtSignal(str)

    def __init__(
        self,
        path: Path,
        *,
        log_folder: Path,
        python: str | None = None,
        environment: Mapping[str, str] | None = None,
        low_priority: bool = True,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs: list[Job] = []
        self._rows: dict[int, int] = {}
        self._progress: dict[int, JobProgress] = {}
        self._estimates: dict[int, float] = {}
        self._coming: list[tuple[int, frozenset[str]]] = []  # command and outputs
        self._taken: frozenset[str] | None = None  # made when somebody asks
        self._paused = False
        self._problem: str | None = None
        self._total: tuple[float, float | None] = (0.0, None)
        self._reports = Reports(self)
        self._reports.picture.connect(self._take_in)
        self._reports.finished.connect(self.job_finished)
        self._reports.failed.connect(self.job_failed)
        self._reports.refused.connect(self.refused)
        self._reports.noticed.connect(self.noticed)
        settings = Settings(path, log_folder, python, low_priority, dict(environment or {}))
        self._thread: QueueThread | None = QueueThread(settings, self._reports)
        self._thread.start()

    # -- looking ----------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        return self._paused

    @property
    def problem(self) -> str | None:
        """Why nothing is begun, one line; None where all is well."""
        return self._problem

    @property
    def totals(self) -> tuple[float, float | None]:
        """Fraction and seconds left, as last told by ``totals_changed``."""
        return self._total

    def jobs(self) -> list[Job]:
        """Every job, by order."""
        return list(self._jobs)

    def job(self, job: int) -> Job | None:
        """One job by its id."""
        row = self._rows.get(job)
        return None if row is None else self._jobs[row]

    def row_of(self, job: int) -> int | None:
        """Where a job is."""
        return self._rows.get(job)

    def count(self, *states: JobState) -> int:
        """How many jobs are in one of these states."""
        return sum(job.state in states for job in self._jobs)

    def taken(self, path: Path) -> bool:
        """Whether a job that waits or runs is going to write this file."""
        key = str(path.absolute()).casefold()
        if self._taken is None:
            open_ = (JobState.QUEUED, JobState.HELD, JobState.RUNNING)
            self._taken = frozenset(
                str(output).casefold()
                for job in self._jobs
                if job.state in open_
                for output in all_outputs(job.request)
            )
        return key in self._taken or any(key in paths for _, paths in self._coming)

    def can(self, ids: Iterable[int]) -> Can:
        """What may be done with these jobs."""
        jobs = [job for one in ids if (job := self.job(one)) is not None]
        states = {job.state for job in jobs}
        open_ = {JobState.QUEUED, JobState.HELD, JobState.RUNNING}
        return Can(
            hold=JobState.QUEUED in states,
            release=JobState.HELD in states,
            cancel=any(job.state in open_ and not job.stopping for job in jobs),
            retry=bool(states & {JobState.FAILED, JobState.CANCELLED}),
            remove=bool(jobs),
        )

    # -- asking -----------------------------------------------------------------------------------

    def add(
        self,
        requests: Iterable[QueuedRequest],
        clip_seconds: float | Sequence[float | None] | None = None,
    ) -> None:
        """Put requests at the end; ``refused`` tells where that cannot be done."""
        wanted = list(requests)
        outputs = frozenset(
            str(path).casefold() for request in wanted for path in all_outputs(absolute(request))
        )
        number = self._tell(lambda queue, _: void(queue.add(wanted, clip_seconds=clip_seconds)))
        self._coming.append((number, outputs))

    def move(self, ids: Iterable[int], before: int | None) -> None:
        """Put jobs before another one; at the end where None."""
        chosen = list(ids)
        self._tell(lambda queue, _: queue.move(chosen, before))

    def move_by(self, ids: Iterable[int], step: int) -> None:
        """Move jobs one row up (-1) or down (+1), together."""
        rows = sorted(row for one in ids if (row := self._rows.get(one)) is not None)
        if not rows:
            return
        order = [job.id for job in self._jobs]
        chosen = [order[row] for row in rows]
        if step < 0:
            before: int | None = order[max(rows[0] - 1, 0)]
        else:
            after = rows[-1] + 2
            before = order[after] if after < len(order) else None
        self.move(chosen, before)

    def hold(self, ids: Iterable[int]) -> None:
        """Keep waiting jobs from being begun."""
        chosen = list(ids)
        self._tell(lambda queue, _: queue.hold(chosen))

    def release(self, ids: Iterable[int]) -> None:
        """Let held jobs run again."""
        chosen = list(ids)
        self._tell(lambda queue, _: queue.release(chosen))

    def cancel(self, ids: Iterable[int]) -> None:
        """Cancel jobs, the running one too."""
        chosen = list(ids)
        self._tell(lambda queue, _: queue.cancel(chosen))

    def retry(self, ids: Iterable[int]) -> None:
        """Ask again for what failed or was cancelled."""
        chosen = list(ids)
        self._tell(lambda queue, _: queue.retry(chosen))

    def remove(self, ids: Iterable[int]) -> None:
        """Take jobs out of the queue; files are left alone."""
        chosen = list(ids)
        self._tell(lambda queue, _: queue.remove(chosen))

    def clear_finished(self) -> None:
        """Take out everything that is done, failed or cancelled."""
        self._tell(lambda queue, _: queue.clear_finished())

    def pause(self, paused: bool = True) -> None:
        """Begin no further job, or go on; what runs, runs on."""

        def command(queue: Any, runner: Any) -> None:
            queue.paused = paused
            if not paused:
                runner.resume()

        self._tell(command)

    def resume(self) -> None:
        """Go on; also tries again after a problem."""
        self.pause(False)

    def unload(self) -> None:
        """Free the memory of models."""
        self._tell(lambda _, runner: runner.unload())

    def close(self) -> None:
        """End the thread and its workers; a running job waits again for the next start."""
        if self._thread is not None:
            self._thread.stop()
            self._thread.join(JOIN_SECONDS)
            self._thread = None

    def _tell(self, command: Command) -> int:
        return 0 if self._thread is None else self._thread.tell(command)

    # -- taking in --------------------------------------------------------------------------------

    def _take_in(self, picture: Picture) -> None:
        before = {job.id: (job, self._progress.get(job.id)) for job in self._jobs}
        estimates = self._estimates
        self._progress, self._estimates = picture.progress, picture.estimates
        if picture.jobs is not None:
            self._take_in_jobs(picture.jobs)
            self._taken = None
        self._changed(
            row
            for row, job in enumerate(self._jobs)
            if before.get(job.id) != (job, self._progress.get(job.id))
            or estimates.get(job.id) != picture.estimates.get(job.id)
        )
        self._coming = [
            (number, paths) for number, paths in self._coming if number > picture.commands
        ]
        if picture.paused != self._paused:
            self._paused = picture.paused
            self.paused_changed.emit(picture.paused)
        if picture.problem != self._problem:
            self._problem = picture.problem
            self.problem_changed.emit(picture.problem)
        if picture.total != self._total:
            self._total = picture.total
            self.totals_changed.emit(*picture.total)

    def _take_in_jobs(self, jobs: list[Job]) -> None:
        """Turn the old list into the new one, row by row, so that a selection stays."""
        wanted = {job.id for job in jobs}
        for row in range(len(self._jobs) - 1, -1, -1):
            if self._jobs[row].id not in wanted:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._jobs[row]
                self.endRemoveRows()
        present = {job.id for job in self._jobs}
        fresh = [job for job in jobs if job.id not in present]
        if fresh:
            first = len(self._jobs)
            self.beginInsertRows(QModelIndex(), first, first + len(fresh) - 1)
            self._jobs += fresh
            self.endInsertRows()
        if [job.id for job in self._jobs] != [job.id for job in jobs]:
            self._reorder(jobs)
        self._jobs = jobs
        self._rows = {job.id: row for row, job in enumerate(jobs)}

    def _reorder(self, jobs: list[Job]) -> None:
        self.layoutAboutToBeChanged.emit()
        rows = {job.id: row for row, job in enumerate(jobs)}
        old = self.persistentIndexList()
        new = [self.index(rows[self._jobs[one.row()].id], one.column()) for one in old]
        self._jobs = jobs
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def _changed(self, rows: Iterable[int]) -> None:
        """Tell that rows changed, neighbours together."""
        ordered = sorted(rows)
        if not ordered:
            return
        begin = ordered[0]
        ends = [a for a, b in pairwise(ordered) if b != a + 1]
        for end in [*ends, ordered[-1]]:
            self.dataChanged.emit(self.index(begin, 0), self.index(end, len(COLUMNS) - 1))
            begin = next((row for row in ordered if row > end), end)

    # -- Qt's side --------------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Jobs."""
        return 0 if parent.isValid() else len(self._jobs)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Take, state, progress, time left."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """The columns' names."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """See :class:`Role`; display, tooltip and accessible text too."""
        if not index.isValid() or index.row() >= len(self._jobs):
            return None
        job = self._jobs[index.row()]
        progress = self._progress.get(job.id)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(job, progress, index.column())
            case Qt.ItemDataRole.ToolTipRole:
                return tooltip(job)
            case Qt.ItemDataRole.AccessibleTextRole:
                parts = [self._text(job, progress, column) for column in range(len(COLUMNS))]
                return ", ".join(part for part in parts if part)
            case Role.ID:
                return job.id
            case Role.JOB:
                return job
            case Role.STATE:
                return job.state
            case Role.FRACTION:
                return self._fraction(job, progress)
            case Role.ETA:
                return self._eta(job, progress)
            case Role.STAGE:
                return None if progress is None else progress.stage
            case Role.LABEL:
                return job.label
            case Role.ERROR:
                return job.error
            case Role.OUTPUT:
                return str(job.request.output)
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Rows can be chosen and dragged; between them can be dropped."""
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsDragEnabled
            | Qt.ItemFlag.ItemNeverHasChildren
        )

    def supportedDropActions(self) -> Qt.DropAction:
        """Jobs are moved."""
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        """Jobs of this queue."""
        return [MIME_TYPE]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        """The ids of the rows."""
        rows = sorted({index.row() for index in indexes})
        data = QMimeData()
        data.setData(MIME_TYPE, json.dumps([self._jobs[row].id for row in rows]).encode())
        return data

    def dropMimeData(
        self,
        data: QMimeData | None,
        action: Qt.DropAction,
        row: int,
        column: int,
        parent: QModelIndex,
    ) -> bool:
        """Move the dragged jobs before a row."""
        if data is None or not data.hasFormat(MIME_TYPE) or action != Qt.DropAction.MoveAction:
            return False
        ids = json.loads(bytes(data.data(MIME_TYPE).data()))
        if row < 0:
            row = parent.row() if parent.isValid() else len(self._jobs)
        self.move(ids, self._jobs[row].id if row < len(self._jobs) else None)
        # The rows move when the queue has moved: the view must not remove them.
        return False

    def _text(self, job: Job, progress: JobProgress | None, column: int) -> str:
        match column:
            case 0:
                return name_text(job)
            case 1:
                return state_text(job, progress)
            case 2:
                return progress_text(self._fraction(job, progress))
            case _:
                return time_text(self._eta(job, progress))

    @staticmethod
    def _fraction(job: Job, progress: JobProgress | None) -> float | None:
        if job.state is JobState.DONE:
            return 1.0
        if job.state is not JobState.RUNNING:
            return None
        return 0.0 if progress is None else progress.fraction

    def _eta(self, job: Job, progress: JobProgress | None) -> float | None:
        if job.state is JobState.RUNNING:
            return None if progress is None else progress.eta
        return self._estimates.get(job.id)


def void(_: object) -> None:
    """For a lambda whose answer nobody wants."""
