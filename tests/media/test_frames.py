"""The right picture at the right time, whatever the size, the rate and the container."""

from __future__ import annotations

import bisect
import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import Cancelled, MediaError
from omniaudio_studio.media.frames import iter_views, read_frame, sample_times
from omniaudio_studio.media.probe import probe
from omniaudio_studio.panorama.views import View
from tests.media.clips import LEVELS, PROPERTY, level, make_clip, number_of
from tests.support.material import material

SMALL = View("small", "equirect", 16, 8)
FRONT = View("front", "perspective", 12, 10, fov=90)

RATES = [
    Fraction(24000, 1001),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(50),
    Fraction(60000, 1001),
]
# Container, codec and pixel format; those without "420" take sizes that 4:2:0 colour cannot.
FORMATS = [
    ("mp4", "libx264", "yuv420p"),
    ("mp4", "libx264", "yuv444p"),
    ("mkv", "libx264", "yuv420p"),
    ("mov", "png", "rgb24"),
    ("webm", "libvpx-vp9", "yuv420p"),
]


def numbers(path: Path, times: list[float]) -> list[int]:
    info = probe(path, projection="equirectangular", stereo="mono")
    return [number_of(views["small"]) for views in iter_views(info, times, [SMALL])]


def expected(shown: list[Fraction], time: float) -> int:
    """Number of the picture shown at ``time``: the last one that is not after it."""
    return max(0, bisect.bisect_right([float(t) for t in shown], time) - 1) % LEVELS


@st.composite
def timings(draw: st.DrawFn) -> list[Fraction]:
    """Presentation times from 0 on: steady, or every gap another."""
    count = draw(st.integers(1, 50))
    if draw(st.booleans()):
        rate = draw(st.sampled_from(RATES))
        return [k / rate for k in range(count)]
    gaps = draw(st.lists(st.integers(10, 700), min_size=count - 1, max_size=count - 1))
    return [Fraction(t, 1000) for t in itertools.accumulate(gaps, initial=0)]


@settings(PROPERTY, max_examples=60)
@given(
    shown=timings(),
    form=st.sampled_from(FORMATS),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    gop=st.sampled_from([1, 7, 250]),
    asked=st.lists(st.floats(0, 1), min_size=1, max_size=12),
)
def test_every_time_gets_the_picture_shown_then(
    tmp_path: Path,
    shown: list[Fraction],
    form: tuple[str, str, str],
    width: int,
    height: int,
    gop: int,
    asked: list[float],
) -> None:
    suffix, codec, pix_fmt = form
    if pix_fmt == "yuv420p":
        width, height = 2 * width, 2 * height
    path = make_clip(
        tmp_path / f"clip.{suffix}",
        shown,
        size=(width, height),
        codec=codec,
        pix_fmt=pix_fmt,
        gop=gop,
    )
    end = float(shown[-1]) + 0.5
    # Matroska rounds times to milliseconds: ask a little off the changes.
    times = sorted(
        t for t in (a * end for a in asked) if min(abs(t - float(s)) for s in shown) > 0.002
    )
    times = [*times, end]
    assert numbers(path, times) == [expected(shown, t) for t in times]


@settings(PROPERTY, max_examples=10)
@given(
    rate=st.sampled_from(RATES),
    seconds=st.floats(0.05, 3),
    feature_rate=st.sampled_from([1.0, 8.0, 12.5]),
)
def test_as_many_pictures_as_the_range_needs(
    tmp_path: Path, rate: Fraction, seconds: float, feature_rate: float
) -> None:
    count = max(1, round(seconds * rate))
    shown = [k / rate for k in range(count)]
    path = make_clip(tmp_path / "clip.mp4", shown, rate=rate)
    info = probe(path)
    # libav's edit lists count milliseconds.
    assert info.duration == pytest.approx(float(count / rate), abs=1.1e-3)
    times = sample_times(0, info.duration, feature_rate)
    assert len(times) == max(1, int(np.ceil(round(info.duration * feature_rate, 6))))
    # Asked exactly on the changes of some rates: the new picture is the one shown.
    got = [number_of(views["small"]) for views in iter_views(info, times, [SMALL])]
    assert got == [expected(shown, t + 1e-4) for t in times]


def test_sample_times() -> None:
    assert sample_times(2.0, 1.0, 4).tolist() == [2.0, 2.25, 2.5, 2.75]
    assert len(sample_times(0, 40.0, 8)) == 320
    assert len(sample_times(0, 40.0667, 8)) == 321
    assert sample_times(1.5, 0.0, 8).tolist() == [1.5]


