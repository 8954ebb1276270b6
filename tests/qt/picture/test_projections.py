"""What is drawn is what `omniaudio_studio.panorama` renders, by OpenGL and in software."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qt_app.picture import gl_program
from qt_app.picture.clip import Mapped
from qt_app.picture.scene import Scene
from tests.qt.picture.drawing import HEIGHT, WIDTH, Draw, rendered, scene_of
from tests.qt.picture.pictures import as_picture, in_projection

# Yaw, pitch, roll, field of view in degrees: ahead, over the seam behind, both poles, corners of
# cubes, tilted, close and wide.
LOOKS = [
    (0, 0, 0, 90),
    (180, 0, 0, 90),
    (90, 0, 0, 70),
    (-95, 20, 0, 90),
    (0, 90, 0, 90),
    (30, -90, 0, 90),
    (45, 35, 0, 60),
    (-135, -35, 15, 100),
    (10, 5, 90, 30),
    (-60, 60, -40, 140),
]
MAPPED = [
    Mapped("equirectangular"),
    Mapped("eac"),
    Mapped("cubemap"),
    Mapped("dual-fisheye"),
    Mapped("dual-fisheye", fisheye_fov=180.0),
    Mapped("flat", hfov=100.0),
    Mapped("flat", hfov=80.0, camera=(-60.0, 25.0), aspect=1.5),
]


@pytest.mark.parametrize("mapped", MAPPED, ids=lambda m: f"{m.projection}-{m.fisheye_fov}")
def test_as_the_panorama_room_renders(draw: Draw, mapped: Mapped) -> None:
    rgb = in_projection(mapped)
    picture = as_picture(rgb, mapped)
    for look in LOOKS:
        expected = rendered(rgb, mapped, look).astype(int)
        seen = draw(scene_of(picture, look))
        off = np.abs(seen - expected)
        assert off.mean() < 1.5, look
        # Edges of lenses and flat pictures may differ by a pixel; all else is alike to the eye.
        assert (off.max(axis=2) > 24).mean() < 0.01, look
        if mapped.projection not in ("flat", "dual-fisheye"):
            assert off.max() <= 24, look


def test_the_test_can_tell(draw: Draw) -> None:
    """A look that is two degrees off is told apart."""
    mapped = Mapped()
    rgb = in_projection(mapped)
    seen = draw(scene_of(as_picture(rgb), (0, 0, 0, 90)))
    for wrong in ((2, 0, 0, 90), (0, 2, 0, 90), (0, 0, 3, 90), (0, 0, 0, 94)):
        assert np.abs(seen - rendered(rgb, mapped, wrong).astype(int)).mean() > 1.5


@pytest.mark.parametrize("size", [(640, 322), (1023, 511), (321, 161)])
def test_odd_sizes(draw: Draw, size: tuple[int, int]) -> None:
    rgb = in_projection(Mapped(), size)
    picture = as_picture(rgb)
    for look in ((0, 0, 0, 90), (180, 10, 0, 100)):
        off = np.abs(draw(scene_of(picture, look)) - rendered(rgb, Mapped(), look).astype(int))
        assert off.mean() < 2


def test_there_is_no_seam_behind(draw: Draw) -> None:
    """Where the left and right edges meet, neighbouring columns are as alike as anywhere."""
    picture = as_picture(in_projection(Mapped()))
    seen = draw(scene_of(picture, (180, 0, 0, 90))).astype(int)
    steps = np.abs(np.diff(seen, axis=1)).max(axis=(0, 2))
    middle = steps[WIDTH // 2 - 3 : WIDTH // 2 + 3].max()
    assert middle <= steps.max() and middle <= 8


def test_a_cube_s_edges_do_not_show(draw: Draw) -> None:
    """At a corner three faces meet that lie far apart in the file."""
    for mapped in (Mapped("eac"), Mapped("cubemap")):
        picture = as_picture(in_projection(mapped), mapped)
        seen = draw(scene_of(picture, (45, 35.26, 0, 60))).astype(int)
        assert np.abs(np.diff(seen, axis=0)).max() <= 12
        assert np.abs(np.diff(seen, axis=1)).max() <= 12


def test_small_views_do_not_shimmer(draw: Draw) -> None:
    """One-pixel stripes, three or more to a pixel of the view, come out as their mean."""
    stripes = np.zeros((1024, 4096, 3), np.uint8)
    stripes[:, ::2] = 255
    seen = draw(scene_of(as_picture(stripes), (0, 0, 0, 140)))
    middle = seen[HEIGHT // 2 - 20 : HEIGHT // 2 + 20, WIDTH // 2 - 40 : WIDTH // 2 + 40]
    assert middle.std() < 60  # 127 if each pixel showed one stripe
    assert abs(float(middle.mean()) - 127.5) < 12


def test_the_grid_lies_on_the_meridians(draw: Draw) -> None:
    grey = as_picture(np.full((256, 512, 3), 40, np.uint8))
    bare = draw(scene_of(grey, (0, 0, 0, 90))).astype(int)
    lined = draw(scene_of(grey, (0, 0, 0, 90), grid=True)).astype(int)
    added = (lined - bare).sum(axis=2)
    assert added.min() >= 0
    # In the middle of the view 30 degrees are tan(30) of half the width.
    columns = [WIDTH / 2 * (1 + side * math.tan(math.pi / 6)) for side in (-1, 0, 1)]
    row = added[HEIGHT // 2 + 40]
    found = np.flatnonzero(row > 60)
    for column in columns:
        assert np.abs(found + 0.5 - column).min() <= 1.5
    assert len(found) <= 9
    assert (added[HEIGHT // 2 - 1 : HEIGHT // 2 + 1].max(axis=0) > 60).all()  # the horizon


def test_without_a_picture_it_is_dark(draw: Draw) -> None:
    seen = draw(Scene())
    assert seen.max() < 40 and np.ptp(seen.reshape(-1, 3), axis=0).max() == 0


def test_large_views_by_the_cpu_are_the_same_picture(
    by_gl: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where OpenGL is computed by the CPU, as here, large views are drawn smaller and enlarged."""
    rgb = in_projection(Mapped())
    picture = as_picture(rgb)
    direct = by_gl(scene_of(picture, (30, 10, 0, 90))).astype(int)
    monkeypatch.setattr(gl_program, "_DEAR", WIDTH * HEIGHT // 4)
    monkeypatch.setattr(gl_program, "_AFFORDABLE", WIDTH * HEIGHT // 4)
    enlarged = by_gl(scene_of(picture, (30, 10, 0, 90))).astype(int)
    expected = rendered(rgb, Mapped(), (30, 10, 0, 90))
    assert np.abs(enlarged - expected).mean() < 1.5
    assert (enlarged != direct).any()
