"""What is a clip, how does it look and sound, where does it cut, what is on this machine."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from PIL import Image

from omniaudio_studio.errors import (
    Cancelled,
    DeviceError,
    MediaError,
    MissingFileError,
    OptionError,
)
from omniaudio_studio.jobs.analysis import device as device_task
from omniaudio_studio.jobs.analysis.sound import downmix
from omniaudio_studio.jobs.analysis.tasks import TASKS
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.media.wav import write_wav
from tests.support.analyst import Wanted, ask, ask_with_progress
from tests.support.small_clip import make_small_clip

RATE = 48_000


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    return tmp_path / "user"


def pictures(path: Path, shades: list[tuple[int, float]], fps: float = 10.0) -> Path:
    """A clip of plain grey: (shade, seconds) one after another, with some texture."""
    texture = np.random.default_rng(0).integers(0, 8, (64, 128, 1))
    with VideoWriter(path, 128, 64, fps) as writer:
        for shade, seconds in shades:
            image = np.clip(np.full((64, 128, 3), shade) + (texture if shade else 0), 0, 255)
            for _ in range(round(seconds * fps)):
                writer.write_frame(image.astype(np.uint8))
    return path


def mean_of(image: str) -> float:
    with Image.open(image) as opened:
        return float(np.asarray(opened.convert("L")).mean())


# Clips


def test_probe_tells_what_probe_tells(small_clip: Path) -> None:
    found = ask("probe", path=str(small_clip))
    assert found == probe(small_clip).as_dict()
    json.dumps(found)
    declared = ask("probe", path=str(small_clip), projection="cubemap", stereo="mono")
    assert declared["projection"] == "cubemap"


@pytest.mark.parametrize("task", ["probe", "thumbnail", "shots", "sound"])
def test_bad_clips_are_one_line(tmp_path: Path, task: str) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("no video\n", encoding="utf-8")
    empty.touch()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(make_small_clip(tmp_path / "whole.mp4").read_bytes()[:3000])
    for path, kind in (
        (tmp_path / "gone.mp4", MissingFileError),
        (tmp_path, MediaError),
        (text, MediaError),
        (empty, MediaError),
        (cut, MediaError),
    ):
        with pytest.raises(kind) as caught:
            ask(task, path=str(path))
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_utf8(tmp_path: Path, small_clip: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    odd.write_bytes(small_clip.read_bytes())
    assert ask("probe", path=str(odd))["width"] == 128
    assert Path(ask("thumbnail", path=str(odd))["image"]).is_file()


# Thumbnails


def test_a_thumbnail_is_a_small_picture_of_the_clip(small_clip: Path) -> None:
    found = ask("thumbnail", path=str(small_clip), width=64, time=1.0)
    with Image.open(found["image"]) as image:
        assert image.size == (64, 32) == (found["width"], found["height"])
        seen = np.asarray(image.convert("RGB")).astype(float)
    frame = read_frame(probe(small_clip), 1.0).astype(float)
    expected = frame.reshape(32, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(seen - expected).mean() < 6.0
    assert ask("thumbnail", path=str(small_clip), width=64, time=0.0)["image"] != found["image"]


def test_a_thumbnail_is_not_black_where_the_clip_is_not(tmp_path: Path) -> None:
    dark_first = pictures(tmp_path / "a.mp4", [(0, 2.0), (150, 3.0), (0, 1.0)])
    found = ask("thumbnail", path=str(dark_first))
    assert mean_of(found["image"]) > 100
    assert 2.0 <= found["time"] < 5.0
    bright_first = pictures(tmp_path / "b.mp4", [(150, 1.0), (0, 9.0)])
    assert mean_of(ask("thumbnail", path=str(bright_first))["image"]) > 100
    black = pictures(tmp_path / "c.mp4", [(0, 2.0)])
    assert mean_of(ask("thumbnail", path=str(black))["image"]) < 5


def test_widths_and_times_out_of_range(small_clip: Path) -> None:
    assert ask("thumbnail", path=str(small_clip), width=1)["width"] == 16
    assert ask("thumbnail", path=str(small_clip), time=1000.0)["time"] == 1000.0  # the last one
    for time in (-1.0, math.nan, math.inf):
        with pytest.raises(OptionError, match="expected seconds from 0 on"):
            ask("thumbnail", path=str(small_clip), time=time)


# Shots


def test_shots_are_found_with_progress(tmp_path: Path) -> None:
    clip = pictures(tmp_path / "a.mp4", [(60, 2.0), (200, 2.0), (110, 2.0)])
    found, parts = ask_with_progress("shots", path=str(clip))
    assert found["starts"] == pytest.approx([0.0, 2.0, 4.0], abs=0.11)
    assert parts == sorted(parts)
    assert 0.9 < parts[-1] <= 1.0
    again, parts = ask_with_progress("shots", path=str(clip))
    assert (again, parts) == (found, [])  # nothing was decoded


def test_shots_can_be_cancelled(small_clip: Path) -> None:
    cancel = Wanted(looks=5)
    with pytest.raises(Cancelled):
        ask("shots", cancel=cancel, path=str(small_clip))
    assert cancel.count == 6


# The clip's own sound


def test_the_sound_is_as_long_as_the_pictures_and_in_time_with_them(tmp_path: Path) -> None:
    """Clicks at whole seconds, in a clip whose sound ends before its pictures."""
    clip = tmp_path / "clicks.mp4"
    with VideoWriter(clip, 128, 64, 10, audio_rate=44_100, audio_channels=2) as writer:
        block = np.zeros((2, 44_100), np.float32)
        block[:, 22_050 : 22_050 + 400] = 0.5
        for second in range(4):
            for _ in range(10):
                writer.write_frame(np.full((64, 128, 3), 90, np.uint8))
            if second < 3:
                writer.write_audio(block)
    found, parts = ask_with_progress("sound", path=str(clip))
    sound, rate = soundfile.read(found["wav"], always_2d=True)
    assert (rate, found["rate"]) == (RATE, RATE)
    assert sound.shape == (4 * RATE, 2) == (found["samples"], found["channels"])
    assert found["seconds"] == 4.0
    assert not found["ambisonic"]
    loud = np.abs(sound[:, 0]) > 0.2
    starts = np.flatnonzero(loud & ~np.concatenate([[False] * 4800, loud[:-4800]]))
    firsts = [start for start in starts if not loud[max(0, start - 4800) : start].any()]
    assert np.array(firsts) / RATE == pytest.approx([0.5, 1.5, 2.5], abs=0.003)
    assert not loud[3 * RATE :].any()
    assert soundfile.info(found["wav"]).subtype == "FLOAT"
    oracle = pyloudnorm.Meter(RATE).integrated_loudness(sound)
    assert found["loudness"] == pytest.approx(oracle, abs=0.1)
    assert found["level"] == pytest.approx(oracle - 3.01, abs=0.1)
    assert parts[-1] == 1.0


def test_a_field_stays_a_field(tmp_path: Path) -> None:
    clip = tmp_path / "field.mp4"
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    foa = np.stack([tone, tone * 0.9, tone * 0.1, tone * 0.3]).astype(np.float32)
    with VideoWriter(clip, 128, 64, 10, audio_rate=RATE, audio_channels=4) as writer:
        for index in range(20):
            writer.write_frame(np.full((64, 128, 3), 90, np.uint8))
            writer.write_audio(foa[:, index * 4800 : (index + 1) * 4800])
    found = ask("sound", path=str(clip))
    assert (found["ambisonic"], found["channels"]) == (True, 4)
    sound, _ = soundfile.read(found["wav"])
    rms = np.sqrt(np.mean(sound[RATE // 2 : RATE] ** 2, axis=0))
    assert rms / rms[0] == pytest.approx([1.0, 0.9, 0.1, 0.3], abs=0.03)  # AAC in between
    w = pyloudnorm.Meter(RATE).integrated_loudness(sound[:, 0])
    assert found["loudness"] == found["level"] == pytest.approx(w, abs=0.1)


def test_mono_stays_mono(small_clip: Path) -> None:
    found = ask("sound", path=str(small_clip))
    sound, _ = soundfile.read(found["wav"], always_2d=True)
    whole, _ = read_audio(probe(small_clip), RATE, 0.0, 2.0)
    np.testing.assert_array_equal(sound.T.astype(np.float32), whole)
    assert found["channels"] == 1
    again, parts = ask_with_progress("sound", path=str(small_clip))
    assert (again, parts) == (found, [])  # nothing was decoded


def test_a_clip_without_sound_says_so(tmp_path: Path, own_folders: Path) -> None:
    clip = make_small_clip(tmp_path / "silent.mp4", seconds=1.0, sound=False)
    with pytest.raises(MediaError, match=r"silent\.mp4 has no sound of its own"):
        ask("sound", path=str(clip))
    assert list((own_folders / "omniaudio-studio" / "analysis").iterdir()) == []


def test_a_cancelled_sound_leaves_nothing(small_clip: Path, own_folders: Path) -> None:
    with pytest.raises(Cancelled):
        ask("sound", cancel=Wanted(looks=1), path=str(small_clip))
    assert list((own_folders / "omniaudio-studio" / "analysis").iterdir()) == []


def test_surround_is_mixed_down_by_its_loudspeakers() -> None:
    names = ["FL", "FR", "FC", "LFE", "SL", "SR"]
    mix = downmix(names)
    half = math.sqrt(0.5)
    full = 1 + 2 * half
    np.testing.assert_allclose(mix[0], np.array([1, 0, half, 0, half, 0]) / full, rtol=1e-6)
    np.testing.assert_allclose(mix[1], np.array([0, 1, half, 0, 0, half]) / full, rtol=1e-6)
    back = downmix(["FL", "FR", "FC", "BC", "FLC", "FRC", "BL", "BR"])
    np.testing.assert_array_equal(back[0], back[1][[1, 0, 2, 3, 5, 4, 7, 6]])
    assert back.sum(axis=1) == pytest.approx([1.0, 1.0])
    np.testing.assert_array_equal(downmix(["?"] * 4)[0], downmix(["?"] * 4)[1])


# This machine


def test_bundles_have_what_a_window_shows(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bundles" / "broken"
    broken.mkdir(parents=True)
    (broken / "bundle.json").write_text("{", encoding="utf-8")
    folders = os.pathsep.join([str(tiny_bundle.parent), str(broken.parent)])
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", folders)
    rows = {row["name"]: row for row in ask("bundles")}
    json.dumps(list(rows.values()))
    tiny = rows["tiny"]
    assert tiny["problem"] is None
    assert tiny["path"] == str(tiny_bundle)
    assert isinstance(tiny["demonstration"], bool)
    assert {"id", "name", "commercial", "notice"} <= set(tiny["licence"])
    assert set(tiny["sampler"]) == {"cfg", "steps"}
    assert tiny["reflow"] is None
    assert tiny["sample_rate"] > 0
    assert "bundle.json" in rows["broken"]["problem"]
    assert "\n" not in rows["broken"]["problem"]
    for one, other in itertools.combinations(rows.values(), 2):
        assert set(one) == set(other)
    starter = rows["starter"]
    assert starter["demonstration"] is True
    assert starter["card"].startswith("#") or starter["card"].startswith("---")


def test_devices_and_why() -> None:
    found = ask("device")
    json.dumps(found)
    taken = [row for row in found["providers"] if row["taken"]]
    assert [row["name"] for row in taken] == [found["chosen"]]
    assert all(row["why"] for row in found["providers"])
    assert any(row["name"] == "CPUExecutionProvider" for row in found["providers"])
    assert found["reason"]
    assert {"OmniAudio Studio", "Python", "numpy", "System"} <= set(found["versions"])
    assert found == device_task.device_report()


def test_doctor_says_the_same() -> None:
    from omniaudio_studio.cli.doctor import examine

    found, data = ask("device", device="cpu"), examine("cpu")
    assert data["provider"]["name"] == found["chosen"]
    assert data["provider"]["reason"] == found["reason"]
    assert data["devices"] == found["providers"]
    assert data["available_providers"] == found["built_with"]


def test_a_device_that_is_not_here_is_one_line() -> None:
    with pytest.raises(DeviceError) as caught:
        ask("device", device="abacus")
    assert "abacus" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_devices_are_looked_at_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What loads drivers does not do so in the analyst, whose end a driver's crash would be."""
    package = tmp_path / "modules" / "onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import os\nos.abort()\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    with pytest.raises(DeviceError, match="looking at the devices ended with exit code"):
        ask("device")
    (package / "__init__.py").write_text("raise ImportError('half\\ninstalled')", encoding="utf-8")
    with pytest.raises(DeviceError, match="onnxruntime does not load: half installed; install"):
        ask("device")
    (package / "__init__.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    with pytest.raises(Cancelled):
        ask("device", cancel=Wanted(looks=2))
    monkeypatch.setattr(device_task, "PATIENCE", 0.5)
    with pytest.raises(DeviceError, match="did not answer"):
        ask("device")


def test_a_sofa_file_becomes_filters(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    from omniaudio_studio.foa.binaural_filters import BinauralFilters
    from tests.media.sofa_files import write_sofa

    write_sofa(tmp_path / "me.sofa")
    found = ask("hrtf", path=str(tmp_path / "me.sofa"))
    assert BinauralFilters.load(Path(found["npz"])).taps.shape[:2] == (2, 4)


def test_a_broken_sofa_file_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    broken = tmp_path / "me.sofa"
    broken.write_bytes(b"not a SOFA file")
    for path in (broken, tmp_path / "gone.sofa"):
        with pytest.raises((MediaError, MissingFileError)) as caught:
            ask("hrtf", path=str(path))
        assert "\n" not in str(caught.value)


# Questions


def test_unknown_questions_and_parameters(small_clip: Path) -> None:
    with pytest.raises(OptionError, match="expected one of probe, thumbnail"):
        ask("horoscope")
    for task in TASKS:
        with pytest.raises(OptionError, match=f"the task {task} does not take"):
            ask(task, sign="Leo", path=str(small_clip))


def test_a_wav_can_be_asked_for_after_it_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.full((1, RATE), 0.5), RATE)
    loud = ask("field", path=str(path))
    write_wav(path, np.full((1, RATE), 0.05), RATE)
    soft = ask("field", path=str(path))
    assert loud["peak_db"] - soft["peak_db"] == pytest.approx(20.0)
