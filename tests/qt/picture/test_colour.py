"""Colours: the stored planes become what FFmpeg makes of them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from qt_app.picture.clip import Mapped, ShownClip
from qt_app.picture.colour import ycbcr_to_rgb
from qt_app.picture.frames import PictureMaker
from qt_app.picture.software import rgb_of

BT601, BT709, UNSTATED = 5, 1, 2
LIMITED, FULL = 1, 2


def colourful(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth in space, so that chroma at half resolution costs nothing; all over the cube."""
    x = np.linspace(0, 2 * np.pi, width)[None, :]
    y = np.linspace(0, 2 * np.pi, height)[:, None]
    parts = [np.sin(x) + 0 * y, np.sin(y + 1) + 0 * x, np.sin(x + y)]
    return np.round(127.5 + 110 * np.stack(parts, axis=-1)).astype(np.uint8)


def stored(
    rgb: NDArray[np.uint8], pixel_format: str, space: int, colour_range: int
) -> av.VideoFrame:
    """A frame as a decoder gives it, marked with its matrix and range."""
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format=pixel_format,
        dst_colorspace=BT709 if space == BT709 else BT601,
        dst_color_range=colour_range,
    )
    frame.colorspace = space
    frame.color_range = colour_range
    return frame


def seen(frame: av.VideoFrame, clip: ShownClip | None = None, widest: int = 1920) -> NDArray:
    return rgb_of(PictureMaker(clip or ShownClip(Path("clip.mp4")), widest)(frame, 0.0))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12"])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("space", [BT601, BT709])
def test_as_ffmpeg_converts(pixel_format: str, colour_range: int, space: int) -> None:
    rgb = colourful(320, 160)
    frame = stored(rgb, pixel_format, space, colour_range)
    oracle = frame.to_ndarray(format="rgb24", src_colorspace=space, src_color_range=colour_range)
    picture = seen(frame)
    # FFmpeg rounds down: it is off by one from what was stored.
    assert np.abs(picture.astype(int) - oracle).mean() < 2.5
    assert np.abs(picture.astype(int) - rgb).mean() < 1.5
    # The other matrix or range are told apart by that.
    frame.colorspace = BT601 + BT709 - space
    assert np.abs(seen(frame).astype(int) - rgb).mean() > 4
    frame.colorspace, frame.color_range = space, LIMITED + FULL - colour_range
    assert np.abs(seen(frame).astype(int) - rgb).mean() > 4


def test_full_range_by_the_pixel_format_s_name() -> None:
    rgb = colourful(320, 160)
    frame = stored(rgb, "yuvj420p", BT601, FULL)
    frame.color_range = 0
    assert np.abs(seen(frame).astype(int) - rgb).mean() < 1.5


@pytest.mark.parametrize("size, space", [((1440, 720), BT709), ((640, 320), BT601)])
def test_unstated_is_a_matter_of_size(size: tuple[int, int], space: int) -> None:
    rgb = colourful(*size)
    frame = stored(rgb, "yuv420p", space, LIMITED)
    frame.colorspace = UNSTATED
    assert np.abs(seen(frame).astype(int) - rgb).mean() < 1.5


@pytest.mark.parametrize(
    "pixel_format, colour_range",
    [
        ("yuv420p", LIMITED),
        ("yuv420p", FULL),
        ("yuvj420p", FULL),
        ("yuv420p10le", LIMITED),
        ("yuv420p10le", FULL),
    ],
)
def test_reduced_pictures_keep_their_colours(pixel_format: str, colour_range: int) -> None:
    rgb = colourful(640, 320)
    frame = stored(rgb, pixel_format, BT709, colour_range)
    picture = seen(frame, widest=320)
    assert picture.shape == (160, 320, 3)
    halved = rgb.reshape(160, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.abs(picture - halved).mean() < 1.5


def test_white_and_black_are_exact() -> None:
    for full, white, black in ((False, 235, 16), (True, 255, 0)):
        turn = ycbcr_to_rgb(0.2126, 0.0722, full)
        for level, expected in ((white, 1.0), (black, 0.0)):
            rgb = turn @ np.array([level / 255, 128 / 255, 128 / 255, 1])
            np.testing.assert_allclose(rgb, expected, atol=1e-6)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("layout", ["top-bottom", "left-right"])
def test_one_eye(layout: str, first: bool) -> None:
    dark, bright = np.full((64, 128, 3), 60, np.uint8), np.full((64, 128, 3), 200, np.uint8)
    pair = (dark, bright) if first else (bright, dark)
    rgb = np.concatenate(pair, axis=0 if layout == "top-bottom" else 1)
    clip = ShownClip(Path("clip.mp4"), stereo=layout, left_eye_first=first)
    picture = seen(stored(rgb, "yuv420p", BT601, LIMITED), clip)
    assert picture.shape == (64, 128, 3)
    assert np.abs(picture.astype(int) - 60).max() <= 2


@pytest.mark.parametrize(
    "size, stereo, projection, expected",
    [
        ((3840, 1920), "mono", "equirectangular", (1920, 960)),
        ((4096, 4096), "top-bottom", "equirectangular", (1920, 960)),
        ((5760, 1440), "left-right", "equirectangular", (1920, 960)),
        ((3840, 2160), "mono", "eac", (1920, 1080)),
        ((1280, 721), "mono", "equirectangular", (1280, 721)),
    ],
)
def test_sizes(
    size: tuple[int, int], stereo: str, projection: str, expected: tuple[int, int]
) -> None:
    frame = av.VideoFrame(*size, "yuv420p")
    clip = ShownClip(Path("clip.mp4"), stereo=stereo, mapped=Mapped(projection))
    picture = PictureMaker(clip, 1920)(frame, 0.0)
    assert (picture.width, picture.height) == expected
    assert picture.cb.shape == ((expected[1] + 1) // 2, (expected[0] + 1) // 2)
