"""The window's side of the sound process. Standard library only; never blocks."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.line_process import LineProcess
from qt_app.angles import quaternion
from qt_app.sound.shared import (
    Counts,
    Meters,
    SharedState,
    make_state_file,
    memory_folder,
    remove_abandoned,
)
from qt_app.sound.source import SoundSource

MODULE = "qt_app.sound.process"
CRASH_SECONDS = 10.0  # a process that dies again this soon is not started a third time


class SoundClient:
    """Play sources on one time line, in a process that is restarted if it crashes.

    Commands return at once; what becomes of them is heard from `poll`: dicts with "event" and

    - ``ready``: the process runs;
    - ``devices``: ``devices`` (list of names), ``default``;
    - ``device``: ``name`` (None: no sound device, a silent clock drives the time line), ``rate``,
      ``block``, ``latency`` (s); also when one that was gone is back;
    - ``playing``: ``playing``; also when the end was reached;
    - ``selected``: ``key``;
    - ``problem``: ``message``, one line for people.

    Parameters
    ----------
    python, log, environment, package_path
        As for `LineProcess`.
    """

    def __init__(
        self,
        *,
        python: str | os.PathLike[str] | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        package_path: Path | None = None,
    ) -> None:
        folder = memory_folder()
        remove_abandoned(folder)
        self._shared = SharedState(make_state_file(folder), create=True)
        self._process = LineProcess(
            MODULE,
            arguments=[str(self._shared.path)],
            python=python,
            log=log,
            environment=environment,
            package_path=package_path,
        )
        self._started = -math.inf
        self._closed = False
        self._serial = 0
        self._target = 0.0  # where the last seek went, or the last position known
        self._frame = -math.inf
        self._rate = 0.0
        self._sources: tuple[SoundSource, ...] = ()
        self._duration = 0.0
        self._selected: str | None = None
        self._playing = False
        self._ended = False
        self._loop: tuple[float, float] | None = None
        self._hrtf: Path | None = None
        self._device: str | None = None
        self._volume = 0.0
        self._lost = Counts(0, 0, 0, 0.0)

    @property
    def pid(self) -> int | None:
        """The sound process's id, or None."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the sound process runs."""
        return self._process.alive

    @property
    def playing(self) -> bool:
        """Whether the time line runs, as far as is known."""
        return self._playing

    @property
    def ended(self) -> bool:
        """Whether the end was reached, and nothing else has been asked for since."""
        return self._ended

    @property
    def loop_range(self) -> tuple[float, float] | None:
        """The range that is repeated, in seconds."""
        return self._loop

    def start(self) -> None:
        """Start the process and tell it everything it should know; nothing while one runs.

        Raises
        ------
        WorkerError
            If it cannot be started.
        """
        if self._closed:
            raise WorkerError("the sound client is closed; make a new one")
        if self.alive:
            return
        # A crashed process left turns that mean nothing to the next one.
        orientation = self._shared.read_orientation() or (1.0, 0.0, 0.0, 0.0)
        self._shared.clear()
        self._shared.write_orientation(*orientation)
        self._frame = -math.inf
        self._process.start()
        self._started = time.monotonic()
        self._send("volume", db=self._volume)
        self._send("hrtf", path=None if self._hrtf is None else str(self._hrtf))
        self._send_sources()
        if self._selected is not None:
            self._send("select", key=self._selected)
        if self._loop is not None:
            self._send("loop", start=self._loop[0], end=self._loop[1])
        self.seek(self._target)
        self._send("device", name=self._device)  # takes longest: files are read meanwhile
        if self._playing:
            self._send("play")

    def load(self, sources: Sequence[SoundSource], duration: float) -> None:
        """Have these sources, and no others, on a time line of ``duration`` seconds.

        A source that was there before plays on without a gap. If none was, this is another clip:
        the position becomes 0 and playing stops.
        """
        sources = tuple(sources)
        known = {(source.key, source.path) for source in self._sources}
        if known and not known & {(source.key, source.path) for source in sources}:
            self.pause()
            self.loop(0.0, None)
            self.seek(0.0)
        self._sources, self._duration = sources, duration
        keys = [source.key for source in sources]
        if self._selected not in keys:
            self._selected = keys[0] if keys else None
        self._send_sources()
        if self._selected is not None:
            self._send("select", key=self._selected)

    def select(self, key: str) -> None:
        """Crossfade to a source, without a gap."""
        self._selected = key
        self._send("select", key=key)

    def play(self) -> None:
        """Run from the current position."""
        self._playing = True
        self._send("play")

    def pause(self) -> None:
        """Stand still."""
        self._target = self.position()
        self._playing = False
        self._send("pause")

    def seek(self, seconds: float) -> None:
        """Go to a position; ``position()`` says it at once, the sound follows."""
        self._target = min(max(seconds, 0.0), self._duration)
        self._ended = False
        self._serial += 1
        self._send("seek", seconds=self._target, serial=self._serial)

    def loop(self, start: float, end: float | None) -> None:
        """Repeat from ``start`` to ``end`` in seconds, without a gap; None ends repeating."""
        self._loop = None if end is None else (start, end)
        self._send("loop", start=start, end=end)

    def hrtf(self, path: Path | None) -> None:
        """Use binaural filters saved with `BinauralFilters.save`; None: the ones that ship."""
        self._hrtf = path
        self._send("hrtf", path=None if path is None else str(path))

    def device(self, name: str | None) -> None:
        """Play on this output, None for the system's own; looks for new devices first."""
        self._device = name
        self._send("device", name=name)

    def refresh_devices(self) -> None:
        """Look for devices again; ``devices`` follows. Interrupts the sound for a moment."""
        self._send("devices")

    def volume(self, db: float) -> None:
        """Gain of everything that is heard, in dB."""
        self._volume = db
        self._send("volume", db=db)

    def set_orientation(self, *orientation: float) -> None:
        """Where the head looks: yaw, pitch, roll in radians, or a quaternion w, x, y, z.

        Signs as in `foa.rotation`: yaw to the left and pitch up are positive. Heard with the next
        block.
        """
        if len(orientation) == 3:
            turn = quaternion(*orientation)
        else:
            w, x, y, z = orientation
            size = math.sqrt(w * w + x * x + y * y + z * z)
            if not (math.isfinite(size) and size > 0):
                return  # a tracker's nonsense moves nothing
            turn = (w / size, x / size, y / size, z / size)
        if all(map(math.isfinite, turn)):
            self._shared.write_orientation(*turn)

    def position(self) -> float:
        """What is heard now, in seconds on the time line.

        Continuous between the callbacks of the device and never backwards but for a seek or a loop.
        """
        if self._closed:
            return self._target
        clock = self._shared.read_clock()
        if clock is None:
            return self._target
        ahead = time.monotonic() - clock.time
        # Nobody hears what has not been made, whatever the device says of its delay.
        frame = min(clock.frame + ahead / clock.seconds_per_frame, clock.end)
        if clock.rate == self._rate:
            frame = max(frame, self._frame)
        self._frame, self._rate = frame, clock.rate
        for turn in self._shared.read_turns():
            if turn.serial < self._serial:
                break  # the last seek is not heard yet
            if turn.frame <= frame:
                moved = turn.speed * (frame - turn.frame) / clock.rate
                self._target = min(turn.position + moved, max(self._duration, turn.position))
                break
        return self._target

    def meters(self) -> Meters:
        """Levels of W, Y, Z, X and of both ears; linear."""
        return self._shared.read_meters()

    def counts(self) -> Counts:
        """Underflows and other counts since `start`, restarts included."""
        now, lost = self._shared.read_counts(), self._lost
        return Counts(
            now.underflows + lost.underflows,
            now.starved + lost.starved,
            now.callbacks + lost.callbacks,
            max(now.longest, lost.longest),
        )

    def underflows(self) -> int:
        """How often the device ran dry."""
        return self.counts().underflows

    def poll(self) -> list[dict[str, Any]]:
        """What has happened since the last call, in order. Restarts a process that crashed."""
        events: list[dict[str, Any]] = []
        for event in self._process.poll():
            if event.get("event") == "died":
                events += self._died(event)
                break
            if event.get("event") == "playing":
                self._playing = bool(event["playing"])
                self._ended = not self._playing
            events.append(event)
        return events

    def close(self) -> None:
        """End the process."""
        if self._closed:
            return
        self._target = self.position()
        self._closed = True
        self._send("close")
        self._process.close()
        self._shared.close()
        with contextlib.suppress(OSError):
            self._shared.path.unlink()

    def _died(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        self._target = self.position()
        self._lost = self.counts()
        if time.monotonic() - self._started < CRASH_SECONDS:
            return self._stopped(f"playback stopped working: {event.get('message', '')}")
        try:
            self.start()
        except WorkerError as error:
            return self._stopped(str(error))
        return [{"event": "problem", "message": "playback was interrupted and started again"}]

    def _stopped(self, words: str) -> list[dict[str, Any]]:
        """What to tell when no process runs any more."""
        self._playing = False
        return [{"event": "problem", "message": words}, {"event": "playing", "playing": False}]

    def _send_sources(self) -> None:
        self._send(
            "load",
            sources=[source.as_dict() for source in self._sources],
            duration=self._duration,
        )

    def _send(self, command: str, **values: Any) -> None:
        self._process.send({"command": command, **values})
