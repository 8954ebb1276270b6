"""The timeline: lanes one above the other, a scroll bar, and the keys."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QPoint, QRect, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence, QResizeEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qt_app.icons import icon
from qt_app.sources.editor import MarkEditor
from qt_app.sources.menu import mark_menu
from qt_app.sources.model import SOURCE, Picked, SourcesModel
from qt_app.timeline.clock import spoken_time
from qt_app.timeline.lanes.anglegram import AnglegramLane
from qt_app.timeline.lanes.base import GUTTER, Lane
from qt_app.timeline.lanes.range import RangeLane
from qt_app.timeline.lanes.ruler import RulerLane
from qt_app.timeline.lanes.shots import ShotsLane
from qt_app.timeline.lanes.sources import MarkLanes
from qt_app.timeline.lanes.waveform import WaveformLane
from qt_app.timeline.menu import timeline_menu
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.shot_editor import ShotEditor

_STEP = 1.0  # seconds per arrow key
_ZOOM = 1.5  # per key or button
_FINE = 0.01  # seconds a cut is nudged where the frame rate isn't known
_BAR_STEPS = 1_000_000  # of the scroll bar over the whole clip
_SPEAK_MS = 500


class TimelineWidget(QWidget):
    """Shows a `TimelineModel` and edits it, and the sources and hints of its clip.

    Parameters
    ----------
    sources
        Made on the model's time; one without any marks where None.

    Signals
    -------
    scrubbed(float), range_changed(object), shots_changed(tuple)
        What the user did: seconds; (start, end) or None; the new shots.
    reroll_requested(float, float), limit_requested(float, float)
        Generate a part again; generate only a part. Seconds.
    """

    scrubbed = pyqtSignal(float)
    range_changed = pyqtSignal(object)
    shots_changed = pyqtSignal(tuple)
    reroll_requested = pyqtSignal(float, float)
    limit_requested = pyqtSignal(float, float)

    def __init__(
        self,
        model: TimelineModel,
        parent: QWidget | None = None,
        sources: SourcesModel | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self.sources = SourcesModel(model, self) if sources is None else sources
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Timeline")
        self.ruler = RulerLane(model, self)
        self.range = RangeLane(model, self)
        self.shots = ShotsLane(model, self)
        self.waveform = WaveformLane(model, self)
        self.anglegram = AnglegramLane(model, self)
        self.lanes: tuple[Lane, ...] = (
            self.ruler,
            self.range,
            self.shots,
            self.waveform,
            self.anglegram,
        )
        self.marks = MarkLanes(self.sources, self)
        self.bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self.bar.setAccessibleName("Visible part of the clip")
        self.editor = ShotEditor(model, self)
        self.mark_editor = MarkEditor(self.sources, self)
        self.bubble = QLabel(self)
        self.zoom_out, self.zoom_fit, self.zoom_in = (QToolButton(self) for _ in range(3))
        self.more = QToolButton(self.shots)
        self._lay_out()
        self._speak_timer = QTimer(self)
        self._speak_timer.setInterval(_SPEAK_MS)
        self._speak_timer.setSingleShot(True)
        self._speak_timer.timeout.connect(self._speak)
        self._connect()
        self._speak()
        self._follow_view()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for lane in self.lanes:
            lane.setFocusProxy(self)
            lane.bubble.connect(self._show_bubble)
            layout.addWidget(lane, lane.stretch)
            if lane is self.shots:
                layout.addWidget(self.marks)
        self.marks.setFocusProxy(self)
        self.marks.bubble.connect(self._show_bubble)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._corner())
        row.addWidget(self.bar)
        layout.addLayout(row)
        self.bubble.setObjectName("bubble")
        self.bubble.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.bubble.setAutoFillBackground(True)
        self.bubble.setMargin(4)
        self.bubble.setFrameShape(QFrame.Shape.StyledPanel)
        self.bubble.hide()

    def _corner(self) -> QWidget:
        """Buttons for those who do not know the keys, in the corner under the gutter."""
        corner = QWidget(self)
        corner.setFixedWidth(GUTTER)
        row = QHBoxLayout(corner)
        row.setContentsMargins(2, 1, 2, 1)
        row.setSpacing(0)
        for button, words in (
            (self.zoom_out, "Zoom out  (−)"),
            (self.zoom_fit, "Show the whole clip  (F)"),
            (self.zoom_in, "Zoom in  (+)"),
        ):
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setFixedSize((GUTTER - 4) // 3, 18)
            button.setToolTip(words)
            button.setAccessibleName(words.split("  ")[0])
            row.addWidget(button)
        self.zoom_out.setText("−")
        self.zoom_in.setText("+")
        self.zoom_fit.setText("↔")
        self.zoom_out.clicked.connect(lambda: self.model.zoom(1 / _ZOOM))
        self.zoom_in.clicked.connect(lambda: self.model.zoom(_ZOOM))
        self.zoom_fit.clicked.connect(self.model.zoom_to_fit)
        self.more.setIcon(icon("more"))
        self.more.setAutoRaise(True)
        self.more.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.more.setGeometry(GUTTER - 26, (self.shots.wanted_height - 22) // 2, 22, 22)
        self.more.setToolTip("Cut, merge, select, generate again…")
        self.more.setAccessibleName("What can be done with shots and range")
        self.more.clicked.connect(self.open_menu)
        return corner

    def _connect(self) -> None:
        model = self.model
        model.scrubbed.connect(self.scrubbed)
        model.range_edited.connect(self.range_changed)
        model.shots_edited.connect(self.shots_changed)
        model.view_changed.connect(self._follow_view)
        for signal in (model.playhead_changed, model.range_changed, model.shots_changed):
            signal.connect(self._speak_soon)
        model.selected_shot_changed.connect(self._speak_soon)
        model.duration_changed.connect(self._speak_soon)
        self.bar.valueChanged.connect(self._bar_moved)
        self.shots.edit_requested.connect(self.edit_shot)
        self.shots.pressed.connect(lambda: self.sources.pick(None))
        self.marks.edit_wanted.connect(self.mark_editor.open_for)
        self.marks.menu_wanted.connect(self._pop_up_mark)

    # The view and its scroll bar

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self.model.set_width(max(1, self.width() - GUTTER))

    def _follow_view(self) -> None:
        view = self.model.view
        shown = min(1.0, view.width * view.scale / view.duration) if view.duration else 1.0
        page = max(1, round(shown * _BAR_STEPS))
        self.bar.blockSignals(True)
        self.bar.setRange(0, _BAR_STEPS - page)
        self.bar.setPageStep(page)
        self.bar.setSingleStep(max(1, page // 10))
        self.bar.setValue(round(view.start / view.duration * _BAR_STEPS) if view.duration else 0)
        self.bar.blockSignals(False)
        self.bar.setEnabled(shown < 1)
        for button in (self.zoom_in, self.zoom_out, self.zoom_fit, self.more):
            button.setEnabled(view.duration > 0)

    def _bar_moved(self, value: int) -> None:
        self.model.set_view(self.model.view.starting(value / _BAR_STEPS * self.model.duration))

    # Shots

    def edit_shot(self, index: int) -> None:
        """Ask for a shot's CFG and seed, under its box."""
        if self.model.duration <= 0:
            return
        self.model.select_shot(index)
        self.model.reveal(self.model.shots[index].start)
        box = self.shots.shot_box(index)
        self.editor.open_for(index, self.shots.mapToGlobal(QPoint(box.left(), box.bottom() + 2)))

    def edit_mark(self, picked: Picked) -> None:
        """Ask for the values of a keyframe or hint, near the middle of its lane."""
        lanes = self.marks.lanes
        lane = lanes[picked.index] if picked.kind == SOURCE else self.marks.hints
        x = max(GUTTER, min(self.width() // 2, round(lane.x_at(self.model.playhead))))
        self.mark_editor.open_for(picked, lane.mapToGlobal(QPoint(x, lane.height())))

    # Keys

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        if self.model.duration > 0 and self._act(event):
            event.accept()
        else:
            super().keyPressEvent(event)

    def _act(self, event: QKeyEvent) -> bool:
        model, key = self.model, event.key()
        if event.matches(QKeySequence.StandardKey.Undo):
            model.undo_stack.undo()
            return True
        if event.matches(QKeySequence.StandardKey.Redo) or (
            key == Qt.Key.Key_Y and event.modifiers() == Qt.KeyboardModifier.ControlModifier
        ):
            model.undo_stack.redo()
            return True
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return self._arrow(-1 if key == Qt.Key.Key_Left else 1, modifiers)
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            model.zoom(_ZOOM)
        elif key == Qt.Key.Key_Minus:
            model.zoom(1 / _ZOOM)
        elif key == Qt.Key.Key_PageUp:
            model.scroll(-0.9 * model.view.width)
        elif key == Qt.Key.Key_PageDown:
            model.scroll(0.9 * model.view.width)
        elif modifiers != Qt.KeyboardModifier.NoModifier:
            return False
        elif key == Qt.Key.Key_Home:
            self._go(0.0)
        elif key == Qt.Key.Key_End:
            self._go(model.duration)
        elif key == Qt.Key.Key_Escape:
            if any(lane.cancel_drag() for lane in self.lanes) or self.marks.cancel_drag():
                return True
            if self.sources.picked is not None:
                self.sources.pick(None)
            else:
                model.clear_range()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if not self.sources.remove_picked():
                model.remove_shot(model.selected_shot)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_E):
            self._edit_chosen()
        elif key == Qt.Key.Key_L:
            model.set_loop(not model.loop)
        else:
            acts: dict[int, Callable[[], object]] = {
                Qt.Key.Key_I: model.mark_in,
                Qt.Key.Key_O: model.mark_out,
                Qt.Key.Key_S: model.add_cut,
                Qt.Key.Key_M: lambda: model.merge_shot(model.selected_shot),
                Qt.Key.Key_F: model.zoom_to_fit,
                Qt.Key.Key_Z: model.zoom_to_range,
            }
            if key not in acts:
                return False
            acts[key]()
        return True

    def _edit_chosen(self) -> None:
        """The values of the chosen keyframe or hint, else of the selected shot."""
        picked = self.sources.picked
        if picked is None:
            self.edit_shot(self.model.selected_shot)
            return
        if picked.kind == SOURCE and picked.point is None:
            self.sources.add_point(picked.index, self.model.playhead)
            picked = self.sources.picked
        if picked is not None:
            self.edit_mark(picked)

    def _arrow(self, sign: int, modifiers: Qt.KeyboardModifier) -> bool:
        """A second on; with Ctrl to the next cut, Alt moves a start or keyframe, Shift selects."""
        model = self.model
        if modifiers == Qt.KeyboardModifier.NoModifier:
            self._go(model.playhead + sign * _STEP)
        elif modifiers == Qt.KeyboardModifier.ControlModifier:
            starts = [shot.start for shot in model.shots]
            if sign > 0:
                after = [
                    index for index, start in enumerate(starts) if start > model.playhead + 1e-6
                ]
                index = after[0] if after else len(starts) - 1
            else:
                before = [i for i, start in enumerate(starts) if start < model.playhead - 1e-6]
                index = before[-1] if before else 0
            model.select_shot(index)
            self._go(starts[index])
        elif modifiers == Qt.KeyboardModifier.AltModifier:
            index = model.selected_shot
            if not self.sources.nudge_point(sign) and index > 0:
                step = 1 / model.frame_rate if model.frame_rate else _FINE
                model.move_cut(index, model.shots[index].start + sign * step)
        elif modifiers == Qt.KeyboardModifier.ShiftModifier:
            here = model.playhead
            fixed = here
            if model.range is not None and here in model.range:
                fixed = model.range[1] if here == model.range[0] else model.range[0]
            self._go(here + sign * _STEP)
            model.set_range(fixed, model.playhead)
        else:
            return False
        return True

    def _go(self, time: float) -> None:
        self.model.scrub(time)
        self.model.reveal(self.model.playhead)

    # The menu

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        if event is None or self.model.duration <= 0:
            return
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.open_menu()
        else:
            time = self.shots.time_at(event.pos().x())
            self.model.select_shot(self.model.shot_at(time))
            self._pop_up(time, event.globalPos())

    def open_menu(self) -> None:
        """The menu, for the place of the playhead."""
        if self.model.duration > 0:
            time = self.model.playhead
            x = max(GUTTER, min(self.width() - 20, round(self.shots.x_at(time))))
            self._pop_up(time, self.mapToGlobal(QPoint(x, self.shots.geometry().bottom())))

    def _pop_up(self, time: float, place: QPoint) -> None:
        menu = timeline_menu(
            self,
            self.model,
            time,
            reroll=self.reroll_requested.emit,
            limit=self.limit_requested.emit,
            edit=self.edit_shot,
        )
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def _pop_up_mark(self, picked: Picked, place: QPoint) -> None:
        menu = mark_menu(self, self.sources, picked, self.edit_mark)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    # Words

    def _show_bubble(self, text: str, place: QPoint) -> None:
        if not text:
            self.bubble.hide()
            return
        self.bubble.setText(text)
        self.bubble.adjustSize()
        here = self.mapFromGlobal(place)
        x = min(max(GUTTER, here.x() + 12), self.width() - self.bubble.width())
        y = max(0, min(here.y() - self.bubble.height() - 8, self.height() - self.bubble.height()))
        self.bubble.move(x, y)
        self.bubble.show()
        self.bubble.raise_()

    def _speak_soon(self, *_values: object) -> None:
        if not self._speak_timer.isActive():
            self._speak_timer.start()

    def _speak(self) -> None:
        """What a screen reader says of the painted lanes."""
        model = self.model
        if model.duration <= 0:
            for widget in (self, *self.lanes):
                widget.setAccessibleDescription("No clip")
            return
        here = f"Playhead at {spoken_time(model.playhead)} of {spoken_time(model.duration)}"
        start, end = model.shot_span(model.selected_shot)
        shots = (
            f"{len(model.shots)} shots, shot {model.selected_shot + 1} selected, from "
            f"{spoken_time(start)} to {spoken_time(end)}"
            if len(model.shots) > 1
            else "One shot"
        )
        span = "Nothing selected"
        if model.range is not None:
            span = f"From {spoken_time(model.range[0])} to {spoken_time(model.range[1])}"
            span += ", repeats" if model.loop else ""
        self.setAccessibleDescription(f"{here}. {shots}. Range: {span}.")
        self.ruler.setAccessibleDescription(here)
        self.range.setAccessibleDescription(span)
        self.shots.setAccessibleDescription(shots)
        self.waveform.setAccessibleDescription(self._level_words() or here)
        self.anglegram.setAccessibleDescription(self._direction_words() or here)

    def _level_words(self) -> str:
        field = self.model.field
        if field is None:
            return "No sound yet"
        return f"Level at the playhead: {field.level_at(self.model.playhead):.0f} dB"

    def _direction_words(self) -> str:
        field = self.model.field
        if field is None or field.anglegram is None:
            return "No directions"
        azimuth = field.azimuth_at(self.model.playhead)
        if azimuth is None:
            return "Silence at the playhead"
        side = "left" if azimuth > 0 else "right"
        return f"Loudest at the playhead: {abs(azimuth):.0f} degrees {side}"

    def playhead_rect(self) -> QRect:
        """The column of pixels that the playhead covers, for measurements."""
        x = round(self.ruler.x_at(self.model.playhead))
        return QRect(x, 0, 1, self.bar.y())
