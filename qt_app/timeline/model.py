"""What the timeline shows and edits. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QUndoStack

from omniaudio_studio.jobs.request import Segment
from qt_app.timeline import shots as editing
from qt_app.timeline.commands import Change
from qt_app.timeline.field import FieldSummary
from qt_app.timeline.shots import Shots
from qt_app.timeline.view_range import ViewRange

MIN_RANGE = 0.02
"""Seconds: a shorter selection is none."""

Range = tuple[float, float]


class TimelineModel(QObject):
    """Duration, view, playhead, range, shots and the field's summary of one clip.

    Times are seconds from the clip's first video frame. `shots_changed` and `range_changed` say
    that something is new to show; `shots_edited`, `range_edited` and `scrubbed` that the user did
    it (undoing included), so that whoever keeps the values can tell the two apart.
    """

    duration_changed = pyqtSignal(float)
    view_changed = pyqtSignal()
    playhead_changed = pyqtSignal(float)
    scrubbed = pyqtSignal(float)
    range_changed = pyqtSignal(object)
    range_edited = pyqtSignal(object)
    loop_changed = pyqtSignal(bool)
    shots_changed = pyqtSignal(tuple)
    shots_edited = pyqtSignal(tuple)
    selected_shot_changed = pyqtSignal(int)
    suggestions_changed = pyqtSignal(tuple)
    field_changed = pyqtSignal()
    defaults_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self._view = ViewRange.fitted(0.0, 1)
        self._playhead = 0.0
        self._range: Range | None = None
        self._loop = False
        self._shots: Shots = (Segment(0.0),)
        self._selected = 0
        self._suggestions: tuple[float, ...] = ()
        self._field: FieldSummary | None = None
        self._before_drag: Shots | None = None
        self._scrubbing = False
        self.follow = True
        self.frame_rate: float | None = None
        self.default_cfg: float | None = None
        self.default_seed: int | None = None

    # The clip

    def load(
        self,
        duration: float,
        shots: Iterable[Segment] = (),
        suggestions: Iterable[float] = (),
        frame_rate: float | None = None,
    ) -> None:
        """Show another clip: everything of the last one is forgotten, undo included.

        Parameters
        ----------
        duration
            Seconds.
        shots
            The clip's shots; those outside it are left out.
        suggestions
            Where the picture cuts, seconds.
        frame_rate
            Of the video; moved cuts keep to its frames where given.
        """
        self._before_drag = None
        self._scrubbing = False
        self.undo_stack.clear()
        self.frame_rate = frame_rate if frame_rate and frame_rate > 0 else None
        self._view = ViewRange.fitted(duration, self._view.width)
        self.set_field(None)
        self._show_range(None)
        self.set_playhead(0.0)
        self._show_shots(editing.covering(shots, self.duration))
        self.select_shot(0)
        self.set_suggestions(suggestions)
        self.duration_changed.emit(self.duration)
        self.view_changed.emit()

    def set_duration(self, duration: float) -> None:
        """Another length for the same clip; what lies beyond it is cut off."""
        if duration == self.duration:
            return
        self._view = ViewRange.fitted(duration, self._view.width)
        self._show_shots(editing.covering(self._shots, self.duration))
        if self._range is not None:
            self._show_range(self._clean(*self._range))
        self.set_playhead(self._playhead)
        self.duration_changed.emit(self.duration)
        self.view_changed.emit()

    @property
    def duration(self) -> float:
        """Of the clip, seconds; 0 without one."""
        return self._view.duration

    def set_defaults(self, cfg: float | None, seed: int | None) -> None:
        """The clip's own CFG and seed, shown where a shot has none."""
        if (cfg, seed) != (self.default_cfg, self.default_seed):
            self.default_cfg, self.default_seed = cfg, seed
            self.defaults_changed.emit()

    # The view

    @property
    def view(self) -> ViewRange:
        """Which part is on screen."""
        return self._view

    def set_view(self, view: ViewRange) -> None:
        """Show another part."""
        if view != self._view:
            self._view = view
            self.view_changed.emit()

    def set_width(self, pixels: int) -> None:
        """The lanes are this wide now."""
        self.set_view(self._view.resized(pixels))

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Zoom in by ``factor`` about pixel ``x``; the playhead, or else the middle, without."""
        if x is None:
            seen = self._view.contains(self._playhead)
            x = self._view.x_at(self._playhead) if seen else self._view.width / 2
        self.set_view(self._view.zoomed(factor, x))

    def zoom_to_fit(self) -> None:
        """Show the whole clip."""
        self.set_view(ViewRange.fitted(self.duration, self._view.width))

    def zoom_to_range(self) -> None:
        """Show the range, with a little around it; the whole clip without one."""
        if self._range is None:
            return self.zoom_to_fit()
        start, end = self._range
        margin = 0.05 * (end - start)
        self.set_view(self._view.showing(start - margin, end + margin))

    def scroll(self, pixels: float) -> None:
        """Show what is later by ``pixels``."""
        self.set_view(self._view.scrolled(pixels))

    def reveal(self, time: float) -> None:
        """Scroll so that a time is on screen, if it isn't."""
        if not self._view.contains(time):
            shown = self._view.width * self._view.scale
            self.set_view(self._view.starting(time - 0.1 * shown))

    # The playhead

    @property
    def playhead(self) -> float:
        """Seconds."""
        return self._playhead

    @property
    def scrubbing(self) -> bool:
        """Whether the user is dragging the playhead."""
        return self._scrubbing

    def set_playhead(self, time: float) -> None:
        """The player is here now. Pages on when it runs out of the picture."""
        if self._scrubbing:
            return  # the hand wins over the player
        time = self._inside(time)
        if time == self._playhead:
            return
        seen = self._view.contains(self._playhead)
        self._playhead = time
        if self.follow and seen:
            self.reveal(time)
        self.playhead_changed.emit(time)

    def scrub(self, time: float) -> None:
        """The user wants to be here."""
        time = self._inside(time)
        changed = time != self._playhead
        self._playhead = time
        if changed:
            self.playhead_changed.emit(time)
        self.scrubbed.emit(time)

    def begin_scrub(self) -> None:
        """From here on the player's own positions are not shown."""
        self._scrubbing = True

    def end_scrub(self) -> None:
        """The player leads again."""
        self._scrubbing = False

    # The range

    @property
    def range(self) -> Range | None:
        """Start and end of the selection, seconds; None without one."""
        return self._range

    def set_range(self, start: float | None, end: float | None = None) -> None:
        """Select; the ends in any order. None, or less than `MIN_RANGE`, selects nothing."""
        wanted = None if start is None or end is None else self._clean(start, end)
        if wanted != self._range:
            self._show_range(wanted)
            self.range_edited.emit(self._range)

    def clear_range(self) -> None:
        """Select nothing."""
        self.set_range(None)

    def mark_in(self) -> None:
        """Let the range start at the playhead; to its old end, or the clip's."""
        end = self._range[1] if self._range else self.duration
        self.set_range(self._playhead, end if end > self._playhead else self.duration)

    def mark_out(self) -> None:
        """Let the range end at the playhead; from its old start, or the clip's."""
        start = self._range[0] if self._range else 0.0
        self.set_range(start if start < self._playhead else 0.0, self._playhead)

    @property
    def loop(self) -> bool:
        """Whether the range (or the whole clip) repeats."""
        return self._loop

    def set_loop(self, on: bool) -> None:
        """Repeat, or not."""
        if on != self._loop:
            self._loop = on
            self.loop_changed.emit(on)

    @property
    def loop_span(self) -> Range | None:
        """What the player should repeat: the range, or the whole clip; None when off."""
        if not self._loop or self.duration <= 0:
            return None
        return self._range or (0.0, self.duration)

    # Shots

    @property
    def shots(self) -> Shots:
        """They cover the clip: the first starts at 0."""
        return self._shots

    def set_shots(self, shots: Iterable[Segment]) -> None:
        """Show other shots; not an edit: nothing to undo."""
        wanted = editing.covering(shots, self.duration)
        if wanted != self._shots:
            self.undo_stack.clear()
            self._before_drag = None
            self._show_shots(wanted)

    def shot_at(self, time: float) -> int:
        """Index of the shot at a time."""
        return editing.shot_at(self._shots, time)

    def shot_span(self, index: int) -> Range:
        """Start and end of a shot, seconds."""
        return editing.span(self._shots, index, self.duration)

    @property
    def selected_shot(self) -> int:
        """Index of the shot that keys act on."""
        return self._selected

    def select_shot(self, index: int) -> None:
        """Let keys act on another shot."""
        index = min(max(index, 0), len(self._shots) - 1)
        if index != self._selected:
            self._selected = index
            self.selected_shot_changed.emit(index)

    def add_cut(self, time: float | None = None) -> bool:
        """Cut at a time, the playhead without one; False where a shot would be too short."""
        time = self.on_frame(self._playhead if time is None else time)
        done = self._edit("Add a cut", editing.split(self._shots, time, self.duration))
        if done:
            self.select_shot(self.shot_at(time))
        return done

    def remove_shot(self, index: int) -> bool:
        """Take a shot away; the one before it goes on."""
        return self._edit("Remove the shot", editing.remove(self._shots, index))

    def merge_shot(self, index: int) -> bool:
        """Join a shot with the next one and keep the first one's values."""
        return self._edit("Merge two shots", editing.merge(self._shots, index))

    def set_shot_values(self, index: int, cfg: float | None, seed: int | None) -> bool:
        """Give a shot its own CFG and seed; None: the clip's. Raises OptionError."""
        after = editing.with_values(self._shots, index, cfg, seed)
        return self._edit("Change the shot's values", after)

    def use_suggestions(self) -> bool:
        """Cut wherever the picture does."""
        after = editing.with_cuts(self._shots, self._suggestions, self.duration)
        return self._edit("Use the suggested cuts", after)

    def clear_shots(self) -> bool:
        """One shot with the clip's values."""
        return self._edit("Remove all shots", (Segment(0.0),))

    def begin_drag(self) -> None:
        """What follows until :meth:`end_drag` is one step."""
        self._before_drag = self._shots

    def drag_cut(self, index: int, time: float) -> None:
        """Let shot ``index`` (from 1) start at ``time``, as far as the drag's neighbours allow."""
        if self._before_drag is None or not 0 < index < len(self._before_drag):
            return
        self._show_shots(editing.move(self._before_drag, index, time, self.duration))

    def end_drag(self, keep: bool = True) -> None:
        """Keep what was dragged as one step, or put everything back."""
        before, after = self._before_drag, self._shots
        self._before_drag = None
        if before is None or before == after:
            return
        self._show_shots(before)
        if keep:
            self._edit("Move a cut", after)

    def move_cut(self, index: int, time: float) -> bool:
        """Let shot ``index`` (from 1) start at ``time``, as one step."""
        after = editing.move(self._shots, index, self.on_frame(time), self.duration)
        return self._edit("Move a cut", after)

    @property
    def suggestions(self) -> tuple[float, ...]:
        """Where the picture cuts, seconds, ascending, inside the clip."""
        return self._suggestions

    def set_suggestions(self, starts: Iterable[float]) -> None:
        """Where the picture cuts; a cut at 0 says nothing."""
        wanted = tuple(sorted({float(s) for s in starts if 0 < s < self.duration}))
        if wanted != self._suggestions:
            self._suggestions = wanted
            self.suggestions_changed.emit(wanted)

    def on_frame(self, time: float) -> float:
        """The time of the nearest video frame; the time itself where the rate isn't known."""
        if self.frame_rate is None:
            return time
        return round(time * self.frame_rate) / self.frame_rate

    # The field

    @property
    def field(self) -> FieldSummary | None:
        """What the waveform and the anglegram show."""
        return self._field

    def set_field(self, field: FieldSummary | None) -> None:
        """Show another sound, or none."""
        if field is not self._field:
            self._field = field
            self.field_changed.emit()

    # Inside

    def _inside(self, time: float) -> float:
        return min(max(float(time), 0.0), self.duration)

    def _clean(self, start: float, end: float) -> Range | None:
        start, end = sorted((self._inside(start), self._inside(end)))
        return (start, end) if end - start >= MIN_RANGE else None

    def _show_range(self, wanted: Range | None) -> None:
        if wanted != self._range:
            self._range = wanted
            self.range_changed.emit(wanted)

    def _edit(self, text: str, after: Shots) -> bool:
        before = self._shots
        if after == before:
            return False
        self.undo_stack.push(Change(text, before, after, self._show_edit))
        return True

    def _show_edit(self, shots: Shots) -> None:
        self._show_shots(shots)
        self.shots_edited.emit(shots)

    def _show_shots(self, shots: Shots) -> None:
        if shots == self._shots:
            return
        self._shots = shots
        self.shots_changed.emit(shots)
        self.select_shot(self._selected)
