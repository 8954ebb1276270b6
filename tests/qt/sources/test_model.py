"""Editing sources and hints: every act is one step, and can be taken back exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.jobs.result import FoundSource
from qt_app.sources.model import HINT, SOURCE, Marked, Picked, SourcesModel
from qt_app.sources.source import at
from qt_app.sources.thinning import ANGLE, taken_over


def points(model: SourcesModel, index: int = 0) -> list[tuple[float, ...]]:
    return list(model.sources[index].points)


def test_a_source_is_added_at_the_playhead_s_frame(
    model: SourcesModel, edits: list[Marked]
) -> None:
    model.timeline.scrub(1.01)
    assert model.add_source(-190.0, 12.3)
    assert points(model) == [(1.0, 170.0, 12.3, 1.0)]
    assert model.picked == Picked(SOURCE, 0, 0)
    assert model.timeline.undo_stack.count() == 1
    assert edits == [Marked(model.sources, ())]
    model.timeline.undo_stack.undo()
    assert model.sources == () and model.picked is None
    assert edits[-1] == Marked()
    model.timeline.undo_stack.redo()
    assert len(model.sources) == 1


def test_names_and_colours_differ(model: SourcesModel) -> None:
    for azimuth in (0.0, 90.0, 180.0):
        model.add_source(azimuth, 0.0)
    model.remove_source(1)
    model.add_source(10.0, 0.0)
    assert [source.name for source in model.sources] == ["Source 1", "Source 3", "Source 2"]
    assert len({source.colour for source in model.sources}) == 3


def test_a_drag_is_one_step_whatever_lies_between(model: SourcesModel, edits: list[Marked]) -> None:
    model.add_source(0.0, 0.0)
    model.timeline.scrub(2.0)
    shown: list[tuple[float, ...]] = []
    model.changed.connect(lambda: shown.append(at(model.sources[0].points, 2.0)))
    model.begin_drag(Picked(SOURCE, 0))
    for azimuth in (10.0, 20.0, 30.0):
        model.drag_to(azimuth, 5.0)
    assert len(edits) == 1  # nothing is kept before the button is released
    assert [state[1] for state in shown] == [10.0, 20.0, 30.0]
    model.end_drag()
    assert points(model) == [(0.0, 0.0, 0.0, 1.0), (2.0, 30.0, 5.0, 1.0)]
    assert model.picked == Picked(SOURCE, 0, 1)
    assert model.timeline.undo_stack.count() == 2
    model.timeline.undo_stack.undo()
    assert points(model) == [(0.0, 0.0, 0.0, 1.0)]


def test_a_keyframe_at_the_playhead_is_changed_not_doubled(model: SourcesModel) -> None:
    model.timeline.scrub(1.0)
    model.add_source(0.0, 0.0)
    model.set_point(0, 0, 0.0, 0.0, 0.4)
    model.timeline.scrub(1.01)  # within the same picture
    model.place(Picked(SOURCE, 0), 50.0, 0.0)
    assert points(model) == [(1.0, 50.0, 0.0, 0.4)]


def test_a_drag_that_is_called_off_leaves_nothing(model: SourcesModel) -> None:
    model.add_source(0.0, 0.0)
    before, steps = model.sources, model.timeline.undo_stack.count()
    model.begin_drag(Picked(SOURCE, 0))
    model.drag_to(90.0, 0.0)
    model.end_drag(keep=False)
    assert model.sources == before
    assert model.timeline.undo_stack.count() == steps


def test_a_new_keyframe_keeps_the_gain_of_its_time(model: SourcesModel) -> None:
    model.add_source(0.0, 0.0)
    model.timeline.scrub(4.0)
    model.place(Picked(SOURCE, 0), 40.0, 0.0)
    model.set_point(0, 1, 40.0, 0.0, 0.0)
    model.add_point(0, 2.0)
    assert points(model)[1] == (2.0, 20.0, 0.0, 0.5)


def test_keyframes_keep_their_order(model: SourcesModel) -> None:
    model.add_source(0.0, 0.0)
    for time in (2.0, 4.0):
        model.timeline.scrub(time)
        model.place(Picked(SOURCE, 0), 10 * time, 0.0)
    model.begin_drag(Picked(SOURCE, 0, 1))
    model.drag_point(9.0)
    model.end_drag()
    assert [point[0] for point in points(model)] == [0.0, pytest.approx(3.999), 4.0]
    model.begin_drag(Picked(SOURCE, 0, 2))
    model.drag_point(99.0)
    model.end_drag()
    assert points(model)[2][0] == 10.0


def test_delete_takes_the_keyframe_then_the_source(model: SourcesModel) -> None:
    model.add_source(0.0, 0.0)
    model.timeline.scrub(2.0)
    model.place(Picked(SOURCE, 0), 20.0, 0.0)
    model.pick(Picked(SOURCE, 0))
    assert model.remove_picked()
    assert len(points(model)) == 1
    model.timeline.scrub(0.0)
    assert model.remove_picked()
    assert model.sources == ()
    assert not model.remove_picked()
    model.timeline.undo_stack.undo()
    model.timeline.undo_stack.undo()
    assert len(points(model)) == 2


def test_a_hint_lasts_as_the_range_or_the_shot(model: SourcesModel) -> None:
    model.timeline.set_shots([Segment(0.0), Segment(6.0)])
    model.timeline.scrub(7.0)
    model.add_hint(30.0, 5.0)
    model.timeline.set_range(1.0, 2.0)
    model.add_hint(-30.0, 0.0)
    assert [(hint.start, hint.end) for hint in model.hints] == [(6.0, 10.0), (1.0, 2.0)]
    model.place(Picked(HINT, 0), 200.0, 0.0)
    model.set_hint(1, 10.0, 0.0, 1.7)
    assert (model.hints[0].azimuth, model.hints[1].strength) == (-160.0, 1.0)
    model.begin_drag(Picked(HINT, 1))
    model.drag_hint(1.0, 0.2)  # never turned round
    model.end_drag()
    assert model.hints[1].start == 1.0 < model.hints[1].end
    assert model.remove_picked()
    assert len(model.hints) == 1


def test_other_values_from_elsewhere_are_no_step(model: SourcesModel, edits: list[Marked]) -> None:
    model.add_source(0.0, 0.0)
    model.show((), ())
    assert model.sources == ()
    assert model.timeline.undo_stack.count() == 0
    assert len(edits) == 1


def test_no_more_than_can_be_placed(model: SourcesModel) -> None:
    told: list[str] = []
    model.refused.connect(told.append)
    for azimuth in range(16):
        assert model.add_source(float(azimuth), 0.0)
    assert not model.add_source(0.0, 0.0)
    assert "at most 16" in told[0]


def test_without_a_clip_nothing_is_marked(model: SourcesModel) -> None:
    model.timeline.load(0.0)
    assert not model.add_source(0.0, 0.0)
    assert not model.add_hint(0.0, 0.0)
    assert not model.nudge(1.0, 0.0)


def vector(azimuth: float, elevation: float) -> np.ndarray:
    az, el = math.radians(azimuth), math.radians(elevation)
    return np.array([math.cos(el) * math.cos(az), math.cos(el) * math.sin(az), math.sin(el)])


def found(times: np.ndarray, azimuth: np.ndarray, gain: np.ndarray | float = 1.0) -> FoundSource:
    level = np.broadcast_to(gain, times.shape)
    rows = zip(times.tolist(), azimuth.tolist(), level.tolist(), strict=True)
    return FoundSource(
        "source 1",
        tuple((t, az, 10.0, g) for t, az, g in rows),
        tuple(np.linspace(0.2, 0.9, times.size).tolist()),
    )


def test_found_directions_become_few_keyframes_within_two_degrees(model: SourcesModel) -> None:
    times = np.arange(0, 10, 0.1)
    azimuth = 60 * np.sin(times)
    assert model.take_over([found(times, azimuth)]) == 1
    path = model.sources[0].points
    assert 4 <= len(path) < 40
    for time, az in zip(times.tolist(), azimuth.tolist(), strict=True):
        _, there, el, _ = at(path, time)
        a, b = vector(there, el), vector(az, 10.0)
        assert math.degrees(math.acos(min(1.0, float(a @ b)))) <= ANGLE + 0.02
    assert model.sources[0].confidence[0] == (0.0, 0.2)
    assert model.timeline.undo_stack.undoText() == "Take over the found directions"
    model.timeline.undo_stack.undo()
    assert model.sources == ()


def test_what_is_at_rest_is_one_keyframe_and_gains_count() -> None:
    times = np.arange(0, 10, 0.1)
    still = taken_over([found(times, np.full(times.size, 33.0))])[0]
    assert still.points == ((0.0, 33.0, 10.0, 1.0),)
    fading = taken_over([found(times, np.full(times.size, 33.0), np.abs(np.sin(times)))])[0]
    for time, gain in zip(times.tolist(), np.abs(np.sin(times)).tolist(), strict=True):
        assert at(fading.points, time)[3] == pytest.approx(gain, abs=0.052)
    other = taken_over([found(times, np.full(times.size, 33.0))], (still,))[0]
    assert other.name != still.name and other.colour != still.colour
