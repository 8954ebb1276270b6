"""Maps applied to pictures: values, seams, poles, blending, aliasing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.area import AreaRemap, area_remap, shrink
from omniaudio_studio.panorama.conversions import (
    convert,
    cubemap_to_equirect,
    dual_fisheye_to_equirect,
    eac_to_equirect,
    equirect_to_cubemap,
    equirect_to_dual_fisheye,
    equirect_to_eac,
    equirect_to_perspective,
    perspective_to_equirect,
)
from omniaudio_studio.panorama.cubemap import CubeMap
from omniaudio_studio.panorama.dual_fisheye import DualFisheye
from omniaudio_studio.panorama.eac import EquiAngularCubeMap
from omniaudio_studio.panorama.equirect import Equirect, over_the_pole
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.remap import BlendedRemap, Remap, remap_between
from omniaudio_studio.panorama.turned import Turned
from tests.panorama.pictures import difference, directions, smooth
from tests.support.material import material

WHOLE = [
    Equirect(360, 180),
    Equirect(361, 179),
    CubeMap(360, 240),
    CubeMap(361, 242),
    EquiAngularCubeMap(360, 240),
    EquiAngularCubeMap(364, 242, padding=2),
    DualFisheye(480, 240),
    DualFisheye(402, 201, 200),
]
PARTS = [
    Perspective(90, 60, 100, 170, 40, 30),
    Perspective(64, 64, 120, 0, 90, 0),
    Perspective(64, 64, 120, 0, -90, 0),
    Perspective(64, 64, 90, ends_included=True),
    Turned(Equirect(100, 50), 77, 33, -120),
]


def label(projection: Projection) -> str:
    return f"{type(projection).__name__}-{projection.width}x{projection.height}"


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "area"])
@pytest.mark.parametrize("target", WHOLE + PARTS, ids=label)
@pytest.mark.parametrize("source", WHOLE, ids=label)
def test_any_whole_picture_becomes_any_other(
    source: Projection, target: Projection, interpolation: str
) -> None:
    """Seams and poles of either included: the colour is right everywhere."""
    made = convert(source, target, interpolation).apply(smooth(source))  # type: ignore[arg-type]
    expected = smooth(target)
    shown = np.isfinite(directions(target)[0])
    if interpolation == "area":
        # Averaging mixes rims of circles with the black beside them.
        import cv2

        shown = cv2.erode(shown.astype(np.uint8), np.ones((5, 5))).astype(bool)
    # Faces of a third of 361 pixels share a column with the next face, once averaged.
    split = interpolation == "area" and isinstance(source, CubeMap) and source.width % 3
    limit = 5 if interpolation == "area" else 4
    gap = np.abs(made.astype(int) - expected).max(axis=-1)[shown]
    assert (np.percentile(gap, 98) if split else gap.max()) <= limit
    assert not made[~np.isfinite(directions(target)[0])].any() or interpolation == "area"


@pytest.mark.parametrize("columns", [1, 37, 90, 180, 359])
def test_turning_by_whole_columns_is_a_roll(columns: int) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (180, 360, 3), dtype=np.uint8)
    # Yaw looks to the left: what was left of the centre comes to it, so columns move right.
    target = Turned(Equirect(360, 180), float(columns), 0, 0)
    made = remap_between(Equirect(360, 180), target, "nearest").apply(image)
    assert np.array_equal(made, np.roll(image, columns, axis=1))


def test_half_a_turn_over_the_pole_is_exact() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (90, 180, 3), dtype=np.uint8)
    target = Turned(Equirect(180, 90), 0, 180, 0)
    made = remap_between(Equirect(180, 90), target, "nearest").apply(image)
    # Looking over one's head to the back, everything is upside down and left stays left.
    assert np.array_equal(made, np.roll(image[::-1, ::-1], 90, axis=1))


def test_over_the_pole_averages_for_odd_widths() -> None:
    row = np.array([[0, 10, 20]], np.uint8)
    assert over_the_pole(row).tolist() == [[15, 10, 5]]
    assert over_the_pole(np.array([[1, 2, 3, 4]])).tolist() == [[3, 4, 1, 2]]


def test_one_pixel_is_enough() -> None:
    image = np.full((1, 1, 3), 77, np.uint8)
    for target in (
        Equirect(5, 3),
        Perspective(4, 4, 100, 30, 60, 5),
        CubeMap(6, 4),
        Equirect(1, 1),
    ):
        for interpolation in ("nearest", "bilinear", "area"):
            made = convert(Equirect(1, 1), target, interpolation).apply(image)  # type: ignore[arg-type]
            assert made.shape == (target.height, target.width, 3)
            assert (made == 77).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(
        [
            Equirect,
            lambda w, h: CubeMap(3 * w, 2 * h),
            lambda w, h: EquiAngularCubeMap(w + 2, 2 * h),
        ]
    ),
    st.sampled_from([Equirect, lambda w, h: Perspective(w, h, 100, 40, 50, 60)]),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_odd_sizes_neither_fail_nor_change_a_plain_colour(
    w: int, h: int, make_source: object, make_target: object, w2: int, h2: int
) -> None:
    source, target = make_source(w, h), make_target(w2, h2)  # type: ignore[operator]
    image = np.full((source.height, source.width, 3), (10, 100, 200), np.uint8)
    made = area_remap(source, target).apply(image)
    assert made.shape == (h2, w2, 3)
    assert difference(made, np.broadcast_to(np.uint8([10, 100, 200]), made.shape)) <= 1


@pytest.mark.slow
def test_8k() -> None:
    source = Equirect(7680, 3840)
    image = np.empty((3840, 7680, 3), np.uint8)
    image[:] = np.linspace(0, 255, 7680, dtype=np.uint8)[None, :, None]
    for target in (Equirect(160, 80), Perspective(96, 96, 120), EquiAngularCubeMap(192, 128)):
        made = area_remap(source, target).apply(image)
        u, _ = source.pixel(directions(target))
        away = np.minimum(u, 7680 - u) > 300  # the ramp's jump is averaged, too
        expected = np.interp(u, np.arange(7680), np.linspace(0, 255, 7680))
        assert np.abs(made[..., 0] - expected)[away].mean() < 3
    back = remap_between(Equirect(64, 32), source).apply(smooth(Equirect(64, 32)))
    assert back.shape == (3840, 7680, 3)


@pytest.mark.parametrize(
    "target", [Equirect(160, 80), Equirect(155, 77), Perspective(96, 96, 120), CubeMap(96, 64)]
)
@pytest.mark.parametrize("size", [(640, 320), (1920, 960), (2048, 1024)])
def test_coarse_results_do_not_alias(size: tuple[int, int], target: Projection) -> None:
    """A one-pixel checkerboard becomes even grey; reading single points would keep the pattern."""
    width, height = size
    board = (np.indices((height, width)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    source = Equirect(width, height)
    averaged = area_remap(source, target).apply(image).astype(float)
    points = remap_between(source, target, "nearest").apply(image).astype(float)
    # Points all of one colour, or in stripes: either way wrong.
    assert points.std() > 60 or abs(points.mean() - 127.5) > 60
    limit = 12 if width > 640 else 60  # 640 x 320 is hardly finer than the wide view's rim
    if not isinstance(target, Equirect) and width == 640:
        limit = 110
    assert averaged.std() < limit
    assert averaged.mean() == pytest.approx(127.5, abs=4)


def test_averaging_keeps_the_mean() -> None:
    image = np.random.default_rng(3).integers(0, 256, (960, 1920, 3), dtype=np.uint8)
    for width, height in ((160, 80), (224, 112), (1919, 959), (7, 1920 // 2)):
        made = shrink(image, width, height)
        assert made.shape == (height, width, 3)
        assert made.mean() == pytest.approx(image.mean(), abs=0.6)


def test_two_lenses_are_mixed_across_the_overlap() -> None:
    image = np.zeros((200, 400, 3), np.uint8)
    image[:, :200] = 250  # the front lens sees bright, the rear lens black
    made = dual_fisheye_to_equirect((400, 200), (360, 180), fov=190).apply(image)
    row = made[90, :, 0].astype(float)  # azimuth 180 .. -180
    azimuth = 179.5 - np.arange(360)
    assert (row[np.abs(azimuth) < 84] == 250).all()
    assert (row[np.abs(azimuth) > 96] == 0).all()
    seam = row[(azimuth > 86) & (azimuth < 94)]  # from behind to the front
    assert (np.diff(seam) > 0).all()
    assert seam.mean() == pytest.approx(125, abs=10)
    assert isinstance(remap_between(DualFisheye(400, 200), Equirect(36, 18)), BlendedRemap)


def test_narrow_lenses_leave_a_black_ring() -> None:
    white = np.full((200, 400, 3), 255, np.uint8)
    made = dual_fisheye_to_equirect((400, 200), (360, 180), fov=170).apply(white)
    assert not made[90, 88:92].any()
    assert (made[90, 178:182] == 255).all()


def test_a_camera_on_the_sphere_is_black_around() -> None:
    camera = np.full((90, 160, 3), 200, np.uint8)
    made = perspective_to_equirect((160, 90), (360, 180), 90, yaw=90).apply(camera)
    assert made[90, 90].tolist() == [200, 200, 200]  # azimuth +90: the left
    assert not made[:, 180:].any()
    lit = np.abs(89.5 - np.flatnonzero(made[90, :, 0] > 100))
    assert lit.max() == pytest.approx(45, abs=1)


def test_every_named_conversion_returns() -> None:
    """There and back again over each layout: nearly the same picture."""
    size = (720, 360)
    image = smooth(Equirect(*size))
    for there, back, other in (
        (equirect_to_cubemap, cubemap_to_equirect, (540, 360)),
        (equirect_to_eac, eac_to_equirect, (541, 362)),
        (equirect_to_dual_fisheye, dual_fisheye_to_equirect, (720, 360)),
    ):
        again = back(other, size).apply(there(size, other).apply(image))  # type: ignore[operator]
        assert difference(again, image) <= 4
    front = equirect_to_perspective(size, (200, 100), 100).apply(image)
    again = perspective_to_equirect((200, 100), size, 100).apply(front)
    inside = again.any(axis=-1)
    inside[:120] = inside[240:] = False
    inside[:, :280] = inside[:, 440:] = False
    assert inside.sum() > 10000
    assert difference(again, image, inside) <= 4


def test_released_map_agrees() -> None:
    import pathlib

    held = np.load(pathlib.Path(__file__).parent / "reference" / "released_fov.npz")
    index = held["index"]
    for width, height in ((1920, 960), (640, 320)):
        made = released_map(width, height)
        x, y = made.map_x[np.ix_(index, index)], made.map_y[np.ix_(index, index)]
        assert np.abs(x - held[f"x_{width}x{height}"]).max() < 1e-3
        assert np.abs(y - held[f"y_{width}x{height}"]).max() < 1e-3


def test_released_map_agrees_everywhere() -> None:
    held = np.load(material("reference/fov.npz"))
    for width, height in ((1920, 960), (640, 320)):
        made = released_map(width, height)
        assert np.abs(made.map_x - held[f"x_{width}x{height}"]).max() < 1e-3
        assert np.abs(made.map_y - held[f"y_{width}x{height}"]).max() < 1e-3


def released_map(width: int, height: int) -> Remap:
    target = Perspective(224, 224, 120, ends_included=True)
    made = remap_between(Equirect(width, height, offset=0.0), target, "bicubic")
    assert isinstance(made, Remap)
    assert made.extend is None and made.wrap_x  # so its coordinates are the source's own
    return made


def test_maps_are_kept() -> None:
    one = remap_between(Equirect(64, 32), Perspective(20, 20, 90))
    assert one is remap_between(Equirect(64, 32), Perspective(20, 20, 90))
    assert area_remap(Equirect(64, 32), Equirect(8, 4)) is area_remap(
        Equirect(64, 32), Equirect(8, 4)
    )


def test_only_the_part_that_is_seen_is_averaged() -> None:
    front = area_remap(Equirect(1920, 960), Perspective(96, 96, 120))
    assert isinstance(front, AreaRemap)
    rows, columns = front.crop
    assert 0 < columns.start < 680 and 1240 < columns.stop < 1920
    assert 0 < rows.start < 200 and 760 < rows.stop < 960


def test_wrong_pictures_and_options_get_one_line() -> None:
    remap = remap_between(Equirect(64, 32), Equirect(8, 4))
    for image in (np.zeros((32, 63, 3), np.uint8), np.zeros((64, 32), np.uint8), np.zeros(5)):
        with pytest.raises(OptionError, match="must be 64 x 32 pixels"):
            remap.apply(image)
    with pytest.raises(OptionError, match="nearest, bilinear or bicubic"):
        convert(Equirect(64, 32), Equirect(8, 4), "cubic")  # type: ignore[arg-type]


def test_grey_and_float_pictures_work_too() -> None:
    image = smooth(Equirect(64, 32))
    target = Perspective(20, 20, 90, 170, 80)
    remap = remap_between(Equirect(64, 32), target)
    colour = remap.apply(image)
    assert difference(remap.apply(image[..., 0]), colour[..., 0]) <= 1
    floats = remap.apply(image.astype(np.float32))
    assert floats.dtype == np.float32
    assert np.abs(floats - colour).max() <= 2
