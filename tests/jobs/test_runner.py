"""The runner with real workers: order, progress, cancelling, failures, restarts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.line_process import LOWEST_PRIORITY
from omniaudio_studio.jobs.processes import process_mark, same_process
from omniaudio_studio.jobs.queue import JobQueue, JobState
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.runner import QueueRunner
from tests.support.queues import job_of, names, states, step_until, wanted, work_off, workers
from tests.support.tiny_bundle import make_tiny_bundle

posix = pytest.mark.skipif(os.name == "nt", reason="kills by signal")

MakeRunner = Callable[..., QueueRunner]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    with JobQueue(tmp_path / "queue.sqlite") as one:
        yield one


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def make_runner(queue: JobQueue, tmp_path: Path) -> Iterator[MakeRunner]:
    made = []

    def make(**values: Any) -> QueueRunner:
        made.append(QueueRunner(queue, log_folder=tmp_path / "logs", **values))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


@pytest.fixture
def runner(make_runner: MakeRunner) -> QueueRunner:
    return make_runner()


def worker_of(queue: JobQueue) -> int:
    """The process id of the worker that runs the only running job."""
    (job,) = queue.in_state(JobState.RUNNING)
    assert job.worker is not None
    pid = same_process(job.worker)
    assert pid is not None
    return pid


def gone(process: psutil.Process) -> bool:
    """Whether a process runs no more, reaped or not."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_jobs_are_done_in_order_with_progress_and_estimates(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    a, b, c = queue.add(wanted(small_clip, tiny_bundle, out, 3, deliverables=("wav", "overlay")))
    queue.move([c], a)
    assert runner.estimate(job_of(queue, a)) is None
    fractions: dict[int, list[float]] = {a: [], b: [], c: []}
    stages: set[str] = set()
    totals = [runner.total()]
    events = []
    while "queued" in states(queue) or "running" in states(queue):
        events += runner.step(0.02)
        totals.append(runner.total())
        for job, progress in runner.progress.items():
            fractions[job].append(progress.fraction)
            stages.add(progress.stage)
    assert [event["id"] for event in events if event["event"] == "done"] == [c, a, b]
    kinds = [event["event"] for event in events if event["id"] == a]
    assert kinds[0] == "begun"
    assert {"started", "progress", "preview"} <= set(kinds)
    assert stages >= {"starting", "overlay"}
    for values in fractions.values():
        assert values == sorted(values)
        assert 0.0 <= values[0] < values[-1] < 1.0
    assert totals[0] == (0.0, None)
    assert totals[-1] == (1.0, 0.0)
    assert runner.progress == {}
    assert not runner.busy
    # Nobody said how long the clips are: the worker did, and what it took is remembered.
    assert [job.clip_seconds for job in queue.jobs()] == [pytest.approx(2.0)] * 3
    (speed,) = queue.speeds()
    assert speed.jobs == 3
    assert speed.overlay is not None
    result = job_of(queue, a).result
    assert result is not None
    assert result["takes"][0]["wav"] == str(out / "0.wav")
    assert names(out) == {
        f"{n}{end}" for n in range(3) for end in (".wav", ".json", ".overlay.mp4")
    }


