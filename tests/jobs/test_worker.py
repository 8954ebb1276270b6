"""The worker and its client, as real processes: death of either side, cancelling, warmth."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from omniaudio_studio.errors import OptionError, WorkerError
from omniaudio_studio.jobs.client import WorkerClient
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.media.wav import write_wav

PATIENCE = 60.0  # seconds, for a loaded machine
posix = pytest.mark.skipif(os.name == "nt", reason="kills by signal")


@pytest.fixture
def client() -> Iterator[WorkerClient]:
    with WorkerClient() as one:
        yield one


@pytest.fixture
def quick(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(small_clip, tmp_path / "out.wav", bundle=str(tiny_bundle), device="cpu")


@pytest.fixture
def slow(quick: GenerateRequest, slow_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return replace(quick, bundle=str(slow_bundle), output=tmp_path / "slow.wav")


def until(client: WorkerClient, found: Callable[[Event], bool]) -> list[Event]:
    """Poll until an event is found; all events so far."""
    heard: list[Event] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in client.poll(0.1):
            heard.append(event)
            if found(event):
                return heard
    raise AssertionError(f"not heard within {PATIENCE} s; heard {heard}")


def inside_the_graph(client: WorkerClient) -> None:
    """Wait until the slow DiT is running: the frames are through, and nothing after them is."""
    until(client, lambda event: event.kind == "progress" and event.data["stage"] == "frames")
    time.sleep(0.5)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_job_is_done_with_progress_previews_and_its_files(
    client: WorkerClient, quick: GenerateRequest, tmp_path: Path
) -> None:
    job = client.submit(quick)
    heard = until(client, lambda event: event.final)
    kinds = [event.kind for event in heard]
    assert kinds[0] == "ready"
    assert kinds[-1] == "done"
    assert {"started", "progress", "preview"} <= set(kinds)
    assert all(event.job == job for event in heard[1:])
    progress = [event.data for event in heard if event.kind == "progress"]
    assert progress[-1]["done"] == pytest.approx(progress[-1]["total"])
    assert set(progress[0]) == {"stage", "done", "total", "eta"}
    result = heard[-1].data["result"]
    assert result["takes"][0]["wav"] == str(quick.output)
    assert soundfile.info(quick.output).frames == 96000
    assert names(tmp_path) == {"out.wav", "out.json"}


@pytest.fixture
def delivery(tmp_path: Path) -> DeliverRequest:
    """Of twenty seconds of sound."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    sound = 0.1 * np.random.default_rng(0).standard_normal((4, 20 * 48000))
    write_wav(folder / "field.wav", sound, 48000)
    return DeliverRequest(
        folder / "field.wav", folder / "out.wav", deliverables=("wav", "binaural")
    )


def test_a_worker_delivers_between_two_generations(
    client: WorkerClient, quick: GenerateRequest, delivery: DeliverRequest, tmp_path: Path
) -> None:
    jobs = [
        client.submit(quick),
        client.submit(delivery),
        client.submit(replace(quick, output=tmp_path / "b.wav")),
    ]
    heard = until(client, lambda event: event.job == jobs[2] and event.final)
    assert [event.job for event in heard if event.kind == "done"] == jobs
    of_delivery = [event for event in heard if event.job == jobs[1]]
    assert of_delivery[0].kind == "started"
    stages = [event.data["stage"] for event in of_delivery if event.kind == "progress"]
    assert list(dict.fromkeys(stages)) == ["sound", "binaural"]
    result = of_delivery[-1].data["result"]
    assert result["kind"] == "deliver"
    assert result["samples"] == 20 * 48000
    assert names(delivery.output.parent) == {"field.wav", "out.wav", "out.json", "out.binaural.wav"}


