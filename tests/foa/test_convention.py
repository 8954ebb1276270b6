"""Conventions at the doors: round trips, known weights, real recordings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.convention import CHANNELS, CONVENTIONS, as_foa, from_ambix, to_ambix
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import direction_per_band
from omniaudio_studio.foa.encoding import encode_plane_wave
from tests.support.material import material


@given(
    convention=st.sampled_from(CONVENTIONS),
    samples=st.integers(0, 50),
    seed=st.integers(0, 2**32 - 1),
)
def test_there_and_back(convention: str, samples: int, seed: int) -> None:
    field = np.random.default_rng(seed).standard_normal((4, samples)).astype(np.float32)
    again = to_ambix(from_ambix(field, convention), convention)
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, field, rtol=3e-7)
    forth = from_ambix(to_ambix(field, convention), convention)
    np.testing.assert_allclose(forth, field, rtol=3e-7)


def test_known_weights() -> None:
    assert CHANNELS == ("W", "Y", "Z", "X")
    ambix = np.array([[2.0], [3.0], [5.0], [7.0]], dtype=np.float32)
    w, y, z, x = 2.0, 3.0, 5.0, 7.0
    expected = {
        "ambix": [w, y, z, x],
        "wxyz": [w, x, y, z],
        "fuma": [w / np.sqrt(2), x, y, z],
        "n3d": [w, np.sqrt(3) * y, np.sqrt(3) * z, np.sqrt(3) * x],
    }
    assert set(expected) == set(CONVENTIONS)
    for convention, values in expected.items():
        np.testing.assert_allclose(from_ambix(ambix, convention)[:, 0], values, rtol=1e-6)


def test_the_result_is_a_new_array() -> None:
    field = np.ones((4, 3), dtype=np.float32)
    to_ambix(field, "ambix")[:] = 0
    from_ambix(field, "ambix")[:] = 0
    assert np.all(field == 1)


@pytest.mark.parametrize("convention", ["AmbiX", "acn", "", None, []])
def test_unknown_convention(convention: object) -> None:
    with pytest.raises(OptionError, match=r"unknown ambisonic convention.*ambix, fuma, n3d, wxyz"):
        to_ambix(np.zeros((4, 1)), convention)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(4,), (3, 10), (10, 4), (1, 4, 10)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="put the channels first"):
        as_foa(np.zeros(shape))


@pytest.mark.filterwarnings("ignore:.*sph_harm:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Sounddevice:UserWarning")
def test_agrees_with_spaudiopy() -> None:
    spaudiopy = pytest.importorskip("spaudiopy")
    rng = np.random.default_rng(5)
    field = encode_plane_wave(rng.standard_normal(100), 0.7, -0.4)
    n3d = from_ambix(field, "n3d")
    np.testing.assert_allclose(spaudiopy.sph.n3d_to_sn3d(n3d.astype(float)), field, atol=1e-6)
    # Its harmonics are orthonormal, N3D over sqrt(4 pi); its B-format is W X Y Z.
    harmonics = n3d.astype(float) / np.sqrt(4 * np.pi)
    for convention, weight in (("wxyz", 1), ("fuma", np.sqrt(0.5))):
        b_format = spaudiopy.sph.sh_to_b(harmonics, W_weight=weight)
        np.testing.assert_allclose(from_ambix(field, convention), b_format, atol=1e-6)


def test_a_real_recording_is_fuma() -> None:
    """In SN3D <X^2 + Y^2 + Z^2> = <W^2>, for a plane wave and for a diffuse field alike.

    (Taken from 500 Hz up: below, rumble and proximity lift X, Y, Z.) With W at 1/sqrt 2, twice.
    """
    soundfile = pytest.importorskip("soundfile")
    data, rate = soundfile.read(material("ambisonics/real_foa_wxyz_2.ogg"), dtype="float32")

    def ratio(convention: str) -> float:
        field = to_ambix(data.T, convention)
        power = np.diag(covariance(_high_passed(field, rate, 500)))
        return float(power[1:].sum() / power[0])

    in_db = {name: abs(10 * np.log10(ratio(name))) for name in CONVENTIONS}
    assert min(in_db["fuma"], in_db["wxyz"]) == in_db["fuma"]
    assert in_db["fuma"] < 1.5
    bands = direction_per_band(to_ambix(data.T, "fuma"), rate, [500, 1000, 2000, 4000])
    assert np.all(np.abs(bands.elevation) < np.pi / 4)


def test_a_real_recording_without_height() -> None:
    """One of the recordings is horizontal: its last channel, Z, is silent, and so must ours be."""
    soundfile = pytest.importorskip("soundfile")
    data, _ = soundfile.read(material("ambisonics/real_foa_wxyz_1.ogg"), dtype="float32")
    power = np.diag(covariance(to_ambix(data.T, "fuma")))
    w, y, z, x = 10 * np.log10(power)
    assert z < min(w, y, x) - 30


def _high_passed(field: np.ndarray, rate: float, frequency: float) -> np.ndarray:
    spectrum = np.fft.rfft(field)
    spectrum[:, np.fft.rfftfreq(field.shape[1], 1 / rate) < frequency] = 0
    return np.fft.irfft(spectrum, field.shape[1])
