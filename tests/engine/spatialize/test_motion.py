"""What moves on the sphere, beside the camera's own turning."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from omniaudio_studio.engine.spatialize.motion import (
    CELL,
    COLUMNS,
    ROWS,
    Change,
    MotionMeter,
    Sphere,
)
from omniaudio_studio.panorama.sphere import vector_to_angles

SPHERE = Sphere(COLUMNS, ROWS)


@pytest.fixture(scope="module")
def world() -> np.ndarray:
    """A smooth random panorama, 0 to 1, without a seam."""
    picture = np.random.default_rng(3).random((ROWS, 3 * COLUMNS)).astype(np.float32)
    picture[:, COLUMNS:] = np.tile(picture[:, :COLUMNS], 2)
    smooth = cv2.GaussianBlur(picture, (0, 0), 2.0)[:, COLUMNS : 2 * COLUMNS]
    return (smooth - smooth.min()) / np.ptp(smooth)


def picture(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.round(255 * grey)[..., None], 3, axis=2).astype(np.uint8)


def change(before: np.ndarray, after: np.ndarray) -> Change:
    meter = MotionMeter()
    assert meter(picture(before)) is None
    found = meter(picture(after))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "turn", [(0, 0, 0.03), (0, 0, -0.12), (0.05, 0, 0), (0, -0.08, 0), (0.03, -0.04, 0.1)]
)
def test_the_cameras_rotation_is_found_and_undone(
    world: np.ndarray, turn: tuple[float, float, float]
) -> None:
    after = SPHERE.turned(world, np.array(turn))
    found = change(world, after)
    assert np.linalg.norm(found.turn - turn) < np.radians(0.25)
    assert found.overall > 0.005
    assert found.cells.mean() < 0.05 * found.overall


def test_turning_left_by_whole_pixels_is_a_roll(world: np.ndarray) -> None:
    turned = SPHERE.turned(world, np.array([0, 0, 2 * np.pi * 5 / COLUMNS]))
    np.testing.assert_allclose(turned, np.roll(world, -5, axis=1), atol=1e-3)


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.02, 0.01, 0.08)])
def test_a_thing_that_moves_stands_out(world: np.ndarray, turn: tuple[float, float, float]) -> None:
    before, after = 0.6 * world, SPHERE.turned(0.6 * world, np.array(turn))
    after[30:36, 40:48] = 1.0
    found = change(before, after)
    row, column = np.unravel_index(np.argmax(found.cells), found.cells.shape)
    assert (row, column) in [(r, c) for r in (10, 11) for c in (13, 14, 15)]
    assert np.median(found.cells) == 0


def test_nothing_moves_in_a_still_picture(world: np.ndarray) -> None:
    found = change(world, world)
    assert found.overall == 0
    assert found.cells.max() == 0
    assert not found.turn.any()


def test_a_codecs_noise_is_no_motion(world: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    noisy = np.clip(world + rng.normal(0, 0.8 / 255, world.shape), 0, 1)
    assert change(world, noisy).cells.mean() < 1e-5


def test_cells_are_where_the_pixels_are() -> None:
    azimuth, elevation = vector_to_angles(SPHERE.vectors)
    assert azimuth[0, COLUMNS // 4] == pytest.approx(np.pi / 2, abs=0.05)
    assert elevation[0, 0] == pytest.approx(np.pi / 2, abs=0.05)
    assert COLUMNS % CELL == ROWS % CELL == 0
