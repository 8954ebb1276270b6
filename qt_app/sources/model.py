"""The sources and hints of the clip that is shown: what is there, chosen, dragged and edited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Hint
from omniaudio_studio.jobs.result import FoundSource
from omniaudio_studio.jobs.spatialize_request import MAX_SOURCES
from qt_app.sources import editing
from qt_app.sources.source import ClipSource, Hints, Sources, at, tidy
from qt_app.sources.thinning import taken_over
from qt_app.timeline.commands import Change
from qt_app.timeline.model import TimelineModel

SOURCE, HINT = "source", "hint"
FIRST_STRENGTH = 0.5


@dataclass(frozen=True)
class Picked:
    """What keys act on: a source or hint by its index, and maybe one keyframe of the source."""

    kind: str
    index: int
    point: int | None = None


@dataclass(frozen=True)
class Marked:
    """All that is marked in a clip."""

    sources: Sources = ()
    hints: Hints = ()


class SourcesModel(QObject):
    """Sources and hints of one clip, edited in steps of the timeline's undo stack.

    Times are seconds of the clip, angles degrees.

    Parameters
    ----------
    timeline
        Whose clip, playhead, range and undo stack these are.

    Signals
    -------
    changed()
        Something is new to show, also in the middle of a drag.
    edited(object)
        The user did it (undoing included): a `Marked`, to be kept.
    picked_changed()
        Something else is chosen.
    refused(str)
        One line: why something cannot be done.
    """

    changed = pyqtSignal()
    edited = pyqtSignal(object)
    picked_changed = pyqtSignal()
    refused = pyqtSignal(str)

    def __init__(self, timeline: TimelineModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.timeline = timeline
        self._marked = Marked()
        self._picked: Picked | None = None
        self._before: tuple[Marked, Picked | None] | None = None  # the drag began
        self._drag_time = 0.0

    # What is there

    @property
    def sources(self) -> Sources:
        """By order."""
        return self._marked.sources

    @property
    def hints(self) -> Hints:
        """By order."""
        return self._marked.hints

    @property
    def picked(self) -> Picked | None:
        """What keys act on; None for nothing."""
        return self._picked

    def load(self, sources: Iterable[ClipSource] = (), hints: Iterable[Hint] = ()) -> None:
        """Show another clip's; nothing is chosen then."""
        self._before = None
        self.pick(None)
        self._show(Marked(tuple(sources), tuple(hints)))

    def show(self, sources: Iterable[ClipSource], hints: Iterable[Hint]) -> None:
        """Show other ones of the same clip; not an edit: nothing to undo."""
        wanted = Marked(tuple(sources), tuple(hints))
        if wanted != self._marked and self._before is None:
            self.timeline.undo_stack.clear()
            self._show(wanted)

    @property
    def reach(self) -> float:
        """Seconds around a keyframe that are its own: half a frame."""
        rate = self.timeline.frame_rate
        return 0.5 / rate if rate else 0.02

    def point_here(self, index: int) -> int | None:
        """The keyframe of a source at the playhead, None where there is none."""
        return editing.point_near(self.sources[index], self.timeline.playhead, self.reach)

    def direction(self, picked: Picked) -> tuple[float, float]:
        """Where something is at the playhead: azimuth and elevation."""
        if picked.kind == HINT:
            hint = self.hints[picked.index]
            return hint.azimuth, hint.elevation
        _, azimuth, elevation, _ = at(self.sources[picked.index].points, self.timeline.playhead)
        return azimuth, elevation

    # Choosing

    def pick(self, picked: Picked | None) -> None:
        """Let keys act on something else."""
        if picked != self._picked:
            self._picked = picked
            self.picked_changed.emit()

    def pick_next(self) -> None:
        """The next source, then the hints, then nothing."""
        every: list[Picked | None] = [Picked(SOURCE, n) for n in range(len(self.sources))]
        every += [Picked(HINT, n) for n in range(len(self.hints))]
        now = None if self._picked is None else replace(self._picked, point=None)
        self.pick([*every, None][every.index(now) + 1 if now in every else 0])

    # Adding

    def add_source(self, azimuth: float, elevation: float) -> bool:
        """A source with one keyframe at the playhead."""
        if not self._ready() or not self._room(1):
            return False
        sources = self.sources
        made = editing.new_source(sources, self._frame(), azimuth, elevation)
        self._edit("Add a source", replace(self._marked, sources=(*sources, made)))
        self.pick(Picked(SOURCE, len(sources), 0))
        return True

    def add_hint(self, azimuth: float, elevation: float) -> bool:
        """A hint over the selected range, else over the shot at the playhead."""
        if not self._ready():
            return False
        timeline = self.timeline
        start, end = timeline.range or timeline.shot_span(timeline.shot_at(timeline.playhead))
        made = Hint(start, end, *tidy(azimuth, elevation), FIRST_STRENGTH)
        hints = self.hints
        self._edit("Add a hint", replace(self._marked, hints=(*hints, made)))
        self.pick(Picked(HINT, len(hints)))
        return True

    def take_over(self, found: Iterable[FoundSource]) -> int:
        """Make sources of directions that were found; returns how many."""
        made = taken_over(found, self.sources)
        if not made or not self._ready() or not self._room(len(made)):
            return 0
        first = len(self.sources)
        after = replace(self._marked, sources=(*self.sources, *made))
        self._edit("Take over the found directions", after)
        self.pick(Picked(SOURCE, first))
        return len(made)

    # Directions

    def place(self, picked: Picked, azimuth: float, elevation: float) -> None:
        """Put something into a direction, at the playhead; one step."""
        self.begin_drag(picked)
        self.drag_to(azimuth, elevation)
        self.end_drag()

    def nudge(self, left: float, up: float) -> bool:
        """Turn what is chosen a little, at the playhead; False where nothing is chosen."""
        if self._picked is None or not self._ready():
            return False
        azimuth, elevation = self.direction(self._picked)
        self.place(self._picked, azimuth + left, elevation + up)
        return True

    def begin_drag(self, picked: Picked) -> None:
        """What follows until :meth:`end_drag` is one step."""
        self.end_drag(keep=False)
        self._before = self._marked, self._picked
        self._drag_time = self._frame()
        self.pick(picked)

    def drag_to(self, azimuth: float, elevation: float) -> None:
        """Turn what is dragged into a direction, at the time where the drag began."""
        if self._before is None or self._picked is None:
            return
        before, picked = self._before[0], self._picked
        if picked.kind == HINT:
            az, el = tidy(azimuth, elevation)
            hint = replace(before.hints[picked.index], azimuth=az, elevation=el)
            hints = editing.hint_replaced(before.hints, picked.index, hint)
            self._show(replace(before, hints=hints))
            return
        source = editing.with_direction(
            before.sources[picked.index], self._drag_time, azimuth, elevation, self.reach
        )
        self._show(replace(before, sources=editing.replaced(before.sources, picked.index, source)))
        point = editing.point_near(source, self._drag_time, self.reach)
        self.pick(replace(picked, point=point))

    def end_drag(self, keep: bool = True, text: str = "Move") -> None:
        """Keep what was dragged as one step, or put everything back."""
        if self._before is None:
            return
        (before, picked), after, now = self._before, self._marked, self._picked
        self._before = None
        if after != before:
            self._show(before)
            if keep:
                self._edit(f"{text} the {SOURCE if now is None else now.kind}", after)
                self.pick(now)
        if not keep:
            self.pick(picked)

    # Times

    def drag_point(self, time: float) -> None:
        """Move the keyframe that is dragged to another time, between its neighbours."""
        if self._before is None or self._picked is None or self._picked.point is None:
            return
        before, picked = self._before[0], self._picked
        assert picked.point is not None
        source = editing.moved(
            before.sources[picked.index], picked.point, time, self.timeline.duration
        )
        self._show(replace(before, sources=editing.replaced(before.sources, picked.index, source)))

    def nudge_point(self, frames: int) -> bool:
        """Move the chosen keyframe so many frames on; False where none is chosen."""
        picked, rate = self._picked, self.timeline.frame_rate
        if picked is None or picked.kind != SOURCE or picked.point is None:
            return False
        time = self.sources[picked.index].points[picked.point][0]
        self.begin_drag(picked)
        self.drag_point(time + frames / (rate or 100.0))
        self.end_drag(text="Move a keyframe of")
        return True

    def drag_hint(self, start: float, end: float) -> None:
        """Give the hint that is dragged another range."""
        if self._before is None or self._picked is None or self._picked.kind != HINT:
            return
        before, index = self._before[0], self._picked.index
        hint = editing.hint_moved(before.hints[index], start, end, self.timeline.duration)
        self._show(replace(before, hints=editing.hint_replaced(before.hints, index, hint)))

    def add_point(self, index: int, time: float) -> None:
        """A keyframe on a source's path, where it is at that time anyway."""
        time = min(max(self.timeline.on_frame(time), 0.0), self.timeline.duration)
        source = self.sources[index]
        if editing.point_near(source, time, editing.CLOSEST) is None:
            _, azimuth, elevation, _ = at(source.points, time)
            made = editing.with_direction(source, time, azimuth, elevation, editing.CLOSEST)
            self._change(index, "Add a keyframe", made)
        self.pick(Picked(SOURCE, index, editing.point_near(self.sources[index], time, 0.01)))

    # Values

    def set_point(
        self, index: int, point: int, azimuth: float, elevation: float, gain: float
    ) -> None:
        """Give a keyframe other values."""
        made = editing.with_point(self.sources[index], point, azimuth, elevation, gain)
        self._change(index, "Change a keyframe", made)

    def rename(self, index: int, name: str) -> None:
        """Call a source something else; nothing is no name."""
        if name.strip():
            self._change(
                index, "Rename the source", replace(self.sources[index], name=name.strip())
            )

    def set_colour(self, index: int, colour: int) -> None:
        """Show a source in another colour."""
        made = replace(self.sources[index], colour=colour)
        self._change(index, "Change the source's colour", made)

    def set_stem(self, index: int, file: Path | None) -> None:
        """Give a source a recording of its own, from the playhead on; None: the clip's."""
        start = 0.0 if file is None else self.timeline.playhead
        made = replace(self.sources[index], file=file, start=start)
        self._change(index, "Change the source's sound", made)

    def set_hint(self, index: int, azimuth: float, elevation: float, strength: float) -> None:
        """Give a hint other values."""
        az, el = tidy(azimuth, elevation)
        strength = min(max(strength, 0.0), 1.0)
        made = replace(self.hints[index], azimuth=az, elevation=el, strength=strength)
        hints = editing.hint_replaced(self.hints, index, made)
        self._edit("Change the hint", replace(self._marked, hints=hints))

    # Removing

    def remove_picked(self) -> bool:
        """Remove the chosen keyframe, else the one at the playhead, else the source or hint."""
        picked = self._picked
        if picked is None:
            return False
        if picked.kind == HINT:
            self.remove_hint(picked.index)
            return True
        point = self.point_here(picked.index) if picked.point is None else picked.point
        if point is None:
            self.remove_source(picked.index)
        else:
            self.remove_point(picked.index, point)
        return True

    def remove_point(self, index: int, point: int) -> None:
        """Remove a keyframe; with its last one a source goes too."""
        rest = editing.without_point(self.sources[index], point)
        if rest is None:
            self.remove_source(index)
        else:
            self._change(index, "Remove a keyframe", rest)

    def remove_source(self, index: int) -> None:
        """Remove a source."""
        sources = editing.replaced(self.sources, index, None)
        self._edit("Remove the source", replace(self._marked, sources=sources))

    def remove_hint(self, index: int) -> None:
        """Remove a hint."""
        hints = editing.hint_replaced(self.hints, index, None)
        self._edit("Remove the hint", replace(self._marked, hints=hints))

    def remove_all(self) -> None:
        """Remove every source and hint."""
        self._edit("Remove all sources and hints", Marked())

    # Inside

    def _ready(self) -> bool:
        return self.timeline.duration > 0

    def _room(self, more: int) -> bool:
        if len(self.sources) + more <= MAX_SOURCES:
            return True
        self.refused.emit(f"A clip has at most {MAX_SOURCES} sources; remove some first.")
        return False

    def _frame(self) -> float:
        """The frame that is shown at the playhead."""
        timeline = self.timeline
        return min(max(timeline.on_frame(timeline.playhead), 0.0), timeline.duration)

    def _change(self, index: int, text: str, source: ClipSource) -> None:
        sources = editing.replaced(self.sources, index, source)
        self._edit(text, replace(self._marked, sources=sources))

    def _edit(self, text: str, after: Marked) -> None:
        before = self._marked
        if after == before:
            return
        try:
            for number, source in enumerate(after.sources, 1):
                source.validate(f"source {number}")
            for number, hint in enumerate(after.hints, 1):
                hint.validate(f"hint {number}")
        except OptionError as error:
            self.refused.emit(str(error))
            return
        self.timeline.undo_stack.push(Change(text, before, after, self._show_edit))

    def _show_edit(self, marked: Marked) -> None:
        self._show(marked)
        self.edited.emit(marked)

    def _show(self, marked: Marked) -> None:
        if marked == self._marked:
            return
        self._marked = marked
        if self._picked is not None and not _is_there(self._picked, marked):
            self.pick(None)
        self.changed.emit()


def _is_there(picked: Picked, marked: Marked) -> bool:
    if picked.kind == HINT:
        return picked.index < len(marked.hints)
    if picked.index >= len(marked.sources):
        return False
    return picked.point is None or picked.point < len(marked.sources[picked.index].points)
