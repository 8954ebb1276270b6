"""The streams on Blender's own sound devices: what is heard is what the renderer renders."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.foa.binaural import head_rotation
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.wav import write_wav
from tests.foa.test_head_streams import rendered
from tests.qt.sound.listening import Listener
from tests.support.analyst import ask
from tests.support.blender_program import DEVICES, missing_blender, start_blender
from tests.support.pulse import RATE, NullSink, missing_pulse

SCRIPT = Path(__file__).with_name("play_streams.py")
FACED = ((0.0, 1.0), (math.pi / 2, 3.0), (-math.pi / 2, 5.0), (2.0, 1.5))  # as the script does
WINDOW = 8_000  # samples compared at once
SINE = 400.0


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[NullSink]:
    for why in (missing_pulse(), missing_blender()):
        if why is not None:
            pytest.skip(why)
    folder = tmp_path / "pulse"
    folder.mkdir()
    sink = NullSink(folder)
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A noise and a sine from the left, and what the analyst makes of them."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    noise = np.random.default_rng(5).standard_normal(8 * RATE).astype(np.float32) * 0.1
    sine = 0.3 * np.sin(2 * np.pi * SINE * np.arange(8 * RATE) / RATE).astype(np.float32)
    paths = []
    for name, sound in (("noise", noise), ("sine", sine)):
        field = tmp_path / f"{name}.wav"
        write_wav(field, encode_plane_wave(sound, math.pi / 2, 0.0), RATE)
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(ask("listening", path=str(field))), encoding="utf-8")
    return paths


def sounding(heard: np.ndarray) -> list[np.ndarray]:
    """The parts between silences of a tenth of a second."""
    at = np.flatnonzero(np.abs(heard).max(axis=0) > 1e-6)
    cuts = np.flatnonzero(np.diff(at) > RATE // 10)
    starts, ends = np.r_[at[0], at[cuts + 1]], np.r_[at[cuts], at[-1]] + 1
    parts = [heard[:, a:b] for a, b in zip(starts, ends, strict=True)]
    return [part for part in parts if part.shape[1] > RATE // 2]


def fits(part: np.ndarray, expected: np.ndarray) -> list[tuple[int, float]]:
    """Where each window of a part lies in what is expected (samples), and what is left, in dB."""
    size = 1 << (expected.shape[1] + WINDOW).bit_length()
    spectra = np.fft.rfft(expected, size)
    found = []
    for start in range(0, part.shape[1] - WINDOW, WINDOW):
        window = part[:, start : start + WINDOW].astype(np.float64)
        product = (spectra * np.conj(np.fft.rfft(window, size))).sum(axis=0)
        place = int(np.argmax(np.fft.irfft(product)[: expected.shape[1] - WINDOW]))
        left = window - expected[:, place : place + WINDOW]
        found.append((place - start, 10 * math.log10((left**2).sum() / (window**2).sum())))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_what_is_heard_is_what_is_rendered(
    device: str, sink: NullSink, answers: list[Path], tmp_path: Path
) -> None:
    with Listener(sink) as listener:
        blender = start_blender(SCRIPT, *answers, sink=sink, device=device)
        said, _ = blender.communicate(timeout=120)
        heard = listener.sound()
    lines = said.splitlines()
    assert "DONE" in lines, said
    # OpenAL takes no negative volume: nine streams have a copy of opposite polarity.
    assert f"HANDLES {19 if device == 'OpenAL' else 10}" in lines
    assert lines.count("POSITION 1") == len(FACED)  # all at the same sample
    assert "ALIVE False" in lines

    *parts, turning = sounding(heard)
    assert len(parts) == len(FACED)
    foa, _ = read_foa(tmp_path / "noise.wav")
    for part, (yaw, start) in zip(parts, FACED, strict=True):
        expected = rendered(foa, RATE, head_rotation(yaw)).astype(np.float64)
        windows = fits(part, expected)
        # A busy machine runs dry now and then, and a window with a hole fits nothing.
        good = [place for place, left in windows if left < -80.0]
        assert len(good) >= len(windows) // 3, windows
        assert good[0] / RATE == pytest.approx(start, abs=0.1)

    # Turned thirty times a second, a sine stays one: each step of the volumes is smoothed.
    clicks = []
    for start in range(0, turning.shape[1] - WINDOW, WINDOW):
        window = turning[:, start : start + WINDOW] * np.blackman(WINDOW)
        power = (np.abs(np.fft.rfft(window)) ** 2).sum(axis=0)
        high = power[np.fft.rfftfreq(WINDOW, 1 / RATE) > 5 * SINE].sum()
        clicks.append(10 * math.log10(high / power.sum()))
    assert np.median(clicks) < -70.0, clicks
    levels = [20 * math.log10(np.abs(turning[0, k : k + WINDOW]).max()) for k in (0, RATE // 2)]
    assert abs(levels[1] - levels[0]) > 3.0  # it does turn
