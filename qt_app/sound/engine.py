"""What runs in the sound process: an output, the mixer it asks, the reader that feeds it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import DeviceError, OmniAudioError
from omniaudio_studio.foa.binaural import BinauralFilters, BinauralRenderer, default_filters
from qt_app.sound.clock import DeviceClock
from qt_app.sound.devices import BLOCK, Output, SilentOutput, find_devices, look_again, open_output
from qt_app.sound.mixer import Mixer
from qt_app.sound.reader import Reader
from qt_app.sound.recovery import Gate, Recovery
from qt_app.sound.shared import SharedState
from qt_app.sound.source import SoundSource
from qt_app.sound.track import Track, identity

MAX_BLOCK = 2048
LARGEST_BLOCK = 1024
UNDERFLOWS = 3  # within this many seconds make the blocks longer
WITHIN_SECONDS = 10.0
SETTLE_SECONDS = 1.0  # after opening, when running dry means nothing
_CLOSE_SECONDS = 0.5  # for an attempt to open a device, when everything ends
LOST_SECONDS = 2.0  # without a callback: the device is opened anew

Say = Callable[[dict[str, Any]], None]


class Engine:
    """Plays; told what to do from one thread, which also calls `tick` now and then.

    Parameters
    ----------
    shared : SharedState
    say : callable
        Takes events, as `SoundClient` describes them; from any thread.
    """

    def __init__(self, shared: SharedState, say: Say) -> None:
        self._shared = shared
        self._say = say
        self._sources: list[SoundSource] = []
        self._tracks: dict[str, Track] = {}
        self._selected: str | None = None
        self._duration = 0.0
        self._loop: tuple[float, float] | None = None
        self._volume = 1.0
        self._filters: BinauralFilters | None = None
        self._playing = False
        self._device: str | None = None
        self._block = BLOCK
        self._underflows = 0
        self._seen_underflows = 0
        self._dry: deque[float] = deque()
        self._callbacks = 0
        self._longest = 0.0
        self._progress = (0, time.monotonic())
        self._opened = 0.0
        self._told: set[str] = set()
        self._matrix = np.eye(3)
        self._orientation = [1.0, 0.0, 0.0, 0.0]
        self._output: Output | None = None
        self._gate = Gate(self._play)
        self._recovery: Recovery | None = None
        self._clock = DeviceClock(1.0)
        self._mixer: Mixer
        self._reader: Reader
        self._build(48_000, 0.0, 0, 0)

    # Commands.

    def load(self, sources: list[SoundSource], duration: float) -> None:
        """Have these sources; those that stay play on."""
        self._sources, self._duration = sources, max(duration, 0.0)
        self._make_tracks()
        self._mixer.set_duration(self._frames(self._duration))
        if self._selected not in self._tracks:
            self._selected = sources[0].key if sources else None
        self._reader.set_tracks(list(self._tracks.values()), self._track())

    def select(self, key: str) -> None:
        """Crossfade to a source."""
        if key in self._tracks:
            self._selected = key
            self._reader.select(self._track())

    def play(self) -> None:
        """Run."""
        self._playing = True
        self._mixer.ended = False
        self._reader.play()

    def pause(self) -> None:
        """Stand still."""
        self._playing = False
        self._reader.pause()

    def seek(self, seconds: float, serial: int) -> None:
        """Go to a position."""
        self._reader.seek(self._frames(min(max(seconds, 0.0), self._duration)), serial)

    def loop(self, start: float, end: float | None) -> None:
        """Repeat a range; None: no more."""
        self._loop = None if end is None else (start, end)
        self._mixer.set_loop(self._loop_frames())

    def hrtf(self, path: str | None) -> None:
        """Change the binaural filters; what cannot be read changes nothing."""
        if path is None and self._filters is None:
            return
        try:
            filters = None if path is None else BinauralFilters.load(Path(path))
        except OmniAudioError as error:
            self._problem(str(error))
            return
        self._filters = filters
        self._mixer.set_renderer(self._renderer(self._mixer.rate))

    def volume(self, db: float) -> None:
        """Gain of everything, in dB."""
        self._volume = 0.0 if db <= -120.0 else 10 ** (db / 20)
        self._mixer.set_volume(self._volume)

    def device(self, name: str | None) -> None:
        """Play on this output, silently where that does not work."""
        self._device = name
        self._block = BLOCK
        self._recover_no_more()
        self._close_output()
        look_again()
        self._open()
        self._tell_devices()

    def devices(self) -> None:
        """Look for outputs again."""
        self.device(self._device)

    def close(self) -> None:
        """End everything."""
        self._recover_no_more(_CLOSE_SECONDS)
        self._close_output()
        self._reader.close()

    def tick(self) -> None:
        """Look after things; to be called every few hundredths of a second."""
        if self._mixer.ended:
            self._mixer.ended = False
            if self._playing:
                self._playing = False
                self._say({"event": "playing", "playing": False})
        output = self._output
        if output is None:
            return
        now = time.monotonic()
        if output.error is not None:
            self._problem_once(f"playback failed: {output.error!r}")
            output.error = None
        if self._callbacks != self._progress[0]:
            self._progress = (self._callbacks, now)
        elif output.name is not None and now - self._progress[1] > LOST_SECONDS:
            self._recover(output)
            return
        if self._recovery is not None:
            self._look_after(self._recovery)
        else:
            self._adapt(output, now)

    # The output.

    def _adapt(self, output: Output, now: float) -> None:
        """Longer blocks when the device runs dry again and again."""
        total = self._underflows + output.underflows
        if now - self._opened > SETTLE_SECONDS:
            self._dry.extend([now] * (total - self._seen_underflows))
        self._seen_underflows = total
        while self._dry and now - self._dry[0] > WITHIN_SECONDS:
            self._dry.popleft()
        if len(self._dry) >= UNDERFLOWS and self._block < LARGEST_BLOCK:
            self._dry.clear()
            self._block *= 2
            self._close_output()
            self._open()

    def _open(self) -> None:
        # A sound server may take its time; the picture does not wait for it.
        meanwhile = SilentOutput(self._play, self._mixer.rate)
        self._clock = DeviceClock(meanwhile.rate)
        meanwhile.start()
        try:
            gate = Gate(self._play)
            output = open_output(self._device, gate, self._block)
        except DeviceError as error:
            meanwhile.close()
            self._problem(str(error))
            self._open_silence()
            return
        meanwhile.close()
        self._gate = gate
        self._start(output)

    def _open_silence(self) -> None:
        self._start(SilentOutput(self._play, self._mixer.rate))

    def _start(self, output: Output) -> None:
        if output.rate != self._mixer.rate:
            self._change_rate(output.rate)
        self._clock = DeviceClock(output.rate)
        self._output = output
        try:
            output.start()
        except Exception as error:
            # Some drivers open what they cannot start.
            output.close()
            self._output = None
            self._problem(f"the output {output.name} cannot be started ({error})")
            if output.name is not None:
                self._open_silence()
            return
        # From here on: a server that is just starting lets us wait above.
        self._settle()
        self._tell_output(output)

    def _settle(self) -> None:
        self._opened = time.monotonic()
        self._progress = (self._callbacks, self._opened)

    def _tell_output(self, output: Output) -> None:
        self._say(
            {
                "event": "device",
                "name": output.name,
                "rate": output.rate,
                "block": output.block,
                "latency": output.latency,
            }
        )

    def _recover(self, lost: Output) -> None:
        """An output fell silent: open it anew; until it is back nobody hears the time line."""
        self._gate.close()
        self._underflows += lost.underflows
        silence = SilentOutput(self._play, self._mixer.rate)
        self._clock = DeviceClock(silence.rate)
        self._output = silence
        silence.start()
        self._recovery = Recovery(lost, self._play)

    def _look_after(self, recovery: Recovery) -> None:
        """Take the output that is back; tell people if it does not come back at once."""
        output = recovery.poll()
        if output is not None:
            self._recovery = None
            self._close_output()  # the silent one
            if output.rate != self._mixer.rate:
                self._change_rate(output.rate)
            self._clock = DeviceClock(output.rate)
            self._output, self._gate = output, recovery.gate
            self._gate.open()
            self._settle()
            self._tell_output(output)
            if recovery.told:
                self._tell_devices()
        elif recovery.hopeless and not recovery.told:
            recovery.told = True
            name = recovery.name
            self._problem(f"the output {name} is gone; plug it in or choose another one")
            if self._output is not None:
                self._tell_output(self._output)

    def _recover_no_more(self, timeout: float | None = None) -> None:
        recovery, self._recovery = self._recovery, None
        if recovery is not None:
            recovery.cancel(timeout)

    def _close_output(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.close()
            self._underflows += output.underflows

    def _tell_devices(self) -> None:
        try:
            names, default = find_devices()
        except Exception:  # said when it was opened
            names, default = [], None
        self._say({"event": "devices", "devices": names, "default": default})

    def _play(self, block: NDArray[np.float32], heard: float) -> None:
        """The callback: fill a block that is heard from that moment on."""
        began = time.perf_counter()
        mixer, shared, clock = self._mixer, self._shared, self._clock
        self._look()
        clock.update(mixer.frame, heard)
        mixer.render(block, self._matrix)
        shared.write_clock(clock.now(mixer.frame))
        shared.write_meters(mixer.peak.tolist() + mixer.rms.tolist())
        self._callbacks += 1
        self._longest = max(self._longest, time.perf_counter() - began)
        output = self._output
        dry = self._underflows + (0 if output is None else output.underflows)
        shared.write_counts(dry, mixer.starved, self._callbacks, self._longest)

    def _look(self) -> None:
        """The head's orientation now, as a matrix; see `foa.rotation.rotation_from_quaternion`."""
        values = self._shared.read_orientation()
        if values is None or values == self._orientation:
            return
        self._orientation = values
        w, x, y, z = values
        size = math.sqrt(w * w + x * x + y * y + z * z)
        if not 0.5 < size < 2.0:
            return
        w, x, y, z = w / size, x / size, y / size, z / size
        m = self._matrix
        m[0, 0], m[0, 1] = w * w + x * x - y * y - z * z, 2 * (x * y - w * z)
        m[0, 2], m[1, 0] = 2 * (x * z + w * y), 2 * (x * y + w * z)
        m[1, 1], m[1, 2] = w * w - x * x + y * y - z * z, 2 * (y * z - w * x)
        m[2, 0], m[2, 1] = 2 * (x * z - w * y), 2 * (y * z + w * x)
        m[2, 2] = w * w - x * x - y * y + z * z

    # The mixer and its tracks, for a sample rate.

    def _build(self, rate: int, position: float, frame: int, serial: int) -> None:
        mixer = Mixer(
            rate,
            self._renderer(rate),
            max_block=MAX_BLOCK,
            on_turn=self._shared.write_turn,
            frame=frame,
        )
        mixer.set_duration(round(self._duration * rate))
        mixer.set_volume(self._volume)
        self._mixer = mixer
        mixer.set_loop(self._loop_frames())
        self._tracks = {}
        self._make_tracks()
        self._reader = Reader(mixer, self._problem)
        self._reader.set_tracks(list(self._tracks.values()), self._track())
        if serial or position:
            self._reader.seek(round(position * rate), serial)
        self._reader.start()

    def _change_rate(self, rate: int) -> None:
        """Another rate: tracks are read anew; the time line stays where it is."""
        old = self._mixer
        self._reader.close()
        position, serial = old.position / old.rate, old.serial
        wish = self._reader.pending_seek()
        if wish is not None:
            position, serial = wish[0] / old.rate, wish[1]
        self._build(rate, position, math.ceil(old.frame / old.rate * rate), serial)
        if self._playing:
            self._reader.play()

    def _make_tracks(self) -> None:
        rate = self._mixer.rate
        tracks: dict[str, Track] = {}
        for source in self._sources:
            track = self._tracks.get(source.key)
            if track is None or track.rate != rate or track.identity != identity(source):
                track = Track(source, rate)
            track.gain = 10 ** (source.gain_db / 20)
            tracks[source.key] = track
        self._tracks = tracks

    def _renderer(self, rate: int) -> BinauralRenderer:
        filters = default_filters(rate) if self._filters is None else self._filters.at_rate(rate)
        return BinauralRenderer(filters, MAX_BLOCK)

    def _track(self) -> Track | None:
        return None if self._selected is None else self._tracks.get(self._selected)

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._mixer.rate)

    def _loop_frames(self) -> tuple[int, int] | None:
        if self._loop is None:
            return None
        start, end = (self._frames(min(max(at, 0.0), self._duration)) for at in self._loop)
        return (start, end) if end > start else None

    def _problem(self, message: str) -> None:
        self._say({"event": "problem", "message": message})

    def _problem_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._problem(message)
