"""``omniaudio spatialize``."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.cli.app import run
from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.jobs.direction_files import read_directions
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip
from tests.support.command_line import COMMAND, environment, names, omniaudio
from tests.support.small_clip import make_small_clip

RATE = 48_000
PATH = "time,azimuth,elevation\n0,150,0\n1,-120,40\n2,-30,-20\n"


def noise(channels: int, seconds: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.integers(-9000, 9000, (channels, round(seconds * RATE))) / 32768).astype(np.float32)


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    times = [k / 10 for k in range(20)]
    make_clip(folder / "c.mkv", times, rate=10, sound=noise(1), sound_codec="pcm_s16le")
    make_clip(folder / "mute.mkv", times, rate=10)
    return folder


@pytest.fixture
def folder(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip, one without sound, and a path; all in the working folder."""
    for clip in clips.iterdir():
        (tmp_path / clip.name).symlink_to(clip)
    (tmp_path / "path.csv").write_text(PATH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run(["spatialize", *arguments])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["spatialize", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith("omniaudio: ")]
    assert len(lines) == 1
    assert "Traceback" not in said.err
    return lines[0]


def test_a_path_is_followed_within_half_a_degree(folder: Path) -> None:
    """As a user runs it; W is the clip's own sound, bit for bit."""
    ran = omniaudio("spatialize", "c.mkv", "-o", "out.wav", "--sources", "path.csv", cwd=folder)
    assert ran.code == 0, ran.err
    assert "source 1  around azimuth" in ran.out
    assert "out.wav  2.0 s, 48000 Hz" in ran.out
    sound = read(folder / "out.wav")
    assert sound[0].tobytes() == noise(1)[0].tobytes()
    times, azimuth, elevation = np.loadtxt(folder / "path.csv", delimiter=",", skiprows=1).T
    track = GreatCircleTrack(times, direction_vector(np.radians(azimuth), np.radians(elevation)).T)
    for when in np.arange(0.01, 1.99, 0.03):
        begin = round((when - 0.005) * RATE)
        found = direction_vector(*direction_of_arrival(sound[:, begin : begin + 480]))
        assert math.degrees(math.acos(min(1.0, float(found @ track.at([when])[0])))) < 0.5


def test_directions_are_written_and_made_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("c.mkv", "-o", "a.wav", "--sources", "path.csv", "--write-sources", "b.csv")
    assert "b.csv  the directions, to be edited" in done(capsys, *words)
    assert read_directions(folder / "b.csv") == read_directions(folder / "path.csv")
    done(capsys, "c.mkv", "-o", "b.wav", "--sources", "b.csv")
    done(capsys, "c.mkv", "-o", "c.wav", "--sources", "a.json")
    result = json.loads(done(capsys, "--from", "a.json", "-o", "d.wav", "--json"))
    assert (result["kind"], result["samples"], result["confidence"]) == ("spatialize", 96_000, 1.0)
    first = (folder / "a.wav").read_bytes()
    assert all((folder / name).read_bytes() == first for name in ("b.wav", "c.wav", "d.wav"))


def test_another_recording_and_what_lies_beside(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(folder / "audio.wav", noise(2, 1.5), RATE)
    words = ("mute.mkv", "--audio", "audio.wav", "-o", "out.wav", "--sources", "path.csv")
    assert (
        run(["spatialize", *words, "--binaural", "--plot", "--yaw", "90", "--rate", "44100"]) == 0
    )
    said = capsys.readouterr()
    assert "warning: the recording audio.wav ends 0.50 s before the clip" in said.err
    assert "out.binaural.wav  For headphones" in said.out
    assert {"out.wav", "out.json", "out.binaural.wav", "out.png"} <= names(folder)
    assert read(folder / "out.wav").shape == (4, 88_200)


@pytest.mark.parametrize("camera", [["--camera=-30,10"], ["--camera", "-30,10"]])
def test_a_camera_may_look_to_the_right(
    folder: Path, capsys: pytest.CaptureFixture[str], camera: list[str]
) -> None:
    """A number with a sign is no option."""
    words = ("c.mkv", "-o", "out.wav", "--sources", "path.csv", "--projection", "flat")
    done(capsys, *words, "--hfov", "90", *camera)
    data = json.loads((folder / "out.json").read_text())
    assert (data["request"]["hfov"], data["request"]["camera"]) == (90.0, [-30.0, 10.0])


def test_where_nothing_is_found_that_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One warning each; no empty file of directions."""
    assert run(["spatialize", "c.mkv", "-o", "out.wav", "--write-sources", "w.csv"]) == 0
    said = capsys.readouterr()
    warnings = [line for line in said.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "confidence" in warnings[0]
    assert "no direction was found, so w.csv was not written" in warnings[1]
    assert "confidence 0." in said.out
    assert "source" not in said.out
    assert names(folder) == {"c.mkv", "mute.mkv", "path.csv", "out.wav", "out.json"}


GIVEN = ["c.mkv", "-o", "out.wav", "--sources", "path.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a clip and an output"),
        (["c.mkv"], "expected a clip and an output"),
        (["c.mkv", "-o", "out.mp3"], ".wav"),
        (["no.mkv", *GIVEN[1:]], "no such file: no.mkv"),
        (["mute.mkv", *GIVEN[1:]], "no sound of its own to place; use omniaudio generate"),
        (["c.mkv", "-o", "c.wav", "--audio", "c.wav", "--overwrite"], "also an input"),
        ([*GIVEN, "--audio", "no.wav"], "no such file: no.wav"),
        (["c.mkv", "-o", "out.wav", "--sources", "no.csv"], "no such file of directions: no.csv"),
        (["c.mkv", "-o", "out.wav", "--sources", "bad.csv"], "bad.csv, line 2: azimuth must be"),
        (["c.mkv", "-o", "out.wav", "--sources", "c.mkv"], "c.mkv is no text"),
        (["c.mkv", "-o", "it.wav", "--sources", "it.json", "--overwrite"], "also an input"),
        ([*GIVEN, "--max-sources", "2"], "--max-sources is for directions that are to be found"),
        ([*GIVEN, "--bundle", "starter"], "--bundle is for --sources learned"),
        (["c.mkv", "-o", "out.wav", "--device", "cpu"], "--device is for --sources learned"),
        (["c.mkv", "-o", "out.wav", "--max-sources", "4"], "from 1 to 3, found 4"),
        ([*GIVEN, "--width", "2"], "width must be a number from 0 to 1"),
        ([*GIVEN, "--start", "9"], "starts at 9 s"),
        ([*GIVEN, "--hfov", "90"], 'for the projection "flat"'),
        ([*GIVEN, "--projection", "flat", "--hfov", "90", "--camera", "up"], "--camera expects"),
        ([*GIVEN, "--write-sources", "path.csv"], "path.csv already exists"),
        ([*GIVEN, "--write-sources", "out.wav"], "would be one file"),
        ([*GIVEN, "--write-sources", "no/where.csv"], "folder no does not exist"),
        (["c.mkv", "-o", "o.wav", "--sources", "it.json", "--write-sources", "w.csv"], "stems"),
        (["--from", "out.json", "--width", "1"], "--from takes everything"),
        (["c.mkv", "--from", "out.json"], "--from takes everything"),
        (["--from", "out.json", "--write-sources", "a.csv"], "--from takes everything"),
        (["--from", "it.json"], "no sidecar"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    write_wav(folder / "c.wav", noise(1), RATE)
    (folder / "bad.csv").write_text("0,0,0\n1,nan,0\n")
    (folder / "it.json").write_text('[{"points": [[0, 0, 0]], "file": "c.wav"}]')
    before = names(folder)
    assert said in refused(capsys, *arguments)
    assert names(folder) == before


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_is_stopped_or_killed_leaves_no_output(tmp_path: Path, number: int) -> None:
    """Nothing at the target; after Ctrl-C nothing at all, the replaced file is as it was."""
    make_small_clip(tmp_path / "long.mp4", 600.0, fps=0.5, width=32, height=16)
    lines = "".join(f"{k},{(37 * k) % 300},{k % 60},0.5,{k % 9}\n" for k in range(600))
    (tmp_path / "many.csv").write_text(lines)
    (tmp_path / "out.wav").write_text("mine")
    before = names(tmp_path)
    words = ["spatialize", "long.mp4", "-o", "out.wav", "--sources", "many.csv", "--overwrite"]
    process = subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=environment())
    try:
        until = time.monotonic() + 60
        while not any((part / "out.wav").exists() for part in tmp_path.glob(".out-*.part")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    left = names(tmp_path) - before
    assert (tmp_path / "out.wav").read_text() == "mine"
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert left == set()
    else:
        assert all(name.startswith(".out-") and name.endswith(".part") for name in left)