@posix
def test_a_delivery_that_is_cancelled_or_killed_leaves_nothing(
    client: WorkerClient, delivery: DeliverRequest
) -> None:
    path = ((0.0, 40.0, 0.0, 0.0, 1.0), (20.0, -40.0, 5.0, 0.0, 1.0))
    sounds = delivery.output.with_name("bird.wav")
    write_wav(sounds, np.random.default_rng(0).standard_normal(48000), 48000)
    bird = PlacedSource(sounds, "bird", 0.0, path, delay=True, loop=True)
    before = names(delivery.output.parent)

    def begin() -> str:
        job = client.submit(replace(delivery, sources=(bird,) * 20))  # several seconds of work
        until(client, lambda event: event.kind == "progress" and event.job == job)
        return job

    job = begin()
    client.cancel(job)
    assert client.wait(job, PATIENCE).kind == "cancelled"
    assert names(delivery.output.parent) == before
    job = begin()
    assert client.pid is not None
    os.kill(client.pid, signal.SIGSTOP)
    assert [name for name in names(delivery.output.parent) if name.endswith(".part")]
    os.kill(client.pid, signal.SIGKILL)
    assert client.wait(job, PATIENCE).data["kind"] == "WorkerDied"
    assert names(delivery.output.parent) == before


@posix
def test_outputs_half_brought_into_place_get_there_after_a_kill(
    delivery: DeliverRequest, tmp_path: Path
) -> None:
    # A disk that hangs at the second of three renames.
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, time\n"
        "real, seen = pathlib.Path.replace, []\n"
        "def replace(self, target):\n"
        "    if self.parent.suffix == '.whole':\n"
        "        seen.append(self)\n"
        "        time.sleep(100 * (len(seen) == 2))\n"
        "    return real(self, target)\n"
        "pathlib.Path.replace = replace\n"
    )
    with WorkerClient(environment={"PYTHONPATH": str(tmp_path)}) as client:
        job = client.submit(delivery)
        end = time.monotonic() + PATIENCE
        while not delivery.output.exists() and time.monotonic() < end:
            client.poll(0.05)
        assert not delivery.output.with_suffix(".json").exists()
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        assert client.wait(job, PATIENCE).kind == "error"
    assert names(delivery.output.parent) == {"field.wav", "out.wav", "out.json", "out.binaural.wav"}


def test_the_model_stays_warm_and_the_worker_the_same(
    client: WorkerClient, quick: GenerateRequest, tmp_path: Path
) -> None:
    first = client.wait(client.submit(quick), PATIENCE)
    pid = client.pid
    second = client.wait(client.submit(replace(quick, output=tmp_path / "b.wav")), PATIENCE)
    assert client.pid == pid
    assert (tmp_path / "b.wav").read_bytes() == quick.output.read_bytes()
    # Nothing is imported or loaded again.
    assert second.data["result"]["seconds"] < first.data["result"]["seconds"]
    client.unload()
    third = client.wait(client.submit(replace(quick, output=tmp_path / "c.wav")), PATIENCE)
    assert third.kind == "done"


def test_an_error_is_one_line_and_the_next_job_runs(
    client: WorkerClient, quick: GenerateRequest, tmp_path: Path
) -> None:
    bad = client.submit(replace(quick, clip=tmp_path / "no.mp4"))
    good = client.submit(quick)
    event = client.wait(bad, PATIENCE)
    assert event.kind == "error"
    assert event.data["kind"] == "MissingFileError"
    assert event.data["exit_code"] == 2
    assert "no.mp4" in event.data["message"]
    assert "\n" not in event.data["message"]
    assert client.wait(good, PATIENCE).kind == "done"


def test_a_bad_request_never_leaves_the_client(
    client: WorkerClient, quick: GenerateRequest
) -> None:
    with pytest.raises(OptionError):
        client.submit(replace(quick, cfg=float("nan")))
    assert not client.busy


@pytest.mark.keeps_time
def test_cancel_stops_within_a_second_inside_a_graph(
    client: WorkerClient, slow: GenerateRequest, quick: GenerateRequest, tmp_path: Path
) -> None:
    job = client.submit(slow)
    waiting = client.submit(replace(quick, output=tmp_path / "b.wav"))
    last = client.submit(quick)
    inside_the_graph(client)
    begun = time.monotonic()
    client.cancel(job)
    assert client.wait(job, PATIENCE).kind == "cancelled"
    assert time.monotonic() - begun < 1.0
    client.cancel(waiting)
    # The same worker goes on with the next job.
    assert client.wait(last, PATIENCE).kind == "done"
    assert names(tmp_path) >= {"out.wav", "out.json"}
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_a_job_that_waits_can_be_cancelled(
    client: WorkerClient, slow: GenerateRequest, quick: GenerateRequest, tmp_path: Path
) -> None:
    running, waiting = client.submit(slow), client.submit(quick)
    until(client, lambda event: event.kind == "started")
    client.cancel(waiting)
    assert client.wait(waiting, PATIENCE).kind == "cancelled"
    client.cancel(running)
    assert client.wait(running, PATIENCE).kind == "cancelled"
    assert not client.busy
    assert names(tmp_path) == set()


