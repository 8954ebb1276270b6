"""A bundle whose licence forbids commercial use says so wherever its sound is delivered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omniaudio_studio.jobs.queue import JobQueue
from omniaudio_studio.jobs.runner import QueueRunner
from qt_app.models.queue_texts import state_text
from qt_app.models.take import read_take
from qt_app.models.take_words import badges
from tests.support.command_line import omniaudio
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    licence = {"id": "X-1.0", "name": "A licence", "commercial": False, "notice": ""}
    return make_tiny_bundle(tmp_path / "mine", licence=licence, demonstration=False)


def test_generate_its_sidecar_and_the_take_say_so(
    bundle: Path, small_clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    ran = omniaudio("generate", small_clip, "-o", out, "--bundle", bundle, "--steps", "1")
    assert ran.code == 0 and "forbids commercial use" in ran.out
    sidecar = out.with_suffix(".json")
    assert json.loads(sidecar.read_text())["bundle"]["commercial"] is False
    take = read_take(sidecar)
    assert take is not None and take.commercial is False
    assert "No commercial use" in [text for text, _ in badges(take)]


def test_a_bundle_without_such_a_licence_says_nothing(
    tiny_bundle: Path, small_clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    ran = omniaudio("generate", small_clip, "-o", out, "--bundle", tiny_bundle, "--steps", "1")
    assert ran.code == 0 and "commercial" not in ran.out
    take = read_take(out.with_suffix(".json"))
    assert take is not None and take.commercial is True


def test_batch_and_the_queue_say_so(bundle: Path, small_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = omniaudio("batch", small_clip, "--out", out, "--bundle", bundle, "--steps", "1")
    assert ran.code == 0 and "forbids commercial use" in ran.out
    queue = JobQueue(out / ".omniaudio-batch.sqlite")
    (job,) = queue.jobs()
    assert state_text(job, None) == "Done (no commercial use)"
    queue.close()


def test_the_queue_keeps_it_with_the_job(bundle: Path, small_clip: Path, tmp_path: Path) -> None:
    from omniaudio_studio.jobs.request import GenerateRequest

    out = tmp_path / "out.wav"
    queue = JobQueue(tmp_path / "queue.sqlite")
    request = GenerateRequest(small_clip, out, bundle=str(bundle), steps=1, device="cpu")
    (number,) = queue.add([request])
    with QueueRunner(queue, log_folder=tmp_path, low_priority=False) as runner:
        while queue.get(number).result is None:
            runner.step(0.1)
    result = queue.get(number).result
    assert result is not None and result["commercial"] is False
    queue.close()
