"""Kills at random moments, of the worker and of the runner's whole process: nothing lost."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from omniaudio_studio.jobs.processes import same_process
from omniaudio_studio.jobs.queue import JobQueue, JobState
from omniaudio_studio.jobs.runner import QueueRunner
from tests.support.queues import PATIENCE, names, states, wanted, work_off, workers

KILLS = 20

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signal")


def outputs(count: int) -> set[str]:
    return {f"{n}{end}" for n in range(count) for end in (".wav", ".json")}


def check_all(queue: JobQueue, out: Path, count: int, finished: dict[str, int]) -> None:
    """Everything is done, whole, once, and nothing else is there."""
    assert [job.error for job in queue.jobs() if job.error] == []
    assert states(queue) == ["done"] * count
    assert names(out) == outputs(count)
    for number in range(count):
        sidecar = json.loads((out / f"{number}.json").read_text())
        assert sidecar["request"]["seed"] == number
    # What was finished once was never touched again.
    for name, when in finished.items():
        assert (out / name).stat().st_mtime_ns == when, name


def note_finished(out: Path, queue: JobQueue, finished: dict[str, int]) -> None:
    for job in queue.in_state(JobState.DONE):
        name = job.request.output.name
        finished.setdefault(name, (out / name).stat().st_mtime_ns)


def test_killing_the_worker_at_random_moments_loses_nothing(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    chance = random.Random(3)
    out = tmp_path / "out"
    requests = wanted(small_clip, tiny_bundle, out, 400)
    finished: dict[str, int] = {}
    twice: set[int] = set()
    kills = added = 0
    with (
        JobQueue(tmp_path / "q") as queue,
        QueueRunner(queue, log_folder=tmp_path / "logs") as runner,
    ):
        due = time.monotonic() + chance.uniform(0.0, 1.5)
        end = time.monotonic() + 2 * PATIENCE
        while kills < KILLS or not all(job.state.finished for job in runner.jobs()):
            assert time.monotonic() < end
            if kills < KILLS and len(queue.in_state(JobState.QUEUED)) < 3:
                queue.add(requests[added : added + 3])
                added += 3
            for event in runner.step(0.005):
                if event["event"] == "failed":
                    assert event["kind"] == "WorkerDied"
                    twice.add(event["id"])
                elif event["event"] == "done" and due == math.inf:
                    due = time.monotonic() + chance.uniform(0.0, 0.1)
            if time.monotonic() < due or kills == KILLS:
                continue
            note_finished(out, queue, finished)
            # Either soon again, as while a worker starts, or once work is going on.
            due = time.monotonic() + chance.uniform(0.0, 1.5) if chance.random() < 0.5 else math.inf
            for job in queue.in_state(JobState.RUNNING):
                pid = None if job.worker is None else same_process(job.worker)
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
        # A job that was hit twice is not lost: it says so, and can be asked for again.
        queue.retry(twice)
        work_off(runner)
        check_all(queue, out, added, finished)
        assert runner.problem is None
    assert finished


HOST = """
    import sys
    from pathlib import Path
    from omniaudio_studio.jobs.queue import JobQueue
    from omniaudio_studio.jobs.runner import QueueRunner

    folder = Path(sys.argv[1])
    queue = JobQueue(folder / "q")
    runner = QueueRunner(queue, log_folder=folder / "logs")
    while any(not job.state.finished for job in queue.jobs()):
        runner.step(0.02)
    runner.close()
"""


def kill_tree(host: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kill the runner's process; sometimes its worker with it, or just before (True)."""
    children = psutil.Process(host.pid).children()
    how = chance.choice(("alone", "with worker", "worker first"))
    if how == "worker first":
        for child in children:
            child.kill()
        time.sleep(chance.uniform(0.0, 0.05))
    host.kill()
    if how == "with worker":
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
    host.wait()
    return how == "worker first"


def test_killing_the_runner_at_random_moments_loses_nothing(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    chance = random.Random(11)
    out = tmp_path / "out"
    requests = wanted(small_clip, tiny_bundle, out, 24)
    finished: dict[str, int] = {}
    charged = 0
    command = [sys.executable, "-c", textwrap.dedent(HOST), str(tmp_path)]
    host = subprocess.Popen(command)
    try:
        with JobQueue(tmp_path / "q") as queue:
            for first in range(0, 24, 4):  # some are added while it is being killed
                queue.add(requests[first : first + 4])
                for _ in range(KILLS // 6 + 1):
                    time.sleep(chance.uniform(0.1, 1.6))
                    if host.poll() is None:
                        charged += kill_tree(host, chance)
                    # Restarted at once: the old worker may still be there.
                    host = subprocess.Popen(command)
                note_finished(out, queue, finished)
            end = time.monotonic() + 2 * PATIENCE
            while not all(job.state is JobState.DONE for job in queue.jobs()):
                assert time.monotonic() < end, states(queue)
                time.sleep(0.1)
                # A job under which two workers died is not lost: it can be asked for again.
                for job in queue.in_state(JobState.FAILED):
                    assert job.error_kind == "WorkerDied"
                    assert charged >= 2
                    queue.retry([job.id])
                if host.poll() is not None:
                    host = subprocess.Popen(command)
            host.wait(30)
            check_all(queue, out, 24, finished)
            # Only a worker that died while its runner lived may count against a job.
            assert sum(job.deaths for job in queue.jobs()) <= charged
    finally:
        if host.poll() is None:
            host.kill()
        host.wait()


def test_two_hundred_short_clips_leave_memory_as_it_was(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = psutil.Process()
    with (
        JobQueue(tmp_path / "q") as queue,
        QueueRunner(queue, log_folder=tmp_path / "logs") as runner,
    ):
        queue.add(wanted(small_clip, tiny_bundle, out, 200))
        sizes: list[int] = []
        theirs: list[int] = []
        done = 0
        while not all(job.state.finished for job in runner.jobs()):
            done += sum(event["event"] == "done" for event in runner.step(0.05))
            runner.total()
            if done >= 20 * (len(sizes) + 1):
                sizes.append(process.memory_info().rss)
                theirs += [worker.memory_info().rss for worker in workers()]
        assert states(queue) == ["done"] * 200
        assert names(out) == outputs(200)
        # After the first forty it has all that it will ever need.
        assert sizes[-1] - sizes[1] < 4 << 20
        assert theirs[-1] - theirs[1] < 30 << 20
        assert len(queue.speeds()) == 1
