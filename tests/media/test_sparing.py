"""What decoding spares changes no picture that is asked for."""

from __future__ import annotations

import bisect
import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.media.container import Damage, decode_video
from omniaudio_studio.media.frames import iter_views, sample_times
from omniaudio_studio.media.probe import opened_video, probe
from omniaudio_studio.panorama.views import View
from tests.media.clips import PROPERTY, make_clip
from tests.support.material import material

CODECS = [
    ("mp4", "libx264", {"bf": "3", "b-pyramid": "normal"}),
    ("mkv", "libx264", {"bf": "16", "b-pyramid": "none"}),
    ("mp4", "libx265", {"x265-params": "bframes=4:log-level=none"}),
    ("avi", "mpeg4", {"bf": "2"}),
    ("webm", "libvpx-vp9", {}),
]


def decoded(path: Path, wanted: list[int] | None) -> dict[int, bytes]:
    """Every picture that is decoded, by its timestamp; told to spare all but the wanted."""

    def needed(begin: int, end: int | None) -> bool:
        assert wanted is not None
        first = bisect.bisect_left(wanted, begin)
        return first < len(wanted) and (end is None or wanted[first] < end)

    with opened_video(path) as (container, stream):
        frames = decode_video(container, stream, Damage(), None if wanted is None else needed)
        return {frame.pts: frame.to_ndarray().tobytes() for frame in frames}


@settings(PROPERTY, max_examples=30)
@given(
    codec=st.sampled_from(CODECS),
    gaps=st.lists(st.integers(10, 90), min_size=20, max_size=120),
    gop=st.sampled_from([7, 30, 250]),
    asked=st.lists(st.floats(0, 1.1), max_size=12),
)
def test_pictures_asked_for_are_the_same(
    tmp_path: Path,
    codec: tuple[str, str, dict[str, str]],
    gaps: list[int],
    gop: int,
    asked: list[float],
) -> None:
    suffix, name, options = codec
    shown = [Fraction(t, 1000) for t in itertools.accumulate(gaps, initial=0)]
    if suffix == "avi":  # which counts pictures
        shown = [Fraction(k, 30) for k in range(len(shown))]
    path = make_clip(tmp_path / f"clip.{suffix}", shown, codec=name, gop=gop, encoder=options)
    everything = decoded(path, None)
    stamps = sorted(everything)
    wanted = sorted(round(a * stamps[-1]) for a in asked)
    spared = decoded(path, wanted)
    assert spared.items() <= everything.items()
    for time in wanted:
        assert stamps[max(0, bisect.bisect_right(stamps, time) - 1)] in spared


def test_pictures_that_others_are_made_from_are_decoded(tmp_path: Path) -> None:
    shown = [Fraction(k, 30) for k in range(300)]
    path = make_clip(
        tmp_path / "clip.mp4",
        shown,
        gop=250,
        encoder={"bf": "3", "b-pyramid": "none", "b_strategy": "0"},
    )
    everything = decoded(path, None)
    assert len(everything) == 300
    spared = decoded(path, [max(everything)])
    # Three of four are made from others alone; the first sixteen are never spared.
    assert 75 <= len(spared) <= 75 + 16
    assert spared.items() <= everything.items()


def test_views_of_the_real_clip_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    times = sample_times(3.0, 8.0, 8)
    view = View("e", "equirect", 160, 80)
    found = [views["e"] for views in iter_views(info, times, [view])]
    counts = []

    def all_of_them(*arguments: object) -> object:
        for frame in decode_video(*arguments[:3]):  # type: ignore[arg-type]
            counts.append(frame.pts)
            yield frame

    monkeypatch.setattr("omniaudio_studio.media.frames.decode_video", all_of_them)
    expected = [views["e"] for views in iter_views(info, times, [view])]
    assert len(counts) > 230
    np.testing.assert_array_equal(found, expected)