@pytest.mark.parametrize("suffix, form", [("mp4", None), ("mkv", None), ("ts", "mpegts")])
def test_late_ranges_start_on_the_right_picture(
    tmp_path: Path, suffix: str, form: str | None
) -> None:
    shown = [Fraction(k, 30) for k in range(300)]
    path = make_clip(tmp_path / f"clip.{suffix}", shown, gop=50, format=form)
    for start in (2.5, 4.99, 5.01, 8.34, 9.99):
        times = list(start + np.arange(5) / 8)
        assert numbers(path, times) == [expected(shown[:300], t) for t in times]


def test_a_late_range_decodes_little(tmp_path: Path) -> None:
    """Cancelling is checked once per decoded picture: that counts them."""
    path = make_clip(tmp_path / "clip.mp4", [Fraction(k, 30) for k in range(600)], gop=30)
    checks = itertools.count()

    class Counting:
        def check(self) -> None:
            next(checks)

    list(iter_views(probe(path), [18.5], [SMALL], cancel=Counting()))
    assert next(checks) < 60


def test_time_is_counted_from_the_first_picture(tmp_path: Path) -> None:
    shown = [Fraction(1, 2) + Fraction(k, 30) for k in range(60)]
    # The sound begins at 0: the file's own clock starts half a second before the pictures.
    path = make_clip(tmp_path / "clip.mp4", shown, sound=np.zeros((2, 96000)))
    info = probe(path)
    assert info.start_time == pytest.approx(0.5)
    assert info.duration == pytest.approx(2.0, abs=1e-4)
    assert numbers(path, [0.01, 0.51, 1.51, 9.0]) == [0, 15, 45 % LEVELS, 59 % LEVELS]


def test_an_edit_list_moves_the_beginning(tmp_path: Path) -> None:
    """A clip trimmed without encoding again begins where its edit list says."""
    shown = [Fraction(k, 30) for k in range(90)]
    path = make_clip(tmp_path / "clip.mp4", shown, gop=90, bframes=0)
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12  # after version, flags and count
    scale = 90_000
    at = data.index(b"mdhd") + 16
    assert int.from_bytes(data[at : at + 4], "big") == scale
    data[entry : entry + 4] = (2000).to_bytes(4, "big")  # movie clock: milliseconds
    data[entry + 4 : entry + 8] = (scale).to_bytes(4, "big")  # begins one second in
    path.write_bytes(data)
    assert probe(path).duration == pytest.approx(2.0, abs=0.002)
    assert numbers(path, [0.01, 0.51, 1.98]) == [30 % LEVELS, 45 % LEVELS, 89 % LEVELS]


