"""Recordings put on the sphere by a worker: done, and killed on the way."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from omniaudio_studio.jobs.client import WorkerClient
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest
from tests.support.command_line import names
from tests.support.small_clip import make_small_clip

PATIENCE = 120.0  # seconds, for a loaded machine


def until_progress(client: WorkerClient, job: str) -> list[Event]:
    heard: list[Event] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in client.poll(0.05):
            heard.append(event)
            if event.job == job and (event.final or event.kind == "progress"):
                return heard
    raise AssertionError(f"no progress within {PATIENCE} s; heard {heard}")


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_worker_that_is_killed_leaves_nothing_and_the_next_one_does_the_job(
    tmp_path: Path,
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    make_small_clip(clips / "long.mp4", 300.0, fps=0.5, width=32, height=16)
    make_small_clip(clips / "short.mp4", 1.0)
    sources = tuple(
        DirectedSource(f"source {k}", ((0.0, 20.0 * k, 0.0, 0.05), (300.0, 0.0, 5.0 * k, 0.05)))
        for k in range(16)
    )
    (tmp_path / "out").mkdir()
    long = SpatializeRequest(
        clips / "long.mp4", tmp_path / "out" / "long.wav", method="given", sources=sources
    )
    short = SpatializeRequest(
        clips / "short.mp4", tmp_path / "out" / "short.wav", method="given", sources=sources
    )
    with WorkerClient() as client:
        job = client.submit(long)
        assert until_progress(client, job)[-1].kind == "progress"
        assert client.pid is not None
        os.kill(client.pid, signal.SIGSTOP)
        assert [name for name in names(tmp_path / "out") if name.endswith(".part")]
        os.kill(client.pid, signal.SIGKILL)
        assert client.wait(job, PATIENCE).data["kind"] == "WorkerDied"
        assert names(tmp_path / "out") == set()
        job = client.submit(long)
        until_progress(client, job)
        client.cancel(job)
        assert client.wait(job, PATIENCE).kind == "cancelled"
        assert names(tmp_path / "out") == set()
        event = client.wait(client.submit(short), PATIENCE)
    assert event.kind == "done"
    result = event.data["result"]
    assert (result["kind"], result["samples"]) == ("spatialize", 48_000)
    assert len(result["sources"]) == 16
    assert names(tmp_path / "out") == {"short.wav", "short.json"}
