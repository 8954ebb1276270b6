"""A panorama whose front is elsewhere: columns are moved, nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.panorama.equirect import Equirect, turned
from omniaudio_studio.panorama.turned import Turned
from tests.panorama.pictures import difference, smooth


def test_whole_pixels_are_moved_to_the_bit() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    for quarters in (-5, -1, 0, 1, 2, 7):
        made = turned(image, quarters * np.pi / 2)
        np.testing.assert_array_equal(made, np.roll(image, 16 * quarters, axis=1))
    # What is at the left comes to the front, and goes back.
    np.testing.assert_array_equal(turned(turned(image, np.pi / 2), -np.pi / 2), image)


@pytest.mark.parametrize("degrees", [37.3, -160.0, 0.4, 359.9])
def test_any_angle_is_the_turned_projection(degrees: float) -> None:
    source = Equirect(640, 320)
    made = turned(smooth(source), np.radians(degrees))
    assert difference(made, smooth(Turned(source, degrees, 0.0, 0.0))) <= 1


def test_between_two_columns_both_are_mixed() -> None:
    image = np.zeros((2, 8), np.float32)
    image[:, 3] = 8.0
    made = turned(image, 2 * np.pi / 8 * 1.25)
    np.testing.assert_allclose(made[0], [0, 0, 0, 0, 6, 2, 0, 0], atol=1e-6)
