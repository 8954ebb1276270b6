"""What became of a job whose end nobody heard: only the files can tell."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omniaudio_studio.jobs.outputs import all_outputs
from omniaudio_studio.jobs.recovery import settle
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest
from omniaudio_studio.jobs.staging import Staging
from tests.support.queues import names


@pytest.fixture
def request_(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(
        small_clip,
        tmp_path / "out.wav",
        bundle=str(tiny_bundle),
        device="cpu",
        takes=2,
        deliverables=("wav", "binaural", "plot"),
    )


def test_a_finished_job_is_known_with_its_result(request_: GenerateRequest) -> None:
    begun = time.time()
    made = run_request(request_).as_dict()
    found = settle(request_, None, begun)
    assert found is not None
    for name in ("seconds", "sound_seconds", "realtime"):  # written with three decimals
        assert found.pop(name) == pytest.approx(made.pop(name), rel=0.05, abs=1e-3)
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(made))


def cut_wav(request: GenerateRequest | SpatializeRequest) -> None:
    with request.output.open("r+b") as file:
        file.truncate(1000)


def lose_plot(request: GenerateRequest) -> None:
    request.output.with_suffix(".png").unlink()


def empty_sidecar(request: GenerateRequest) -> None:
    request.output.with_suffix(".json").write_text("")


@pytest.mark.parametrize("harm", [cut_wav, lose_plot, empty_sidecar])
def test_what_is_not_whole_is_not_done(
    request_: GenerateRequest, harm: Callable[[GenerateRequest], None]
) -> None:
    run_request(request_)
    harm(request_)
    assert settle(request_, None, time.time() - 100) is None


@pytest.mark.parametrize("changes", [{"seed": 1}, {"cfg": 1.5}, {"takes": 3}, {"yaw": 10.0}])
def test_outputs_of_another_request_are_not_this_job_s(
    request_: GenerateRequest, changes: dict[str, Any]
) -> None:
    run_request(request_)
    assert settle(replace(request_, **changes), None, time.time() - 100) is None


def test_files_that_were_to_be_replaced_are_not_taken_for_the_new_ones(
    request_: GenerateRequest,
) -> None:
    request = replace(request_, overwrite=True)
    run_request(request)
    old = time.time() - 1000
    for path in all_outputs(request):
        os.utime(path, (old, old))
    assert settle(request, None, time.time()) is None
    run_request(request)
    assert settle(request, None, time.time()) is not None


def test_half_done_files_go_whether_the_queue_was_told_of_them_or_not(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    started = time.time()
    for told in (True, False):
        staging = Staging(all_outputs(request_)).__enter__()
        staging.path(request_.output).write_text("half")
        # The empty file that tries the folder out, where a kill came at once.
        (tmp_path / f".{'0a' * 6}.part").touch()
        assert settle(request_, staging.folder if told else None, started) is None
        assert names(tmp_path) == set()


def test_what_is_not_this_job_s_stays(request_: GenerateRequest, tmp_path: Path) -> None:
    older = tmp_path / f".out-{'ab' * 6}.part"
    older.mkdir()
    os.utime(older, (time.time() - 1000,) * 2)
    for name in (f".other-{'ab' * 6}.part", ".out-notes.part", "out-abababababab.part"):
        (tmp_path / name).mkdir()
    (tmp_path / f".{'1b' * 6}.part").write_text("somebody's")
    before = names(tmp_path)
    assert settle(request_, None, time.time()) is None
    assert names(tmp_path) == before


def test_a_commit_that_was_interrupted_is_finished_and_the_job_done(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    begun = time.time()
    run_request(request_)
    finals = all_outputs(request_)
    # Back to the moment after the second of eight files came into place.
    folder = tmp_path / f".out-{'cd' * 6}.whole"
    folder.mkdir()
    for final in finals[2:]:
        final.replace(folder / final.name)
    assert len(finals) == 8
    found = settle(request_, folder.with_suffix(".part"), begun)
    assert found is not None
    assert names(tmp_path) == {final.name for final in finals}


def test_an_output_folder_that_is_gone_is_no_error(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    gone = replace(request_, output=tmp_path / "gone" / "out.wav")
    assert settle(gone, tmp_path / "gone" / ".out-0.part", time.time()) is None


def test_a_placed_recording_is_known_with_its_result(small_clip: Path, tmp_path: Path) -> None:
    from omniaudio_studio.jobs.spatialize import run_spatialize

    source = DirectedSource("dog", ((0.0, 90.0, 0.0, 1.0),))
    request = SpatializeRequest(small_clip, tmp_path / "out.wav", method="given", sources=(source,))
    begun = time.time()
    assert settle(request, None, begun) is None
    made = run_spatialize(request).as_dict()
    found = settle(request, None, begun)
    assert found is not None
    assert 0 < found.pop("seconds") <= made.pop("seconds")  # without the last of the writing
    assert found == made
    assert settle(replace(request, width=0.9), None, begun) is None
    cut_wav(request)
    assert settle(request, None, begun) is None
