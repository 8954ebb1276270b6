"""Pixel -> direction -> pixel, for every projection and any size; layouts against FFmpeg's."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.panorama.cubemap import CubeMap
from omniaudio_studio.panorama.dual_fisheye import DualFisheye, Lens
from omniaudio_studio.panorama.eac import EquiAngularCubeMap
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.faces import FaceLayout
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.turned import Turned
from tests.panorama.pictures import directions

T = TypeVar("T")
ANGLES = st.floats(-400, 400)
WIDTHS = st.one_of(st.integers(1, 40), st.integers(1, 7680), st.sampled_from([1, 7680, 8192]))
HEIGHTS = st.one_of(st.integers(1, 40), st.integers(1, 3840), st.sampled_from([1, 3840, 4096]))


def some_pixels(projection: Projection) -> tuple[NDArray, NDArray]:
    """Corners, centre and a spread of pixels, for sizes too large to test them all."""
    u = np.unique(np.linspace(0, projection.width - 1, 37).round())
    v = np.unique(np.linspace(0, projection.height - 1, 29).round())
    across, down = np.meshgrid(u, v)
    return across, down


def assert_identity(projection: Projection) -> None:
    u, v = some_pixels(projection)
    rays = projection.direction(u, v)
    shown = np.isfinite(rays[0])
    assert np.linalg.norm(rays, axis=0)[shown] == pytest.approx(1, abs=1e-12)
    u2, v2 = projection.pixel(rays)
    assert np.array_equal(np.isfinite(u2), shown)
    assert np.abs(u2 - u)[shown].max(initial=0) < 1e-6
    assert np.abs(v2 - v)[shown].max(initial=0) < 1e-6


@given(WIDTHS, HEIGHTS, st.sampled_from([0.5, 0.0]))
def test_equirect(width: int, height: int, offset: float) -> None:
    if offset == 0.0:
        # The released convention puts row 0 on the pole itself, where no azimuth survives.
        u, v = some_pixels(Equirect(width, height))
        u, v = u[1:], v[1:]
        if v.size == 0:
            return
        released = Equirect(width, height, offset=0.0)
        u2, v2 = released.pixel(released.direction(u, v))
        assert np.abs(v2 - v).max() < 1e-6
        assert np.abs((u2 - u + width / 2) % width - width / 2).max() < 1e-6
    else:
        assert_identity(Equirect(width, height))


@given(
    WIDTHS,
    HEIGHTS,
    st.floats(0.1, 175),
    ANGLES,
    ANGLES,
    ANGLES,
)
def test_perspective(
    width: int, height: int, fov: float, yaw: float, pitch: float, roll: float
) -> None:
    # A long thin picture can still see nearly half the sphere vertically; that is fine.
    assert_identity(Perspective(width, height, fov, yaw, pitch, roll))


@given(st.integers(2, 512), st.floats(1, 170))
def test_perspective_ends_included(side: int, fov: float) -> None:
    camera = Perspective(side, side, fov, ends_included=True)
    assert_identity(camera)
    corner = camera.direction(np.array(0.0), np.array((side - 1) / 2))
    assert np.degrees(np.arctan2(corner[1], corner[0])) == pytest.approx(fov / 2)


@given(
    st.sampled_from([CubeMap, EquiAngularCubeMap]),
    WIDTHS.filter(lambda width: width >= 3),
    HEIGHTS.map(lambda height: 2 * ((height + 1) // 2)),
)
def test_cube_maps(layout: type[FaceLayout], width: int, height: int) -> None:
    assert_identity(layout(width, height))


@given(
    WIDTHS.map(lambda width: 2 * ((width + 1) // 2)),
    HEIGHTS,
    st.floats(100, 355),
    st.sampled_from([0, 1]),
)
def test_fisheye_lenses(width: int, height: int, fov: float, index: int) -> None:
    assert_identity(Lens(DualFisheye(width, height, fov), index))


@given(ANGLES, ANGLES, ANGLES)
def test_turned(yaw: float, pitch: float, roll: float) -> None:
    assert_identity(Turned(Equirect(33, 17), yaw, pitch, roll))
    camera = Perspective(15, 9, 80, yaw, pitch, roll)
    same = Turned(Perspective(15, 9, 80), yaw, pitch, roll)
    assert directions(same) == pytest.approx(directions(camera), abs=1e-12)


def test_equirect_pixels_look_where_the_convention_says() -> None:
    picture = Equirect(8, 4)
    left = picture.direction(np.array(1.5), np.array(1.5))  # azimuth pi/2, elevation 0
    assert left == pytest.approx([0, 1, 0], abs=1e-12)
    top = picture.direction(np.array(3.5), np.array(-0.5))
    assert top == pytest.approx([0, 0, 1], abs=1e-12)


def test_a_resized_camera_sees_the_same() -> None:
    camera = Perspective(1920, 1080, 75, 10, 20, 30)
    small = camera.resized(101, 31)
    corners = np.array([-0.5, 1919.5]), np.array([-0.5, 1079.5])
    same = np.array([-0.5, 100.5]), np.array([-0.5, 30.5])
    assert small.direction(*same) == pytest.approx(camera.direction(*corners), abs=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Perspective(10, 10, 0),
        lambda: Perspective(10, 10, 180),
        lambda: Perspective(10, 10, -5),
        lambda: Perspective(10, 10, float("nan")),
        lambda: Perspective(10, 10, 90, vertical_fov=200),
        lambda: Perspective(0, 10, 90),
        lambda: Perspective(10, 10, 90, yaw=float("inf")),
        lambda: Perspective(10, 8, 90, ends_included=True),
        lambda: Perspective(1, 1, 90, ends_included=True),
        lambda: Equirect(0, 1),
        lambda: CubeMap(1, 1),
        lambda: CubeMap(6, 3),
        lambda: EquiAngularCubeMap(2, 2),
        lambda: EquiAngularCubeMap(12, 8, padding=2),
        lambda: EquiAngularCubeMap(12, 8, padding=-1),
        lambda: DualFisheye(5, 2),
        lambda: DualFisheye(4, 2, 0),
        lambda: DualFisheye(4, 2, 360),
        lambda: DualFisheye(4, 2, float("nan")),
        lambda: DualFisheye(4, 2, stretch=0),
        lambda: Turned(Equirect(4, 2), float("nan"), 0, 0),
    ],
)
def test_bad_options_get_one_line(make: object) -> None:
    with pytest.raises(OptionError) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 20


def ffmpeg_directions(options: str) -> NDArray[np.float64]:
    """Where FFmpeg's own filter looks: x, y, z of the sphere sent through it as 16-bit greys."""
    import av

    planes = []
    for axis in directions(Equirect(1024, 512)):
        grey = np.rint((axis + 1) / 2 * 65535).astype("<u2")
        graph = av.filter.Graph()
        source = graph.add_buffer(width=1024, height=512, format="gray16le", time_base="1/25")
        convert = graph.add("v360", f"input=e:interp=cubic:{options}")
        sink = graph.add("buffersink")
        source.link_to(convert)
        convert.link_to(sink)
        graph.configure()
        frame = av.VideoFrame.from_ndarray(grey, format="gray16le")
        frame.pts = 0
        source.push(frame)
        planes.append(sink.pull().to_ndarray() / 65535 * 2 - 1)
    rays = np.stack(planes)
    result: NDArray[np.float64] = rays / np.linalg.norm(rays, axis=0)
    return result


