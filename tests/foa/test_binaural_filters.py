"""The filters that ship: what a listener can tell; resampling; files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.foa.binaural import BinauralFilters, default_filters, render_binaural
from omniaudio_studio.foa.binaural_filters import DEFAULT_FILE, resample_filter
from omniaudio_studio.foa.encoding import encode_plane_wave

RATES = [44100, 48000, 96000]


def heard(azimuth: float, elevation: float, rate: int) -> np.ndarray:
    """What both ears get of an impulse from there (degrees): (2, n)."""
    impulse = np.zeros(rate // 50, np.float32)
    impulse[0] = 1.0
    return render_binaural(
        encode_plane_wave(impulse, np.radians(azimuth), np.radians(elevation)), rate
    )


def band(ears: np.ndarray, rate: int, low: float, high: float) -> np.ndarray:
    """Level of each ear between two frequencies, dB."""
    frequency = np.fft.rfftfreq(ears.shape[1], 1 / rate)
    power = np.abs(np.fft.rfft(ears, axis=1)) ** 2
    return 10 * np.log10(power[:, (frequency >= low) & (frequency < high)].mean(axis=1))


def lead(ears: np.ndarray, rate: int, below: float) -> float:
    """Seconds by which the left ear is earlier, from what lies under ``below`` hertz."""
    size = 16 * ears.shape[1]
    left, right = np.fft.rfft(ears, size, axis=1)
    frequency = np.fft.rfftfreq(size, 1 / rate)
    crossed = np.where((frequency > 100) & (frequency < below), right * np.conj(left), 0.0)
    correlation = np.fft.irfft(crossed, 8 * size)
    shift = int(np.argmax(correlation))
    return (shift if shift < 4 * size else shift - 8 * size) / (8 * rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("azimuth", [30, 60, 90, 120, 150])
def test_a_source_on_the_left_is_louder_and_earlier_on_the_left(rate: int, azimuth: int) -> None:
    left = heard(azimuth, 0, rate)
    for low, high, least in ((200, 1000, 2.0), (2000, 12000, 5.0)):
        louder = -np.diff(band(left, rate, low, high))[0]
        assert louder > least
    # A head of 9 cm: about 0.26 ms at 30 degrees, 0.66 ms at 90.
    assert 0.0002 < lead(left, rate, 1000) < 0.0008
    right = heard(-azimuth, 0, rate)
    np.testing.assert_allclose(right, left[::-1], atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_the_median_plane_is_equal_in_both_ears(rate: int) -> None:
    for azimuth, elevation in ((0, 0), (180, 0), (0, 45), (180, 45), (0, 90), (0, -40), (180, -30)):
        ears = heard(azimuth, elevation, rate)
        for low, high in ((100, 1000), (1000, 4000), (4000, 16000)):
            left, right = band(ears, rate, low, high)
            assert abs(left - right) < 0.5
        assert abs(lead(ears, rate, 1000)) < 5e-6


@pytest.mark.parametrize("rate", RATES)
def test_a_diffuse_field_keeps_the_level_of_w(rate: int) -> None:
    """Each ear within half a decibel of W in every octave from 63 Hz to 8 kHz."""
    taps = default_filters(rate).taps.astype(np.float64)
    power = np.abs(np.fft.rfft(taps, rate // 10)) ** 2
    diffuse = np.einsum("ecf,c->ef", power, [1, 1 / 3, 1 / 3, 1 / 3])
    frequency = np.fft.rfftfreq(rate // 10, 1 / rate)
    for octave in 62.5 * 2.0 ** np.arange(8):
        inside = (frequency >= octave / np.sqrt(2)) & (frequency < octave * np.sqrt(2))
        assert np.abs(10 * np.log10(diffuse[:, inside].mean(axis=1))).max() < 0.5


def test_other_rates_have_the_same_response() -> None:
    own = np.fft.rfft(default_filters(48000).taps.astype(np.float64), 4800)[..., 10:1900]
    for rate in (44100, 88200, 96000, 192000):
        filters = default_filters(rate)
        assert filters.rate == rate
        other = np.fft.rfft(filters.taps.astype(np.float64), rate // 10)[..., 10:1900]
        # Complex: same level and the same delay, from 100 Hz to 19 kHz.
        assert np.abs(other - own).max() < 0.003 * np.abs(own).max()


def test_a_low_rate_is_free_of_what_it_cannot_hold() -> None:
    taps = np.zeros((2, 4, 256), np.float32)
    taps[:, 0] = np.sin(2 * np.pi * 15000 * np.arange(256) / 48000) * np.hanning(256)
    low = resample_filter(taps, 48000, 16000)
    assert low.shape == (2, 4, 86)
    assert np.abs(low).max() < 1e-3


def test_default_filters_say_where_they_come_from() -> None:
    filters = default_filters()
    assert filters.taps.shape == (2, 4, 256)
    assert "no restrictions on use" in filters.licence
    assert "Gardner" in filters.citation
    notice = " ".join(DEFAULT_FILE.with_suffix(".txt").read_text(encoding="utf-8").split())
    for word in ("Gardner", "Martin", "1994", "no restrictions on use", "SHA-256"):
        assert word in notice


def test_save_and_load(tmp_path: Path) -> None:
    filters = BinauralFilters(
        np.random.default_rng(1).standard_normal((2, 4, 9)), 44100, "Mine – ø", "CC0", "me, 2020"
    )
    filters.save(tmp_path / "mine.npz")
    again = BinauralFilters.load(tmp_path / "mine.npz")
    np.testing.assert_array_equal(again.taps, filters.taps)
    said = (again.rate, again.name, again.licence, again.citation)
    assert said == (44100, "Mine – ø", "CC0", "me, 2020")


def test_files_that_are_no_filters_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        BinauralFilters.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", taps=np.zeros((2, 4, 8)))
    said = {"rate": 48000, "name": "", "licence": "", "citation": ""}
    np.savez(tmp_path / "shape.npz", taps=np.zeros((2, 3, 8)), **said)
    whole = DEFAULT_FILE.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("text.npz", "other.npz", "shape.npz", "cut.npz", "."):
        with pytest.raises(MediaError) as caught:
            BinauralFilters.load(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "taps",
    [np.zeros((2, 4, 0)), np.zeros((2, 3, 8)), np.zeros((4, 8)), np.full((2, 4, 8), np.nan)],
)
def test_taps_that_cannot_be_are_refused(taps: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected taps"):
        BinauralFilters(taps, 48000, "", "", "")
