"""The queue's view-model: rows that follow, asks carried out, a window that never waits."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import QModelIndex, QPersistentModelIndex, Qt, QTimer
from PyQt6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.queue import JobQueue, JobState
from omniaudio_studio.jobs.request import GenerateRequest
from qt_app.models.queue import LEFT, NAME, PROGRESS, STATE, QueueModel, Role
from qt_app.models.queue_texts import time_text, total_text
from tests.qt.queue.conftest import (
    MakeModel,
    MakeRequests,
    fill_paused,
    order,
    states,
    wait_for,
)
from tests.support.queues import workers


def test_jobs_run_and_tell_of_it(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests, tmp_path: Path
) -> None:
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    finished: list[tuple[int, dict]] = []
    totals: list[tuple[float, float | None]] = []
    seen: set[str] = set()
    model.job_finished.connect(lambda job, result: finished.append((job, result)))
    model.totals_changed.connect(lambda fraction, eta: totals.append((fraction, eta)))
    model.dataChanged.connect(
        lambda first, _: seen.add(model.index(first.row(), STATE).data().partition(":")[0])
    )
    wanted = requests(3)
    model.add(wanted)
    # Known at once, so that the next name is another one.
    assert model.taken(wanted[0].output)
    assert model.taken(wanted[0].output.with_suffix(".json"))
    assert not model.taken(tmp_path / "out" / "9.wav")
    wait_for(qtbot, lambda: len(finished) == 3)
    wait_for(qtbot, lambda: states(model) == [JobState.DONE] * 3)
    assert [job for job, _ in finished] == [job.id for job in model.jobs()]
    assert finished[0][1]["takes"][0]["wav"] == str(wanted[0].output)
    assert not model.taken(wanted[0].output)
    assert totals[-1] == (1.0, 0.0)
    assert "Working" in seen
    row = [model.index(0, column).data() for column in (NAME, STATE, PROGRESS, LEFT)]
    assert row == ["small.mp4: 0.wav", "Done (demonstration model)", "100 %", ""]
    index = model.index(0, 0)
    assert index.data(Role.FRACTION) == 1.0
    assert index.data(Role.OUTPUT) == str(wanted[0].output)
    assert "CPUExecutionProvider" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert "small.mp4: 0.wav, Done" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    del tester


def test_a_fault_in_the_thread_is_told_and_the_queue_goes_on(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests, capfd: pytest.CaptureFixture[str]
) -> None:
    fill_paused(qtbot, model, requests(2))
    told: list[str | None] = []
    model.problem_changed.connect(told.append)
    model._tell(lambda queue, runner: [][0])
    wait_for(qtbot, lambda: told)
    assert told[0] is not None and "IndexError" in told[0]
    assert "Traceback" in capfd.readouterr().err
    wait_for(qtbot, lambda: told[-1] is None)
    model.resume()
    wait_for(qtbot, lambda: states(model) == [JobState.DONE] * 2)


def test_order_changes_keep_what_is_chosen(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests
) -> None:
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    ids = fill_paused(qtbot, model, requests(5))
    chosen = QPersistentModelIndex(model.index(4, STATE))
    model.move([ids[4]], ids[1])
    wait_for(qtbot, lambda: order(model) == ["0", "4", "1", "2", "3"])
    assert (chosen.row(), chosen.column()) == (1, STATE)
    model.move_by([ids[0], ids[4]], 1)
    wait_for(qtbot, lambda: order(model) == ["1", "0", "4", "2", "3"])
    model.move_by([ids[3]], -1)
    wait_for(qtbot, lambda: order(model) == ["1", "0", "4", "3", "2"])
    model.move_by([ids[1]], -1)
    model.move_by([ids[2]], 1)
    model.remove([ids[0], ids[3]])
    wait_for(qtbot, lambda: order(model) == ["1", "4", "2"])
    assert chosen.row() == 1
    model.remove([ids[4]])
    wait_for(qtbot, lambda: order(model) == ["1", "2"])
    assert not chosen.isValid()
    del tester


def test_dropping_rows_moves_them(qtbot: QtBot, model: QueueModel, requests: MakeRequests) -> None:
    fill_paused(qtbot, model, requests(4))
    move = Qt.DropAction.MoveAction
    nowhere = QModelIndex()

    def drop(rows: list[int], row: int, parent: QModelIndex = nowhere) -> None:
        data = model.mimeData([model.index(one, column) for one in rows for column in (0, 1)])
        # False: the view must not take the rows out itself.
        assert not model.dropMimeData(data, move, row, 0, parent)

    drop([0, 1], 4)
    wait_for(qtbot, lambda: order(model) == ["2", "3", "0", "1"])
    drop([3], 0)
    wait_for(qtbot, lambda: order(model) == ["1", "2", "3", "0"])
    drop([0], -1, model.index(2, 0))
    wait_for(qtbot, lambda: order(model) == ["2", "1", "3", "0"])
    drop([0], -1)
    wait_for(qtbot, lambda: order(model) == ["1", "3", "0", "2"])


def test_hold_release_cancel_retry_clear(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests
) -> None:
    a, b, c = fill_paused(qtbot, model, requests(3))
    assert model.can([a]).hold
    assert not model.can([a]).retry
    model.hold([a])
    model.cancel([b])
    wait_for(qtbot, lambda: states(model) == [JobState.HELD, JobState.CANCELLED, JobState.QUEUED])
    assert model.can([a]).release
    assert model.can([b]).retry
    assert not model.can([b]).cancel
    model.resume()
    wait_for(qtbot, lambda: states(model)[2] is JobState.DONE)
    assert not model.paused
    model.release([a])
    model.retry([b])
    wait_for(qtbot, lambda: states(model) == [JobState.DONE] * 3)
    model.clear_finished()
    wait_for(qtbot, lambda: not model.jobs())
    assert model.job(c) is None


@pytest.mark.keeps_time
def test_a_running_job_is_cancelled_within_a_second(
    qtbot: QtBot, model: QueueModel, slow_request: GenerateRequest
) -> None:
    model.add([slow_request])
    wait_for(qtbot, lambda: model.index(0, 0).data(Role.STAGE) in ("frames", "sampling"))
    job = model.jobs()[0].id
    begun = time.monotonic()
    model.cancel([job])
    wait_for(qtbot, lambda: states(model) == [JobState.CANCELLED])
    assert time.monotonic() - begun < 1.0
    assert list(slow_request.output.parent.iterdir()) == []


def test_what_cannot_be_done_is_said(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests
) -> None:
    wanted = requests(1)
    fill_paused(qtbot, model, wanted)
    with qtbot.waitSignal(model.refused) as refused:
        model.add(wanted)
    assert "already in the queue" in refused.args[0]
    failed = replace(wanted[0], clip=Path("/nowhere.mp4"), output=wanted[0].output.parent / "x.wav")
    model.add([failed])
    with qtbot.waitSignal(model.job_failed, timeout=60_000) as said:
        model.resume()
        model.move([2], None)
    wait_for(qtbot, lambda: JobState.FAILED in states(model))
    assert "nowhere.mp4" in said.args[1]
    row = states(model).index(JobState.FAILED)
    assert "nowhere.mp4" in model.index(row, STATE).data()
    assert "nowhere.mp4" in model.index(row, 0).data(Role.ERROR)


def test_a_queue_that_cannot_be_opened_leaves_a_usable_model(
    qtbot: QtBot, make_model: MakeModel, requests: MakeRequests, tmp_path: Path
) -> None:
    path = tmp_path / "queue.sqlite"
    path.write_bytes(b"somebody's notes, long enough to be looked at " * 40)
    before = path.read_bytes()
    model = make_model()
    with qtbot.waitSignal(model.problem_changed, timeout=10_000) as said:
        pass
    assert "it is no database" in said.args[0]
    with qtbot.waitSignal(model.refused, timeout=10_000):
        model.add(requests(1))
    assert path.read_bytes() == before
    # Moved away, as the message asks for: it goes on by itself.
    path.rename(tmp_path / "notes")
    wait_for(qtbot, lambda: model.problem is None)
    model.add(requests(1))
    wait_for(qtbot, lambda: states(model) == [JobState.DONE])


def test_what_others_change_is_seen(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests, tmp_path: Path
) -> None:
    fill_paused(qtbot, model, requests(2))
    with JobQueue(tmp_path / "queue.sqlite") as other:
        other.add(requests(1, "more"))
        other.hold([1])
    wait_for(qtbot, lambda: len(model.jobs()) == 3 and states(model)[0] is JobState.HELD)


@pytest.mark.keeps_time
def test_closing_and_opening_again_goes_on(
    qtbot: QtBot, make_model: MakeModel, requests: MakeRequests, slow_request: GenerateRequest
) -> None:
    first = make_model()
    first.add([slow_request, *requests(2)])
    wait_for(qtbot, lambda: JobState.RUNNING in states(first))
    begun = time.monotonic()
    first.close()
    assert time.monotonic() - begun < 3.0
    assert workers() == []
    second = make_model()
    wait_for(qtbot, lambda: len(second.jobs()) == 3)
    second.hold([1])
    second.cancel([1])
    wait_for(qtbot, lambda: states(second)[1:] == [JobState.DONE] * 2)


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_killed_worker_is_told_of_and_replaced(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests, slow_request: GenerateRequest
) -> None:
    model.add([slow_request, *requests(1)])
    wait_for(qtbot, lambda: model.index(0, 0).data(Role.STAGE) in ("frames", "sampling"))
    (worker,) = workers()
    with qtbot.waitSignal(model.noticed, timeout=10_000) as said:
        os.kill(worker.pid, signal.SIGKILL)
    assert "signal 9" in said.args[0]
    wait_for(qtbot, lambda: states(model)[0] is JobState.RUNNING and model.jobs()[0].deaths == 1)
    model.cancel([1])
    wait_for(qtbot, lambda: states(model) == [JobState.CANCELLED, JobState.DONE])


@pytest.mark.keeps_time
def test_the_window_never_waits(
    qtbot: QtBot, model: QueueModel, requests: MakeRequests, tmp_path: Path
) -> None:
    # Another program holds the queue's file for half a second: the worst that SQLite can do.
    fill_paused(qtbot, model, requests(2))
    gaps: list[float] = []
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        now = time.monotonic()
        gaps.append(now - last)
        last = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(2)
    holder = sqlite3.connect(tmp_path / "queue.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    asked = time.monotonic()
    model.move([1], None)
    model.hold([1])
    model.add(requests(20, "more"))
    model.cancel([2])
    took = time.monotonic() - asked
    qtbot.wait(500)
    assert states(model) == [JobState.QUEUED] * 2
    holder.execute("ROLLBACK")
    holder.close()
    wait_for(qtbot, lambda: len(model.jobs()) == 22)
    model.resume()
    wait_for(qtbot, lambda: states(model).count(JobState.DONE) == 20)
    timer.stop()
    assert took < 0.02
    # Half a second of waiting would show; a machine that others load may give a little.
    gaps.sort()
    assert gaps[int(len(gaps) * 0.99)] < 0.1


def test_texts() -> None:
    assert [time_text(one) for one in (None, 0.2, 59.0, 61.0, 3600.0, 4800.0)] == [
        "", "1 s", "59 s", "1 min", "1 h 0 min", "1 h 20 min",
    ]  # fmt: skip
    assert total_text(0.0, None, 0, False) == "Nothing waits"
    assert total_text(0.0, None, 0, False, held=2) == "2 on hold"
    assert total_text(0.254, 90.0, 3, True) == "25 %, 3 clips to go, about 2 min left, paused"