@pytest.mark.keeps_time
@posix
def test_a_killed_worker_costs_one_job_and_leaves_nothing(
    client: WorkerClient, slow: GenerateRequest, quick: GenerateRequest, tmp_path: Path
) -> None:
    lost, next_ = client.submit(slow), client.submit(quick)
    inside_the_graph(client)
    assert [name for name in names(tmp_path) if name.endswith(".part")]
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    begun = time.monotonic()
    heard = until(client, lambda event: event.job == lost and event.final)
    assert time.monotonic() - begun < 1.0
    assert heard[-1].kind == "error"
    assert heard[-1].data["kind"] == "WorkerDied"
    assert "signal 9" in heard[-1].data["message"]
    assert any(event.kind == "died" for event in heard)
    assert client.wait(next_, PATIENCE).kind == "done"
    assert names(tmp_path) == {"out.wav", "out.json"}


@posix
def test_a_worker_that_dies_once_its_job_is_cancelled_ends_it_so(
    client: WorkerClient, slow: GenerateRequest, quick: GenerateRequest, tmp_path: Path
) -> None:
    lost, next_ = client.submit(slow), client.submit(quick)
    inside_the_graph(client)
    assert client.pid is not None
    os.kill(client.pid, signal.SIGSTOP)  # a library that does not let go
    client.cancel(lost)
    client.kill()
    heard = until(client, lambda event: event.job == lost and event.final)
    assert heard[-1].kind == "cancelled"
    assert "signal 9" in heard[-1].data["message"]
    assert client.crashes == 0  # its end was asked for
    assert client.wait(next_, PATIENCE).kind == "done"
    assert names(tmp_path) == {"out.wav", "out.json"}


@posix
def test_crashes_in_a_row_are_counted_until_a_job_is_done(
    client: WorkerClient, quick: GenerateRequest, tmp_path: Path
) -> None:
    def crash() -> None:
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        until(client, lambda event: event.kind == "died")

    for count in (1, 2, 3, 4):  # the host hears of the third, and may go on all the same
        client.start()
        until(client, lambda event: event.kind == "ready")
        crash()
        assert client.crashes == count
    assert client.wait(client.submit(quick), PATIENCE).kind == "done"
    assert client.crashes == 0
    crash()
    assert client.crashes == 1
    bad = client.submit(replace(quick, clip=tmp_path / "no.mp4"))
    assert client.wait(bad, PATIENCE).kind == "error"
    assert client.crashes == 0  # the worker lived


@posix
def test_an_idle_worker_that_dies_is_noticed_and_replaced(
    client: WorkerClient, quick: GenerateRequest
) -> None:
    until(client, lambda event: event.kind == "ready")
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    until(client, lambda event: event.kind == "died")
    assert not client.alive
    assert client.wait(client.submit(quick), PATIENCE).kind == "done"


HOST = """
    import sys, time
    from pathlib import Path
    from omniaudio_studio.jobs.client import WorkerClient
    from omniaudio_studio.jobs.request import GenerateRequest

    client = WorkerClient()
    client.submit(GenerateRequest.from_json(sys.argv[1]))
    while True:
        for event in client.poll(0.1):
            if event.kind == "progress" and event.data["stage"] == "frames":
                print(client.pid, client.log, flush=True)
"""


@posix
def test_the_worker_ends_with_its_parent_and_cleans_up(
    slow: GenerateRequest, tmp_path: Path
) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOST), slow.to_json()], stdout=subprocess.PIPE
    )
    try:
        assert host.stdout is not None
        pid, log = host.stdout.readline().decode().split()
        worker = psutil.Process(int(pid))
        time.sleep(0.5)
        host.kill()
        host.wait()
        psutil.wait_procs([worker], timeout=5)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
        assert names(tmp_path) == set()
        Path(log).unlink()
    finally:
        if host.poll() is None:
            host.kill()
        host.stdout.close()


