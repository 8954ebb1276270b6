"""Measuring fields: known sources come back, in any blocks, from any file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.delivery.measure import Measurement, measure, measure_blocks
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.convention import Foa, from_ambix
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import angular_error, direction_per_frame
from omniaudio_studio.foa.encoding import encode_moving, encode_plane_wave
from omniaudio_studio.media.wav import write_wav
from tests.support.material import material

RATE = 16000


def noise(seconds: float, seed: int = 0, gain: float = 0.1) -> np.ndarray:
    return gain * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def moving_source() -> Foa:
    return encode_moving(noise(6), [0, 6], [-1.0, 2.0], [-0.4, 0.6], RATE)


def test_a_moving_source_is_followed() -> None:
    foa = moving_source()
    found = measure_blocks([foa], RATE, 0.5)
    frames = direction_per_frame(foa, RATE, 0.5)
    np.testing.assert_allclose(found.times, frames.times)
    np.testing.assert_allclose(found.azimuth, frames.azimuth, atol=1e-9)
    np.testing.assert_allclose(found.elevation, frames.elevation, atol=1e-9)
    np.testing.assert_allclose(found.diffuseness, frames.diffuseness, atol=1e-9)
    assert found.azimuth[0] == pytest.approx(-0.9, abs=0.05)
    assert found.azimuth[-1] == pytest.approx(1.9, abs=0.05)


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(0, 4000), max_size=6),
    samples=st.integers(0, 4000),
    frame=st.sampled_from([0.05, 0.0333, 0.5]),
)
def test_blocks_do_not_matter(cuts: list[int], samples: int, frame: float) -> None:
    foa = encode_plane_wave(noise(samples / RATE, 1), 0.5, 0.1)
    edges = sorted({0, samples, *(min(cut, samples) for cut in cuts)})
    whole = measure_blocks([foa], RATE, frame)
    parts = measure_blocks(np.split(foa, edges, axis=1), RATE, frame)
    assert parts.samples == whole.samples == samples
    for name in ("times", "azimuth", "diffuseness", "rms", "peak", "total_rms", "total"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-9)
    np.testing.assert_allclose(whole.total, covariance(foa), rtol=1e-9, atol=1e-15)


def test_levels_are_what_they_are() -> None:
    sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
    found = measure_blocks([encode_plane_wave(sine, np.pi / 2, 0)], RATE)
    in_db = 20 * math.log10(0.5)
    np.testing.assert_allclose(found.total_peak[:2], in_db, atol=0.05)
    np.testing.assert_allclose(found.total_rms[:2], in_db - 3.01, atol=0.01)
    assert found.total_rms[2] < -100  # Z
    assert found.total_rms[3] < -100  # X
    # A full-scale sine at 1 kHz has -3.01 LUFS as mono.
    assert found.loudness == pytest.approx(in_db - 3.01, abs=0.15)
    assert found.true_peak == pytest.approx(in_db, abs=0.1)
    assert found.balance == pytest.approx(0, abs=0.01)


def test_loudest_and_mean_direction() -> None:
    foa = encode_plane_wave(noise(2, 1), 1.0, 0.3) + encode_plane_wave(noise(2, 2, 0.03), -2, 0)
    found = measure_blocks([foa], RATE)
    assert angular_error(*found.peak_direction, 1.0, 0.3) < math.radians(4)
    assert angular_error(*found.direction, 1.0, 0.3) < math.radians(12)
    assert 0.02 < found.mean_diffuseness < 0.5


def test_wrong_weights_show_in_the_balance() -> None:
    field = moving_source()
    fuma = from_ambix(field, "fuma")
    expected = {"ambix": 0.0, "n3d": 4.77}
    for convention, balance in expected.items():
        found = measure_blocks([from_ambix(field, convention)], RATE)
        assert found.balance == pytest.approx(balance, abs=0.02)
    assert measure_blocks([fuma], RATE).balance == pytest.approx(3.01, abs=0.02)


def test_silence_has_no_direction_and_its_json_is_json() -> None:
    foa = np.concatenate([np.zeros((4, RATE), np.float32), moving_source()], axis=1)
    for field, silent in ((foa, 2), (np.zeros((4, RATE)), 2), (np.zeros((4, 0)), 0)):
        found = measure_blocks([np.asarray(field, np.float32)], RATE, 0.5)
        assert np.isnan(found.azimuth[:silent]).all()
        assert np.isfinite(found.azimuth[silent:]).all()
        data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
        assert data["frames"]["azimuth_degrees"][:silent] == [None] * silent
        assert data["frames"]["rms_dbfs"]["W"][:silent] == [None] * silent
    assert found.as_dict()["loudness_lufs"] is None
    assert found.as_dict()["peak_azimuth_degrees"] is None
    assert math.isnan(found.direction[0])
    assert math.isnan(found.balance)


def test_the_answer_is_in_degrees() -> None:
    found = measure_blocks([encode_plane_wave(noise(1.2), np.pi / 2, -np.pi / 4)], RATE, 0.5)
    data = found.as_dict()
    assert data["azimuth_degrees"] == pytest.approx(90, abs=0.01)
    assert data["elevation_degrees"] == pytest.approx(-45, abs=0.01)
    assert data["frames"]["azimuth_degrees"] == [pytest.approx(90, abs=0.01)] * 3
    assert data["frames"]["time"] == [0.25, 0.75, 1.1]
    assert set(data["levels"]) == {"W", "Y", "Z", "X"}
    assert data["duration"] == pytest.approx(1.2)


@pytest.mark.parametrize("convention", ["ambix", "fuma", "n3d", "wxyz"])
def test_files_of_any_convention(tmp_path: Path, convention: str) -> None:
    foa = moving_source()
    path = tmp_path / "field.wav"
    write_wav(path, from_ambix(foa, convention), RATE)
    _same(measure(path, convention), measure_blocks([foa], RATE))
    assert measure(path, convention).convention == convention
    assert measure(path).convention == "ambix"


def _same(found: Measurement, expected: Measurement) -> None:
    np.testing.assert_allclose(found.azimuth, expected.azimuth, atol=1e-5)
    np.testing.assert_allclose(found.rms, expected.rms, atol=1e-4)
    assert found.loudness == pytest.approx(expected.loudness, abs=0.01)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        measure(tmp_path / "nothing.wav")
    stereo = tmp_path / "stereo.wav"
    write_wav(stereo, np.zeros((2, 100)), RATE)
    with pytest.raises(MediaError, match="2 channels"):
        measure(stereo)
    text = tmp_path / "text.wav"
    text.write_text("not sound\n" * 50)
    with pytest.raises(MediaError):
        measure(text)


def test_not_a_number(tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "nan.wav"
    field = np.zeros((RATE, 4), np.float32)
    field[RATE // 2, 2] = np.nan
    soundfile.write(path, field, RATE, subtype="FLOAT")
    with pytest.raises(MediaError, match=r"NaN or infinite values at 0\.500 s"):
        measure(path)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e6, 1e-4])
def test_frames_out_of_range(seconds: float) -> None:
    with pytest.raises(OptionError, match=r"0\.01 to 3600"):
        measure("unread.wav", frame_seconds=seconds)


def test_cancel(tmp_path: Path) -> None:
    path = tmp_path / "field.wav"
    write_wav(path, moving_source(), RATE)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        measure(path, cancel=token)


def test_a_real_recording() -> None:
    found = measure(material("ambisonics/real_foa_wxyz_2.ogg"), "fuma")
    assert found.rate == 44100
    assert found.duration == pytest.approx(15.0, abs=0.1)
    assert abs(found.balance) < 1.5
    assert -40 < found.loudness < -15
    assert np.all((found.diffuseness >= 0) & (found.diffuseness <= 1))
