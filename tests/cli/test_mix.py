"""Hints, a field to mix in and ducking, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.cli.app import run
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.request import Hint
from omniaudio_studio.media.wav import write_wav
from tests.support.command_line import omniaudio

RATE = 48_000


@pytest.fixture
def field_file(tmp_path: Path) -> Path:
    path = tmp_path / "field.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    write_wav(path, encode_plane_wave(noise, 1.0, 0.0), RATE)
    return path


def test_all_of_it_in_one_go_and_again_from_the_sidecar(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path, field_file: Path
) -> None:
    (tmp_path / "hints.csv").write_text("start,end,azimuth,elevation\n1,2,-30,10\n")
    out, again = tmp_path / "out.wav", tmp_path / "again.wav"
    ran = omniaudio(
        "generate", small_clip, "-o", out, "--bundle", tiny_bundle, "--device", "cpu",
        "--hint", "0,1.5,-120,20,0.8", "--hint=0.5,2,60,0", "--hints", tmp_path / "hints.csv",
        "--mix", "0.5", "--mix-field", field_file, "--duck", "6",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    request = json.loads((tmp_path / "out.json").read_text())["request"]
    assert [Hint(**hint) for hint in request["hints"]] == [
        Hint(0, 1.5, -120, 20, 0.8), Hint(0.5, 2, 60, 0), Hint(1, 2, -30, 10),
    ]  # fmt: skip
    assert (request["mix_field"], request["duck"]) == (str(field_file), 6.0)
    ran = omniaudio("generate", "--from", tmp_path / "out.json", "-o", again)
    assert ran.code == 0, ran.err
    assert "warning" not in ran.err
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hint", "1,2,3"], "--hint must be START,END,AZ,EL[,STRENGTH]"),
        (["--hint", "2,1,0,0"], "end must be a number greater than 2"),
        (["--hint", "0,1,up,0"], "azimuth must be a number, found 'up'"),
        (["--hints", "no.csv"], "no such file of hints: no.csv"),
        (["--duck", "6"], "give mix, its gain, too"),
        (["--mix", "1", "--duck", "-3"], "duck must be a number from 0 to 60 dB, found -3"),
        (["--mix-field", "field.wav"], "give mix, its gain, too"),
        (["--mix", "1", "--mix-field", "no.wav"], "no such file: no.wav (the field to mix in)"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    said: str,
    small_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["generate", str(small_clip), "-o", "out.wav", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert list(tmp_path.iterdir()) == []


def test_from_takes_hints_and_mix_from_the_sidecar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option, value in (
        ("--hint", "0,1,0,0"),
        ("--mix-field", "field.wav"),
        ("--duck", "3"),
    ):
        assert run(["generate", "--from", "out.json", option, value]) == 2
        assert f"leave {option}" in capsys.readouterr().err


def test_a_batch_takes_them_for_every_clip(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    ran = omniaudio(
        "batch", small_clip, "--out", tmp_path / "out", "--bundle", tiny_bundle,
        "--hint", "0,2,90,0,1", "--mix", "0.5", "--duck", "6",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    request = json.loads((tmp_path / "out" / f"{small_clip.stem}.json").read_text())["request"]
    assert request["hints"] == [Hint(0, 2, 90, 0, 1).as_dict()]
    assert (request["mix"], request["duck"]) == (0.5, 6.0)
    assert soundfile.info(tmp_path / "out" / f"{small_clip.stem}.wav").frames == 2 * RATE
