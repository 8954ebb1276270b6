"""The look model: angles, limits, and a drag that keeps what is under the cursor there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omniaudio_studio.foa.binaural import head_rotation
from omniaudio_studio.foa.rotation import quaternion_from_angles
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.sphere import angles_to_vector
from qt_app.picture import camera
from qt_app.picture.look import NARROWEST, WIDEST, LookModel
from tests.media.clips import PROPERTY

YAWS = st.floats(-math.pi, math.pi)
PITCHES = st.floats(-math.pi / 2, math.pi / 2)
FOVS = st.floats(NARROWEST, WIDEST)
SIZES = st.tuples(st.integers(200, 2000), st.integers(150, 1200))
PLACES = st.tuples(st.floats(0, 1), st.floats(0, 1))


def looking(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> LookModel:
    look = LookModel()
    look.set_orientation(yaw, pitch, roll)
    return look


@PROPERTY
@given(YAWS, PITCHES, YAWS)
def test_orientation_is_the_sound_s(yaw: float, pitch: float, roll: float) -> None:
    """What the picture is turned by is what the ears are turned by."""
    look = looking(yaw, pitch, roll)
    np.testing.assert_allclose(look.matrix(), head_rotation(yaw, pitch, roll), atol=1e-12)
    product = np.dot(look.quaternion(), quaternion_from_angles(yaw, pitch, roll))
    assert abs(product) == pytest.approx(1)  # q and -q are the same turn


@PROPERTY
@given(YAWS, PITCHES, YAWS)
def test_quaternion_round_trip(yaw: float, pitch: float, roll: float) -> None:
    there = looking(yaw, pitch, roll)
    back = LookModel()
    back.set_quaternion(*(3.0 * part for part in there.quaternion()))
    np.testing.assert_allclose(back.matrix(), there.matrix(), atol=1e-5)


@PROPERTY
@given(YAWS, PITCHES, YAWS, FOVS, SIZES, PLACES)
def test_directions_are_the_panorama_s(
    yaw: float,
    pitch: float,
    roll: float,
    fov: float,
    size: tuple[int, int],
    place: tuple[float, float],
) -> None:
    look = looking(yaw, pitch, roll)
    look.fov = fov
    width, height = size
    x, y = place[0] * width, place[1] * height
    degrees = [math.degrees(angle) for angle in (fov, yaw, pitch, roll)]
    oracle = Perspective(width, height, *degrees)
    expected = oracle.direction(np.array(x - 0.5), np.array(y - 0.5))
    seen = look.direction_at(x, y, width, height)
    np.testing.assert_allclose(seen, expected, atol=1e-9)
    assert look.place_of(seen, width, height) == pytest.approx((x, y), abs=1e-5 * width)


def test_yaw_looks_left_and_pitch_up() -> None:
    look = looking(yaw=math.pi / 2)
    assert look.direction_at(50, 50, 100, 100) == pytest.approx((0, 1, 0))
    look = looking(pitch=math.pi / 2)
    assert look.direction_at(50, 50, 100, 100) == pytest.approx((0, 0, 1))
    # Left of the middle of the view is left.
    assert camera.angles(LookModel().direction_at(0, 50, 100, 100))[0] == pytest.approx(math.pi / 4)


def test_behind_has_no_place() -> None:
    assert LookModel().place_of((-1, 0, 0), 100, 100) is None
    assert LookModel().place_of((0, 1, 0), 100, 100) is None


@PROPERTY
@given(YAWS, PITCHES, st.floats(-0.5, 0.5), FOVS, SIZES, PLACES, PLACES)
def test_drag_keeps_what_is_under_the_cursor(
    yaw: float,
    pitch: float,
    roll: float,
    fov: float,
    size: tuple[int, int],
    start: tuple[float, float],
    end: tuple[float, float],
) -> None:
    look = looking(yaw, pitch, roll)
    look.fov = fov
    width, height = size
    held = look.direction_at(start[0] * width, start[1] * height, width, height)
    x, y = end[0] * width, end[1] * height
    look.hold(held, x, y, width, height)
    assert look.roll == pytest.approx(roll)
    assert -math.pi / 2 <= look.pitch <= math.pi / 2
    seen = np.array(look.direction_at(x, y, width, height))
    wrong = math.acos(np.clip(seen @ np.array(held), -1, 1))
    # Only over a pole there is no such look: then no other yaw or pitch comes nearer.
    if wrong > 1e-5:
        for change in np.random.default_rng(1).normal(scale=0.02, size=(20, 2)):
            other = looking(look.yaw + change[0], look.pitch + change[1], roll)
            other.fov = fov
            ray = np.array(other.direction_at(x, y, width, height))
            elevation = abs(math.asin(np.clip(ray[2], -1, 1)) - math.asin(held[2]))
            mine = abs(math.asin(np.clip(seen[2], -1, 1)) - math.asin(held[2]))
            assert elevation >= mine - 1e-6


@PROPERTY
@given(YAWS, st.floats(-0.6, 0.6), FOVS, PLACES, PLACES)
def test_drag_is_exact_away_from_the_poles(
    yaw: float, pitch: float, fov: float, start: tuple[float, float], end: tuple[float, float]
) -> None:
    """A view 16:9 of at most 100 degrees, near the horizon: always 1:1, without a tilt."""
    assume(fov < math.radians(100))
    look = looking(yaw, pitch)
    look.fov = fov
    width, height = 960, 540
    x0, y0, x1, y1 = start[0] * width, start[1] * height, end[0] * width, end[1] * height
    held = look.direction_at(x0, y0, width, height)
    assume(abs(held[2]) < 0.6)
    look.drag(x0, y0, x1, y1, width, height)
    place = look.place_of(held, width, height)
    assert place == pytest.approx((x1, y1), abs=1e-3)
    assert look.roll == 0


def test_dragging_in_small_steps_ends_where_one_step_does() -> None:
    one, many = looking(0.3, 0.2), looking(0.3, 0.2)
    one.drag(100, 300, 700, 180, 960, 540)
    held = many.direction_at(100, 300, 960, 540)
    for part in np.linspace(0, 1, 200):
        many.hold(held, 100 + part * 600, 300 - part * 120, 960, 540)
    assert (many.yaw, many.pitch) == pytest.approx((one.yaw, one.pitch))


def test_dragging_right_looks_left() -> None:
    look = LookModel()
    look.drag(400, 270, 500, 270, 960, 540)
    assert look.yaw > 0
    look = LookModel()
    look.drag(480, 200, 480, 300, 960, 540)
    assert look.pitch > 0


def test_limits() -> None:
    look = LookModel()
    look.turn(0.0, 10.0)
    assert look.pitch == math.pi / 2
    look.zoom(1000)
    assert look.fov == pytest.approx(NARROWEST)
    look.zoom(-1000)
    assert look.fov == pytest.approx(WIDEST)
    look.yaw = 3 * math.pi
    assert look.yaw == pytest.approx(math.pi)
    look.set_orientation(math.nan, 0, 0)
    assert look.yaw == pytest.approx(math.pi)
    look.set_quaternion(0, 0, 0, 0)
    assert look.yaw == pytest.approx(math.pi)


def test_zoom_and_back() -> None:
    look = LookModel()
    look.zoom(3)
    assert look.fov < math.pi / 2
    look.zoom(-3)
    assert look.fov == pytest.approx(math.pi / 2)


def test_recentre_looks_at_the_front() -> None:
    look = looking(1.0, 0.5, 0.2)
    look.home = math.radians(30)
    look.recentre()
    assert (look.yaw, look.pitch, look.roll) == pytest.approx((math.radians(30), 0, 0))


def test_signals_only_changes() -> None:
    look = LookModel()
    told: list[float] = []
    look.changed.connect(lambda: told.append(look.yaw))
    look.turn(0.1, 0.0)
    look.turn(0.0, 0.0)
    look.fov = look.fov
    look.zoom(1)
    assert told == pytest.approx([0.1, 0.1])


@PROPERTY
@given(YAWS, PITCHES)
def test_angles_of_vectors(azimuth: float, elevation: float) -> None:
    vector = camera.vector(azimuth, elevation)
    np.testing.assert_allclose(vector, angles_to_vector(azimuth, elevation), atol=1e-12)
    np.testing.assert_allclose(camera.vector(*camera.angles(vector)), vector, atol=1e-12)
