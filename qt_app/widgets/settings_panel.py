"""Settings of the chosen clips: one form, for one clip or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliverables import DELIVERABLES, ordered
from qt_app.models.catalogue import Catalogue
from qt_app.models.clip import NOT_360, Clip
from qt_app.models.library import Library
from qt_app.models.library_rows import facts
from qt_app.models.presets import Preset, Presets
from qt_app.models.settings import ClipSettings, range_problem, roll_seed, sentence
from qt_app.widgets.form import ToneLabel
from qt_app.widgets.setting_fields import SettingField
from qt_app.widgets.setting_form import SettingForm


class SettingsPanel(QWidget):
    """What is wanted of the clips that are selected in the library (or of the current one).

    Parameters
    ----------
    library
        Holds the clips; every edit is a step that it can undo.
    presets
        For the choice at the top.
    catalogue
        Bundles and devices; it is refreshed by whoever opens the window.
    """

    shots_wanted = pyqtSignal(list)  # ids; the library's shot finder is connected already

    def __init__(
        self,
        library: Library,
        presets: Presets,
        catalogue: Catalogue,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName("Settings")
        self._library = library
        self._front: Callable[[], float] | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.refresh)

        self.title = QLabel()
        font = self.title.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.title.setFont(font)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.subtitle = ToneLabel("secondary")
        self.hint = ToneLabel("secondary", "Choose a clip to set it up.")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)

        self.form = form = SettingForm(presets, catalogue)
        self._lay_out()
        form.presets.applied.connect(self._apply_preset)
        for field in form.fields:
            field.edited.connect(partial(self._edited, field))
        form.seed.rolled.connect(self._roll)
        form.deliverables.switched.connect(self._switch_output)
        form.shots.wanted.connect(lambda: self.shots_wanted.emit(self._ids()))
        form.shots.stopped.connect(lambda: library.shots.stop(self._ids()))
        self.shots_wanted.connect(library.shots.find)
        form.front_button.clicked.connect(self._take_front)
        library.settings_changed.connect(self._refresh_soon)
        library.selection_changed.connect(self._refresh_soon)
        library.current_changed.connect(self._refresh_soon)
        library.clip_changed.connect(self._clip_changed)
        library.shots.progress.connect(self._refresh_soon)
        library.shots.finished.connect(self._refresh_soon)
        self.refresh()

    def _lay_out(self) -> None:
        self.scroller = QScrollArea()
        self.scroller.setWidget(self.form)
        self.scroller.setWidgetResizable(True)
        self.scroller.setFrameShape(QFrame.Shape.NoFrame)
        self.scroller.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroller.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        head = QVBoxLayout()
        head.setContentsMargins(12, 10, 12, 4)
        head.setSpacing(1)
        head.addWidget(self.title)
        head.addWidget(self.subtitle)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.scroller, 1)
        layout.addWidget(self.hint, 1)
        self.setMinimumWidth(self.form.minimumSizeHint().width() + self.scroller_width())
        self.setMinimumHeight(120)

    def scroller_width(self) -> int:
        """Pixels that the scroll bar takes."""
        bar = self.scroller.verticalScrollBar()
        return 16 if bar is None else bar.sizeHint().width()

    # Showing ---------------------------------------------------------------------------------

    def _clips(self) -> list[Clip]:
        ids = self._library.selected
        if not ids:
            current = self._library.current
            return [] if current is None else [current]
        return [clip for number in ids if (clip := self._library.find(number)) is not None]

    def _ids(self) -> list[int]:
        return [clip.id for clip in self._clips()]

    def _refresh_soon(self, *_: Any) -> None:
        # A thousand clips change one by one; the form is written once.
        if not self._later.isActive():
            self._later.start(0)

    def _clip_changed(self, number: int) -> None:
        current = self._library.current
        if self._library.is_selected(number) or (current is not None and current.id == number):
            self._refresh_soon()

    def refresh(self) -> None:
        """Show the settings of the chosen clips."""
        clips = self._clips()
        self.scroller.setVisible(bool(clips))
        self.title.setVisible(bool(clips))
        self.subtitle.setVisible(bool(clips))
        self.hint.setVisible(not clips)
        if not clips:
            return
        settings = [clip.settings for clip in clips]
        self._show_head(clips)
        self.form.show_settings(settings)
        parts = [part for clip in clips if (part := self._library.shots.part(clip.id)) is not None]
        self.form.shots.show_search(min(parts) if parts else None)
        self.form.shots.button.setEnabled(bool(parts) or any(clip.ready for clip in clips))
        self._show_notes(clips, settings)

    def _show_head(self, clips: list[Clip]) -> None:
        if len(clips) == 1:
            name, below = clips[0].name, ", ".join(facts(clips[0]))
        else:
            name, below = f"{len(clips)} clips", "Changes go to all of them."
        self.title.setToolTip("\n".join(str(clip.path) for clip in clips[:20]))
        self.title.setProperty("whole", name)
        self._elide_title()
        self.subtitle.setText(below)
        self.subtitle.setVisible(bool(below))

    def _elide_title(self) -> None:
        name = str(self.title.property("whole") or "")
        room = max(self.width() - 24, 40)
        self.title.setText(
            self.title.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, room)
        )
        self.title.setAccessibleName(name)

    def _show_notes(self, clips: list[Clip], settings: list[ClipSettings]) -> None:
        problem = next(
            (p for c in clips if (p := range_problem(c.settings, c.seconds)) is not None), None
        )
        self.form.start.row.show_problem(problem or "")
        known = [clip for clip in clips if clip.info is not None]
        silent = sum(not clip.has_sound for clip in known)
        mixed = any(item.mix for item in settings)
        if silent and mixed:
            told = "This clip has no sound." if len(clips) == 1 else f"{silent} have no sound."
            self.form.mix.show_sound_note(told)
        else:
            self.form.mix.show_sound_note("")
        flat = next((clip for clip in clips if clip.problem_kind == NOT_360), None)
        told = "" if flat is None or flat.problem is None else flat.problem
        self.form.projection.row.show_problem(
            f"{flat.name}: {told}" if flat is not None and len(clips) > 1 else told
        )
        if told and len(clips) == 1 and self.form.advanced.is_folded:
            self.form.advanced.set_folded(False)

    # Editing ---------------------------------------------------------------------------------

    def _edited(self, field: SettingField, values: dict[str, Any]) -> None:
        try:
            self._library.change(self._ids(), **values)
        except OptionError as error:
            field.show_problem(next(iter(values)), sentence(str(error)))

    def _roll(self) -> None:
        self._library.change_each(
            {number: {"seed": roll_seed(), "seed_locked": True} for number in self._ids()},
            label="new seed",
        )

    def _switch_output(self, name: str, on: bool) -> None:
        """One more file beside the takes of each clip, or one less; the others stay."""
        changes = {}
        for clip in self._clips():
            beside = {*clip.settings.beside, name} if on else {*clip.settings.beside} - {name}
            changes[clip.id] = {"beside": ordered(beside)}
        self._library.change_each(changes, label=f"files: {DELIVERABLES[name].short}")

    def _apply_preset(self, preset: Preset) -> None:
        try:
            self._library.change(self._ids(), label=f"preset {preset.name}", **preset.values)
        except OptionError as error:
            self.form.presets.row.show_problem(sentence(str(error)))
        self._refresh_soon()

    def set_front_source(self, azimuth: Callable[[], float] | None) -> None:
        """Where the button beside "Front" takes its degrees from; no button where None."""
        self._front = azimuth
        self.form.front_button.setVisible(azimuth is not None)

    def set_usual_folder(self, folder: Path | None) -> None:
        """Where takes go by preference, for clips without a folder; None: beside the clip."""
        self.form.folder.set_usual(folder)

    def set_placed(self, takes: Sequence[tuple[Path, str]]) -> None:
        """The placed takes that can be mixed under what is generated: WAV and name."""
        self.form.bed.set_takes(takes)
        clips = self._clips()
        if clips:
            self.form.bed.show_settings([clip.settings for clip in clips])

    def _take_front(self) -> None:
        if self._front is not None:
            self._edited(self.form.yaw, {"yaw": round(float(self._front()), 2)})

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The name is cut to the new width."""
        super().resizeEvent(event)
        self._elide_title()