@pytest.mark.parametrize(
    ("projection", "options", "rim"),
    [
        (CubeMap(300, 200), "output=c3x2:w=300:h=200", 0),
        # In the padding itself FFmpeg takes other steps than in the faces.
        (EquiAngularCubeMap(300, 200, 2), "output=eac:w=300:h=200", 2),
        (
            # FFmpeg's yaw turns to the right.
            Perspective(200, 200, 100, 30, 20, 0),
            "output=flat:w=200:h=200:h_fov=100:v_fov=100:yaw=-30:pitch=20",
            0,
        ),
        (
            Perspective(200, 200, 100, 0, 0, 25),
            "output=flat:w=200:h=200:h_fov=100:v_fov=100:roll=25",
            0,
        ),
    ],
)
def test_layouts_agree_with_ffmpeg(projection: Projection, options: str, rim: int) -> None:
    theirs, ours = ffmpeg_directions(options), directions(projection)
    degrees = np.degrees(np.arccos(np.clip((theirs * ours).sum(axis=0), -1, 1)))
    if rim:
        half = projection.height // 2
        rows = np.r_[rim : half - rim, half + rim : projection.height - rim]
        degrees = degrees[rows, rim:-rim]
    assert degrees.max() < 0.3  # their look-up is in whole pixels of a 0.35-degree grid
    assert np.median(degrees) < 0.15


def test_fisheye_agrees_with_ffmpeg() -> None:
    theirs = ffmpeg_directions("output=dfisheye:w=400:h=200:h_fov=190:v_fov=190")
    # FFmpeg has the rear lens at the left.
    theirs = np.concatenate([theirs[..., 200:], theirs[..., :200]], axis=-1)
    ours = directions(DualFisheye(400, 200, 190))
    degrees = np.degrees(np.arccos(np.clip((theirs * ours).sum(axis=0), -1, 1)))
    assert np.nanmax(degrees) < 0.3
