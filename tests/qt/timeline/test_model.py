"""The timeline's model: shots with undo, range and loop, playhead and view."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Segment
from qt_app.timeline.model import MIN_RANGE, TimelineModel
from qt_app.timeline.view_range import ViewRange

DURATION = 30.0


def make(shots: tuple[Segment, ...] = ()) -> TimelineModel:
    model = TimelineModel()
    model.set_width(1000)
    model.load(DURATION, shots, (5.0, 12.5, 20.0))
    return model


class Spy:
    """What a signal carried, in order."""

    def __init__(self, signal: Any) -> None:
        self.seen: list[Any] = []
        signal.connect(self.seen.append)


edits = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, DURATION)),
        st.tuples(st.just("remove"), st.integers(0, 6)),
        st.tuples(st.just("merge"), st.integers(0, 6)),
        st.tuples(st.just("values"), st.integers(0, 6), st.none() | st.floats(0, 100)),
        st.tuples(st.just("move"), st.integers(0, 6), st.floats(-5, 40)),
        st.tuples(st.just("drag"), st.integers(0, 6), st.floats(-5, 40)),
        st.tuples(st.just("suggested")),
        st.tuples(st.just("clear")),
    ),
    max_size=12,
)


def apply(model: TimelineModel, edit: tuple[Any, ...]) -> None:
    match edit:
        case ("cut", time):
            model.add_cut(time)
        case ("remove", index):
            model.remove_shot(index)
        case ("merge", index):
            model.merge_shot(index)
        case ("values", index, cfg):
            if index < len(model.shots):
                model.set_shot_values(index, cfg, index)
        case ("move", index, time):
            model.move_cut(index, time)
        case ("drag", index, time):
            model.begin_drag()
            model.drag_cut(index, time / 2)
            model.drag_cut(index, time)
            model.end_drag()
        case ("suggested",):
            model.use_suggestions()
        case ("clear",):
            model.clear_shots()


@settings(max_examples=60, deadline=None)
@given(edits)
def test_undo_restores_exactly_and_redo_does_again(steps: list[tuple[Any, ...]]) -> None:
    model = make((Segment(0.0), Segment(7.0, 3.0, 5), Segment(15.0)))
    states = [model.shots]
    for step in steps:
        apply(model, step)
        starts = [shot.start for shot in model.shots]
        assert starts[0] == 0
        assert all(a < b < DURATION for a, b in itertools.pairwise(starts))
        if model.shots != states[-1]:
            states.append(model.shots)
        # One step each, and none for an edit that changed nothing.
        assert model.undo_stack.count() == len(states) - 1
    for state in reversed(states[:-1]):
        model.undo_stack.undo()
        assert model.shots == state
        assert model.selected_shot < len(model.shots)
    assert not model.undo_stack.canUndo()
    for state in states[1:]:
        model.undo_stack.redo()
        assert model.shots == state


def test_edits_are_told_apart_from_what_is_only_shown() -> None:
    model = make()
    shown, edited = Spy(model.shots_changed), Spy(model.shots_edited)
    model.set_shots((Segment(4.0, cfg=2.0),))
    assert shown.seen == [(Segment(0.0), Segment(4.0, cfg=2.0))]
    assert edited.seen == []
    model.add_cut(8.0)
    assert edited.seen == [(Segment(0.0), Segment(4.0, cfg=2.0), Segment(8.0, cfg=2.0))]
    model.undo_stack.undo()
    assert edited.seen[-1] == (Segment(0.0), Segment(4.0, cfg=2.0))


def test_what_comes_back_to_the_model_keeps_undo() -> None:
    model = make()
    model.shots_edited.connect(model.set_shots)  # as a library that keeps the values would do
    model.add_cut(8.0)
    model.add_cut(9.0)
    assert model.undo_stack.count() == 2
    model.undo_stack.undo()
    assert [shot.start for shot in model.shots] == [0, 8]


def test_a_drag_that_is_called_off_leaves_nothing() -> None:
    model = make((Segment(0.0), Segment(10.0)))
    edited = Spy(model.shots_edited)
    model.begin_drag()
    model.drag_cut(1, 14.0)
    assert model.shots[1].start == 14.0
    model.end_drag(keep=False)
    assert model.shots[1].start == 10.0
    assert edited.seen == []
    assert not model.undo_stack.canUndo()


def test_a_drag_is_one_step_and_told_once() -> None:
    model = make((Segment(0.0), Segment(10.0), Segment(20.0)))
    edited = Spy(model.shots_edited)
    model.begin_drag()
    for time in (11.0, 25.0, 13.0):
        model.drag_cut(1, time)
    model.end_drag()
    assert [shot.start for shot in model.shots] == [0, 13, 20]
    assert len(edited.seen) == 1
    model.undo_stack.undo()
    assert [shot.start for shot in model.shots] == [0, 10, 20]


def test_no_shot_is_ever_empty() -> None:
    model = make()
    assert model.add_cut(10.0)
    assert not model.add_cut(10.0)
    assert not model.add_cut(10.01)
    assert not model.add_cut(0.0)
    assert not model.add_cut(DURATION)
    assert model.undo_stack.count() == 1


def test_wrong_values_are_refused_and_change_nothing() -> None:
    model = make()
    with pytest.raises(OptionError):
        model.set_shot_values(0, -1.0, None)
    assert model.shots == (Segment(0.0),)
    assert not model.undo_stack.canUndo()


def test_cuts_keep_to_frames_where_the_rate_is_known() -> None:
    model = TimelineModel()
    model.load(10.0, frame_rate=25.0)
    model.add_cut(3.019)
    assert model.shots[1].start == pytest.approx(3.0)
    model.move_cut(1, 4.03)
    assert model.shots[1].start == pytest.approx(4.04)


@settings(deadline=None)
@given(st.floats(-5, 40), st.floats(-5, 40))
def test_a_range_is_in_order_and_inside(start: float, end: float) -> None:
    model = make()
    model.set_range(start, end)
    if model.range is None:
        first, last = (min(max(time, 0.0), DURATION) for time in (start, end))
        assert abs(last - first) < MIN_RANGE
    else:
        assert 0 <= model.range[0] <= model.range[1] - MIN_RANGE
        assert model.range[1] <= DURATION


def test_in_and_out_at_the_playhead() -> None:
    model = make()
    model.scrub(10.0)
    model.mark_in()
    assert model.range == (10.0, DURATION)
    model.scrub(12.0)
    model.mark_out()
    assert model.range == (10.0, 12.0)
    model.scrub(20.0)
    model.mark_in()  # beyond the old end: to the clip's
    assert model.range == (20.0, DURATION)
    model.scrub(5.0)
    model.mark_out()  # before the old start: from the clip's
    assert model.range == (0.0, 5.0)
    model.clear_range()
    assert model.range is None


def test_the_loop_is_the_range_or_the_clip() -> None:
    model = make()
    assert model.loop_span is None
    model.set_loop(True)
    assert model.loop_span == (0.0, DURATION)
    model.set_range(3.0, 4.0)
    assert model.loop_span == (3.0, 4.0)


def test_only_the_user_scrubs() -> None:
    model = make()
    scrubbed, moved = Spy(model.scrubbed), Spy(model.playhead_changed)
    model.set_playhead(3.0)
    assert (scrubbed.seen, moved.seen) == ([], [3.0])
    model.scrub(50.0)
    assert (scrubbed.seen, moved.seen) == ([DURATION], [3.0, DURATION])
    # While the hand drags, the player's own position is not shown.
    model.begin_scrub()
    model.scrub(10.0)
    model.set_playhead(3.1)
    assert model.playhead == 10.0
    model.end_scrub()
    model.set_playhead(10.1)
    assert model.playhead == 10.1


def test_the_view_follows_the_playhead_only_across_its_edge() -> None:
    model = make()
    model.set_view(ViewRange.fitted(DURATION, 1000).showing(0.0, 10.0))
    model.set_playhead(9.9)
    assert model.view.start == 0.0
    model.set_playhead(10.1)
    assert model.view.contains(10.1)
    assert model.view.start == pytest.approx(9.1)
    # Scrolled away by hand while it plays: it stays there.
    model.set_view(model.view.starting(20.0))
    model.set_playhead(10.2)
    assert model.view.start == pytest.approx(20.0)


def test_another_clip_starts_from_nothing() -> None:
    model = make((Segment(0.0), Segment(10.0)))
    model.set_range(2.0, 4.0)
    model.scrub(8.0)
    model.add_cut(5.0)
    model.zoom(4.0)
    model.load(12.0, [Segment(3.0)], [1.0, 0.0, 50.0])
    assert model.range is None
    assert model.playhead == 0
    assert model.shots == (Segment(0.0), Segment(3.0))
    assert model.suggestions == (1.0,)
    assert not model.undo_stack.canUndo()
    assert model.view.is_fitted


def test_a_shorter_clip_cuts_everything_off() -> None:
    model = make((Segment(0.0), Segment(10.0), Segment(25.0)))
    model.set_range(5.0, 28.0)
    model.scrub(29.0)
    model.set_duration(20.0)
    assert [shot.start for shot in model.shots] == [0, 10]
    assert model.range == (5.0, 20.0)
    assert model.playhead == 20.0
