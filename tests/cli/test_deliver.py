"""``omniaudio deliver``."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.foa.binaural import render_binaural
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.media.wav import write_wav
from tests.support.command_line import COMMAND, Ran, environment, names, omniaudio

RATE = 48000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two seconds of a field, a bird and a list that places it."""
    rng = np.random.default_rng(0)
    write_wav(tmp_path / "field.wav", 0.1 * rng.standard_normal((4, 2 * RATE)), RATE)
    (tmp_path / "sounds").mkdir()
    write_wav(tmp_path / "sounds" / "bird.wav", 0.1 * rng.standard_normal(RATE), RATE)
    bird = {"file": "bird.wav", "name": "bird", "start": 0.5, "points": [[0, 0, 4, 0, 1]]}
    (tmp_path / "sounds" / "list.json").write_text(json.dumps([bird]))
    (tmp_path / "head.csv").write_text("time,yaw,pitch,roll\n0,0,0,0\n1,60,0,0\n")
    return tmp_path


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


def refused(ran: Ran) -> str:
    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.error_lines) == 1
    assert "Traceback" not in ran.err
    return ran.error_lines[0]


def test_a_part_is_cut_out_and_delivered_again(folder: Path) -> None:
    ran = omniaudio(
        "deliver", "field.wav", "-o", "out.wav", "--start", "0.5", "--duration", "1", cwd=folder
    )
    assert ran.code == 0, ran.err
    assert "out.wav  1.0 s, 48000 Hz" in ran.out
    assert "how to make it again" in ran.out
    np.testing.assert_array_equal(
        read(folder / "out.wav"), read(folder / "field.wav")[:, RATE // 2 : RATE // 2 + RATE]
    )
    ran = omniaudio("deliver", "--from", "out.json", "-o", "again.wav", "--json", cwd=folder)
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert (result["kind"], result["samples"]) == ("deliver", RATE)
    assert (folder / "again.wav").read_bytes() == (folder / "out.wav").read_bytes()


def test_placed_sounds_and_a_turning_head(folder: Path) -> None:
    """The list's paths count from the list's folder."""
    ran = omniaudio(
        "deliver", "field.wav", "-o", "out.wav", "--sources", "sounds/list.json", "--binaural",
        "--head", "head.csv", "--plot", cwd=folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "out.binaural.wav  For headphones" in ran.out
    assert "out.png" in ran.out
    sound = read(folder / "out.wav")
    added = sound - read(folder / "field.wav")
    bird = read(folder / "sounds" / "bird.wav")
    np.testing.assert_allclose(added[1, RATE // 2 :][:RATE], 0.25 * bird, atol=1e-6)
    track = ([0.0, 1.0], np.radians([0.0, 60.0]), [0.0, 0.0], [0.0, 0.0])
    np.testing.assert_allclose(
        read(folder / "out.binaural.wav"), render_binaural(sound, RATE, track=track), atol=1e-6
    )


def test_sources_alone_and_an_overlay(folder: Path, small_clip: Path) -> None:
    ran = omniaudio(
        "deliver", "-o", "out.wav", "--sources", "sounds/list.json", "--duration", "1.5",
        "--overlay", "--clip", small_clip, "--clip-start", "0.5", "--yaw", "30", cwd=folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert {"out.wav", "out.json", "out.overlay.mp4"} <= names(folder)
    assert read(folder / "out.wav").shape == (4, 1.5 * RATE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected an output"),
        (["-o", "out.wav"], "sources and a duration"),
        (["field.wav", "-o", "out.mp3"], ".wav"),
        (["no.wav", "-o", "out.wav"], "no such file: no.wav"),
        (["field.wav", "-o", "field.wav", "--overwrite"], "also an input"),
        (["field.wav", "-o", "out.wav", "--start", "9"], "starts at 9 s"),
        (["field.wav", "-o", "out.wav", "--yaw", "9"], "--yaw is for what shows the clip"),
        (["field.wav", "-o", "out.wav", "--clip-start", "9"], "--clip-start is for a clip"),
        (["field.wav", "-o", "out.wav", "--overlay"], "no sidecar beside field.wav names one"),
        (["field.wav", "-o", "out.wav", "--head", "head.csv"], "binaural"),
        (["field.wav", "-o", "out.wav", "--sources", "no.json"], "no such file: no.json"),
        (["field.wav", "-o", "out.wav", "--sources", "head.csv"], "is not JSON"),
        (["field.wav", "-o", "out.wav", "--sources", "object.json"], "no list"),
        (["field.wav", "-o", "out.wav", "--sources", "bad.json"], "bad.json: source 1 has no name"),
        (["--from", "out.json", "--rate", "44100"], "--from takes everything"),
        (["field.wav", "--from", "out.json"], "--from takes everything"),
        (["--from", "object.json"], "no sidecar"),
    ],
)
def test_what_makes_no_sense_is_one_line(folder: Path, arguments: list[str], said: str) -> None:
    (folder / "object.json").write_text("{}")
    (folder / "bad.json").write_text('[{"file": "bird.wav"}]')
    before = names(folder)
    assert said in refused(omniaudio("deliver", *arguments, cwd=folder))
    assert names(folder) == before


def test_an_output_that_is_there_is_replaced_only_when_asked(folder: Path) -> None:
    (folder / "out.json").write_text("mine")
    words = ["deliver", "field.wav", "-o", "out.wav"]
    assert "out.json already exists" in refused(omniaudio(*words, cwd=folder))
    assert (folder / "out.json").read_text() == "mine"
    assert omniaudio(*words, "--overwrite", cwd=folder).code == 0
    assert json.loads((folder / "out.json").read_text())["kind"] == "omniaudio-delivery"


def test_ctrl_c_leaves_nothing(folder: Path) -> None:
    bird = {
        "file": "bird.wav", "name": "bird", "start": 0, "delay": True, "loop": True,
        "points": [[0, 90, 0, 0, 1], [9, -90, 5, 0, 1]],
    }  # fmt: skip
    (folder / "sounds" / "many.json").write_text(json.dumps([bird] * 20))
    before = names(folder)
    words = ["deliver", "-o", "out.wav", "--sources", "sounds/many.json", "--duration", "600"]
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, env=environment())
    try:
        until = time.monotonic() + 60
        while not any(name.endswith(".part") for name in names(folder)):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
    assert names(folder) == before


def test_more_is_made_beside_a_field(folder: Path, small_clip: Path) -> None:
    before = names(folder)
    ran = omniaudio("deliver", "field.wav", "--as", "adm", "--as", "fuma", cwd=folder)
    assert ran.code == 0, ran.err
    assert names(folder) - before == {"field.json", "field.fuma.wav", "field.adm.wav"}
    assert "field.adm.wav  ADM (BW64)" in ran.out
    assert "field.wav  " not in ran.out  # it stays as it is
    again = omniaudio("deliver", "field.wav", "--as", "adm", cwd=folder)
    assert "field.adm.wav already exists" in refused(again)
    assert "give it: --clip CLIP" in refused(
        omniaudio("deliver", "field.wav", "--as", "mov", cwd=folder)
    )
    ran = omniaudio("deliver", "field.wav", "--as", "mov", "--clip", small_clip, cwd=folder)
    assert ran.code == 0, ran.err
    assert (folder / "field.360.mov").is_file()
    # A field in a video is shown by that video.
    ran = omniaudio("deliver", "field.360.mov", "--as", "mkv", cwd=folder)
    assert ran.code == 0, ran.err
    assert (folder / "field.360.360.mkv").is_file()
    data = json.loads((folder / "field.json").read_text())
    assert [entry["deliverable"] for entry in data["files"]] == ["fuma", "adm", "mov"]
    assert "--clip-start is for a clip" in refused(
        omniaudio("deliver", "field.wav", "--as", "adm", "--clip-start", "1", cwd=folder)
    )


def test_what_can_be_made_is_listed() -> None:
    ran = omniaudio("deliver", "--list")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == list(DELIVERABLES)
    ran = omniaudio("deliver", "--list", "--json")
    assert [row["name"] for row in json.loads(ran.out)] == list(DELIVERABLES)
