"""Angles, vectors, rotations, solid angles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.direction import azimuth_bins, elevation_bins
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.rotation import rotation_matrix
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.sphere import (
    angles_to_vector,
    check_size,
    orientation,
    row_solid_angles,
    vector_to_angles,
)

FRONT, LEFT, UP = np.eye(3)


@given(
    st.floats(-np.pi, np.pi, exclude_min=True),
    st.floats(-np.pi / 2 + 1e-6, np.pi / 2 - 1e-6),
    st.floats(1e-3, 1e3),
)
def test_angles_survive_a_round_trip(azimuth: float, elevation: float, length: float) -> None:
    back = vector_to_angles(length * angles_to_vector(azimuth, elevation))
    assert np.cos(back[0] - azimuth) == pytest.approx(1, abs=1e-12)
    assert back[1] == pytest.approx(elevation, abs=1e-9)


def test_axes() -> None:
    assert angles_to_vector(0, 0) == pytest.approx(FRONT)
    assert angles_to_vector(np.pi / 2, 0) == pytest.approx(LEFT)
    assert angles_to_vector(0, np.pi / 2) == pytest.approx(UP)


def test_each_turn_goes_where_it_says() -> None:
    assert orientation(90, 0, 0) @ FRONT == pytest.approx(LEFT)
    assert orientation(0, 90, 0) @ FRONT == pytest.approx(UP)
    assert orientation(0, 0, 90) @ LEFT == pytest.approx(UP)
    # Pitch happens before yaw as seen from the world: a raised camera turns about the vertical.
    assert orientation(90, 45, 0) @ FRONT == pytest.approx((LEFT + UP) / np.sqrt(2))


@given(*[st.floats(-720, 720)] * 3)
def test_orientations_are_rotations(yaw: float, pitch: float, roll: float) -> None:
    turn = orientation(yaw, pitch, roll)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_angles_must_be_finite(bad: float) -> None:
    for angles in ((bad, 0, 0), (0, bad, 0), (0, 0, bad)):
        with pytest.raises(OptionError, match="finite angle"):
            orientation(*angles)


@pytest.mark.parametrize("height", [1, 2, 3, 7, 80, 960, 3840])
def test_rows_cover_the_sphere(height: int) -> None:
    rows = row_solid_angles(height)
    assert rows.shape == (height,)
    assert rows.sum() == pytest.approx(4 * np.pi, rel=1e-12)
    assert rows == pytest.approx(rows[::-1])
    edges = np.sin(np.pi / 2 - np.pi * np.arange(height + 1) / height)
    assert rows == pytest.approx(2 * np.pi * (edges[:-1] - edges[1:]), rel=1e-6)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5), (5, 2.5), (True, 4), (40000, 5)])
def test_sizes_out_of_range_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="from 1 to 32766"):
        check_size(*size)


@given(st.tuples(*[st.floats(-360, 360)] * 3))
def test_pictures_and_sound_turn_the_same_way(angles: tuple[float, float, float]) -> None:
    turned = rotation_matrix(*np.radians(angles))
    np.testing.assert_allclose(orientation(*angles), turned, atol=1e-12)


def test_pictures_and_sound_agree_on_where_a_pixel_looks() -> None:
    u, v = np.meshgrid(np.arange(36.0), np.arange(18.0))
    seen = Equirect(36, 18).direction(u, v)
    heard = direction_vector(azimuth_bins(36)[None, :], elevation_bins(18)[:, None])
    np.testing.assert_allclose(seen, heard, atol=1e-12)
