"""What a pressed mouse button does in a lane, from the press to the release."""

from __future__ import annotations

from typing import Protocol

from qt_app.timeline.clock import clock_text
from qt_app.timeline.model import Range, TimelineModel
from qt_app.timeline.shots import snap

SNAP_PIXELS = 8


class Drag(Protocol):
    """Times are seconds of the clip, inside it; ``free`` switches snapping off."""

    def move(self, time: float, free: bool) -> str:
        """The mouse is at ``time``; the text to show beside it."""

    def end(self, keep: bool) -> None:
        """The button was released; or, with ``keep`` false, the drag was called off."""


class ScrubDrag:
    """Moves the playhead."""

    def __init__(self, model: TimelineModel) -> None:
        self._model, self._origin = model, model.playhead
        model.begin_scrub()

    def move(self, time: float, free: bool) -> str:
        self._model.scrub(time)
        return clock_text(time)

    def end(self, keep: bool) -> None:
        self._model.end_scrub()
        if not keep:
            self._model.scrub(self._origin)


class RangeDrag:
    """Selects from a fixed time to the mouse; also moves one end of the range."""

    def __init__(self, model: TimelineModel, fixed: float) -> None:
        self._model, self._fixed, self._before = model, fixed, model.range

    def move(self, time: float, free: bool) -> str:
        time = snapped(self._model, time, free)
        self._model.set_range(self._fixed, time)
        return range_text(self._model.range) or clock_text(time)

    def end(self, keep: bool) -> None:
        if not keep:
            _restore_range(self._model, self._before)


class RangeMoveDrag:
    """Moves the whole range and keeps its length."""

    def __init__(self, model: TimelineModel, grabbed: float) -> None:
        self._model, self._grabbed, self._before = model, grabbed, model.range

    def move(self, time: float, free: bool) -> str:
        if self._before is None:
            return clock_text(time)
        start, end = self._before
        length = end - start
        wanted = start + time - self._grabbed
        by_start = snapped(self._model, wanted, free)
        by_end = snapped(self._model, wanted + length, free) - length
        # Whichever end found something to snap to.
        start = by_start if by_start != wanted else by_end
        start = min(max(start, 0.0), self._model.duration - length)
        self._model.set_range(start, start + length)
        return range_text(self._model.range)

    def end(self, keep: bool) -> None:
        if not keep:
            _restore_range(self._model, self._before)


class CutDrag:
    """Moves where a shot starts: onto the playhead or a suggested cut when near, else a frame."""

    def __init__(self, model: TimelineModel, index: int) -> None:
        self._model, self._index = model, index
        model.select_shot(index)
        model.begin_drag()

    def move(self, time: float, free: bool) -> str:
        model = self._model
        place = time if free else snap(time, cut_places(model), SNAP_PIXELS * model.view.scale)
        on_place = not free and place in cut_places(model)
        model.drag_cut(self._index, place if on_place else model.on_frame(place))
        start = model.shots[self._index].start
        return clock_text(start) + (f"  {_named(model, start)}" if on_place else "")

    def end(self, keep: bool) -> None:
        self._model.end_drag(keep)


def cut_places(model: TimelineModel) -> tuple[float, ...]:
    """What a cut snaps to."""
    return (model.playhead, *model.suggestions)


def snapped(model: TimelineModel, time: float, free: bool) -> float:
    """An end of the range: the playhead, a cut or an end of the clip when near."""
    if free:
        return time
    places = [model.playhead, 0.0, model.duration, *(shot.start for shot in model.shots)]
    return snap(time, places, SNAP_PIXELS * model.view.scale)


def range_text(span: Range | None) -> str:
    """`start to end (length)`."""
    if span is None:
        return ""
    return f"{clock_text(span[0])} – {clock_text(span[1])}  ({span[1] - span[0]:.3f} s)"


def _named(model: TimelineModel, time: float) -> str:
    if time == model.playhead:
        return "at the playhead"
    return "at a suggested cut" if time in model.suggestions else ""


def _restore_range(model: TimelineModel, before: Range | None) -> None:
    if before is None:
        model.clear_range()
    else:
        model.set_range(*before)
