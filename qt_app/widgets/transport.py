"""The transport bar: play, time, volume, which sound, which ears, which device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qt_app import theme
from qt_app.icons import icon, pixmap
from qt_app.models.player import Player
from qt_app.timeline.clock import clock_text
from qt_app.widgets.mirrored_icon import mirrored
from qt_app.widgets.segments import Segments
from qt_app.widgets.time_field import TimeField
from qt_app.widgets.transport_keys import SOURCE_KEYS, TransportKeys

QUIETEST = -60
"""dB at the slider's left end."""

DEFAULT_FRAME_RATE = 30.0
DEFAULT_HRTF = "Default (KEMAR)"
RECENT_HRTFS = 5
NO_DEVICE = "No sound device: the picture plays in silence"
_ICON = QSize(20, 20)
_MENU_WIDTH = 190

Range = tuple[float, float]


class TransportBar(QWidget):
    """Shows a `Player` and steers it.

    Signals
    -------
    hrtf_requested(Path or None)
        The user chose a SOFA file (or the filters that ship). The file must be made into filters
        first: whoever does so calls `Player.set_hrtf` and then :meth:`show_hrtf`.
    loop_toggled(bool)
        The user switched repeating on or off.
    device_chosen(str or None)
        The user chose an output; the player has it already.
    """

    hrtf_requested = pyqtSignal(object)
    loop_toggled = pyqtSignal(bool)
    device_chosen = pyqtSignal(object)

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.player = player
        self._frame_rate = DEFAULT_FRAME_RATE
        self._range: Range | None = None
        self._hrtf: Path | None = None
        self._recent: tuple[Path, ...] = ()
        self._device_known = False
        self.setAccessibleName("Transport")
        self.to_start = self._button("step-back", "Go to the start", "Ctrl+Home")
        self.back = self._button("chevron-right", "One frame back", ",")
        self.play = self._button("play", "Play", "Space")
        self.stop = self._button("stop", "Stop and go back to the start", "")
        self.forward = self._button("chevron-right", "One frame on", ".")
        self.to_end = self._button("step-forward", "Go to the end", "Ctrl+End")
        self.loop = self._button("loop", "Repeat the range, or the whole clip", "L")
        self.loop.setCheckable(True)
        self.time = TimeField(self)
        self.duration = QLabel(self)
        self.volume = QSlider(Qt.Orientation.Horizontal, self)
        self.volume_text = QLabel(self)
        self.sources = Segments(self)
        self.no_sources = QLabel("No sound to play yet", self)
        self.hrtf = self._menu_button("headphones", "Headphone filters (HRTF)")
        self.device = self._menu_button("speaker", "Output device")
        self.warning = QWidget(self)
        self.warning_icon = QLabel(self.warning)
        self.warning_text = QLabel(self.warning)
        self.keys = TransportKeys(self)
        self._prepare()
        self._lay_out()
        self._connect()
        self._add_keys()
        self._show_all()

    # Building

    def _button(self, name: str, words: str, key: str) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(name))
        button.setIconSize(_ICON)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves Space to the player
        button.setAccessibleName(words)
        button.setToolTip(f"{words}  ({key})" if key else words)
        return button

    def _menu_button(self, name: str, words: str) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(name))
        button.setIconSize(_ICON)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        button.setMaximumWidth(_MENU_WIDTH)
        button.setAccessibleName(words)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        button.setMenu(menu)
        return button

    def _prepare(self) -> None:
        self.back.setIcon(mirrored("chevron-right"))
        self.play.setIconSize(QSize(26, 26))
        self.time.setAccessibleName("Time")
        self.time.setToolTip("Where the player is. Type a time (h:mm:ss.mmm) and press Return.")
        self.duration.setAccessibleName("Duration")
        self.duration.setFont(self.time.font())
        self.volume.setRange(QUIETEST * 2, 0)  # half decibels
        self.volume.setSingleStep(2)
        self.volume.setPageStep(12)
        self.volume.setMinimumWidth(60)
        self.volume.setMaximumWidth(120)
        self.volume.setAccessibleName("Volume")
        self.volume.setToolTip("Volume of what is heard; files keep their level")
        self.volume_text.setFixedWidth(
            self.volume_text.fontMetrics().horizontalAdvance("−60.0 dB") + 6
        )
        self.volume_text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.sources.setAccessibleName("Which sound is heard")
        self.no_sources.setEnabled(False)
        self.warning.setAccessibleName("Problem with the sound device")
        self.warning_text.setText(NO_DEVICE)
        self.warning.hide()

    def _lay_out(self) -> None:
        upper = QHBoxLayout()
        upper.setSpacing(2)
        for button in (self.to_start, self.back, self.play, self.stop, self.forward, self.to_end):
            upper.addWidget(button)
        upper.addSpacing(6)
        upper.addWidget(self.loop)
        upper.addSpacing(10)
        upper.addWidget(self.time)
        upper.addSpacing(4)
        upper.addWidget(self.duration)
        upper.addStretch(1)
        upper.addWidget(self.volume, 1)
        upper.addWidget(self.volume_text)
        problem = QHBoxLayout(self.warning)
        problem.setContentsMargins(0, 0, 0, 0)
        problem.addWidget(self.warning_icon)
        problem.addWidget(self.warning_text, 1)
        lower = QHBoxLayout()
        lower.setSpacing(6)
        lower.addWidget(self.sources, 0)
        lower.addWidget(self.no_sources)
        lower.addStretch(1)
        lower.addWidget(self.hrtf)
        lower.addWidget(self.device)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(4)
        layout.addLayout(upper)
        layout.addLayout(lower)
        layout.addWidget(self.warning)

    def _connect(self) -> None:
        player = self.player
        player.playing_changed.connect(self._show_playing)
        player.position_changed.connect(self.time.set_time)
        player.duration_changed.connect(self._show_duration)
        player.sources_changed.connect(self._show_sources)
        player.selected_changed.connect(self.sources.set_chosen)
        player.loop_changed.connect(self._show_loop)
        player.volume_changed.connect(self._show_volume)
        player.device_changed.connect(self._show_device)
        self.to_start.clicked.connect(lambda: player.seek(0.0))
        self.to_end.clicked.connect(lambda: player.seek(player.duration))
        self.back.clicked.connect(lambda: self.step_frames(-1))
        self.forward.clicked.connect(lambda: self.step_frames(1))
        self.play.clicked.connect(player.toggle)
        self.stop.clicked.connect(player.stop)
        self.loop.clicked.connect(self.set_looping)
        self.time.entered.connect(lambda time: player.seek(min(time, player.duration)))
        self.volume.valueChanged.connect(self._volume_moved)
        self.sources.chosen.connect(player.select)
        for button, fill in ((self.hrtf, self._fill_hrtf), (self.device, self._fill_devices)):
            menu = button.menu()
            if menu is not None:
                menu.aboutToShow.connect(fill)
        theme.signals.changed.connect(self._show_warning_icon)

    def _add_keys(self) -> None:
        player, keys = self.player, self.keys
        keys.add_space(player.toggle)
        keys.add(",", lambda: self.step_frames(-1), repeats=True)
        keys.add(".", lambda: self.step_frames(1), repeats=True)
        keys.add("Ctrl+Home", self.to_start.click)
        keys.add("Ctrl+End", self.to_end.click)
        keys.add("L", self.loop.click)
        for number in range(SOURCE_KEYS):
            keys.add(str(number + 1), partial(self.select_source, number))
        keys.add_tab(player.swap_sources)
        keys.add("A", player.swap_sources)

    # What the window tells

    def set_frame_rate(self, rate: float | None) -> None:
        """Of the picture: what a step is."""
        self._frame_rate = rate if rate and rate > 0 else DEFAULT_FRAME_RATE

    def set_range(self, span: Range | None) -> None:
        """What is repeated when repeating is on; None: the whole clip."""
        self._range = span
        if self.loop.isChecked():
            self._use_loop(True)

    def add_stage(self, widget: QWidget) -> None:
        """On this widget Tab swaps the last two sounds instead of moving the focus."""
        self.keys.add_stage(widget)

    def show_hrtf(self, path: Path | None, recent: Sequence[Path] | None = None) -> None:
        """Which filters are in use (None: the ones that ship), and which were before."""
        self._hrtf = path
        if recent is not None:
            self._recent = tuple(recent)[:RECENT_HRTFS]
        elif path is not None:
            self._recent = (path, *(old for old in self._recent if old != path))[:RECENT_HRTFS]
        self._label(self.hrtf, DEFAULT_HRTF if path is None else path.stem)

    @property
    def recent_hrtfs(self) -> tuple[Path, ...]:
        """SOFA files chosen before, newest first."""
        return self._recent

    # What the user does

    def step_frames(self, count: int) -> None:
        """Pause and go to a frame before or after this one."""
        player = self.player
        player.pause()
        frame = round(player.position * self._frame_rate) + count
        player.seek(min(max(frame / self._frame_rate, 0.0), player.duration))

    def set_looping(self, on: bool) -> None:
        """Repeat the range (or the clip), or not."""
        self._use_loop(on)
        on = self.player.loop is not None
        self._show_loop(self.player.loop)
        self.loop_toggled.emit(on)

    def select_source(self, number: int) -> None:
        """Hear the source at a place, from 0; nothing where there is none."""
        keys = self.sources.keys
        if number < len(keys):
            self.player.select(keys[number])

    def choose_hrtf(self, path: Path | None) -> None:
        """Ask for filters of a SOFA file, or for the ones that ship."""
        if path is None:
            self.player.set_hrtf(None)
            self.show_hrtf(None)
        else:
            self._label(self.hrtf, f"Reading {path.name}…")
        self.hrtf_requested.emit(path)

    def choose_device(self, name: str | None) -> None:
        """Play on an output; None: the system's own."""
        self.player.set_device(name)
        self.device_chosen.emit(name)

    def _use_loop(self, on: bool) -> None:
        whole = (0.0, self.player.duration)
        self.player.set_loop((self._range or whole) if on else None)

    def _volume_moved(self, value: int) -> None:
        self.player.set_volume(value / 2)

    def _choose_sofa(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Choose a personal HRTF", "", "SOFA files (*.sofa);;All files (*)"
        )
        if name:
            self.choose_hrtf(Path(name))

    # Showing

    def _show_all(self) -> None:
        player = self.player
        self._show_playing(player.playing)
        self._show_duration(player.duration)
        self.time.set_time(player.position)
        self._show_sources()
        self._show_loop(player.loop)
        self._show_volume(player.volume)
        self._show_warning_icon()
        self.show_hrtf(None)
        if player.output:
            self._show_device(player.output.get("name"))
        else:
            self._label(self.device, player.device or "System default")

    def _show_playing(self, playing: bool) -> None:
        words = "Pause" if playing else "Play"
        self.play.setIcon(icon("pause" if playing else "play"))
        self.play.setAccessibleName(words)
        self.play.setToolTip(f"{words}  (Space)")

    def _show_duration(self, seconds: float) -> None:
        self.duration.setText(f"/ {clock_text(seconds)}")
        for widget in (self.to_start, self.back, self.play, self.stop, self.forward, self.to_end):
            widget.setEnabled(seconds > 0)
        self.loop.setEnabled(seconds > 0)
        self.time.setEnabled(seconds > 0)

    def _show_sources(self) -> None:
        sources = self.player.sources
        choices = []
        for number, source in enumerate(sources):
            tip = source.label
            if number < SOURCE_KEYS:
                tip += f"  (key {number + 1})"
            if source.gain_db:
                tip += f"\n{source.gain_db:+.1f} dB, so that all are equally loud".replace("-", "−")
            choices.append((source.key, source.label, tip))
        self.sources.set_choices(choices)
        self.sources.set_chosen(self.player.selected)
        self.sources.setVisible(bool(choices))
        self.no_sources.setVisible(not choices)

    def _show_loop(self, loop: object) -> None:
        self.loop.setChecked(loop is not None)
        self.loop.setIcon(icon("loop", None if loop is None else "accent"))

    def _show_volume(self, db: float) -> None:
        self.volume.blockSignals(True)
        self.volume.setValue(round(db * 2))
        self.volume.blockSignals(False)
        text = f"{db:.1f} dB".replace("-", "−")
        self.volume_text.setText(text)
        self.volume.setAccessibleDescription(text)

    def _show_device(self, name: str | None) -> None:
        self.warning.setVisible(name is None)
        self._label(self.device, name or "No device")

    def _show_warning_icon(self) -> None:
        self.warning_icon.setPixmap(
            pixmap("warning", 18, "warning", ratio=self.devicePixelRatioF())
        )

    def _label(self, button: QToolButton, text: str) -> None:
        room = _MENU_WIDTH - _ICON.width() - 34
        button.setText(button.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room))
        words = button.accessibleName()
        button.setToolTip(f"{words}: {text}")
        button.setAccessibleDescription(text)

    # Menus

    def _fill_hrtf(self) -> None:
        menu = self.hrtf.menu()
        if menu is None:
            return
        menu.clear()
        _choice(menu, DEFAULT_HRTF, self._hrtf is None, lambda: self.choose_hrtf(None))
        for path in self._recent:
            action = _choice(menu, path.stem, path == self._hrtf, partial(self.choose_hrtf, path))
            action.setToolTip(str(path))
        menu.addSeparator()
        choose = QAction("Choose SOFA file…", menu)
        choose.triggered.connect(self._choose_sofa)
        menu.addAction(choose)

    def _fill_devices(self) -> None:
        menu, player = self.device.menu(), self.player
        if menu is None:
            return
        menu.clear()
        _choice(menu, "System default", player.device is None, lambda: self.choose_device(None))
        for name in player.devices:
            _choice(menu, name, name == player.device, partial(self.choose_device, name))
        menu.addSeparator()
        again = QAction("Look for devices again", menu)
        again.triggered.connect(player.refresh_devices)
        menu.addAction(again)


def _choice(menu: QMenu, text: str, on: bool, act: Callable[[], object]) -> QAction:
    # "&" in a device's name is no mnemonic.
    action = QAction(text.replace("&", "&&"), menu)
    action.setCheckable(True)
    action.setChecked(on)
    action.triggered.connect(lambda _checked=False: act())
    menu.addAction(action)
    return action
