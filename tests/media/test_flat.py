"""Flat clips on the sphere: what a camera cuts out of a panorama comes back to where it was."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.media.probe import ClipInfo, probe, require_360
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.views import View
from tests.media.clips import make_clip
from tests.panorama.pictures import difference, directions, smooth

VIEWS = [
    View("whole", "equirect", 160, 80),
    View("front", "perspective", 64, 64, fov=120),
    View("left", "perspective", 48, 36, fov=80, yaw=90, pitch=10),
    View("cube", "cubemap", 96, 64),
]


def photographed(path: Path, camera: Projection, **options: Any) -> Path:
    """A lossless clip of one picture: what a camera sees of the smooth panorama."""
    picture = smooth(camera)
    return make_clip(
        path, [Fraction(0)], size=(camera.width, camera.height), codec="png", pix_fmt="rgb24",
        image=picture, **options,
    )  # fmt: skip


def views_of(info: ClipInfo) -> dict[str, np.ndarray]:
    (views,) = iter_views(info, [0.0], VIEWS)
    return views


def covered(camera: Projection, view: Projection, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a view that lie ``margin`` (of the picture's width) within the picture; outside."""
    u, v = camera.pixel(directions(view))
    edge = margin * camera.width
    shown = ~np.isnan(u)
    inside = shown & (u > edge) & (u < camera.width - 1 - edge)
    inside &= (v > edge) & (v < camera.height - 1 - edge)
    return inside, ~shown


@pytest.mark.parametrize(
    ("hfov", "azimuth", "elevation"),
    [(90, 0, 0), (70, 90, 0), (100, -35, 20), (60, 180, -30), (120, 300, 80)],
)
def test_a_cut_of_a_panorama_comes_back_to_its_place(
    tmp_path: Path, hfov: float, azimuth: float, elevation: float
) -> None:
    camera = Perspective(640, 360, hfov, azimuth, elevation)
    path = photographed(tmp_path / "flat.mov", camera)
    info = probe(path, "flat", hfov=hfov, camera=(azimuth, elevation))
    assert require_360(info) is info
    whole = probe(photographed(tmp_path / "whole.mov", Equirect(640, 320)))
    expected = views_of(whole)
    for name, made in views_of(info).items():
        view = next(view for view in VIEWS if view.name == name).projection()
        inside, outside = covered(camera, view, 0.06)
        if inside.any():
            assert difference(made, expected[name], inside) <= 6, name
        # A pixel of the view that is partly in the picture is partly black.
        assert not made[~_near(~outside, 2)].any(), name
    assert covered(camera, Equirect(160, 80), 0.06)[0].sum() > 100


def _near(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask and what lies so few pixels from it; round the sphere."""
    grown = mask.copy()
    for _ in range(pixels):
        grown = grown | np.roll(grown, 1, 1) | np.roll(grown, -1, 1)
        grown[1:] |= grown[:-1].copy()
        grown[:-1] |= grown[1:].copy()
    return grown


@pytest.mark.parametrize(
    ("azimuth", "elevation", "column", "row"),
    [(90, 0, 0.25, 0.5), (-90, 0, 0.75, 0.5), (0, 45, 0.5, 0.25), (0, -45, 0.5, 0.75)],
)
def test_left_is_left_and_up_is_up(
    tmp_path: Path, azimuth: float, elevation: float, column: float, row: float
) -> None:
    """A bright picture lies where the camera looked, its upper left corner up and left."""
    picture = np.full((90, 160, 3), 60, np.uint8)
    picture[10:30, 15:45] = 250
    path = make_clip(
        tmp_path / "flat.mov", [Fraction(0)], size=(160, 90), codec="png", pix_fmt="rgb24",
        image=picture,
    )  # fmt: skip
    info = probe(path, "flat", hfov=40, camera=(azimuth, elevation))
    (views,) = iter_views(info, [0.0], [View("e", "equirect", 360, 180)])
    made = views["e"][..., 0].astype(float)
    v, u = np.nonzero(made)
    assert [u.mean() / 360, v.mean() / 180] == pytest.approx([column, row], abs=0.01)
    bright_v, bright_u = np.nonzero(made > 200)
    assert bright_u.mean() < u.mean() - 4
    assert bright_v.mean() < v.mean() - 2


def test_anamorphic_and_turned_pictures_have_their_displayed_shape(tmp_path: Path) -> None:
    """The same 60 x 34 degrees, from square pixels, from wide ones, and from a turned file."""
    square = Perspective(320, 180, 60, 40, 10)
    narrow = square.resized(160, 180)
    paths = {
        "square": photographed(tmp_path / "square.mov", square),
        "wide": photographed(tmp_path / "wide.mov", narrow, aspect=Fraction(2)),
    }
    image = np.rot90(smooth(square), -1)  # stored lying; turned by 90 degrees it stands again
    paths["turned"] = make_clip(
        tmp_path / "turned.mov", [Fraction(0)], size=(180, 320), codec="png", pix_fmt="rgb24",
        image=np.ascontiguousarray(image), rotation=90,
    )  # fmt: skip
    made = {
        name: views_of(probe(path, "flat", hfov=60, camera=(40, 10)))
        for name, path in paths.items()
    }
    assert made["square"]["whole"].any()
    for name in ("wide", "turned"):
        for view in ("whole", "front", "left"):
            one, other = (made[key][view].astype(int) for key in ("square", name))
            assert np.mean(np.abs(one - other) > 8) < 0.01, (name, view)


def test_a_large_picture_shrinks_before_it_is_rendered(tmp_path: Path) -> None:
    """3840 pixels for a view of 160: averaged, not skipped."""
    stripes = np.zeros((512, 3840, 3), np.uint8)
    stripes[:, ::2] = 200
    path = make_clip(
        tmp_path / "flat.mov", [Fraction(0)], size=(3840, 512), codec="png", pix_fmt="rgb24",
        image=stripes,
    )  # fmt: skip
    info = probe(path, "flat", hfov=90)
    (views,) = iter_views(info, [0.0], [View("e", "equirect", 160, 80)])
    middle = views["e"][39:41, 70:90].astype(int)
    assert np.ptp(middle) < 12
    assert abs(middle.mean() - 100) < 8


def test_the_camera_is_for_flat_pictures(tmp_path: Path) -> None:
    path = photographed(tmp_path / "flat.mov", Perspective(64, 36, 90))
    with pytest.raises(OptionError, match="--projection flat"):
        probe(path, hfov=90)
    with pytest.raises(OptionError, match="--projection flat"):
        probe(path, "equirectangular", camera=(10, 0))
    for info in (probe(path), probe(path, "flat")):
        with pytest.raises(MediaError, match=r"--projection flat --hfov 90 --camera AZ,EL"):
            require_360(info)
    info = probe(path, "flat", hfov=90, camera=(10, -5))
    told = json.loads(json.dumps(info.as_dict()))
    assert (told["hfov"], told["camera"]) == (90, [10, -5])


@pytest.mark.parametrize("front", [40.0, -130.0])
def test_another_front_is_another_azimuth_of_the_camera(tmp_path: Path, front: float) -> None:
    path = photographed(tmp_path / "flat.mov", Perspective(320, 180, 80, 20, 5))
    info = probe(path, "flat", hfov=80, camera=(20, 5))
    (turned,) = iter_views(info, [0.0], VIEWS, front=np.radians(front))
    expected = views_of(probe(path, "flat", hfov=80, camera=(20 - front, 5)))
    assert expected["whole"].any()
    for name, made in turned.items():
        assert difference(made, expected[name]) <= 1, name
