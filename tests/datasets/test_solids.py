"""Rendered objects: lit solids, the same for the same number, without a class."""

from __future__ import annotations

import numpy as np

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.solids import SOLID, solid


def test_a_number_is_a_solid() -> None:
    first = solid(3, 48)
    assert first.shape == (48, 48, 4) and first.dtype == np.uint8
    assert np.array_equal(first, solid(3, 48)) and not np.array_equal(first, solid(4, 48))


def test_a_solid_lies_within_its_square_and_is_whole() -> None:
    for number in range(12):
        there = solid(number, 48)[..., 3] > 0
        assert not there[[0, -1]].any() and not there[:, [0, -1]].any()
        assert 0.015 < there.mean() < 0.75
        assert set(np.unique(solid(number, 48)[..., 3])) <= {0, 255}


def test_light_falls_on_it() -> None:
    spread = []
    for number in range(24):
        picture = solid(number, 48)
        colours = picture[picture[..., 3] > 0][:, :3].astype(float)
        spread.append(colours.std(axis=0).max())
    # Flat shapes would have one colour each.
    assert np.median(spread) > 10


def test_the_library_draws_solids_beside_its_classes() -> None:
    library = MaterialLibrary()
    assert SOLID not in library.classes
    key = library.draw_sprite(SOLID, np.random.default_rng(0))
    number = int(key.rpartition(":")[2])
    assert np.array_equal(library.load_sprite(key), solid(number, 128))
