"""A sound over time, against straightforward NumPy and other people's meters."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest

from omniaudio_studio.errors import Cancelled, MediaError, MissingFileError
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import anglegram
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.wav import WavWriter, write_wav
from tests.support.analyst import Wanted, ask, ask_with_progress
from tests.support.material import material

RATE = 48_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))


def field_of(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    facts = ask("field", path=str(path))
    with np.load(facts["npz"], allow_pickle=False) as arrays:
        return facts, {name: arrays[name] for name in arrays.files}


def noise(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    """Noise that swells, so that gating has something to do."""
    swell = np.linspace(0.0, 0.2, samples) ** 2 * 4
    random = np.random.default_rng(seed)
    return (random.standard_normal((channels, samples)) * swell).astype(np.float32)


@pytest.mark.parametrize(("rate", "samples"), [(48_000, 312_345), (44_100, 200_000), (22_050, 777)])
def test_every_number_of_a_field(tmp_path: Path, rate: int, samples: int) -> None:
    foa = noise(4, samples)
    write_wav(tmp_path / "a.wav", foa, rate)
    facts, arrays = field_of(tmp_path / "a.wav")
    assert facts["rate"] == rate
    assert facts["samples"] == samples
    assert facts["seconds"] == pytest.approx(samples / rate)
    assert facts["channels"] == 4
    assert facts["peak_db"] == pytest.approx(20 * math.log10(np.abs(foa).max()), abs=1e-4)

    columns = math.ceil(samples * 100 / rate)
    edges = [min(round(k * rate / 100), samples) for k in range(columns + 1)]
    parts = [foa[0, a:b] for a, b in pairwise(edges) if b > a]
    assert arrays["peaks"].dtype == np.float32
    np.testing.assert_array_equal(arrays["peaks"][0], [part.min() for part in parts])
    np.testing.assert_array_equal(arrays["peaks"][1], [part.max() for part in parts])

    frames = math.ceil(samples * 10 / rate)
    assert float(arrays["frame_rate"]) == 10.0
    assert arrays["covariance"].shape == (frames, 4, 4)
    assert arrays["levels"].shape == (4, frames)
    for k in range(frames):
        part = foa[:, round(k * rate / 10) : round((k + 1) * rate / 10)]
        np.testing.assert_allclose(arrays["covariance"][k], covariance(part), rtol=1e-4, atol=1e-9)
        power = np.mean(part.astype(np.float64) ** 2, axis=1)
        expected = np.maximum(10 * np.log10(np.maximum(power, 1e-30)), -120)
        np.testing.assert_allclose(arrays["levels"][:, k], expected, atol=1e-3)

    energy = anglegram(foa, rate, 72, 0.1)
    assert arrays["anglegram"].dtype == np.uint8
    below = np.clip(10 * np.log10(energy / energy.max()), -30, 0)
    assert arrays["anglegram"].shape == (72, frames)
    assert arrays["anglegram"].max() == 255
    np.testing.assert_allclose(arrays["anglegram"] / 255 * 30 - 30, below, atol=0.06)


def test_the_anglegram_points_where_the_sound_is(tmp_path: Path) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)).astype(np.float32)
    places = [-170.0, -90.0, 0.0, 45.0, 100.0]
    foa = np.concatenate(
        [encode_plane_wave(tone, math.radians(place), 0.2) for place in places], axis=1
    )
    write_wav(tmp_path / "a.wav", foa, RATE)
    _, arrays = field_of(tmp_path / "a.wav")
    for k, place in enumerate(places):
        column = arrays["anglegram"][:, 10 * k + 5].astype(int)
        # The top is flat to a fifth of a decibel, which is the step: its middle counts.
        row = float(np.flatnonzero(column == column.max()).mean())
        azimuth = 180 - (row + 0.5) * 5
        assert abs((azimuth - place + 180) % 360 - 180) <= 2.6, place


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_loudness_is_what_another_meter_says(tmp_path: Path, channels: int, rate: int) -> None:
    """pyloudnorm (BS.1770-4 in Python): of W, of a mono file, of both channels of a stereo one."""
    sound = noise(channels, 12 * rate, seed=channels)
    sound[:, : 4 * rate] *= 0.05  # for the gate
    write_wav(tmp_path / "a.wav", sound, rate)
    facts = ask("field", path=str(tmp_path / "a.wav"))
    heard = sound[0] if channels == 4 else sound.T
    oracle = pyloudnorm.Meter(rate).integrated_loudness(heard.astype(np.float64))
    assert facts["loudness"] == pytest.approx(oracle, abs=0.1)
    both = 10 * math.log10(2) if channels == 2 else 0.0
    assert facts["level"] == pytest.approx(facts["loudness"] - both, abs=1e-9)


def test_level_makes_mono_and_stereo_comparable(tmp_path: Path) -> None:
    mono = noise(1, 5 * RATE)
    write_wav(tmp_path / "mono.wav", mono, RATE)
    write_wav(tmp_path / "stereo.wav", np.concatenate([mono, mono]), RATE)
    write_wav(tmp_path / "apart.wav", np.concatenate([mono, -mono]), RATE)
    levels = [ask("field", path=str(tmp_path / f"{n}.wav"))["level"] for n in ("mono", "stereo")]
    assert levels[0] == pytest.approx(levels[1], abs=0.02)
    # Opposite signs cancel in a sum of the channels, and are heard all the same.
    apart = ask("field", path=str(tmp_path / "apart.wav"))
    assert apart["level"] == pytest.approx(levels[0], abs=0.02)


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_have_no_directions(tmp_path: Path, channels: int) -> None:
    sound = noise(channels, 100_000)
    write_wav(tmp_path / "a.wav", sound, RATE)
    facts, arrays = field_of(tmp_path / "a.wav")
    assert facts["channels"] == channels
    assert set(arrays) == {"peaks", "levels", "frame_rate"}
    assert arrays["levels"].shape == (channels, 21)
    mean = sound.mean(axis=0)
    assert arrays["peaks"][1].max() == pytest.approx(mean.max(), abs=1e-7)


def test_silence_and_nothing(tmp_path: Path) -> None:
    write_wav(tmp_path / "silent.wav", np.zeros((4, RATE)), RATE)
    facts, arrays = field_of(tmp_path / "silent.wav")
    assert (facts["loudness"], facts["level"], facts["peak_db"]) == (None, None, -120.0)
    assert not arrays["anglegram"].any()
    assert (arrays["levels"] == -120).all()
    write_wav(tmp_path / "empty.wav", np.zeros((4, 0)), RATE)
    facts, arrays = field_of(tmp_path / "empty.wav")
    assert facts["samples"] == 0
    assert arrays["peaks"].shape == (2, 0)
    assert arrays["covariance"].shape == (0, 4, 4)
    assert arrays["anglegram"].shape == (72, 0)


def test_values_that_are_no_numbers_count_as_silence(tmp_path: Path) -> None:
    import soundfile

    foa = noise(4, RATE)
    clean = foa.copy()
    foa[1, 1000], foa[0, 2000] = np.nan, np.inf
    clean[1, 1000], clean[0, 2000] = 0, 0
    soundfile.write(tmp_path / "odd.wav", foa.T, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "clean.wav", clean.T, RATE, subtype="FLOAT")
    (facts, arrays), (other, expected) = (
        field_of(tmp_path / "odd.wav"),
        field_of(tmp_path / "clean.wav"),
    )
    assert facts["peak_db"] == other["peak_db"]
    for name in expected:
        np.testing.assert_array_equal(arrays[name], expected[name])


def test_a_real_recording(tmp_path: Path) -> None:
    path = material("ambisonics/real_foa_wxyz_1.ogg")
    facts, arrays = field_of(path)
    assert facts["channels"] == 4
    assert arrays["peaks"].shape[1] == math.ceil(facts["seconds"] * 100)
    assert -70 < facts["loudness"] < 0


def test_the_sound_of_a_video_and_of_a_compressed_file(small_clip: Path) -> None:
    facts, arrays = field_of(small_clip)
    assert facts["channels"] == 1
    assert facts["seconds"] == pytest.approx(2.0, abs=0.1)
    # A tone of 0.25: -12 dBFS at its peaks, -15 RMS.
    assert arrays["levels"][0, 5:15].mean() == pytest.approx(-15.05, abs=0.2)


def test_bad_files_are_one_line(tmp_path: Path, small_clip: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound at all", encoding="utf-8")
    empty = tmp_path / "empty.wav"
    empty.touch()
    five = tmp_path / "five.wav"
    write_wav(five, np.zeros((5, 100)), RATE)
    silent = tmp_path / "silent.mp4"
    from tests.support.small_clip import make_small_clip

    make_small_clip(silent, seconds=1.0, sound=False)
    for path, kind, said in (
        (tmp_path / "gone.wav", MissingFileError, "no such file"),
        (text, MediaError, "text"),
        (empty, MediaError, "empty"),
        (tmp_path, MediaError, "folder"),
        (five, MediaError, "5 channels"),
        (silent, MediaError, "no sound"),
    ):
        with pytest.raises(kind, match=said) as caught:
            ask("field", path=str(path))
        assert "\n" not in str(caught.value)


def test_progress_and_cancelling(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, noise(4, 20 * RATE), RATE)
    cancel = Wanted(looks=3)
    with pytest.raises(Cancelled):
        ask("field", cancel=cancel, path=str(path))
    assert cancel.count == 4
    _, parts = ask_with_progress("field", path=str(path))
    assert parts == sorted(parts)
    assert len(parts) > 5
    assert parts[-1] == 1.0


def test_asked_again_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, noise(4, RATE), RATE)
    first = ask("field", path=str(path))
    made = Path(first["npz"]).stat().st_mtime_ns
    cancel = Wanted(looks=0)  # every block would look
    second, parts = ask("field", cancel=cancel, path=str(path)), cancel.count
    assert second == first
    assert parts == 0
    assert Path(first["npz"]).stat().st_mtime_ns >= made


MEASURED = """
import sys, time
from tests.support.analyst import ask
from tests.support.memory import peak_megabytes
begin = time.process_time()
seconds = ask("field", path=sys.argv[1])["seconds"]
print(seconds / (time.process_time() - begin))
print(peak_megabytes())
"""


@pytest.mark.keeps_time
@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_ten_minutes_are_fast_and_take_no_more_memory_than_one(tmp_path: Path) -> None:
    second = noise(4, RATE)
    figures = {}
    for minutes in (1, 10):
        path = tmp_path / f"{minutes}.wav"
        with WavWriter(path, RATE, 4) as writer:
            for _ in range(60 * minutes):
                writer.write(second)
        ran = subprocess.run(
            [sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True
        )
        figures[minutes] = [float(line) for line in ran.stdout.split()]
    speed, memory = figures[10]
    assert memory < figures[1][1] + 30, figures  # MB; the file has 460
    assert speed > 50, figures  # far below what it does on an idle machine


@pytest.mark.keeps_time
def test_the_clock_of_the_columns_never_drifts(tmp_path: Path) -> None:
    """A click each second lies in the column of its second after ten minutes too."""
    rate = 11_025  # 110.25 samples to a column
    click = np.zeros((1, rate), np.float32)
    click[0, 0] = 0.5
    path = tmp_path / "a.wav"
    with WavWriter(path, rate, 1) as writer:
        for _ in range(600):
            writer.write(click)
    begin = time.monotonic()
    _, arrays = field_of(path)
    assert np.flatnonzero(arrays["peaks"][1]).tolist() == list(range(0, 60_000, 100))
    assert arrays["peaks"].shape == (2, 60_000)
    assert time.monotonic() - begin < 30
