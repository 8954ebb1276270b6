"""Encoding: the plane wave's equation, moving sources, stereo, ambience."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import angular_error, direction_of_arrival, direction_per_frame
from omniaudio_studio.foa.encoding import (
    BLOCK,
    diffuse_field,
    direction_vector,
    encode_moving,
    encode_plane_wave,
    head_locked,
    pseudo_foa,
    stereo_fold_down,
    vector_direction,
)

angles = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)


@given(azimuth=angles, elevation=elevations)
def test_direction_and_vector_are_inverse(azimuth: float, elevation: float) -> None:
    vector = direction_vector(azimuth, elevation)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert angular_error(azimuth, elevation, *vector_direction(vector)) < 1e-9


def test_axes() -> None:
    front, left, up = direction_vector([0, np.pi / 2, 0], [0, 0, np.pi / 2]).T
    np.testing.assert_allclose([front, left, up], np.eye(3), atol=1e-15)


@given(azimuth=angles, elevation=elevations)
def test_plane_wave_equation(azimuth: float, elevation: float) -> None:
    signal = np.array([1.0, -0.5, 0.25], dtype=np.float32)
    foa = encode_plane_wave(signal, azimuth, elevation)
    assert foa.dtype == np.float32
    across = np.cos(elevation)
    gains = [1, np.sin(azimuth) * across, np.sin(elevation), np.cos(azimuth) * across]
    np.testing.assert_allclose(foa, np.outer(gains, signal), atol=1e-7)


@pytest.mark.filterwarnings("ignore:.*sph_harm:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Sounddevice:UserWarning")
def test_agrees_with_spaudiopy() -> None:
    spaudiopy = pytest.importorskip("spaudiopy")
    rng = np.random.default_rng(3)
    signal = rng.standard_normal(64)
    for azimuth, elevation in rng.uniform([-np.pi, -np.pi / 2], [np.pi, np.pi / 2], (20, 2)):
        n3d = spaudiopy.sph.src_to_sh(signal, azimuth, np.pi / 2 - elevation, 1, sh_type="real")
        sn3d = spaudiopy.sph.n3d_to_sn3d(n3d) * np.sqrt(4 * np.pi)
        np.testing.assert_allclose(encode_plane_wave(signal, azimuth, elevation), sn3d, atol=1e-5)


def test_one_direction_per_sample_across_blocks() -> None:
    count = BLOCK + 100
    azimuth = np.linspace(-3, 3, count)
    foa = encode_plane_wave(np.ones(count), azimuth, 0.5)
    np.testing.assert_allclose(foa[1], np.sin(azimuth) * np.cos(0.5), atol=1e-6)
    np.testing.assert_allclose(foa[2], np.sin(0.5), atol=1e-6)
    np.testing.assert_allclose(foa[3], np.cos(azimuth) * np.cos(0.5), atol=1e-6)


def test_a_moving_source_on_the_horizon_keeps_its_speed() -> None:
    rate, seconds = 8000, 12
    times = np.arange(rate * seconds) / rate
    foa = encode_moving(np.ones(rate * seconds), [0, 4, 10], [0.5, 2.5, -1.0], np.zeros(3), rate)
    # From 2.5 to -1.0 the short way leads through pi: 2 pi - 3.5 in 6 s.
    expected = np.interp(times, [0, 4, 10], [0.5, 2.5, 2 * np.pi - 1.0])
    error = angular_error(*vector_direction(foa[[3, 1, 2]]), expected, 0)
    assert error.max() < 1e-6


def test_a_moving_source_goes_over_the_pole() -> None:
    foa = encode_moving(np.ones(101), [0, 1], [0, np.pi - 1e-3], [0.5, 0.5], 100)
    azimuth, elevation = vector_direction(foa[[3, 1, 2]][:, 50])
    assert elevation == pytest.approx(np.pi / 2, abs=2e-3)
    del azimuth


@given(
    track=st.lists(st.tuples(st.floats(0, 3), angles, elevations), min_size=1, max_size=6),
)
def test_a_moving_source_stays_on_the_sphere_and_meets_its_track(
    track: list[tuple[float, float, float]],
) -> None:
    rate = 200
    knots = sorted((round(t * rate) / rate, a, e) for t, a, e in track)
    times, azimuth, elevation = map(np.array, zip(*knots, strict=True))
    foa = encode_moving(np.ones(4 * rate), times, azimuth, elevation, rate)
    np.testing.assert_allclose(np.linalg.norm(foa[1:], axis=0), 1, atol=1e-6)
    found = vector_direction(foa[[3, 1, 2]])
    last = {round(t * rate): (a, e) for t, a, e in knots}
    for sample, (az, el) in last.items():
        assert angular_error(found[0][sample], found[1][sample], az, el) < 1e-5


def test_a_still_track_is_a_plane_wave() -> None:
    signal = np.random.default_rng(0).standard_normal(1000)
    still = encode_plane_wave(signal, 1.2, -0.3)
    for times in ([0.0], [0.0, 0.01], [5.0, 6.0]):
        count = len(times)
        moved = encode_moving(signal, times, [1.2] * count, [-0.3] * count, 48000)
        np.testing.assert_allclose(moved, still, atol=1e-6)


def test_opposite_points_are_joined_by_some_half_circle() -> None:
    foa = encode_moving(np.ones(101), [0, 1], [0.3, 0.3 - np.pi], [0.2, -0.2], 100)
    np.testing.assert_allclose(np.linalg.norm(foa[1:], axis=0), 1, atol=1e-6)
    steps = np.linalg.norm(np.diff(foa[1:], axis=1), axis=0)
    np.testing.assert_allclose(steps, 2 * np.sin(np.pi / 200), rtol=1e-3)


@pytest.mark.parametrize(
    ("times", "azimuth"), [([], []), ([0, 1], [0.0]), ([1, 0], [0.0, 1.0]), ([0, np.nan], [0, 1])]
)
def test_a_track_must_make_sense(times: list[float], azimuth: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        encode_moving(np.ones(4), times, azimuth, np.zeros(len(azimuth)), 48000)


def test_movement_makes_no_zipper_noise() -> None:
    """A moving sine's gains are smooth: the spectrum far from the sine stays at float's floor."""
    rate = 48000
    sine = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    foa = encode_moving(sine, [0, 1], [-0.5, 1.5], [0.4, -0.2], rate)
    assert _splatter(foa[1:], rate) < -100


def _splatter(channels: np.ndarray, rate: int) -> float:
    """Energy above 4 kHz against all, in dB."""
    spectrum = np.abs(np.fft.rfft(channels * np.blackman(channels.shape[1]))) ** 2
    high = np.fft.rfftfreq(channels.shape[1], 1 / rate) > 4000
    return float(10 * np.log10(spectrum[:, high].sum() / spectrum.sum()))


def test_stereo_there_and_back() -> None:
    stereo = np.random.default_rng(1).standard_normal((2, 500)).astype(np.float32)
    foa = pseudo_foa(stereo)
    np.testing.assert_allclose(stereo_fold_down(foa), stereo, atol=1e-6)
    left = stereo * np.array([[1], [0]])
    right = stereo * np.array([[0], [1]])
    assert direction_of_arrival(pseudo_foa(left)) == pytest.approx((np.pi / 2, 0))
    assert direction_of_arrival(pseudo_foa(right)) == pytest.approx((-np.pi / 2, 0))
    np.testing.assert_allclose(
        foa,
        encode_plane_wave(stereo[0], np.pi / 2, 0) + encode_plane_wave(stereo[1], -np.pi / 2, 0),
        atol=1e-6,
    )


def test_fold_down_is_two_cardioids() -> None:
    for azimuth in np.linspace(-np.pi, np.pi, 9):
        left, right = stereo_fold_down(encode_plane_wave(np.ones(1), azimuth, 0.0))[:, 0]
        assert left == pytest.approx((1 + np.sin(azimuth)) / 2, abs=1e-6)
        assert right == pytest.approx((1 - np.sin(azimuth)) / 2, abs=1e-6)


def test_diffuse_field_has_the_covariance_of_one() -> None:
    rng = np.random.default_rng(7)
    signal = rng.standard_normal(10 * 48000)
    foa = diffuse_field(signal, rng, seconds=0.3)
    assert foa.shape == (4, signal.size)
    assert foa.dtype == np.float32
    power = np.mean(signal**2)
    np.testing.assert_allclose(
        covariance(foa) / power, np.diag([1, 1 / 3, 1 / 3, 1 / 3]), atol=0.06
    )
    frames = direction_per_frame(foa, 48000, 1.0)
    assert np.median(frames.diffuseness) > 0.85


def test_diffuse_field_is_a_plain_convolution() -> None:
    impulse = np.zeros(9000)
    impulse[4000] = 1.0
    response = diffuse_field(impulse, np.random.default_rng(0), seconds=0.05)
    assert np.all(np.abs(response[:, :4000]) < 1e-6)
    np.testing.assert_allclose(
        np.sum(response.astype(float) ** 2, axis=1), [1, 1 / 3, 1 / 3, 1 / 3], rtol=1e-4
    )
    signal = np.random.default_rng(1).standard_normal(9000)
    taps = response[:, 4000:6400].astype(float)
    expected = np.stack([np.convolve(signal, channel)[:9000] for channel in taps])
    again = diffuse_field(signal, np.random.default_rng(0), seconds=0.05)
    np.testing.assert_allclose(again, expected, atol=1e-4)


def test_head_locked_is_stereo() -> None:
    mono = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(head_locked(mono), np.stack([mono, mono]))
    with pytest.raises(ValueError, match="mono or stereo"):
        head_locked(np.zeros((3, 5)))


@pytest.mark.parametrize(
    "call",
    [
        lambda: encode_plane_wave(np.zeros((2, 3)), 0, 0),
        lambda: encode_plane_wave(np.zeros(3), np.zeros(4), 0),
        lambda: pseudo_foa(np.zeros(3)),
        lambda: stereo_fold_down(np.zeros((2, 3))),
    ],
)
def test_wrong_shapes(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"expected .* found"):
        call()


def test_empty_signals() -> None:
    assert encode_plane_wave(np.zeros(0), 0, 0).shape == (4, 0)
    assert encode_moving(np.zeros(0), [0], [0], [0], 48000).shape == (4, 0)
    assert diffuse_field(np.zeros(0), np.random.default_rng(0)).shape == (4, 0)
    assert pseudo_foa(np.zeros((2, 0))).shape == (4, 0)
