"""Loudness against the numbers of the standard."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.loudness import LoudnessMeter, integrated_loudness, true_peak
from omniaudio_studio.media.wav import write_wav


def sine(level: float, rate: int = 48000, seconds: float = 8.0, hertz: float = 997.0) -> np.ndarray:
    """A sine of ``level`` dBFS peak."""
    return 10 ** (level / 20) * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_full_scale_sine(rate: int) -> None:
    """BS.1770: 0 dBFS at 997 Hz in one front channel reads -3.01 LKFS."""
    assert integrated_loudness(sine(0, rate), rate) == pytest.approx(-3.01, abs=0.03)


def test_reference_level() -> None:
    """EBU Tech 3341's -23 LUFS, by the formula: a sine 19.99 dB below full scale."""
    assert integrated_loudness(sine(-19.99), 48000) == pytest.approx(-23.0, abs=0.02)


def test_gating_leaves_out_pauses() -> None:
    """10 s of -36, 60 s of -23, 10 s of -36 LUFS read -23 (EBU Tech 3341, case 3)."""
    loud, soft = sine(-19.99, seconds=60), sine(-32.99, seconds=10)
    assert integrated_loudness([soft, loud, soft], 48000) == pytest.approx(-23.0, abs=0.1)
    paused = np.concatenate([loud, np.zeros(480_000), loud])
    assert integrated_loudness(paused, 48000) == pytest.approx(-23.0, abs=0.1)


def test_only_w_counts(tmp_path: Path) -> None:
    field = np.random.default_rng(0).normal(0, 0.2, (4, 480_000)).astype(np.float32)
    field[0] = sine(-19.99, seconds=10)
    write_wav(tmp_path / "a.wav", field, 48000)
    assert integrated_loudness(tmp_path / "a.wav") == pytest.approx(-23.0, abs=0.02)
    assert integrated_loudness(field, 48000) == pytest.approx(-23.0, abs=0.02)


def test_blocks_add_up_to_the_whole() -> None:
    signal = np.random.default_rng(0).normal(0, 0.1, 200_000).astype(np.float32)
    meter = LoudnessMeter(48000)
    for at in range(0, len(signal), 777):
        meter.push(signal[at : at + 777])
    assert meter.integrated() == integrated_loudness(signal, 48000)
    assert meter.true_peak() == true_peak(signal, 48000)


def test_silence_and_moments_have_none() -> None:
    assert integrated_loudness(np.zeros(96000), 48000) == -math.inf
    assert integrated_loudness(sine(0)[:4800], 48000) == -math.inf
    assert integrated_loudness(np.zeros(0), 48000) == -math.inf
    assert true_peak(np.zeros(96000), 48000) == -math.inf


def test_true_peak_lies_between_samples() -> None:
    """A sine at a quarter of the rate, 45 degrees off, never shows its peak in a sample."""
    time = np.arange(48000)
    signal = 0.5 * np.sin(2 * np.pi * time / 4 + np.pi / 4)
    signal *= np.minimum(1, np.minimum(time, time[::-1]) / 4800)  # no clicks at the ends
    assert 20 * math.log10(np.abs(signal).max()) == pytest.approx(-9.03, abs=0.01)
    assert true_peak(signal, 48000) == pytest.approx(-6.02, abs=0.1)


def test_sound_that_is_not_finite_is_refused() -> None:
    with pytest.raises(MediaError, match="NaN or infinite"):
        integrated_loudness(np.array([0.0, np.nan]), 48000)
