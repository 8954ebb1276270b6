"""Edits keep shots in order, covering the clip, and never empty."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Segment
from qt_app.timeline import shots as editing
from qt_app.timeline.shots import MIN_SHOT, Shots

DURATION = 60.0

raw = st.lists(
    st.builds(
        Segment,
        start=st.floats(-5, 70),
        cfg=st.none() | st.floats(0, 100),
        seed=st.none() | st.integers(0, 2**64 - 1),
    ),
    max_size=12,
)
covered = raw.map(lambda shots: editing.covering(shots, DURATION))
times = st.floats(-5, 70)


def assert_cover(shots: Shots) -> None:
    assert shots[0].start == 0
    starts = [shot.start for shot in shots]
    assert all(a < b for a, b in itertools.pairwise(starts))
    assert starts[-1] < DURATION
    for index in range(len(shots)):
        start, end = editing.span(shots, index, DURATION)
        assert end > start
    # The request takes them as they are.
    for shot in shots:
        shot.validate()


@settings(deadline=None)
@given(raw)
def test_any_list_becomes_a_cover_that_keeps_what_it_can(shots: list[Segment]) -> None:
    result = editing.covering(shots, DURATION)
    assert_cover(result)
    assert {shot.start for shot in shots if 0 <= shot.start < DURATION} <= {
        shot.start for shot in result
    }
    assert editing.covering(result, DURATION) == result


@settings(deadline=None)
@given(covered, times)
def test_a_time_lies_in_the_shot_that_covers_it(shots: Shots, time: float) -> None:
    start, end = editing.span(shots, editing.shot_at(shots, time), DURATION)
    assert (start <= time < end) or time < 0 or time >= DURATION


@settings(deadline=None)
@given(covered, times)
def test_splitting_changes_no_value_anywhere(shots: Shots, time: float) -> None:
    result = editing.split(shots, time, DURATION)
    assert_cover(result)
    index = editing.shot_at(shots, time)
    start, end = editing.span(shots, index, DURATION)
    if time - start >= MIN_SHOT and end - time >= MIN_SHOT:
        assert len(result) == len(shots) + 1
        assert result[index + 1] == Segment(time, shots[index].cfg, shots[index].seed)
        assert editing.merge(result, index) == shots
        assert editing.remove(result, index + 1) == shots
    else:
        assert result is shots


@settings(deadline=None)
@given(covered, st.integers(-1, 13), times)
def test_a_moved_cut_stays_between_its_neighbours(shots: Shots, index: int, time: float) -> None:
    result = editing.move(shots, index, time, DURATION)
    assert_cover(result)
    assert len(result) == len(shots)
    if result is not shots:
        moved = result[index].start
        assert moved >= result[index - 1].start + MIN_SHOT
        assert moved <= editing.span(result, index, DURATION)[1] - MIN_SHOT
        assert all(a == b for k, (a, b) in enumerate(zip(shots, result, strict=True)) if k != index)


@settings(deadline=None)
@given(covered, st.integers(-1, 13))
def test_removing_and_merging_keep_the_cover(shots: Shots, index: int) -> None:
    removed, merged = editing.remove(shots, index), editing.merge(shots, index)
    assert_cover(removed)
    assert_cover(merged)
    possible = len(shots) > 1 and 0 <= index < len(shots)
    assert len(removed) == len(shots) - possible
    assert len(merged) == len(shots) - (0 <= index < len(shots) - 1)


@settings(deadline=None)
@given(covered, st.lists(times, max_size=8))
def test_cutting_at_suggestions_keeps_every_shot_long_enough(
    shots: Shots, cuts: list[float]
) -> None:
    result = editing.with_cuts(shots, cuts, DURATION)
    assert_cover(result)
    assert {shot.start for shot in shots} <= {shot.start for shot in result}


def test_values_are_checked_as_the_request_checks_them() -> None:
    shots = (Segment(0.0), Segment(3.0))
    assert editing.with_values(shots, 1, 4.5, 7) == (Segment(0.0), Segment(3.0, 4.5, 7))
    with pytest.raises(OptionError, match="CFG"):
        editing.with_values(shots, 1, 101.0, None)
    with pytest.raises(OptionError, match="seed"):
        editing.with_values(shots, 1, None, 2**64)


@settings(deadline=None)
@given(times, st.lists(times, max_size=6), st.floats(0, 2))
def test_snapping_goes_to_the_nearest_place_or_nowhere(
    time: float, places: list[float], tolerance: float
) -> None:
    result = editing.snap(time, places, tolerance)
    near = [place for place in places if abs(place - time) <= tolerance]
    if near:
        assert result in near
        assert abs(result - time) == min(abs(place - time) for place in near)
    else:
        assert result == time
