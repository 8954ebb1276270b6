"""`omniaudio dataset encode`: processes, a stop in between, and what makes no sense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.cli.app import run
from tests.support.command_line import COMMAND, environment, omniaudio

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of mono in twelve files, and one that is none."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for number in range(12):
        soundfile.write(folder / f"{number:02d}.wav", 0.1 * rng.standard_normal(48_000), 48_000)
    (folder / "text.wav").write_text("no sound")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def gone(group: int) -> bool:
    """Whether nothing is left of a group of processes; Python's own helper takes a moment."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.slow
def test_a_stopped_command_goes_on_to_the_same_bytes(
    sounds: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    arguments = ["dataset", "encode", sounds, "--bundle", tiny_bundle, "--seconds", "1", "--yaws"]
    arguments += ["3", "--pieces", "1", "-o"]
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments), str(tmp_path / "cut"), "--workers", "2"],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: (signal.signal(signal.SIGINT, signal.default_int_handler), os.setsid()),
    )
    assert process.stderr is not None
    while not list(tmp_path.glob("cut/shard-*.json")):
        assert process.poll() is None, process.stderr.read()
    os.killpg(process.pid, signal.SIGINT)  # the whole group, as a terminal does
    said = process.stderr.read()
    assert process.wait(timeout=20) == 130
    assert "omniaudio: stopped; finished shards are kept in" in said and "Traceback" not in said
    assert gone(process.pid)
    kept = set(contents(tmp_path / "cut"))
    assert "shard-000000.tar" in kept or "shard-000001.tar" in kept
    ran = omniaudio(*arguments, tmp_path / "cut", "--workers", "1")
    assert ran.code == 0, ran.err
    assert ran.out == f"36 samples in {tmp_path / 'cut'}, 1 left out\n"
    assert "left out: text.wav: is text, not video" in ran.err
    assert run([str(part) for part in [*arguments, tmp_path / "whole", "--workers", "1"]]) == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_what_came_of_it_as_json(
    sounds: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text("07\n08.wav\nnowhere\n")
    arguments = ["dataset", "encode", sounds, "-o", tmp_path / "out", "--bundle", tiny_bundle]
    arguments += ["--split", tmp_path / "list.txt", "--seconds", "0.5", "--workers", "1", "--json"]
    assert run([str(part) for part in arguments]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(tmp_path / "out"),
        "samples": 4,
        "skipped": [{"source": "nowhere", "reason": "is in the list, but not in the folder"}],
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give --run or --bundle, one of them"),
        (["--bundle", "TINY", "--run", "."], "give --run or --bundle, one of them"),
        (["--run", "."], ". is no run folder: it has no run.json"),
        (["--bundle", "nowhere"], "no model bundle named 'nowhere'"),
        (["--bundle", "TINY", "--kind", "films"], "--kind films: expected scenes, sphere360, sou"),
        (["--bundle", "TINY", "--kind", "scenes"], "no scenes in"),
        (["--bundle", "TINY", "--split", "nowhere"], "no list 'nowhere'"),
        (["--bundle", "TINY", "--projection", "eac"], "--projection is for clips"),
        (["--bundle", "TINY", "--convention", "maxn"], "convention maxn: expected auto"),
        (["--bundle", "TINY", "--seconds", "nan"], "expected at least one latent frame"),
        (["--bundle", "TINY", "--workers", "0"], "--workers 0: expected 1 or more"),
        (["--bundle", "TINY", "--pieces", "0"], "--pieces 0: expected 1 or more"),
        (["--bundle", "TINY", "--seed", "-1"], "--seed -1: expected 0 or more"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    options: list[str],
    said: str,
    sounds: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(tiny_bundle) if part == "TINY" else part for part in options]
    assert run(["dataset", "encode", str(sounds), "-o", "out", *given]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("omniaudio: ") == 1
    assert not (tmp_path / "out").exists()
