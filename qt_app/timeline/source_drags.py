"""What a pressed mouse button does on keyframes and hints, from the press to the release."""

from __future__ import annotations

from qt_app.sources.model import HINT, SOURCE, Picked, SourcesModel
from qt_app.timeline.clock import clock_text
from qt_app.timeline.drags import range_text, snapped


class PointDrag:
    """Moves a keyframe to another time: onto the playhead or a cut when near, else a frame."""

    def __init__(self, sources: SourcesModel, index: int, point: int) -> None:
        self._sources, self._index, self._point = sources, index, point
        sources.begin_drag(Picked(SOURCE, index, point))

    def move(self, time: float, free: bool) -> str:
        timeline = self._sources.timeline
        self._sources.drag_point(timeline.on_frame(snapped(timeline, time, free)))
        return clock_text(self._sources.sources[self._index].points[self._point][0])

    def end(self, keep: bool) -> None:
        self._sources.end_drag(keep, "Move a keyframe of")


class HintDrag:
    """Moves one end of a hint, or all of it.

    Parameters
    ----------
    edge
        0 for its start, 1 for its end, None for both.
    grabbed
        Where it was taken, seconds.
    """

    def __init__(self, sources: SourcesModel, index: int, edge: int | None, grabbed: float) -> None:
        self._sources, self._index, self._edge, self._grabbed = sources, index, edge, grabbed
        hint = sources.hints[index]
        self._before = hint.start, hint.end
        sources.begin_drag(Picked(HINT, index))

    def move(self, time: float, free: bool) -> str:
        timeline, (start, end) = self._sources.timeline, self._before
        if self._edge is None:
            length = end - start
            start = snapped(timeline, start + time - self._grabbed, free)
            start = min(max(start, 0.0), max(0.0, timeline.duration - length))
            end = start + length
        elif self._edge == 0:
            start = min(snapped(timeline, time, free), end)
        else:
            end = max(snapped(timeline, time, free), start)
        self._sources.drag_hint(start, end)
        hint = self._sources.hints[self._index]
        return range_text((hint.start, hint.end))

    def end(self, keep: bool) -> None:
        self._sources.end_drag(keep)
