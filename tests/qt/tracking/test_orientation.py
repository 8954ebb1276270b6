"""Angles and quaternions of heads: the same as the sound field's own rotations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.foa.rotation import (
    quaternion_from_angles,
    rotation_from_quaternion,
    rotation_matrix,
)
from qt_app.tracking.orientation import (
    STRAIGHT,
    Front,
    after,
    from_angles,
    inverse,
    to_angles,
    unit,
)

ANGLE = st.floats(-math.pi, math.pi)
TILT = st.floats(-1.5, 1.5)


@given(ANGLE, TILT, ANGLE)
def test_a_quaternion_is_the_one_of_the_sound_field(yaw: float, pitch: float, roll: float) -> None:
    expected = quaternion_from_angles(yaw, pitch, roll)
    assert from_angles(yaw, pitch, roll) == pytest.approx(tuple(expected), abs=1e-12)


@given(ANGLE, TILT, ANGLE)
def test_angles_there_and_back(yaw: float, pitch: float, roll: float) -> None:
    back = to_angles(from_angles(yaw, pitch, roll))
    np.testing.assert_allclose(rotation_matrix(*back), rotation_matrix(yaw, pitch, roll), atol=1e-9)
    assert abs(back[1]) <= math.pi / 2


@pytest.mark.parametrize("pitch", [math.pi / 2, -math.pi / 2])
@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5])
def test_straight_up_and_down(yaw: float, pitch: float) -> None:
    back = to_angles(from_angles(yaw, pitch, 0.0))
    np.testing.assert_allclose(rotation_matrix(*back), rotation_matrix(yaw, pitch), atol=1e-7)


@given(ANGLE, TILT, ANGLE, ANGLE, TILT, ANGLE)
def test_one_turn_after_another(a: float, b: float, c: float, d: float, e: float, f: float) -> None:
    first, second = from_angles(a, b, c), from_angles(d, e, f)
    both = rotation_from_quaternion(*after(second, first))
    np.testing.assert_allclose(both, rotation_matrix(d, e, f) @ rotation_matrix(a, b, c), atol=1e-9)
    assert after(inverse(first), first) == pytest.approx(STRAIGHT, abs=1e-12)


def test_no_length_is_no_orientation() -> None:
    assert unit((0.0, 0.0, 0.0, 0.0)) is None
    assert unit((math.nan, 0.0, 0.0, 1.0)) is None
    assert unit((math.inf, 0.0, 0.0, 1.0)) is None
    assert unit((2.0, 0.0, 0.0, 0.0)) == STRAIGHT


def test_front_of_a_tracker_that_sits_askew_in_a_room_without_a_north() -> None:
    room, seat = from_angles(2.1, 0.0, 0.0), from_angles(0.0, 0.4, -0.3)

    def tracker(yaw: float, pitch: float, roll: float) -> tuple[float, float, float, float]:
        return after(after(room, from_angles(yaw, pitch, roll)), seat)

    front = Front()
    front.take(tracker(0.0, 0.0, 0.0))
    assert to_angles(front.apply(tracker(0.0, 0.0, 0.0))) == pytest.approx((0, 0, 0), abs=1e-9)
    # A head that turns about the vertical turns about the vertical here too.
    assert to_angles(front.apply(tracker(1.2, 0.0, 0.0))) == pytest.approx((1.2, 0, 0), abs=1e-9)
    front.reset()
    assert front.apply(seat) == pytest.approx(seat)


def test_looking_down_while_the_front_is_taken_leaves_no_twist() -> None:
    front = Front()
    front.take(from_angles(0.5, -0.6, 0.0))
    turned = to_angles(front.apply(from_angles(0.5 + 0.7, -0.6, 0.0)))
    assert turned == pytest.approx((0.7, 0.0, 0.0), abs=1e-9)
