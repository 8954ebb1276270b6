"""A queue with a real worker behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.queue import JobState
from omniaudio_studio.jobs.request import GenerateRequest
from qt_app.models.queue import QueueModel
from tests.support.queues import wanted

PATIENCE = 60_000  # milliseconds, for a loaded machine

MakeModel = Callable[[], QueueModel]
MakeRequests = Callable[..., list[GenerateRequest]]


@pytest.fixture
def make_model(qtbot: QtBot, tmp_path: Path) -> Iterator[MakeModel]:
    """Opens the same queue again and again; closed at the end."""
    made: list[QueueModel] = []

    def make() -> QueueModel:
        made.append(QueueModel(tmp_path / "queue.sqlite", log_folder=tmp_path / "logs"))
        return made[-1]

    yield make
    for model in made:
        model.close()


@pytest.fixture
def model(make_model: MakeModel) -> QueueModel:
    return make_model()


@pytest.fixture
def requests(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> MakeRequests:
    """Requests that take a fraction of a second each."""

    def make(count: int, name: str = "out", **values: Any) -> list[GenerateRequest]:
        return wanted(small_clip, tiny_bundle, tmp_path / name, count, **values)

    return make


@pytest.fixture
def slow_request(small_clip: Path, slow_bundle: Path, tmp_path: Path) -> GenerateRequest:
    """One that takes longer than any test."""
    return wanted(small_clip, slow_bundle, tmp_path / "slow", 1)[0]


def order(model: QueueModel) -> list[str]:
    """The outputs' names, by row."""
    return [job.request.output.stem for job in model.jobs()]


def states(model: QueueModel) -> list[JobState]:
    return [job.state for job in model.jobs()]


def wait_for(qtbot: QtBot, found: Callable[[], object]) -> None:
    """Let the window live until something is so."""
    qtbot.waitUntil(lambda: bool(found()), timeout=PATIENCE)


def fill_paused(qtbot: QtBot, model: QueueModel, requests: list[GenerateRequest]) -> list[int]:
    """Add requests that nobody begins yet; their ids."""
    model.pause()
    model.add(requests, clip_seconds=2.0)
    wait_for(qtbot, lambda: len(model.jobs()) == len(requests) and model.paused)
    return [job.id for job in model.jobs()]