@posix
def test_closing_the_client_leaves_no_process_and_no_file(
    slow: GenerateRequest, tmp_path: Path
) -> None:
    client = WorkerClient()
    client.submit(slow)
    inside_the_graph(client)
    assert client.pid is not None
    worker = psutil.Process(client.pid)
    children = worker.children(recursive=True)
    client.close()
    for process in (worker, *children):
        with contextlib.suppress(psutil.NoSuchProcess):
            assert process.status() == psutil.STATUS_ZOMBIE
    assert names(tmp_path) == set()
    assert not client.log.exists()
    with pytest.raises(WorkerError, match="closed"):
        client.submit(slow)


def test_a_python_without_the_package_is_given_up(quick: GenerateRequest, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with WorkerClient(python, log=tmp_path / "worker.log") as client:
        job = client.submit(quick)
        event = client.wait(job, PATIENCE)
    assert event.kind == "error"
    assert event.data["kind"] == "WorkerDied"
    assert "omniaudio_studio" in event.data["message"]
    assert (tmp_path / "worker.log").read_text().count("No module named") == 3
    shutil.rmtree(bare)


def test_a_missing_python_is_said_at_once(quick: GenerateRequest, tmp_path: Path) -> None:
    client = WorkerClient(tmp_path / "no-python")
    with pytest.raises(WorkerError, match="no-python"):
        client.submit(quick)
    client.close()


def speak(lines: list[object], timeout: float = PATIENCE) -> tuple[list[dict], str, int]:
    """Run a worker on raw lines; its events, its stderr and its exit code."""
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    result = subprocess.run(
        [sys.executable, "-m", "omniaudio_studio.jobs.worker"],
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return (
        [json.loads(line) for line in result.stdout.splitlines()],
        result.stderr,
        result.returncode,
    )


def test_nonsense_on_stdin_harms_nobody() -> None:
    events, errors, code = speak(["not json\n", "[]\n", {"command": "dance"}, {"command": "close"}])
    assert [event["event"] for event in events] == ["ready"]
    assert "not a command" in errors
    assert "unknown command" in errors
    assert code == 0


class WorkerProcess:
    """A worker that is asked one thing; the end of stdin would cancel it, so the answer is read."""

    def __enter__(self) -> WorkerProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "omniaudio_studio.jobs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read()["event"] == "ready"
        return self

    def ask(self, command: dict) -> dict:
        """Its next event."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0
        self._process.stdout.close()


def test_a_job_of_an_unknown_kind_is_an_error_event() -> None:
    run = {"command": "run", "job": "x", "kind": "dance", "request": {}}
    with WorkerProcess() as worker:
        event = worker.ask(run)
    assert event["event"] == "error"
    assert "'dance' is not known" in event["message"]


def test_a_request_of_another_version_is_an_error_event() -> None:
    run = {"command": "run", "job": "x", "kind": "generate", "request": {"schema_version": 99}}
    with WorkerProcess() as worker:
        event = worker.ask(run)
    assert event["event"] == "error"
    assert "schema version 99" in event["message"]


def test_what_libraries_print_stays_out_of_the_answers(tmp_path: Path) -> None:
    # A module that prints while it is imported stands in for a talkative library.
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, threading\n"
        "def talk():\n"
        "    print('chatter from Python', flush=True)\n"
        "    os.write(1, b'chatter from C\\n')\n"
        "threading.Timer(0.5, talk).start()\n"
    )
    log = tmp_path / "worker.log"
    with WorkerClient(log=log, environment={"PYTHONPATH": str(tmp_path)}) as client:
        until(client, lambda event: event.kind == "ready")
        end = time.monotonic() + PATIENCE
        while "chatter from C" not in log.read_text() and time.monotonic() < end:
            time.sleep(0.05)
        assert client.poll(0.2) == []
    text = log.read_text()
    assert "chatter from Python" in text
    assert "chatter from C" in text


def test_the_client_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "import omniaudio_studio.jobs.client;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'omniaudio_studio'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