def test_one_pass_serves_all_views_and_shares_pictures(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", [Fraction(k, 4) for k in range(8)], rate=4)
    got = list(iter_views(probe(path), np.arange(16) / 8, [SMALL, FRONT]))
    assert [g["small"].shape for g in got] == [(8, 16, 3)] * 16
    assert [g["front"].shape for g in got] == [(10, 12, 3)] * 16
    assert all(g["small"].dtype == np.uint8 for g in got)
    assert all(a["small"] is b["small"] for a, b in zip(got[::2], got[1::2], strict=True))
    assert [number_of(g["front"]) for g in got[::2]] == list(range(8))


def test_no_times_no_pictures(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", [Fraction(0)])
    assert list(iter_views(probe(path), [], [SMALL])) == []


def test_cancel_stops_at_once(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", [Fraction(k, 30) for k in range(30)])

    class Now:
        def check(self) -> None:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        next(iter_views(probe(path), [0.5], [SMALL], cancel=Now()))


@pytest.mark.parametrize("layout", ["top-bottom", "left-right"])
def test_one_eye_of_stereo(tmp_path: Path, layout: str) -> None:
    size = (64, 64) if layout == "top-bottom" else (128, 32)
    both = np.full((size[1], size[0], 3), 40, np.uint8)
    if layout == "top-bottom":
        both[:32] = 200
    else:
        both[:, :64] = 200
    path = make_clip(tmp_path / "clip.mp4", [Fraction(0), Fraction(1, 2)], size=size, image=both)
    info = probe(path)
    assert (info.projection, info.stereo) == ("equirectangular", layout)
    image = read_frame(info, 0)
    assert image.shape == (32, 64, 3)
    assert image.min() > 190  # not one row or column of the other eye
    (views,) = iter_views(info, [0], [SMALL])
    assert views["small"].min() > 185


@pytest.mark.parametrize(
    "degrees, corner", [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))]
)
def test_rotation_of_the_file_is_followed(
    tmp_path: Path, degrees: int, corner: tuple[int, int]
) -> None:
    """The display matrix turns counter-clockwise: the upper left goes to the lower left by 90."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[:12, :12] = 255
    path = make_clip(tmp_path / "clip.mp4", [Fraction(0)], image=image, rotation=degrees)
    info = probe(path)
    turned = read_frame(info, 0)
    assert turned.shape == (info.height, info.width, 3)
    assert (info.width > info.height) == (degrees % 180 == 0)
    bright = turned[[4, -5]][:, [4, -5]].mean(axis=2) > 128
    assert np.argwhere(bright).tolist() == [[corner[0] % 2, corner[1] % 2]]


def test_8k_shrinks_before_it_is_rendered(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", [Fraction(0)], size=(7680, 3840))
    info = probe(path)
    assert (info.width, info.height, info.projection) == (7680, 3840, "equirectangular")
    (views,) = iter_views(info, [0.0], [SMALL])
    assert number_of(views["small"]) == 0
    assert read_frame(info, 0).shape == (3840, 7680, 3)


def test_shrinking_averages(tmp_path: Path) -> None:
    """One-pixel stripes come out grey, not black or white."""
    stripes = np.zeros((512, 1024, 3), np.uint8)
    stripes[::2] = 255
    path = make_clip(tmp_path / "clip.mp4", [Fraction(0)], size=(1024, 512), image=stripes)
    (views,) = iter_views(probe(path), [0.0], [View("v", "equirect", 32, 16)])
    assert np.ptp(views["v"].astype(int)) < 12
    assert abs(views["v"].mean() - 127.5) < 12


def test_colours(tmp_path: Path) -> None:
    """Small pictures without a tag are BT.601, large ones BT.709."""
    for size in ((64, 32), (1440, 720)):
        red = np.zeros((size[1], size[0], 3), np.uint8)
        red[..., 0] = 200
        path = make_clip(tmp_path / "clip.mp4", [Fraction(0)], size=size, image=red)
        got = read_frame(probe(path), 0).reshape(-1, 3).mean(axis=0)
        if size == (64, 32):
            np.testing.assert_allclose(got, [200, 0, 0], atol=4)
        else:  # encoded as BT.601 by the helper, so BT.709 shows it otherwise
            assert abs(got[0] - 200) > 8


@pytest.mark.parametrize("part", [0.02, 0.125])
def test_damage_in_the_middle_is_held_over(
    tmp_path: Path, part: float, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = [Fraction(k, 30) for k in range(120)]
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (64, 128, 3)).astype(np.uint8)
    path = make_clip(tmp_path / "clip.mp4", shown, size=(128, 64), gop=15, image=noise)
    data = bytearray(path.read_bytes())
    middle, length = len(data) // 2, round(len(data) * part)
    data[middle : middle + length] = rng.bytes(length)
    path.write_bytes(data)
    info = probe(path)
    said: list[str] = []
    view = View("v", "equirect", 64, 32)
    times = sample_times(0, 4, 30)
    got = [g["v"].astype(int) for g in iter_views(info, times, [view], on_warning=said.append)]
    assert len(got) == 120
    # Nothing torn is shown: every picture looks like the first.
    assert max(np.abs(picture - got[0]).mean() for picture in got) < 5
    assert len(said) == 1 and "damaged" in said[0]
    assert "\n" not in said[0]
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_file_that_went_bad_after_probing(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "clip.mkv", [Fraction(k, 30) for k in range(30)], codec="ffv1", pix_fmt="bgr0"
    )
    info = probe(path)
    data = path.read_bytes()
    first = data.index(bytes.fromhex("1f43b675"))  # the first cluster
    path.write_bytes(data[:first] + bytes(len(data) - first))
    with pytest.raises(MediaError, match="damaged"):
        read_frame(info, 0)


def test_the_helper_tells_its_numbers_apart() -> None:
    assert [number_of(np.full((2, 2, 3), level(k))) for k in range(48)] == [*range(24), *range(24)]


def test_real_clip_in_one_pass() -> None:
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    times = sample_times(0, info.duration, 8)
    count = 0
    for views in iter_views(info, times, [View("e", "equirect", 160, 80), FRONT]):
        assert views["e"].shape == (80, 160, 3)
        count += 1
    assert count == 321
