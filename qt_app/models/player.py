"""The player: transport, choice of the source, output. A view-model; the sound is elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from omniaudio_studio.errors import WorkerError
from qt_app.sound.client import SoundClient
from qt_app.sound.shared import Counts, Meters
from qt_app.sound.source import SoundSource

TICK_MS = 30
SHORTEST_LOOP = 0.1  # seconds


class Look(Protocol):
    """What the player needs of the look model: angles in radians and a signal."""

    yaw: float
    pitch: float
    roll: float
    changed: Any


class Player(QObject):
    """Play one of several sounds that belong to the same clip.

    Parameters
    ----------
    look : LookModel, optional
        Whose changes are heard at once; see `set_look`.
    client : SoundClient, optional
        For tests; by default one of the player's own. The process starts with the first `load`.
    """

    playing_changed = pyqtSignal(bool)
    position_changed = pyqtSignal(float)
    duration_changed = pyqtSignal(float)
    sources_changed = pyqtSignal()
    selected_changed = pyqtSignal(str)
    loop_changed = pyqtSignal(object)
    volume_changed = pyqtSignal(float)
    problem = pyqtSignal(str)
    devices_changed = pyqtSignal(list)
    device_changed = pyqtSignal(object)

    def __init__(
        self,
        look: Look | None = None,
        parent: QObject | None = None,
        *,
        client: SoundClient | None = None,
    ) -> None:
        super().__init__(parent)
        self._client = client or SoundClient()
        self._look: Look | None = None
        self._sources: tuple[SoundSource, ...] = ()
        self._duration = 0.0
        self._selected = ""
        self._before = ""
        self._playing = False
        self._loop: tuple[float, float] | None = None
        self._volume = 0.0
        self._devices: list[str] = []
        self._device: str | None = None
        self._output: dict[str, Any] = {}
        self._told = math.nan
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        if look is not None:
            self.set_look(look)

    @property
    def position(self) -> float:
        """Seconds that are heard now. Cheap: pictures may ask it for every frame."""
        return self._client.position()

    @property
    def duration(self) -> float:
        """Seconds of the clip."""
        return self._duration

    @property
    def playing(self) -> bool:
        """Whether the time line runs."""
        return self._playing

    @property
    def sources(self) -> tuple[SoundSource, ...]:
        """What can be heard, in order."""
        return self._sources

    @property
    def selected(self) -> str:
        """Key of the source that is heard; empty without sources."""
        return self._selected

    @property
    def loop(self) -> tuple[float, float] | None:
        """The range that is repeated, in seconds."""
        return self._loop

    @property
    def volume(self) -> float:
        """Gain in dB."""
        return self._volume

    @property
    def devices(self) -> list[str]:
        """Names of the outputs that were found."""
        return list(self._devices)

    @property
    def device(self) -> str | None:
        """The output that was chosen; None: the system's own."""
        return self._device

    @property
    def output(self) -> dict[str, Any]:
        """What plays: "name" (None: no device), "rate", "block", "latency" (s); may be empty."""
        return dict(self._output)

    def start(self) -> None:
        """Start the sound process early; `load` does so too."""
        if self._client.alive:
            return
        try:
            self._client.start()
        except WorkerError as error:
            self.problem.emit(str(error))
        self._timer.start()

    def set_look(self, look: Look) -> None:
        """Follow a look model: every change goes to the sound process at once."""
        if self._look is not None:
            self._look.changed.disconnect(self._turn)
        self._look = look
        look.changed.connect(self._turn)
        self._turn()

    def load(
        self,
        sources: Sequence[SoundSource],
        duration: float,
        loudness: Mapping[str, float | None] | None = None,
    ) -> None:
        """Have these sources on a time line of ``duration`` seconds.

        While a source that was there before stays, playing goes on; otherwise it stops at 0.

        Parameters
        ----------
        sources
            With keys that differ.
        duration
            Seconds of the clip.
        loudness
            LUFS by key, where known: each such source is turned down to the quietest.
        """
        self.start()
        matched = _matched(sources, loudness or {})
        self._client.load(matched, duration)
        if matched != self._sources:
            self._sources = matched
            self.sources_changed.emit()
        if duration != self._duration:
            self._duration = duration
            self.duration_changed.emit(duration)
        if self._client.loop_range != self._loop:
            self._loop = self._client.loop_range
            self.loop_changed.emit(self._loop)
        keys = [source.key for source in matched]
        if self._before not in keys:
            self._before = ""
        if self._selected not in keys:
            self._show_selected(keys[0] if keys else "")
        self._show_playing(self._client.playing)
        self._tell_position()

    def play(self) -> None:
        """Run; from the start again at the end, or from the loop's start outside the loop."""
        if self._duration <= 0 or self._playing:
            return
        self.start()  # again, where it stopped working
        position = self.position
        start, end = self._loop or (0.0, self._duration)
        if self._client.ended or not start <= position < end - 1e-3:
            self._client.seek(start)
        self._client.play()
        self._show_playing(True)

    def pause(self) -> None:
        """Stand still."""
        if self._playing:
            self._client.pause()
            self._show_playing(False)
            self._tell_position()

    def toggle(self) -> None:
        """Play or pause."""
        if self._playing:
            self.pause()
        else:
            self.play()

    def stop(self) -> None:
        """Pause at the start of the loop or of the clip."""
        self.pause()
        self.seek(self._loop[0] if self._loop else 0.0)

    def seek(self, seconds: float) -> None:
        """Go to a position."""
        self._client.seek(seconds)
        self._tell_position()

    def step(self, seconds: float) -> None:
        """Go so many seconds on, or back where negative."""
        self.seek(self.position + seconds)

    def set_loop(self, loop: tuple[float, float] | None) -> None:
        """Repeat a range (start, end) in seconds, at least 0.1 s long; None: no more."""
        if loop is not None:
            start, end = sorted(min(max(value, 0.0), self._duration) for value in loop)
            loop = (start, end) if end - start >= SHORTEST_LOOP else None
        if loop == self._loop:
            return
        self._loop = loop
        if loop is None:
            self._client.loop(0.0, None)
        else:
            self._client.loop(*loop)
            if self._playing and not loop[0] <= self.position < loop[1]:
                self.seek(loop[0])
        self.loop_changed.emit(loop)

    def select(self, key: str) -> None:
        """Hear another source, without a gap."""
        if key == self._selected or key not in (source.key for source in self._sources):
            return
        self._client.select(key)
        self._before = self._selected
        self._show_selected(key)

    def next_source(self) -> None:
        """Hear the next source, the first after the last."""
        keys = [source.key for source in self._sources]
        if keys:
            self.select(keys[(keys.index(self._selected) + 1) % len(keys)])

    def swap_sources(self) -> None:
        """Hear the source that was heard before this one; the next one where there was none."""
        if self._before:
            self.select(self._before)
        else:
            self.next_source()

    def set_volume(self, db: float) -> None:
        """Gain of everything that is heard, in dB, at most 0."""
        db = min(db, 0.0)
        if db != self._volume:
            self._volume = db
            self._client.volume(db)
            self.volume_changed.emit(db)

    def set_hrtf(self, path: Path | None) -> None:
        """Binaural filters in a file of `BinauralFilters.save`; None: the ones that ship."""
        self._client.hrtf(path)

    def set_device(self, name: str | None) -> None:
        """Play on this output; None: the system's own."""
        self._device = name
        self.start()
        self._client.device(name)

    def refresh_devices(self) -> None:
        """Look for outputs again; `devices_changed` follows."""
        self.start()
        self._client.refresh_devices()

    def meters(self) -> Meters:
        """Levels of W, Y, Z, X, left and right ear; linear."""
        return self._client.meters()

    def counts(self) -> Counts:
        """How often the device ran dry, and other counts."""
        return self._client.counts()

    def close(self) -> None:
        """End the sound process."""
        self._timer.stop()
        self._client.close()

    def _turn(self) -> None:
        look = self._look
        if look is not None:
            self._client.set_orientation(look.yaw, look.pitch, look.roll)

    def _tick(self) -> None:
        for event in self._client.poll():
            kind = event.get("event")
            if kind == "problem":
                self.problem.emit(event["message"])
            elif kind == "playing":
                self._show_playing(bool(event["playing"]))
            elif kind == "devices":
                self._devices = list(event["devices"])
                self.devices_changed.emit(self.devices)
            elif kind == "device":
                self._output = {key: event[key] for key in ("name", "rate", "block", "latency")}
                self.device_changed.emit(event["name"])
        self._tell_position()

    def _tell_position(self) -> None:
        position = self.position
        if position != self._told:
            self._told = position
            self.position_changed.emit(position)

    def _show_playing(self, playing: bool) -> None:
        if playing != self._playing:
            self._playing = playing
            self.playing_changed.emit(playing)

    def _show_selected(self, key: str) -> None:
        if key != self._selected:
            self._selected = key
            self.selected_changed.emit(key)


def _matched(
    sources: Sequence[SoundSource], loudness: Mapping[str, float | None]
) -> tuple[SoundSource, ...]:
    """The sources with gains added that make those of known loudness equal to the quietest."""
    known = {
        source.key: value
        for source in sources
        if (value := loudness.get(source.key)) is not None and math.isfinite(value)
    }
    if not known:
        return tuple(sources)
    quietest = min(known.values())
    return tuple(
        replace(source, gain_db=source.gain_db + quietest - known[source.key])
        if source.key in known
        else source
        for source in sources
    )
