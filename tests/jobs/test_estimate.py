"""One fraction over all stages, and estimates from what earlier jobs took."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.estimate import Expected, History, JobClock, kind_of
from omniaudio_studio.jobs.queue import Speed
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

PLAIN = GenerateRequest(Path("clip.mp4"), Path("out.wav"))
WITH_OVERLAYS = GenerateRequest(
    Path("clip.mp4"), Path("out.wav"), takes=2, deliverables=("wav", "overlay")
)


def clock(request: GenerateRequest, expected: Expected) -> JobClock:
    return JobClock(request, expected, warm=False, now=0.0)


def test_stages_have_the_shares_that_they_were_measured_to_have() -> None:
    one = clock(WITH_OVERLAYS, Expected(loading=10.0, sound=50.0, files=30.0, finishing=10.0))
    assert one.progress(0.0).fraction == 0.0
    assert one.progress(5.0).fraction == pytest.approx(0.05)
    one.heard("loading", 0.0, 20.0, None, 8.0)
    assert one.progress(8.0).fraction == pytest.approx(0.10)
    one.heard("sampling", 10.0, 20.0, 25.0, 33.0)
    half = one.progress(33.0)
    assert half.stage == "sampling"
    assert half.fraction == pytest.approx(0.35)
    # What the worker says of the stage, and what is to come after it.
    assert half.eta == pytest.approx(25.0 + 30.0 + 10.0)
    one.heard("decoding", 20.0, 20.0, 0.0, 58.0)
    assert one.progress(58.0).fraction == pytest.approx(0.60)
    one.heard("overlay", 10.0, 20.0, 7.5, 65.0)
    first = one.progress(65.0)
    assert first.fraction == pytest.approx(0.60 + 0.30 / 4)
    assert first.eta == pytest.approx(7.5 + 15.0 + 10.0)
    one.heard("overlay", 20.0, 20.0, 0.0, 73.0)
    assert one.progress(73.0).fraction == pytest.approx(0.75)
    one.heard("overlay", 5.0, 20.0, 11.0, 76.0)
    one.heard("overlay", 20.0, 20.0, 0.0, 88.0)
    last = one.progress(88.0)
    assert last.stage == "finishing"
    assert last.fraction == pytest.approx(0.90)
    measured = one.measured(95.0)
    assert measured is not None
    assert measured.loading == pytest.approx(8.0)
    assert measured.sound == pytest.approx((58.0 - 8.0) / 20.0)
    assert measured.overlay == pytest.approx((88.0 - 65.0) / 40.0)
    assert measured.finishing == pytest.approx(7.0 / 20.0)


reports = st.lists(
    st.tuples(
        st.sampled_from(["loading", "frames", "sampling", "decoding", "overlay"]),
        st.floats(0, 10),
        st.floats(0, 3),
    ),
    max_size=30,
)


@given(reports)
def test_a_bar_never_goes_back_nor_reaches_its_end_early(
    heard: list[tuple[str, float, float]],
) -> None:
    one = clock(WITH_OVERLAYS, Expected(1.0, 2.0, 3.0, 0.5))
    now, before = 0.0, 0.0
    for stage, done, wait in heard:
        now += wait
        one.heard(stage, done, 10.0, None, now)
        fraction = one.progress(now).fraction
        assert before <= fraction < 1.0
        before = fraction


def test_without_experience_there_is_a_bar_but_no_time() -> None:
    history = History()
    expected = history.expected(PLAIN, 20.0)
    assert not expected.measured
    one = clock(PLAIN, expected)
    assert one.progress(1.0).eta is None
    one.heard("frames", 1.0, 20.0, 9.0, 2.0)
    assert one.progress(2.0).eta == pytest.approx(9.0 + expected.finishing)


def test_history_is_of_the_kind_then_of_the_bundle_then_of_anything() -> None:
    same = Speed(kind_of(PLAIN), "starter", 4.0, 0.5, None, 0.1)
    bundle = Speed("starter|100||", "starter", 4.0, 2.0, None, 0.1)
    other = Speed("large|||", "large", 4.0, 8.0, None, 0.1)
    sounds = []
    for speeds in ([same, bundle, other], [bundle, other], [other]):
        expected = History(speeds).expected(PLAIN, 10.0)
        assert expected.measured
        sounds.append(expected.sound)
    assert sounds == [pytest.approx(5.0), pytest.approx(20.0), pytest.approx(80.0)]
    assert History([same]).expected(PLAIN, 10.0, warm=True).loading == 0.0
    assert not History([same]).expected(PLAIN, None).measured


def test_what_is_short_counts_to_the_finishing() -> None:
    clock = JobClock(PLAIN, History().expected(PLAIN, 10.0), warm=True, now=0.0)
    clock.heard("decoding", 10.0, 10.0, 0.0, now=5.0)
    finishing = clock.progress(5.0)
    clock.heard("binaural", 1.0, 10.0, 9.0, now=5.0)
    assert clock.progress(5.0) == finishing
    measured = clock.measured(now=6.0)
    assert measured is not None
    assert measured.overlay is None
    assert measured.finishing == pytest.approx(0.1)


def test_history_follows_a_machine_that_changes() -> None:
    history = History([Speed(kind_of(PLAIN), "starter", 4.0, 1.0, None, 0.1)])
    learned = None
    for _ in range(20):
        learned = history.learn(Speed(kind_of(PLAIN), "starter", None, 3.0, 0.4, 0.1))
    assert learned is not None
    assert learned.jobs == 21
    assert learned.sound == pytest.approx(3.0, abs=0.02)
    # A warm job says nothing about loading; a first overlay is taken as it is.
    assert (learned.loading, learned.overlay) == (4.0, pytest.approx(0.4))


def test_placing_and_generating_are_estimated_apart() -> None:
    placing = SpatializeRequest(Path("clip.mp4"), Path("out.wav"))
    generated = Speed("starter|x", "starter", loading=3.0, sound=2.0, overlay=None, finishing=0.1)
    history = History([generated])
    assert not history.expected(placing, 10.0).measured
    assert history.expected(placing, 10.0).loading == 0.0  # no model is needed
    learned = SpatializeRequest(Path("clip.mp4"), Path("out.wav"), method="learned")
    assert history.expected(learned, 10.0).loading > 0.0
    history.learn(Speed(kind_of(placing), "", None, sound=0.2, overlay=None, finishing=0.01))
    expected = history.expected(placing, 10.0)
    assert expected.measured
    assert expected.whole == pytest.approx(2.1)
    assert history.expected(PLAIN, 10.0).sound == pytest.approx(20.0)
    # How long directions take that are found says nothing about those that are given.
    assert not history.expected(learned, 10.0).measured


def test_what_was_seen_is_not_the_end_of_a_placing() -> None:
    placing = SpatializeRequest(Path("clip.mp4"), Path("out.wav"))
    one = JobClock(placing, Expected(0.0, 8.0, 0.0, 2.0), warm=True, now=0.0)
    one.heard("picture", 0.0, 10.0, None, 0.0)
    one.heard("picture", 5.0, 10.0, 4.0, 4.0)
    assert one.progress(4.0).fraction == pytest.approx(0.4)
    one.heard("picture", 10.0, 10.0, 0.0, 8.0)
    seen = one.progress(8.0)
    assert (seen.stage, seen.fraction) == ("picture", pytest.approx(0.8))
    one.heard("sound", 5.0, 10.0, 1.0, 9.0)
    assert one.progress(9.0).fraction >= 0.8
    one.heard("sound", 10.0, 10.0, 0.0, 10.0)
    assert one.progress(10.0).stage == "finishing"
    measured = one.measured(11.0)
    assert measured is not None
    assert measured.sound == pytest.approx(1.0)
    assert measured.loading is None


def test_deliverables_have_shares_by_their_work() -> None:
    request = DeliverRequest(
        Path("take.wav"),
        Path("take.wav"),
        clip=Path("clip.mp4"),
        deliverables=("mp4", "overlay", "plot"),
    )
    kind = kind_of(request)
    speeds = [Speed(kind, "", None, sound=0.0, overlay=1.0, finishing=0.1)]
    expected = History(speeds).expected(request, 10.0)
    work = {name: DELIVERABLES[name].work for name in request.deliverables}
    assert expected.files == pytest.approx(10.0 * sum(work.values()))
    assert (expected.loading, expected.sound) == (0.0, 0.0)  # nothing is made but files
    one = JobClock(request, expected, warm=True, now=0.0)
    one.heard("mp4", 5.0, 10.0, 0.3, 0.4)
    half = one.progress(0.4)
    assert half.stage == "mp4"
    assert half.fraction * expected.whole == pytest.approx(10.0 * work["mp4"] / 2)
    one.heard("mp4", 10.0, 10.0, 0.0, 0.7)
    one.heard("overlay", 5.0, 10.0, 5.0, 5.7)
    made = 10.0 * (work["mp4"] + work["overlay"] / 2)
    assert one.progress(5.7).fraction * expected.whole == pytest.approx(made)
    # The plot, which tells nothing, is still to come.
    assert one.progress(5.7).eta == pytest.approx(5.0 + 10.0 * work["plot"] + 1.0)
    one.heard("overlay", 10.0, 10.0, 0.0, 10.7)
    measured = one.measured(12.0)
    assert measured is not None
    assert (measured.kind, measured.sound, measured.loading) == (kind, 0.0, None)
    assert measured.overlay == pytest.approx((10.7 - 0.4) / (10.0 * sum(work.values())))
    # What a delivery took says nothing about generating.
    assert not History([measured]).expected(PLAIN, 10.0).measured
