"""Sheets: what the table says is drawn where it says."""

from __future__ import annotations

import numpy as np

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.picture import SceneRenderer
from omniaudio_studio.datasets.solids import SOLID
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.sheets import LEAST_DRAWN, MOST_DRAWN, draw_sheet


def test_the_table_is_what_the_scene_draws() -> None:
    library = MaterialLibrary()
    solids = 0
    for index in range(12):
        scene, drawn = draw_sheet(1, index, library, restyled=0.5)
        assert drawn.shape == (MOST_DRAWN, 5) and drawn.dtype == np.float32
        assert not scene.sources and LEAST_DRAWN <= len(scene.distractors) <= MOST_DRAWN
        for item, row in zip(scene.distractors, drawn, strict=False):
            solids += item.name == SOLID
            assert row[0] == (-1 if item.name == SOLID else library.classes.index(item.name))
            np.testing.assert_allclose(
                row[1:4], direction_vector(item.azimuth, item.elevation), atol=1e-6
            )
            assert row[4] == np.float32(item.look.size) > 0
        empty = drawn[len(scene.distractors) :]
        assert (empty[:, 0] == -1).all() and not empty[:, 1:].any()
    assert 0 < solids < 40


def test_the_same_number_is_the_same_sheet() -> None:
    library = MaterialLibrary()
    (first, table), (again, same), (other, _) = (
        draw_sheet(2, index, library, 0.5) for index in (5, 5, 6)
    )
    assert first == again and np.array_equal(table, same) and first != other


def test_what_is_drawn_is_seen_there(disk_library: MaterialLibrary) -> None:
    for index in range(40):
        scene, drawn = draw_sheet(3, index, disk_library, 0.0)
        if scene.background.panorama != "black.png":
            continue
        picture = SceneRenderer(scene, disk_library, 128, 64).frame(0.0)
        for name, x, y, z, size in drawn:
            if size and name >= 0:
                column = int((np.pi - np.arctan2(y, x)) / (2 * np.pi) * 128) % 128
                row = int((np.pi / 2 - np.arcsin(z)) / np.pi * 64)
                assert picture[row, column].min() > 150
        break
    else:
        raise AssertionError("another seed is needed: no sheet on the black panorama")


def test_a_set_without_sheets_has_none(disk_scenes: SceneSet) -> None:
    assert disk_scenes.sheets is None and disk_scenes.drawn is None
