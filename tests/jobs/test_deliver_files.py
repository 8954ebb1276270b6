"""Every deliverable of one take through the whole of a delivery, with the real functions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, OutputExistsError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.deliver import run_deliver
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.media.audio import FoaReader
from omniaudio_studio.media.wav import write_wav

RATE = 48_000
START, YAW = 0.25, 30.0


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wav = tmp_path_factory.mktemp("in") / "field.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, RATE))
    write_wav(wav, noise.astype(np.float32), RATE)
    return wav


@pytest.fixture
def everything(field: Path, small_clip: Path, tmp_path: Path) -> DeliverRequest:
    bird = PlacedSource(field, "bird", 0.0, ((0.0, 0.0, 2.0, 0.0, 0.1),))
    return DeliverRequest(
        field,
        tmp_path / "out.wav",
        sources=(bird,),
        clip=small_clip,
        clip_start=START,
        yaw=YAW,
        deliverables=tuple(DELIVERABLES),
    )


def read(path: Path) -> np.ndarray:
    with FoaReader(path) as reader:
        return np.concatenate(list(reader.blocks()), axis=1)


def test_all_that_is_offered_is_made_in_one_go(everything: DeliverRequest, tmp_path: Path) -> None:
    stages: list[str] = []
    result = run_deliver(everything, progress=lambda report: stages.append(report.stage))
    assert result.problems == ()
    assert list(result.files) == [name for name in DELIVERABLES if name != "wav"]
    for path in result.files.values():
        assert path.exists()
    made = {"out.wav", "out.json", *(path.name for path in result.files.values())}
    assert {path.name for path in tmp_path.iterdir()} == made
    # What tells of itself is heard in the table's order; the plot is made at once.
    assert list(dict.fromkeys(stages)) == ["sound", *(n for n in result.files if n != "plot")]
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    for entry in data["files"]:
        assert entry["sha256"] == file_sha256(tmp_path / entry["name"])
    assert {entry["deliverable"] for entry in data["files"]} == set(result.files)
    checks = next(e["checks"] for e in data["files"] if e["deliverable"] == "youtube")
    assert len(checks) > 5
    # The clip is H.264: WebM cannot hold it, and that is said by the name.
    assert result.files["webm"].name == "out.opus.mp4"
    assert result.files["youtube"].name == "out.youtube.mov"
    # In a file with picture the sound lies in the picture's frame, where it belongs in time.
    field, master = read(result.wav), read(result.files["mov"])
    first = round(START * RATE)
    there = master[:, first : first + RATE]
    np.testing.assert_allclose(there, rotate_yaw(field, np.radians(YAW)), atol=2**-22)
    assert not np.abs(master[:, :first]).any()
    # Without a picture it is as the WAV has it.
    np.testing.assert_allclose(read(result.files["adm"]), field, atol=2**-23)
    np.testing.assert_allclose(read(result.files["fuma"]), field, atol=1e-6)
    # The project names its media relative to where it lies in the end.
    project = (result.files["reaper"] / "out.rpp").read_text(encoding="utf-8")
    assert ".part" not in project
    for name in ("1-bird.wav", "1-bird.csv"):
        assert (result.files["stems"] / name).is_file()
    with pytest.raises(OutputExistsError, match=r"out\.(wav|stems)"):
        run_deliver(everything)
    for path in (tmp_path / "out.wav", tmp_path / "out.json", *result.files.values()):
        if path.is_file():
            path.unlink()
    with pytest.raises(OutputExistsError, match=r"out\.reaper already exists"):
        run_deliver(everything)
    only = replace(everything, deliverables=("wav", "stems"), overwrite=True)
    (result.files["stems"] / "old.txt").touch()
    stems = run_deliver(only).files["stems"]
    assert sorted(path.name for path in stems.iterdir()) == ["1-bird.csv", "1-bird.wav"]


def stated(path: Path) -> bool:
    """Whether a file, or one in a folder, tells by what its sound was made."""
    if path.is_dir():
        return any(stated(part) for part in path.iterdir())
    return b" by OmniAudio Studio" in path.read_bytes()


def test_provenance_is_in_every_file_unless_it_is_not_wanted(
    everything: DeliverRequest, tmp_path: Path
) -> None:
    result = run_deliver(everything)
    assert [name for name, path in result.files.items() if not stated(path)] == []
    assert stated(result.wav)
    silent = run_deliver(replace(everything, output=tmp_path / "b.wav", provenance=False))
    assert [name for name, path in silent.files.items() if stated(path)] == []
    assert not stated(silent.wav)
    for name in ("mp4", "overlay", "binaural"):
        with av.open(str(result.files[name])) as container:
            assert "OmniAudio Studio" in container.metadata["comment"], name


@pytest.mark.parametrize("stage", ["mov", "stems"])
def test_a_cancelled_one_leaves_nothing(
    everything: DeliverRequest, tmp_path: Path, stage: str
) -> None:
    token = CancelToken()

    def stop(report: Any) -> None:
        if report.stage == stage:
            token.cancel()

    wanted = replace(everything, deliverables=("wav", "mov", "stems"))
    with pytest.raises(Cancelled):
        run_deliver(wanted, progress=stop, cancel=token)
    assert list(tmp_path.iterdir()) == []
