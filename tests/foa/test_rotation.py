"""Rotation: identities, signs, smoothness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.foa.direction import direction_of_arrival, direction_per_frame, energy_map
from omniaudio_studio.foa.encoding import (
    direction_vector,
    encode_moving,
    encode_plane_wave,
    vector_direction,
)
from omniaudio_studio.foa.rotation import (
    quaternion_from_angles,
    rotate,
    rotate_along,
    rotate_yaw,
    rotation_from_quaternion,
    rotation_matrix,
)

angles = st.floats(-4, 4)
SIGNAL = np.random.default_rng(11).standard_normal(256).astype(np.float32)


@given(azimuth=angles, elevation=st.floats(-1.5, 1.5), yaw=angles, pitch=angles, roll=angles)
def test_encode_then_rotate_is_rotate_then_encode(
    azimuth: float, elevation: float, yaw: float, pitch: float, roll: float
) -> None:
    matrix = rotation_matrix(yaw, pitch, roll)
    turned = vector_direction(matrix @ direction_vector(azimuth, elevation))
    np.testing.assert_allclose(
        rotate(encode_plane_wave(SIGNAL, azimuth, elevation), matrix),
        encode_plane_wave(SIGNAL, *turned),
        atol=2e-6,
    )


@given(yaw=angles, pitch=angles, roll=angles)
def test_rotations_are_proper(yaw: float, pitch: float, roll: float) -> None:
    matrix = rotation_matrix(yaw, pitch, roll)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


@pytest.mark.parametrize(
    ("angle", "before", "after"),
    [
        ({"yaw": 0.3}, (0.2, 0.1), (0.5, 0.1)),  # to the left
        ({"pitch": 0.3}, (0.0, 0.0), (0.0, 0.3)),  # the front goes up
        ({"pitch": 0.3}, (np.pi, 0.0), (np.pi, -0.3)),  # and what is behind goes down
        ({"roll": 0.3}, (np.pi / 2, 0.0), (np.pi / 2, 0.3)),  # the left goes up
        ({"roll": 0.3}, (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_signs(
    angle: dict[str, float], before: tuple[float, float], after: tuple[float, float]
) -> None:
    turned = rotate(encode_plane_wave(SIGNAL, *before), rotation_matrix(**angle))
    assert direction_of_arrival(turned) == pytest.approx(after, abs=1e-6)


def test_order_is_roll_then_pitch_then_yaw() -> None:
    yaw, pitch, roll = 0.5, -0.7, 1.1
    step_by_step = (
        rotation_matrix(yaw=yaw) @ rotation_matrix(pitch=pitch) @ rotation_matrix(roll=roll)
    )
    np.testing.assert_allclose(rotation_matrix(yaw, pitch, roll), step_by_step, atol=1e-15)


@given(q=st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_quaternions(q: list[float]) -> None:
    if np.linalg.norm(q) < 1e-3:
        return
    w, u = q[0], np.array(q[1:])
    matrix = rotation_from_quaternion(*q)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    # The axis stays where it is; -q and any multiple of q are the same rotation.
    np.testing.assert_allclose(matrix @ u, u, atol=1e-12)
    np.testing.assert_allclose(rotation_from_quaternion(*(-3 * np.array(q))), matrix, atol=1e-12)
    # The trace gives the angle: 1 + 2 cos, with cos(half) = w / |q|.
    half = w / np.linalg.norm(q)
    assert np.trace(matrix) == pytest.approx(4 * half**2 - 1, abs=1e-9)


def test_quaternion_of_a_quarter_turn_left() -> None:
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        rotation_from_quaternion(half, 0, 0, half), rotation_matrix(yaw=np.pi / 2), atol=1e-15
    )
    np.testing.assert_allclose(
        quaternion_from_angles(np.pi / 2, 0, 0), [half, 0, 0, half], atol=1e-15
    )


def test_quaternions_in_bulk() -> None:
    many = np.random.default_rng(2).standard_normal((4, 5, 3))
    matrices = rotation_from_quaternion(*many)
    assert matrices.shape == (5, 3, 3, 3)
    np.testing.assert_allclose(matrices[4, 1], rotation_from_quaternion(*many[:, 4, 1]), atol=1e-15)


@pytest.mark.filterwarnings("ignore:.*sph_harm:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Sounddevice:UserWarning")
def test_agrees_with_spaudiopy() -> None:
    spaudiopy = pytest.importorskip("spaudiopy")
    field = np.random.default_rng(4).standard_normal((4, 50))
    yaw, pitch, roll = 0.4, 0.9, -1.3
    # Same order; its angles are left-handed about z, y, x; its channels come last.
    expected = spaudiopy.sph.rotate_sh(field.T, -yaw, pitch, -roll).T
    np.testing.assert_allclose(
        rotate(field, rotation_matrix(yaw, pitch, roll)), expected, atol=1e-5
    )
    axis, angle = np.array([2, -1, 2]) / 3, 1.9
    np.testing.assert_allclose(
        rotation_from_quaternion(np.cos(angle / 2), *(np.sin(angle / 2) * axis)),
        spaudiopy.utils.rotation_rodrigues(axis, angle),
        atol=1e-12,
    )


@given(yaw=angles)
def test_rotate_yaw_is_rotate(yaw: float) -> None:
    field = np.random.default_rng(4).standard_normal((4, 50)).astype(np.float32)
    np.testing.assert_allclose(
        rotate_yaw(field, yaw), rotate(field, rotation_matrix(yaw=yaw)), atol=1e-6
    )
    np.testing.assert_allclose(rotate_yaw(rotate_yaw(field, yaw), -yaw), field, atol=2e-6)


def test_yaw_shifts_the_energy_map_left() -> None:
    """A turn to the left by a pixel's width shifts the panorama by one column."""
    field = np.random.default_rng(9).standard_normal((4, 300)).astype(np.float32)
    before = energy_map(field, 36, 18)
    after = energy_map(rotate_yaw(field, 2 * np.pi / 36), 36, 18)
    np.testing.assert_allclose(after, np.roll(before, -1, axis=1), rtol=1e-4)


