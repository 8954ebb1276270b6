"""The analyst's answers: files of the cache, figures that agree with a second opinion."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyloudnorm
import pytest
import soundfile
from PIL import Image

from omniaudio_studio.errors import Cancelled, MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.analysis import cache
from omniaudio_studio.jobs.analysis.tasks import Context, answer
from omniaudio_studio.jobs.line_process import LineProcess
from omniaudio_studio.media.wav import write_wav
from tests.support.material import material
from tests.support.small_clip import make_small_clip

RATE = 48_000


class Wanted:
    """A cancel token that is cancelled after some looks."""

    def __init__(self, looks: int | None = None) -> None:
        self.looks = looks

    def check(self) -> None:
        if self.looks is not None:
            self.looks -= 1
            if self.looks < 0:
                raise Cancelled("enough")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this test alone; returns its folder."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def ask(task: str, cancel: Wanted | None = None, **parameters: Any) -> Any:
    """An answer, as JSON would carry it."""
    context = Context(cancel or Wanted(), lambda part: None)
    return json.loads(json.dumps(answer(task, context, parameters)))


def noise(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal((channels, round(seconds * RATE)))).astype(np.float32)


def test_field_of_a_source_tells_where_and_how_loud(tmp_path: Path) -> None:
    path = tmp_path / "left.wav"
    signal_ = noise(3.0)[0]
    write_wav(path, encode_plane_wave(signal_, np.pi / 2, 0.0), RATE)
    told = ask("field", path=str(path))
    assert (told["channels"], told["samples"], told["rate"]) == (4, 3 * RATE, RATE)
    assert told["seconds"] == 3.0
    assert told["peak_db"] == pytest.approx(20 * np.log10(np.abs(signal_).max()), abs=1e-3)
    with np.load(told["npz"], allow_pickle=False) as arrays:
        assert arrays["peaks"].shape == (2, 300)
        assert arrays["covariance"].shape == (30, 4, 4)
        assert arrays["levels"].shape == (4, 30)
        bins = arrays["anglegram"]
        peaks, levels, matrices = (arrays[n] for n in ("peaks", "levels", "covariance"))
    blocks = signal_.reshape(300, -1)
    np.testing.assert_array_equal(peaks, [blocks.min(axis=1), blocks.max(axis=1)])
    frames = signal_.reshape(30, -1).astype(np.float64)
    np.testing.assert_allclose(levels[0], 10 * np.log10((frames**2).mean(axis=1)), atol=1e-3)
    assert (levels[2:] < -100).all()  # nothing above, nothing in front
    np.testing.assert_allclose(matrices[:, 0, 1], (frames**2).mean(axis=1), rtol=1e-5)
    assert bins.dtype == np.uint8 and bins.shape == (72, 30) and bins.max() == 255
    # Row k looks to 180 - 5 (k + 1/2) degrees: +90 lies between rows 17 and 18.
    top = [np.flatnonzero(column == column.max()).mean() for column in bins.T]
    assert top == [17.5] * 30


@pytest.mark.parametrize("channels", [1, 2])
def test_field_of_plain_sound_has_levels_and_no_directions(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "plain.wav"
    write_wav(path, noise(1.234, channels), RATE)
    told = ask("field", path=str(path))
    assert told["channels"] == channels
    with np.load(told["npz"]) as arrays:
        assert set(arrays.files) == {"peaks", "levels", "frame_rate"}
        assert arrays["levels"].shape == (channels, 13)
        assert arrays["peaks"].shape == (2, 124)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_peaks_stay_true_to_the_clock_at_any_rate(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "click.wav"
    signal_ = np.zeros((1, round(7.5 * rate)), np.float32)
    signal_[0, round(7.0 * rate) + 3] = 0.5
    write_wav(path, signal_, rate)
    with np.load(ask("field", path=str(path))["npz"]) as arrays:
        assert arrays["peaks"].shape == (2, 750)
        assert arrays["peaks"][1].argmax() == 700


def test_loudness_agrees_with_a_second_opinion(tmp_path: Path) -> None:
    quiet, loud = noise(4.0, seed=1)[0] * 0.1, noise(4.0, seed=2)[0]
    signal_ = np.concatenate([quiet, loud, np.zeros(2 * RATE, np.float32)])
    path = tmp_path / "programme.wav"
    write_wav(path, encode_plane_wave(signal_, 0.3, 0.1), RATE)
    expected = pyloudnorm.Meter(RATE).integrated_loudness(signal_.astype(np.float64))
    assert ask("field", path=str(path))["loudness"] == pytest.approx(expected, abs=0.1)


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    write_wav(path, np.zeros((4, RATE), np.float32), RATE)
    told = ask("field", path=str(path))
    assert told["loudness"] is None and told["peak_db"] == -120.0


def test_one_bad_sample_does_not_take_the_picture_away(tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    field = encode_plane_wave(noise(1.0)[0], 0.0, 0.0)
    field[2, 100] = np.nan
    soundfile.write(path, field.T, RATE, subtype="FLOAT")  # ours refuses to
    with np.load(ask("field", path=str(path))["npz"]) as arrays:
        assert np.isfinite(arrays["covariance"]).all() and arrays["anglegram"].any()


def test_answers_are_kept_until_the_file_changes(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "sound.wav"
    write_wav(path, noise(1.0, 4), RATE)
    first = ask("field", path=str(path))
    made = Path(first["npz"]).stat().st_ino
    assert ask("field", path=str(path)) == first
    assert Path(first["npz"]).stat().st_ino == made
    write_wav(path, noise(2.0, 4), RATE)
    second = ask("field", path=str(path))
    assert second["npz"] != first["npz"] and second["seconds"] == 2.0


@pytest.mark.parametrize("damage", ["cut", "notes", "gone"])
def test_a_damaged_answer_is_made_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sound.wav"
    write_wav(path, noise(1.0, 4), RATE)
    npz = Path(ask("field", path=str(path))["npz"])
    if damage == "cut":
        npz.write_bytes(npz.read_bytes()[:100])
    elif damage == "notes":
        npz.with_suffix(".json").write_text("{")
    else:
        npz.unlink()
    with np.load(ask("field", path=str(path))["npz"]) as arrays:
        assert arrays["peaks"].shape == (2, 100)


def test_the_cache_stays_within_its_bound(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 60_000)
    answers = []
    for number in range(6):
        path = tmp_path / f"{number}.wav"
        write_wav(path, noise(8.0, 4, number), RATE)
        answers.append(Path(ask("field", path=str(path))["npz"]))
        for age, made in enumerate(reversed(answers)):  # a clock that is sure to differ
            if made.exists():
                os.utime(made, (1e9 - age, 1e9 - age))
    assert answers[-1].exists() and not answers[0].exists()
    assert sum(item.stat().st_size for item in own_cache.iterdir()) <= 60_000


def test_a_cancelled_question_leaves_nothing(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "long.wav"
    write_wav(path, noise(20.0, 4), RATE)
    with pytest.raises(Cancelled):
        ask("field", Wanted(looks=2), path=str(path))
    assert list(own_cache.iterdir()) == []


def test_thumbnail_shows_the_clip(small_clip: Path) -> None:
    told = ask("thumbnail", path=str(small_clip), width=64)
    with Image.open(told["image"]) as picture:
        assert picture.size == (64, 32)
        assert np.asarray(picture).max() > 150


def test_a_black_beginning_is_not_the_thumbnail(tmp_path: Path) -> None:
    from omniaudio_studio.media.video import VideoWriter

    path = tmp_path / "fade.mp4"
    with VideoWriter(path, 64, 32, 10.0) as writer:
        for index in range(40):
            writer.write_frame(np.full((32, 64, 3), 0 if index < 10 else 200, np.uint8))
    told = ask("thumbnail", path=str(path), width=32)
    assert told["time"] >= 1.0
    with Image.open(told["image"]) as picture:
        assert np.asarray(picture).mean() > 150


def test_sound_of_a_clip_is_as_long_as_its_picture(small_clip: Path) -> None:
    told = ask("sound", path=str(small_clip))
    with soundfile.SoundFile(told["wav"]) as file:
        assert (file.samplerate, file.channels, file.frames) == (RATE, 1, 2 * RATE)
        samples = file.read(dtype="float32")
    expected = pyloudnorm.Meter(RATE).integrated_loudness(samples.astype(np.float64))
    assert told["loudness"] == pytest.approx(expected, abs=0.1)


def test_a_clip_without_sound_says_so(tmp_path: Path) -> None:
    path = make_small_clip(tmp_path / "mute.mp4", sound=False)
    with pytest.raises(MediaError, match="no sound of its own"):
        ask("sound", path=str(path))


def test_shots_of_the_clip(tmp_path: Path) -> None:
    from omniaudio_studio.media.video import VideoWriter

    path, rng = tmp_path / "cut.mp4", np.random.default_rng(0)
    pictures = [
        rng.integers(0, 255, (8, 16, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        for _ in range(2)
    ]
    with VideoWriter(path, 256, 128, 10.0) as writer:
        for index in range(60):
            writer.write_frame(pictures[index >= 30])
    assert ask("shots", path=str(path))["starts"] == pytest.approx([0.0, 3.0])


def test_bundles_and_device(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(tiny_bundle.parent))
    bundles = {item["name"]: item for item in ask("bundles")}
    assert bundles["tiny"]["problem"] is None and bundles["tiny"]["sampler"]["steps"] > 0
    device = ask("device")
    taken = [item for item in device["providers"] if item["taken"]]
    assert [item["name"] for item in taken] == [device["chosen"]]
    assert all(item["why"] for item in device["providers"])


def test_a_broken_bundle_is_listed_with_its_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bundles" / "broken"
    broken.mkdir(parents=True)
    (broken / "bundle.json").write_text("{}")
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(broken.parent))
    found = {item["name"]: item for item in ask("bundles")}
    assert found["broken"]["problem"]


def test_bad_questions_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="expected one of probe"):
        ask("divination")
    with pytest.raises(MissingFileError):
        ask("field", path=str(tmp_path / "nothing.wav"))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(MediaError):
        ask("field", path=str(text))


def test_probe_of_real_material() -> None:
    info = ask("probe", path=str(material("clips/ricoh_360_mono_40s.mp4")))
    assert info["projection"] == "equirectangular" and info["duration"] == pytest.approx(
        40.067, 0.01
    )


# The process


@pytest.fixture
def analyst(tmp_path: Path) -> Iterator[LineProcess]:
    process = LineProcess(
        "omniaudio_studio.jobs.analyst",
        environment={"XDG_CACHE_HOME": str(tmp_path / "xdg")},
        low_priority=True,
    )
    process.start()
    until(process, lambda message: message["event"] == "ready")
    yield process
    process.close()


def until(
    process: LineProcess, wanted: Callable[[dict[str, Any]], bool], seconds: float = 30.0
) -> list[dict[str, Any]]:
    """What is said until something is; that comes last."""
    heard: list[dict[str, Any]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for message in process.poll(0.1):
            heard.append(message)
            if wanted(message):
                return heard
    pytest.fail(f"not heard in {seconds} s: {heard}")


def test_each_question_gets_one_answer(analyst: LineProcess, small_clip: Path) -> None:
    analyst.send({"ask": 1, "task": "probe", "parameters": {"path": str(small_clip)}})
    analyst.send({"ask": 2, "task": "probe", "parameters": {"path": "/nowhere.mp4"}})
    analyst.send({"ask": 3, "task": "probe", "parameters": {"colour": "red"}})
    analyst.send({"ask": 4, "task": "bundles"})
    heard = until(analyst, lambda message: message.get("ask") == 4)
    by_ask = {message["ask"]: message for message in heard}
    assert len(by_ask) == len(heard) == 4
    assert by_ask[1]["answer"]["width"] == 128
    assert by_ask[2]["event"] == "failed" and "\n" not in by_ask[2]["message"]
    assert by_ask[3]["event"] == "failed" and "unexpected TypeError" in by_ask[3]["message"]
    assert isinstance(by_ask[4]["answer"], list)


def test_cancel_stops_a_long_question(analyst: LineProcess, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    write_wav(path, np.zeros((4, 300 * RATE), np.float32), RATE)
    analyst.send({"ask": 1, "task": "field", "parameters": {"path": str(path)}})
    until(analyst, lambda message: message["event"] == "progress")
    analyst.send({"cancel": 1})
    heard = until(analyst, lambda message: message["event"] in ("failed", "answer"))
    assert heard[-1]["event"] == "failed"
    assert not list((tmp_path / "xdg").rglob("field*"))


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from omniaudio_studio.jobs.line_process import LineProcess\n"
        "process = LineProcess('omniaudio_studio.jobs.analyst')\n"
        "process.start()\n"
        "process.poll(20)\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"
