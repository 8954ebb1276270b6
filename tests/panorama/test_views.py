"""Views as a bundle asks for them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.cubemap import CubeMap
from omniaudio_studio.panorama.dual_fisheye import DualFisheye
from omniaudio_studio.panorama.eac import EquiAngularCubeMap
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.views import View, ViewRenderer, normalise, source_projection
from tests.panorama.pictures import difference, smooth
from tests.support.material import material

FRONT = View("front", "perspective", 96, 96, fov=120)
SOURCES = {
    "equirectangular": Equirect(480, 240),
    "eac": EquiAngularCubeMap(480, 320),
    "cubemap": CubeMap(480, 320),
    "dual-fisheye": DualFisheye(640, 320),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "view",
    [
        View("equirect", "equirect", 160, 80),
        View("turned", "equirect", 160, 80, yaw=90, pitch=20),
        FRONT,
        View("back", "perspective", 60, 40, fov=90, yaw=180, pitch=-70, roll=12),
        View("eac", "eac", 96, 64),
        View("cube", "cubemap", 97, 64),
    ],
    ids=lambda view: view.name,
)
def test_views_show_what_they_say(view: View, name: str) -> None:
    source = SOURCES[name]
    render = ViewRenderer(view, name, (source.width, source.height))
    made = render(smooth(source))
    assert made.dtype == np.uint8
    assert difference(made, smooth(view.projection())) <= 5


def test_yaw_makes_what_is_there_the_front() -> None:
    image = np.zeros((180, 360, 3), np.uint8)
    image[80:100, 80:100] = 255  # azimuth 90, elevation 0
    for view in (
        View("p", "perspective", 33, 33, fov=60, yaw=90),
        View("e", "equirect", 91, 45, yaw=90),
        View("c", "cubemap", 90, 60, yaw=90),
    ):
        made = ViewRenderer(view, source_size=(360, 180))(image)[..., 0].astype(float)
        v, u = ((grid * made).sum() / made.sum() for grid in np.indices(made.shape))
        front = view.projection().pixel(np.array([0.0, 1.0, 0.0]))
        assert [u, v] == pytest.approx([float(place) for place in front], abs=0.3)


def test_released_rule_is_its_map_read_bicubically() -> None:
    import cv2

    image = np.random.default_rng(5).integers(0, 256, (320, 640, 3), dtype=np.uint8)
    view = View("fov", "perspective", 224, 224, rule="released-120")
    assert view.fov == 120.0
    made = ViewRenderer(view, source_size=(640, 320))(image)
    grid = np.linspace(-1, 1, 224)
    x, y = np.meshgrid(grid, grid)
    z = 1 / np.tan(np.radians(60))
    length = np.sqrt(x**2 + y**2 + z**2)
    map_x = ((np.arctan2(x, z) / (2 * np.pi) + 0.5) * 640).astype(np.float32)
    map_y = ((np.arcsin(y / length) / np.pi + 0.5) * 320).astype(np.float32)
    expected = cv2.remap(image, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    assert np.abs(made.astype(int) - expected).mean() < 0.05


def test_pad_square_is_black_above_and_below() -> None:
    image = np.full((320, 640, 3), 200, np.uint8)
    made = ViewRenderer(View("e", "equirect", 224, 224, fit="pad-square"), source_size=(640, 320))(
        image
    )
    assert made.shape == (224, 224, 3)
    assert not made[:54].any() and not made[170:].any()
    assert (made[60:164] == 200).all()


@pytest.mark.parametrize("size", [(333, 150), (100, 180)])
def test_pad_square_is_what_pillow_makes_of_the_square(size: tuple[int, int]) -> None:
    from PIL import Image

    width, height = size
    image = np.random.default_rng(4).integers(0, 256, (height, width, 3), dtype=np.uint8)
    side = max(size)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    expected = Image.fromarray(square).resize((64, 64), Image.Resampling.BICUBIC)
    made = ViewRenderer(View("e", "equirect", 64, 64, fit="pad-square"), source_size=size)(image)
    assert np.array_equal(made, np.asarray(expected))


def test_pad_square_crops_the_centre_and_takes_any_source() -> None:
    source = SOURCES["eac"]
    wide = View("e", "equirect", 224, 100, fit="pad-square")
    made = ViewRenderer(wide, "eac", (source.width, source.height))(smooth(source))
    assert made.shape == (100, 224, 3)
    assert difference(made, smooth(Equirect(224, 112))[6:106]) <= 4


def test_flat_frames_stand_in_front_with_black_around() -> None:
    frame = np.full((108, 192, 3), 180, np.uint8)
    view = View("equirect", "equirect", 160, 80)
    made = ViewRenderer(view, "flat", (192, 108), hfov=90)(frame)
    assert (made[35:45, 70:90] == 180).all()
    assert not made[:, :55].any() and not made[:, 105:].any()
    assert not made[:20].any() and not made[60:].any()
    front = ViewRenderer(FRONT, "flat", (192, 108), hfov=120)(frame)
    assert (front[30:66, 1:-1] == 180).all()
    assert not front[:18].any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "sphere"}, "kind must be"),
        ({"kind": "perspective"}, "needs its fov"),
        ({"kind": "perspective", "fov": 0}, "between 0 and 180"),
        ({"kind": "perspective", "fov": 180}, "between 0 and 180"),
        ({"kind": "perspective", "fov": float("nan")}, "between 0 and 180"),
        ({"kind": "perspective", "fov": 100, "rule": "released-120"}, "fov 120"),
        ({"kind": "perspective", "fov": 90, "rule": "released"}, "rule must be"),
        ({"kind": "perspective", "rule": "released-120", "height": 64}, "square"),
        ({"kind": "perspective", "fov": 90, "fit": "pad-square"}, "for equirect views"),
        ({"fov": 90}, "fov is for perspective"),
        ({"rule": "released-120"}, "for perspective views"),
        ({"fit": "crop"}, "fit must be"),
        ({"width": 0}, "from 1 to 32766"),
        ({"height": -4}, "from 1 to 32766"),
        ({"yaw": float("nan")}, "finite angle"),
        ({"roll": float("inf")}, "finite angle"),
        ({"kind": "eac", "height": 33}, "even height"),
        ({"mean": (0.5, 0.5)}, "three finite"),
        ({"mean": (0.5, 0.5, float("nan"))}, "three finite"),
        ({"std": (1, 0, 1)}, "three positive"),
    ],
)
def test_bad_views_get_one_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        View(**{"name": "v", "kind": "equirect", "width": 96, "height": 96, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("fish", {}, "projection must be"),
        ("flat", {}, "needs its horizontal field of view"),
        ("flat", {"hfov": 180}, "between 0 and 180"),
        ("eac", {"hfov": 90}, "others have none"),
        ("eac", {"fisheye_fov": 190}, "for dual-fisheye sources"),
        ("dual-fisheye", {"fisheye_fov": 0}, "between 0 and 360"),
    ],
)
def test_bad_sources_get_one_line(name: str, options: dict[str, float], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        source_projection(name, (96, 64), **options)


def test_frames_of_another_size_get_one_line() -> None:
    with pytest.raises(OptionError, match="640 x 320 pixels, found 320 x 640"):
        ViewRenderer(FRONT, source_size=(640, 320))(np.zeros((640, 320, 3), np.uint8))


def test_views_from_json_are_hashable() -> None:
    view = View("e", "equirect", 160, 80, mean=[0.5, 0.5, 0.5], std=[0.25] * 3)  # type: ignore[arg-type]
    assert view.mean == (0.5, 0.5, 0.5)
    assert hash(view) == hash(View("e", "equirect", 160, 80, mean=(0.5,) * 3, std=(0.25,) * 3))


def test_normalise() -> None:
    view = View("e", "equirect", 4, 2, mean=(0.5, 0.25, 0.0), std=(0.25, 0.5, 1.0))
    frames = np.random.default_rng(6).integers(0, 256, (3, 2, 4, 3), dtype=np.uint8)
    made = normalise(frames, view)
    assert made.shape == (3, 3, 2, 4) and made.dtype == np.float32 and made.flags.c_contiguous
    expected = (frames / 255 - np.array(view.mean)) / np.array(view.std)
    assert made == pytest.approx(expected.transpose(0, 3, 1, 2), abs=1e-5)
    with pytest.raises(OptionError, match="shape"):
        normalise(frames[0], view)


def test_images_are_not_needed_to_import() -> None:
    code = (
        "import sys, omniaudio_studio.panorama.views, omniaudio_studio.panorama.conversions\n"
        "sys.exit(bool({'cv2', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_real_panorama_keeps_its_look() -> None:
    from PIL import Image

    image = np.asarray(Image.open(material("panoramas/adams_place_bridge.jpg")).convert("RGB"))
    height, width = image.shape[:2]
    direct = ViewRenderer(FRONT, source_size=(width, height))(image)
    for name, kind in (("eac", EquiAngularCubeMap), ("cubemap", CubeMap)):
        from omniaudio_studio.panorama.conversions import convert

        layout = kind(width * 3 // 2, width)
        frame = convert(Equirect(width, height), layout).apply(image)
        again = ViewRenderer(FRONT, name, (layout.width, layout.height))(frame)
        assert np.abs(again.astype(int) - direct).mean() < 3