@given(yaw=angles, pitch=angles, roll=angles)
def test_a_constant_orientation_is_one_rotation(yaw: float, pitch: float, roll: float) -> None:
    field = np.random.default_rng(4).standard_normal((4, 60)).astype(np.float32)
    expected = rotate(field, rotation_matrix(yaw, pitch, roll))
    given_angles = [[yaw, pitch, roll]]
    quaternions = quaternion_from_angles(yaw, pitch, roll)
    for times, orientations in (
        ([0.0], given_angles),
        ([0.0, 1.0], given_angles * 2),
        ([0.0, 1e-3], [quaternions, -quaternions]),
    ):
        turned = rotate_along(field, times, orientations, 48000)
        np.testing.assert_allclose(turned, expected, atol=3e-6)


def test_a_steady_turn_is_a_moving_source() -> None:
    rate = 16000
    signal = np.random.default_rng(0).standard_normal(3 * rate)
    times = [0.5, 1.5, 2.5]
    turned = rotate_along(
        encode_plane_wave(signal, 0.3, 0.0), times, [[0, 0, 0], [2, 0, 0], [4, 0, 0]], rate
    )
    moved = encode_moving(signal, times, [0.3, 2.3, 4.3], [0, 0, 0], rate)
    np.testing.assert_allclose(turned, moved, atol=5e-6)


def test_rotation_in_time_makes_no_zipper_noise() -> None:
    rate = 48000
    sine = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    field = encode_plane_wave(sine, 0.2, 0.4)
    turned = rotate_along(field, [0, 1], [[0.0, 0.0, 0.0], [2.0, 0.5, -1.0]], rate)
    spectrum = np.abs(np.fft.rfft(turned[1:] * np.blackman(rate))) ** 2
    high = np.fft.rfftfreq(rate, 1 / rate) > 4000
    assert 10 * np.log10(spectrum[:, high].sum() / spectrum.sum()) < -100


def test_turning_keeps_energy_and_takes_the_short_way() -> None:
    rate = 8000
    field = encode_plane_wave(np.random.default_rng(0).standard_normal(rate), 0, 0)
    turned = rotate_along(field, [0, 1], [[3.0, 0, 0], [-3.0, 0, 0]], rate)
    np.testing.assert_allclose(
        np.sum(turned[1:] ** 2, axis=0), np.sum(field[1:] ** 2, axis=0), rtol=1e-4, atol=1e-6
    )
    azimuth = direction_per_frame(turned, rate, 0.05).azimuth
    assert np.all(np.abs(azimuth) > 2.9)  # through the back


@pytest.mark.parametrize(
    "orientations", [[[0, 0]], [[0, 0, 0, 0]], [[np.nan, 0, 0, 0]], np.zeros(())]
)
def test_orientations_must_make_sense(orientations: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        rotate_along(np.zeros((4, 5)), [0], orientations, 48000)


def test_matrix_must_be_three_by_three() -> None:
    with pytest.raises(ValueError, match="3 x 3"):
        rotate(np.zeros((4, 5)), np.eye(4))