def test_the_experience_of_earlier_runs_is_used(
    make_runner: MakeRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    first, second = wanted(small_clip, tiny_bundle, out, 2)
    queue.add([first])
    runner = make_runner()
    work_off(runner)
    runner.close()
    (job,) = queue.add([second], clip_seconds=2.0)
    again = make_runner()
    estimate = again.estimate(job_of(queue, job))
    assert estimate is not None
    assert again.total() == (0.0, pytest.approx(estimate))
    longer = replace(job_of(queue, job), clip_seconds=20.0)
    assert again.estimate(longer) == pytest.approx(10 * estimate)


def test_the_model_stays_warm(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    queue.add(wanted(small_clip, tiny_bundle, out, 3))
    work_off(runner)
    first, *others = [job.result["seconds"] for job in queue.jobs() if job.result]
    assert max(others) < first
    runner.unload()
    queue.add(wanted(small_clip, tiny_bundle, out / "more", 1))
    work_off(runner)
    assert states(queue) == ["done"] * 4


def test_paused_and_held_jobs_are_not_begun(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    a, b = queue.add(wanted(small_clip, tiny_bundle, out, 2))
    queue.paused = True
    queue.hold([a])
    for _ in range(5):
        assert runner.step(0.0) == []
    queue.paused = False
    step_until(runner, lambda: job_of(queue, b).state is JobState.DONE)
    for _ in range(5):
        runner.step(0.0)
    assert states(queue) == ["held", "done"]
    queue.release([a])
    work_off(runner)
    assert states(queue) == ["done", "done"]


def test_one_runner_on_a_queue(
    runner: QueueRunner, make_runner: MakeRunner, queue: JobQueue, tmp_path: Path
) -> None:
    with pytest.raises(WorkerError, match=f"process {os.getpid()}"):
        make_runner()
    code = (
        "import sys; from pathlib import Path;"
        "from omniaudio_studio.jobs.queue import JobQueue;"
        "from omniaudio_studio.jobs.runner import QueueRunner;"
        "QueueRunner(JobQueue(Path(sys.argv[1])), log_folder=Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(queue.path), str(tmp_path)]
    other = subprocess.run(command, capture_output=True, text=True)
    assert other.returncode == 1
    assert "is being worked off by another" in other.stderr
    runner.close()
    assert subprocess.run(command).returncode == 0
    make_runner()


def inside_the_graph(runner: QueueRunner) -> None:
    """Step until the slow DiT is running."""
    step_until(runner, lambda: any(p.stage == "frames" for p in runner.progress.values()))
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        runner.step(0.05)


@pytest.mark.keeps_time
def test_cancelling_takes_less_than_a_second_inside_a_graph(
    runner: QueueRunner,
    queue: JobQueue,
    small_clip: Path,
    tiny_bundle: Path,
    slow_bundle: Path,
    out: Path,
) -> None:
    (slow,) = queue.add(wanted(small_clip, slow_bundle, out, 1))
    quick, never = queue.add(wanted(small_clip, tiny_bundle, out / "b", 2))
    inside_the_graph(runner)
    begun = time.monotonic()
    runner.cancel(slow)
    queue.cancel([never])
    events = step_until(runner, lambda: job_of(queue, slow).state is JobState.CANCELLED)
    assert time.monotonic() - begun < 1.0
    assert {"event": "cancelled", "id": slow} in events
    work_off(runner)
    assert job_of(queue, quick).state is JobState.DONE
    assert names(out) == {"b"}
    assert names(out / "b") == {"0.wav", "0.json"}


@pytest.mark.keeps_time
@posix
def test_a_worker_that_does_not_listen_is_killed_for_a_cancel(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, slow_bundle: Path, out: Path
) -> None:
    (job,) = queue.add(wanted(small_clip, slow_bundle, out, 1))
    inside_the_graph(runner)
    worker = psutil.Process(worker_of(queue))
    worker.suspend()
    assert [name for name in names(out) if name.endswith(".part")]
    begun = time.monotonic()
    queue.remove([job])
    step_until(runner, lambda: not queue.jobs())
    assert time.monotonic() - begun < 1.0
    assert gone(worker)
    assert names(out) == set()


@pytest.mark.keeps_time
def test_a_job_is_cancelled_while_its_worker_still_starts(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    a, b = queue.add(wanted(small_clip, tiny_bundle, out, 2))
    runner.step(0.0)
    assert states(queue) == ["running", "queued"]
    queue.cancel([a])
    begun = time.monotonic()
    step_until(runner, lambda: job_of(queue, a).state is JobState.CANCELLED)
    assert time.monotonic() - begun < 1.0
    work_off(runner)
    assert job_of(queue, b).state is JobState.DONE
    assert names(out) == {"1.wav", "1.json"}


def test_what_fails_says_why_and_the_others_go_on(
    runner: QueueRunner,
    queue: JobQueue,
    small_clip: Path,
    tiny_bundle: Path,
    out: Path,
    tmp_path: Path,
) -> None:
    broken = make_tiny_bundle(tmp_path / "broken")
    (broken / "dit.onnx").write_bytes(b"not a graph")
    moved = tmp_path / "moved.mp4"
    requests = wanted(small_clip, tiny_bundle, out, 5)
    requests[0] = replace(requests[0], clip=moved)
    requests[1] = replace(requests[1], bundle=str(broken))
    requests[2] = replace(requests[2], bundle="never heard of")
    (out / "3.wav").write_text("mine")
    ids = queue.add(requests)
    events = work_off(runner)
    assert states(queue) == ["failed"] * 4 + ["done"]
    errors = [job_of(queue, job).error or "" for job in ids]
    for error, said in zip(errors, ("moved.mp4", "broken", "never heard", "3.wav"), strict=False):
        assert said in error
        assert "\n" not in error
    kinds = [job_of(queue, job).error_kind for job in ids[:4]]
    assert kinds == ["MissingFileError", "BundleError", "MissingFileError", "OutputExistsError"]
    assert sum(event["event"] == "failed" for event in events) == 4
    assert (out / "3.wav").read_text() == "mine"
    # The clip is back, the file is out of the way.
    shutil.copy(small_clip, moved)
    (out / "3.wav").unlink()
    queue.retry(ids)
    work_off(runner)
    assert states(queue) == ["done", "failed", "failed", "done", "done"]


@posix
def test_a_killed_worker_costs_its_job_one_attempt(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, slow_bundle: Path, out: Path
) -> None:
    (job,) = queue.add(wanted(small_clip, slow_bundle, out, 1))
    inside_the_graph(runner)
    os.kill(worker_of(queue), signal.SIGKILL)
    events = step_until(runner, lambda: job_of(queue, job).deaths == 1)
    assert [event["event"] for event in events if event["event"] in ("worker", "again")]
    assert names(out) <= {name for name in names(out) if name.endswith(".part")}
    inside_the_graph(runner)
    assert job_of(queue, job).attempts == 2
    # A second death is its own fault.
    os.kill(worker_of(queue), signal.SIGKILL)
    step_until(runner, lambda: job_of(queue, job).state is JobState.FAILED)
    failed = job_of(queue, job)
    assert failed.error_kind == "WorkerDied"
    assert "its worker died 2 times" in (failed.error or "")
    assert names(out) == set()


@posix
def test_idle_and_starting_workers_may_die_without_harm(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    first, *others = wanted(small_clip, tiny_bundle, out, 6)
    queue.add([first])
    runner.step(0.0)
    os.kill(worker_of(queue), signal.SIGKILL)  # while it starts
    work_off(runner)
    # More often in a row than the client would take it.
    for request in others:
        (process,) = workers()
        os.kill(process.pid, signal.SIGKILL)
        while psutil.pid_exists(process.pid):  # until the client's thread has seen it
            time.sleep(0.01)
        queue.add([request])
        work_off(runner)
    assert states(queue) == ["done"] * 6
    assert [job.deaths for job in queue.jobs()] == [0] * 6
    assert runner.problem is None


def test_an_installation_that_cannot_work_is_said_once_and_costs_no_job(
    make_runner: MakeRunner,
    queue: JobQueue,
    small_clip: Path,
    tiny_bundle: Path,
    out: Path,
    tmp_path: Path,
) -> None:
    ids = queue.add(wanted(small_clip, tiny_bundle, out, 2))
    missing = make_runner(python=tmp_path / "no-python")
    missing.step(0.0)
    assert "no-python" in (missing.problem or "")
    assert states(queue) == ["queued"] * 2
    missing.close()

    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    runner = make_runner(python=python)
    events = step_until(runner, lambda: runner.problem)
    assert "workers end before they are ready" in (runner.problem or "")
    assert "omniaudio_studio" in (runner.problem or "")
    assert sum(event["event"] == "problem" for event in events) == 1
    assert states(queue) == ["queued"] * 2
    assert [job_of(queue, job).deaths for job in ids] == [0, 0]
    for _ in range(10):
        assert runner.step(0.0) == []
    runner.resume()
    events = step_until(runner, lambda: runner.problem)
    assert {"event": "problem", "message": None} in events
    runner.close()
    work_off(make_runner())
    assert states(queue) == ["done"] * 2


def test_closing_lets_the_running_job_wait_again(
    make_runner: MakeRunner, queue: JobQueue, small_clip: Path, slow_bundle: Path, out: Path
) -> None:
    runner = make_runner()
    (job,) = queue.add(wanted(small_clip, slow_bundle, out, 1))
    inside_the_graph(runner)
    runner.close()
    assert states(queue) == ["queued"]
    assert job_of(queue, job).deaths == 0
    assert names(out) == set()
    assert workers() == []
    with pytest.raises(WorkerError, match="closed"):
        runner.step()


def test_a_job_that_was_done_when_nobody_noted_it_is_not_done_again(
    make_runner: MakeRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    done, half = wanted(small_clip, tiny_bundle, out, 2)
    a, b = queue.add([done, half])
    queue.begin(a, None)
    queue.begin(b, None)
    run_request(done)
    before = done.output.stat().st_mtime_ns
    left = out / f".1-{'ef' * 6}.part"
    left.mkdir()
    (left / "1.wav").write_text("half")
    queue.note(b, temporary=left)
    runner = make_runner()
    events = step_until(runner, lambda: runner.recovered)
    assert [(e["event"], e["id"]) for e in events[:2]] == [("done", a), ("again", b)]
    assert not left.exists()
    work_off(runner)
    assert states(queue) == ["done", "done"]
    assert done.output.stat().st_mtime_ns == before
    assert names(out) == {"0.wav", "0.json", "1.wav", "1.json"}
    result = job_of(queue, a).result
    assert result is not None
    assert result["takes"][0]["wav"] == str(done.output)


@posix
def test_a_worker_of_a_dead_runner_is_waited_for_and_then_killed(
    make_runner: MakeRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    (job,) = queue.add(wanted(small_clip, tiny_bundle, out, 1))
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        queue.begin(job, process_mark(orphan.pid))
        runner = make_runner()
        runner.step(0.0)
        assert not runner.recovered
        assert states(queue) == ["running"]
        step_until(runner, lambda: runner.recovered)
        assert orphan.wait(5) == -signal.SIGKILL
        work_off(runner)
        assert states(queue) == ["done"]
        # A later process with the same number is another one.
        (again,) = queue.add(wanted(small_clip, tiny_bundle, out / "b", 1))
        runner.close()
        mark = (process_mark(os.getpid()) or "").split(":")
        queue.begin(again, ":".join([mark[0], str(int(mark[1]) - 1), *mark[2:]]))
        runner = make_runner()
        runner.step(0.0)
        assert runner.recovered
    finally:
        orphan.kill()
        orphan.wait()


@posix
def test_a_full_disk_under_the_queue_is_said_and_made_good(
    runner: QueueRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, out: Path
) -> None:
    import resource

    first, second = wanted(small_clip, tiny_bundle, out, 2)
    queue.add([first])
    work_off(runner)  # its worker has no limit
    (job,) = queue.add([second])
    step_until(runner, lambda: job_of(queue, job).state is JobState.RUNNING)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        events = step_until(runner, lambda: runner.problem)
        assert "disk is full" in (runner.problem or "")
        events += step_until(runner, lambda: (out / "1.wav").exists())
        runner.step(0.2)
        assert states(queue)[-1] == "running"
        assert runner.busy
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    step_until(runner, lambda: job_of(queue, job).state is JobState.DONE)
    assert runner.problem is None
    assert not runner.busy


@posix
def test_a_full_disk_under_the_outputs_fails_the_job_and_leaves_nothing(
    make_runner: MakeRunner, queue: JobQueue, small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    tiny = tmp_path / "tiny-disk"
    tiny.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tiny)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    try:
        runner = make_runner()
        ids = queue.add(wanted(small_clip, tiny_bundle, tiny, 2))
        work_off(runner)
        assert states(queue) == ["failed"] * 2
        for job in ids:
            assert "the disk is full" in (job_of(queue, job).error or "")
            assert job_of(queue, job).error_kind == "OutputError"
        assert names(tiny) == set()
    finally:
        subprocess.run(["umount", str(tiny)], check=True)


def test_devices_have_a_worker_each_once_it_is_known_which_is_which(
    runner: QueueRunner,
    queue: JobQueue,
    small_clip: Path,
    tiny_bundle: Path,
    out: Path,
    tmp_path: Path,
) -> None:
    # "auto" turns out to be the processor here, so one worker does it all, one after another.
    automatic = wanted(small_clip, tiny_bundle, out, 2, device="auto")
    named = wanted(small_clip, tiny_bundle, out / "named", 2, device="cpu")
    queue.add([automatic[0], named[0], automatic[1], named[1]])
    most = 0
    while "queued" in states(queue) or "running" in states(queue):
        runner.step(0.02)
        most = max(most, len(queue.in_state(JobState.RUNNING)))
    assert states(queue) == ["done"] * 4
    assert most == 1
    assert len(workers()) == 1


@posix
def test_priority_is_low_where_a_window_is_to_stay_quick(
    make_runner: MakeRunner, queue: JobQueue, small_clip: Path, slow_bundle: Path, out: Path
) -> None:
    ids = queue.add(wanted(small_clip, slow_bundle, out, 1))
    for low in (True, False):
        runner = make_runner(low_priority=low)
        step_until(runner, lambda: queue.in_state(JobState.RUNNING))
        own = psutil.Process().nice()
        assert psutil.Process(worker_of(queue)).nice() == (
            max(own, LOWEST_PRIORITY) if low else own
        )
        runner.close(0.0)
        queue.retry(ids)
