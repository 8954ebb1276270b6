"""What will be generated, to the sample, and which ranges are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.plan import (
    MIN_LATENTS,
    GenerationSettings,
    plan_generation,
    range_samples,
)
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.media.probe import ClipInfo

RATE = 48_000


def test_settings_come_from_the_request() -> None:
    request = GenerateRequest(
        clip=Path("a.mp4"), output=Path("b.wav"), start=1.0, duration=2.0,
        cfg=3.0, seed=4, steps=5, takes=6, segments=(Segment(1.5),), feature_rate=7.0,
    )  # fmt: skip
    assert GenerationSettings.from_request(request) == GenerationSettings(
        start=1.0, duration=2.0, cfg=3.0, seed=4, steps=5, takes=6, segments=(Segment(1.5),),
        feature_rate=7.0,
    )  # fmt: skip


def test_the_whole_clip_to_the_sample() -> None:
    assert range_samples(40.0666667, 0.0, None, RATE) == round(40.0666667 * RATE)
    assert range_samples(40.0, 10.0, 7.5, RATE) == 360_000
    assert range_samples(10.0, 2.5, 7.5003, RATE) == round(7.5003 * RATE)


@given(st.floats(0.01, 1000), st.floats(0, 1), st.integers(1000, 192_000))
def test_two_parts_make_the_whole(clip: float, part: float, rate: int) -> None:
    start = clip * part
    assume(round(start * rate) >= 1 and round(clip * rate) > round(start * rate))
    rest = range_samples(clip, start, None, rate)
    assert round(start * rate) + rest == round(clip * rate)


@pytest.mark.parametrize(
    ("start", "duration", "said"),
    [
        (40.0, None, "the range starts at 40 s, but the clip is 40.000 s long"),
        (50.0, 1.0, "choose a smaller start"),
        (10.0, 31.0, "choose a duration of at most 30.000 s"),
        (0.0, 1e-9, "shorter than one sample"),
    ],
)
def test_ranges_outside_the_clip(start: float, duration: float | None, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        range_samples(40.0, start, duration, RATE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cfg": math.nan}, {"cfg": math.inf}, {"cfg": -1.0}, {"steps": 0}, {"steps": -3},
        {"seed": -1}, {"seed": 2**64}, {"takes": 0}, {"start": -1.0}, {"start": math.nan},
        {"duration": 0.0}, {"duration": math.inf}, {"feature_rate": 0.0},
        {"segments": (Segment(2.0), Segment(1.0))}, {"segments": (Segment(1.0), Segment(1.0))},
        {"segments": (Segment(1e6),)}, {"segments": (Segment(math.nan),)},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_settings(bundle: Bundle, clip: ClipInfo, wrong: dict) -> None:
    with pytest.raises(OptionError) as caught:
        plan_generation(clip, GenerationSettings(**wrong), bundle.manifest)
    assert "\n" not in str(caught.value)


def test_the_bundles_defaults(bundle: Bundle, clip: ClipInfo) -> None:
    plan = plan_generation(clip, GenerationSettings(), bundle.manifest)
    assert plan.steps == 4
    assert plan.feature_rate == 8.0
    assert [shot.cfg for shot in plan.shots] == [2.0]
    assert plan.samples == clip.samples(RATE)
    # 7 s are 87.5 latents: windows of 24 that share 4.
    assert [window.start for window in plan.shots[0].windows] == [0, 20, 40, 60, 64]
    other = plan_generation(
        clip, GenerationSettings(cfg=0.0, steps=9, feature_rate=2.0), bundle.manifest
    )
    assert (other.steps, other.feature_rate, other.shots[0].cfg) == (9, 2.0, 0.0)


def test_frames_are_those_of_the_contract(bundle: Bundle, clip: ClipInfo) -> None:
    """Frame k of a window that starts at s is the one at s + k / rate."""
    plan = plan_generation(clip, GenerationSettings(start=1.0), bundle.manifest)
    shot = plan.shots[0]
    assert shot.first_frame == 12  # floor(1.0 * 12.5)
    for window, times in zip(shot.windows, shot.times, strict=True):
        start = 1.0 + window.start / 12.5
        assert len(times) == math.ceil(window.length / 12.5 * 8 - 1e-6)
        np.testing.assert_allclose(times, start + np.arange(len(times)) / 8, atol=1e-9)


def test_shots_begin_afresh_and_look_at_their_own_pictures(bundle: Bundle, clip: ClipInfo) -> None:
    settings = GenerationSettings(
        start=1.0, seed=3, cfg=5.0,
        segments=(Segment(0.5, seed=7), Segment(3.0, cfg=1.0), Segment(5.01, seed=9)),
    )  # fmt: skip
    plan = plan_generation(clip, settings, bundle.manifest)
    assert [shot.start for shot in plan.shots] == pytest.approx([1.0, 3.0, 5.01])
    assert [shot.seed for shot in plan.shots] == [7, 3, 9]
    assert [shot.cfg for shot in plan.shots] == [5.0, 1.0, 5.0]
    assert sum(shot.samples for shot in plan.shots) == plan.samples
    assert [shot.tail for shot in plan.shots] == [1440, 1440, 0]
    assert [shot.first_frame for shot in plan.shots] == [12, 37, 62]
    for shot, end in zip(plan.shots, [3.0, 5.01, math.inf], strict=True):
        seen = np.concatenate(shot.times)
        assert seen.min() == pytest.approx(shot.start)
        assert seen.max() < end - 0.04
        assert shot.windows[0].overlap == 0
        assert shot.latents * 3840 >= shot.samples + shot.tail


def test_shots_closer_than_a_sample_and_outside_the_range(bundle: Bundle, clip: ClipInfo) -> None:
    close = (Segment(2.0, seed=1), Segment(2.000001, seed=2), Segment(6.0, seed=3))
    plan = plan_generation(clip, GenerationSettings(duration=4.0, segments=close), bundle.manifest)
    assert [shot.seed for shot in plan.shots] == [0, 2]


@given(
    duration=st.floats(0.001, 30),
    cuts=st.lists(st.floats(0.0, 1.0), max_size=6, unique=True),
    fps=st.sampled_from([1.0, 23.976, 59.94]),
)
def test_any_range_with_any_cuts(
    bundle: Bundle, clip: ClipInfo, duration: float, cuts: list[float], fps: float
) -> None:
    info = replace(clip, duration=duration, fps=fps)
    segments = tuple(Segment(cut * duration * 0.999) for cut in sorted(cuts))
    starts = [segment.start for segment in segments]
    assume(all(b > a for a, b in pairwise(starts)))
    plan = plan_generation(info, GenerationSettings(segments=segments), bundle.manifest)
    assert sum(shot.samples for shot in plan.shots) == plan.samples == round(duration * RATE)
    ends = [0.0, 0.0]
    for shot in plan.shots:
        assert shot.samples >= 1
        assert shot.latents >= MIN_LATENTS
        assert shot.latents * 3840 >= shot.samples + shot.tail
        for times in shot.times:
            # The features' stream relies on this order.
            assert (np.diff(times) >= 0).all()
            assert times[0] >= ends[0]
            assert times[-1] >= ends[1] - 1e-9
            ends = [times[0], times[-1]]
