"""Drawings in another hand: outlines around what is drawn, colours in steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omniaudio_studio.datasets.description import Look, Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.restyle import outlined, posterised
from omniaudio_studio.datasets.scene import draw_look, sample_scene, scene_rng


def disk(side: int = 64) -> np.ndarray:
    """A disk of half the side, left half red, right half yellow, with soft edges."""
    axis = np.arange(side) - (side - 1) / 2
    alpha = np.clip(side / 4 - np.hypot(axis[None], axis[:, None]) + 0.5, 0, 1)
    image = np.zeros((side, side, 4), np.float32)
    image[..., 0] = 240
    image[:, side // 2 :, 1] = 200
    image[..., :3] *= alpha[..., None]
    image[..., 3] = alpha
    return image


def test_an_outline_is_dark_and_lies_around_the_drawing() -> None:
    plain = disk()
    drawn = outlined(plain, 4 / 64)
    axis = np.arange(64) - 31.5
    away = np.hypot(axis[None], axis[:, None])
    ring = (away > 17) & (away < 19)
    np.testing.assert_allclose(drawn[ring, 3], 1)
    assert not plain[ring].any() and drawn[ring, :3].max() < 40
    assert not drawn[away > 22].any()
    # Away from edges nothing changes; between the two colours there is a line.
    inside = (away < 10) & (np.abs(axis[None]) > 5)
    np.testing.assert_array_equal(drawn[inside], plain[inside])
    assert drawn[32, 31, :3].max() < 40 < plain[32, 31, :3].max()


def test_no_pixel_is_brighter_than_its_alpha_allows() -> None:
    for image in (outlined(disk(), 0.05), posterised(disk(), 3)):
        assert image.dtype == np.float32 and image.shape == (64, 64, 4)
        assert (image[..., :3] <= 255 * image[..., 3:] + 1e-3).all() and image.min() >= 0


@pytest.mark.parametrize("shades", [2, 4])
def test_colours_are_reduced_to_steps(shades: int) -> None:
    plain = disk()
    drawn = posterised(plain, shades)
    assert np.array_equal(drawn[..., 3], plain[..., 3])
    solid = plain[..., 3] == 1
    steps = np.linspace(0, 255, shades)
    gap = np.abs(drawn[solid][:, :3, None] - steps).min(axis=-1)
    assert gap.max() < 1e-3
    nearest = steps[np.abs(plain[solid][:, :3, None] - steps).argmin(axis=-1)]
    np.testing.assert_allclose(drawn[solid][:, :3], nearest, atol=1e-3)


def test_styles_are_drawn_only_where_they_are_asked_for() -> None:
    library = MaterialLibrary()
    name = library.classes[0]
    plain = [draw_look(np.random.default_rng(seed), library, name) for seed in range(20)]
    assert all((look.turn, look.outline, look.shades) == (0, 0, 0) for look in plain)
    styled = [draw_look(np.random.default_rng(seed), library, name, 1.0) for seed in range(20)]
    assert (
        sum(look.outline > 0 for look in styled) > 5 and sum(look.shades > 0 for look in styled) > 3
    )
    for before, after in zip(plain, styled, strict=True):
        assert after.turn != 0 and (before.sprite, before.size) == (after.sprite, after.size)


def test_a_style_is_kept_in_the_scene_and_older_scenes_have_none() -> None:
    library = MaterialLibrary()
    scene = sample_scene(
        scene_rng(0, 0), library, 1.0, (2, 2), distractors=1.0, restyled=1.0, solids=1.0
    )
    again = Scene.from_dict(scene.as_dict())
    assert {item.name for item in again.distractors} == {"solid"}
    for one, other in zip(scene.sources, again.sources, strict=True):
        assert (one.look.outline, one.look.shades) == (other.look.outline, other.look.shades)
        assert other.look.turn == pytest.approx(one.look.turn) != 0
    old = scene.as_dict()
    for item in (*old["sources"], *old["distractors"]):
        for key in ("turn", "outline", "shades"):
            del item[key]
    looks = [source.look for source in Scene.from_dict(old).sources]
    assert all(look == replace(look, turn=0.0, outline=0.0, shades=0) for look in looks)
    assert isinstance(looks[0], Look)
