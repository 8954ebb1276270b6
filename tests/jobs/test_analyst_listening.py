"""A field's streams as files: exact, whole, found again, and gone where they are not wanted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import (
    Cancelled,
    MediaError,
    MissingFileError,
    OptionError,
    OutputError,
)
from omniaudio_studio.foa.binaural import head_rotation
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.foa.head_streams import STREAMS
from omniaudio_studio.jobs.analysis import cache
from omniaudio_studio.media.wav import write_wav
from tests.foa.test_head_streams import noise, rendered, volumes
from tests.support.analyst import Asker, Wanted, ask, ask_with_progress

RATE = 48_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"


def field(path: Path, samples: int = 30_000, level: float = 0.1, rate: int = RATE) -> np.ndarray:
    foa = noise(samples) * np.float32(level)
    write_wav(path, foa, rate)
    return foa


def mixed(answer: dict[str, Any], orientation: np.ndarray) -> np.ndarray:
    """What a player makes of the answer."""
    assert [(stream["head"], stream["field"]) for stream in answer["streams"]] == list(STREAMS)
    ears = np.zeros((2, answer["samples"]))
    for stream, volume in zip(answer["streams"], volumes(orientation), strict=True):
        sound, rate = soundfile.read(stream["file"], dtype="float64")
        assert rate == answer["rate"]
        assert np.abs(sound).max(initial=0.0) < 1.0  # nothing is clipped
        ears += volume * stream["gain"] * sound.T
    return ears


def left_behind(home: Path) -> list[str]:
    """Half-written files."""
    return [path.name for path in home.rglob("*") if ".part" in path.suffixes]


@pytest.mark.parametrize(
    ("rate", "samples", "level"),
    [(48_000, 100_000, 0.1), (44_100, 66_000, 30.0), (48_000, 20_000, 1e-5), (96_000, 1, 0.1)],
)
def test_they_add_up_to_the_renderer(tmp_path: Path, rate: int, samples: int, level: float) -> None:
    foa = field(tmp_path / "take.wav", samples, level, rate)
    answer = ask("listening", path=str(tmp_path / "take.wav"))
    assert (answer["rate"], answer["samples"]) == (rate, samples)
    for angles in ((0.0, 0.0, 0.0), (np.pi / 2, 0.0, 0.0), (-2.0, 0.7, -0.4)):
        orientation = head_rotation(*angles)
        expected = rendered(foa, rate, orientation)
        error = np.abs(mixed(answer, orientation) - expected).max()
        assert error < 3e-6 * np.abs(foa).max()  # -110 dB


def test_conventions_are_converted(tmp_path: Path) -> None:
    foa = noise(5_000) * np.float32(0.1)
    write_wav(tmp_path / "fuma.wav", from_ambix(foa, "fuma"), RATE)
    answer = ask("listening", path=str(tmp_path / "fuma.wav"), convention="fuma")
    expected = rendered(foa, RATE, np.eye(3))
    assert np.abs(mixed(answer, np.eye(3)) - expected).max() < 1e-5 * np.abs(expected).max()
    other = ask("listening", path=str(tmp_path / "fuma.wav"))
    assert other["streams"][1]["file"] != answer["streams"][1]["file"]


def test_silence_and_bad_samples(tmp_path: Path) -> None:
    write_wav(tmp_path / "silent.wav", np.zeros((4, 1_000)), RATE)
    assert not mixed(ask("listening", path=str(tmp_path / "silent.wav")), np.eye(3)).any()
    foa = noise(5_000) * np.float32(0.1)
    foa[2, 1_000] = np.nan
    soundfile.write(tmp_path / "bad.wav", foa.T, RATE, subtype="FLOAT")
    foa[2, 1_000] = 0.0
    found = mixed(ask("listening", path=str(tmp_path / "bad.wav")), np.eye(3))
    expected = rendered(foa, RATE, np.eye(3))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_made_once_and_only_what_is_missing_again(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "take.wav"
    field(path)
    first, parts = ask_with_progress("listening", path=str(path))
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    files = [Path(stream["file"]) for stream in first["streams"]]
    made = [file.stat().st_ino for file in files]
    again, parts = ask_with_progress("listening", path=str(path))
    assert again == first
    assert not parts
    assert [file.stat().st_ino for file in files] == made
    files[3].unlink()
    whole = files[4].read_bytes()
    files[4].write_bytes(whole[:1_000])
    assert ask("listening", path=str(path)) == first
    assert files[4].read_bytes() == whole
    others = [number for number in range(10) if number not in (3, 4)]
    assert [files[number].stat().st_ino for number in others] == [made[n] for n in others]
    field(path, level=0.2)
    assert ask("listening", path=str(path))["streams"][0]["file"] != first["streams"][0]["file"]
    assert not left_behind(own_cache)


def test_bad_files_are_one_line(tmp_path: Path, own_cache: Path) -> None:
    write_wav(tmp_path / "stereo.wav", np.zeros((2, 100)), RATE)
    write_wav(tmp_path / "empty.wav", np.zeros((4, 0)), RATE)
    (tmp_path / "text.wav").write_text("no sound\n", encoding="utf-8")
    for name, kind in (
        ("gone.wav", MissingFileError),
        ("stereo.wav", MediaError),
        ("empty.wav", MediaError),
        ("text.wav", MediaError),
    ):
        with pytest.raises(kind, match=name) as caught:
            ask("listening", path=str(tmp_path / name))
        assert "\n" not in str(caught.value)
    field(tmp_path / "take.wav")
    with pytest.raises(OptionError, match="convention"):
        ask("listening", path=str(tmp_path / "take.wav"), convention="quad")
    assert not left_behind(own_cache)


@pytest.mark.parametrize("looks", [0, 1, 4])
def test_cancelled_leaves_nothing(tmp_path: Path, own_cache: Path, looks: int) -> None:
    field(tmp_path / "take.wav", 200_000)
    with pytest.raises(Cancelled):
        ask("listening", cancel=Wanted(looks), path=str(tmp_path / "take.wav"))
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_a_field_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    field(path, 200_000)

    class Rewriting(Wanted):
        def check(self) -> None:
            super().check()
            if self.count == 6:
                os.utime(path, ns=(1, 1))

    with pytest.raises(MediaError, match="was written while it was read"):
        ask("listening", cancel=Rewriting(), path=str(path))
    assert ask("listening", path=str(path))["samples"] == 200_000


def test_more_than_the_cache_holds_is_refused(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field(tmp_path / "take.wav", 400_000)
    monkeypatch.setattr(cache, "MAX_BYTES", 2_000_000)
    with pytest.raises(OutputError, match=r"take\.wav is too long for the preview that turns"):
        ask("listening", path=str(tmp_path / "take.wav"))
    assert not left_behind(own_cache)


LIMITED = """
import resource, signal, sys
sys.path.insert(0, {root!r})
from tests.support.analyst import ask
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    ask("listening", path=sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no limit on the size of files")
@pytest.mark.parametrize("left", [0.0, 0.01, 0.3, 0.999])
def test_a_full_disk_is_one_line(tmp_path: Path, own_cache: Path, left: float) -> None:
    field(tmp_path / "take.wav", 200_000)
    answer = ask("listening", path=str(tmp_path / "take.wav"))
    limit = int(left * max(Path(stream["file"]).stat().st_size for stream in answer["streams"]))
    shutil.rmtree(own_cache)
    script = LIMITED.format(root=str(Path(__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "take.wav"), str(limit)],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith("OutputError cannot write into the cache folder")
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_analyst_leaves_no_half_answer(tmp_path: Path, own_cache: Path) -> None:
    field(tmp_path / "take.wav", 3_000_000)
    first = Asker()
    first.ask(1, "listening", path=str(tmp_path / "take.wav"))
    first.until(event="progress", ask=1)
    until = time.monotonic() + 60
    while len(left_behind(own_cache)) < 10 and time.monotonic() < until:
        time.sleep(0.01)
    assert first.process.pid is not None
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.close()
    assert len(left_behind(own_cache)) == 10
    assert not list(own_cache.rglob("*.json"))
    field(tmp_path / "take.wav", 30_000)
    second = Asker()
    second.ask(1, "listening", path=str(tmp_path / "take.wav"))
    assert second.until(event="answer", ask=1)["answer"]["samples"] == 30_000
    second.process.close()


MEASURED = """
import sys
sys.path.insert(0, {root!r})
from tests.support.analyst import ask
from tests.support.memory import peak_megabytes
ask("listening", path=sys.argv[1])
print(peak_megabytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_flat(tmp_path: Path) -> None:
    figures = []
    for seconds in (10, 60):
        path = tmp_path / f"{seconds}.wav"
        field(path, seconds * RATE)
        script = MEASURED.format(root=str(Path(__file__).parents[2]))
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        )
        figures.append(float(done.stdout))
    assert figures[1] < figures[0] + 15, figures  # MB; the longer field has 38 more
