"""The middle of the window: picture, transport, timeline, meters."""

from __future__ import annotations

import math

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSlider, QSplitter, QVBoxLayout, QWidget

from qt_app import icons
from qt_app.models.clip import Clip
from qt_app.models.session import Session
from qt_app.models.take_words import facts, part_text
from qt_app.picture.view import make_sphere_view
from qt_app.timeline.widget import TimelineWidget
from qt_app.widgets.form import tool_button
from qt_app.widgets.labels import secondary
from qt_app.widgets.meters import Meters
from qt_app.widgets.source_hands import SourceHands
from qt_app.widgets.transport import TransportBar


class Stage(QWidget):
    """Shows what is listened to, and where in it.

    Signals
    -------
    reroll_requested(float, float), limit_requested(float, float)
        Of the timeline: generate a range again, or only a range; seconds.
    """

    reroll_requested = pyqtSignal(float, float)
    limit_requested = pyqtSignal(float, float)

    def __init__(
        self, session: Session, *, software_view: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.setAccessibleName("Player")
        self.view = make_sphere_view(
            session.look,
            session.frames,
            lambda: session.player.position,
            self,
            software=software_view,
        )
        self.transport = TransportBar(session.player, self)
        self.timeline = TimelineWidget(session.timeline, self, session.sources)
        self.meters = Meters(session.player, self)
        self.bundle_note = secondary()
        self.energy = QSlider(Qt.Orientation.Horizontal)
        self.hands = SourceHands(
            self.view, session.sources, self.timeline.edit_mark, session.look.recentre, self
        )
        self.add_source = tool_button("source", "Add a source in the middle of the picture (N)")
        self.add_hint = tool_button("hint", "Add a hint in the middle of the picture (H)")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.energy.setRange(0, 100)
        self.energy.setFixedWidth(110)
        self.energy.setValue(round(100 * self._session.preferences.energy_opacity))
        self.energy.setAccessibleName("Opacity of the field's energy over the picture")
        self.energy.setToolTip("How strongly the field's energy is drawn over the picture (E)")
        badge = QLabel()
        badge.setPixmap(icons.pixmap("energy", 18, "secondary", self.devicePixelRatioF()))
        strip = QHBoxLayout()
        strip.setContentsMargins(10, 2, 10, 2)
        strip.addWidget(self.bundle_note, 1)
        strip.addWidget(self.add_source)
        strip.addWidget(self.add_hint)
        strip.addSpacing(8)
        strip.addWidget(badge)
        strip.addWidget(self.energy)
        above = QHBoxLayout()
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(0)
        above.addWidget(self.view, 1)
        above.addWidget(self.meters)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(above, 1)
        column.addLayout(strip)
        column.addWidget(self.transport)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(top)
        self.splitter.addWidget(self.timeline)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.splitter.setSizes([700, 270])
        self.splitter.setChildrenCollapsible(False)
        # On a small screen the lower lanes go out of sight before the picture does.
        self.view.setMinimumSize(320, 180)
        self.timeline.setMinimumHeight(150)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def _connect(self) -> None:
        session = self._session
        session.player.playing_changed.connect(self.view.set_playing)
        session.player.position_changed.connect(self._follow_time)
        self.view.fell_back.connect(self._tell_fallback)
        if self.view.fallback_reason is not None:
            self._tell_fallback(self.view.fallback_reason)
        self.transport.add_stage(self.view)
        self.transport.add_stage(self.timeline)
        self.transport.show_hrtf(session.preferences.hrtf)
        self.transport.hrtf_requested.connect(session.use_hrtf)
        self.transport.device_chosen.connect(session.choose_device)
        self.transport.loop_toggled.connect(session.timeline.set_loop)
        session.timeline.range_changed.connect(self.transport.set_range)
        session.hrtf_changed.connect(self.transport.show_hrtf)
        self.timeline.reroll_requested.connect(self.reroll_requested)
        self.timeline.limit_requested.connect(self.limit_requested)
        self.energy.valueChanged.connect(self._set_energy)
        self.timeline.marks.grown.connect(self._make_room)
        self.add_source.clicked.connect(self.hands.add_source)
        self.add_hint.clicked.connect(self.hands.add_hint)
        session.listening.clip_changed.connect(self._show_clip)
        session.listening.summary_changed.connect(self._show_summary)
        session.takes.changed.connect(self._show_summary)
        session.player.selected_changed.connect(lambda _: self._show_summary())
        session.library.settings_changed.connect(lambda _: self._show_front())
        self._set_energy(self.energy.value())
        self._show_clip(session.listening.clip)

    def close_view(self) -> None:
        """Stop the picture's timers and threads."""
        self.view.close_view()

    def _follow_time(self, _: float) -> None:
        if not self._session.player.playing:  # else the view looks by itself
            self.view.refresh()

    def _make_room(self, pixels: int) -> None:
        """More lanes take their height from the picture, as far as it has some to spare."""
        above, below = self.splitter.sizes()
        pixels = max(min(pixels, above - self.view.minimumHeight()), -below)
        self.splitter.setSizes([above - pixels, below + pixels])

    def _tell_fallback(self, reason: str) -> None:
        self._session.told.emit(f"The picture is drawn without the graphics card: {reason}", "info")

    def _set_energy(self, percent: int) -> None:
        self._session.preferences.energy_opacity = percent / 100
        self.view.set_energy(self._session.listening.covariance_at, percent / 100)

    def _show_clip(self, clip: Clip | None) -> None:
        info = None if clip is None else clip.info
        self.transport.set_frame_rate(None if info is None else float(info["fps"]))
        for button in (self.add_source, self.add_hint):
            button.setEnabled(clip is not None)
        self._show_front()
        self._show_summary()

    def _show_front(self) -> None:
        clip = self._session.listening.clip
        self.view.set_front(0.0 if clip is None else math.radians(clip.settings.yaw))

    def _show_summary(self) -> None:
        """What belongs to the sound that is heard."""
        session = self._session
        key = session.player.selected
        label = next((s.label for s in session.player.sources if s.key == key), "")
        self.meters.set_loudness(session.listening.loudness, label)
        take = session.takes.current
        words = []
        if take is not None and key not in ("", "camera"):
            words.append(", ".join([take.title, take.bundle_title, *facts(take)]))
            if part := part_text(take):
                words.append(part)
            if take.demonstration:
                words.append("demonstration model")
            if take.commercial is False:
                words.append("no commercial use")
        self.bundle_note.setText(" \N{MIDDLE DOT} ".join(words) or label)
        self.view.refresh()
