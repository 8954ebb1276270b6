"""Decoding that follows a clock: a thread keeps a few pictures ahead of what is asked for.

The window's thread asks for the picture of a moment and gets what is there, at once. From those
moments the thread knows where to be: it decodes on, drops what comes too late, or seeks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.errors import OmniAudioError
from qt_app.picture.buffer import Entry, FrameBuffer
from qt_app.picture.clip import ShownClip
from qt_app.picture.frames import Picture, PictureMaker
from qt_app.picture.reader import VideoReader
from qt_app.yielding import yield_to_window

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

WIDEST = 1920
AHEAD = 5  # pictures
# While the decoder is on its way to the wanted moment, what it passes is shown this often.
_SHOW_EVERY = 0.1  # seconds
# A seek to a moment this near to the last one's is a second try (seconds).
_SAME_GOAL = 1.0
# A file that ends this much before its stated end lost something (seconds).
_MISSING_END = 1.0


class FrameSource(QObject):
    """Pictures of a clip by time. Every method returns at once.

    Parameters
    ----------
    parent : QObject, optional
    widest : int
        Wider pictures are reduced to this width, in the thread.
    """

    failed = pyqtSignal(str)  # one line: what is wrong with the file
    arrived = pyqtSignal()  # a better picture for the moment that was asked for last
    changed = pyqtSignal()  # another clip, or none
    _reported = pyqtSignal(object, str)  # clip and line, on the way to the window's thread

    def __init__(self, parent: QObject | None = None, *, widest: int = WIDEST) -> None:
        super().__init__(parent)
        self._clip: ShownClip | None = None
        self._problem: str | None = None
        self._thread = _DecoderThread(self._tell_failure, self.arrived.emit, widest)
        self._reported.connect(self._take_failure)
        self.destroyed.connect(self._thread.close)

    @property
    def clip(self) -> ShownClip | None:
        """What is open."""
        return self._clip

    @property
    def problem(self) -> str | None:
        """What is wrong with the clip, one line; None while nothing is."""
        return self._problem

    def open(self, info: Mapping[str, Any] | None) -> None:
        """Show another clip, from its start; None: none.

        The last picture stays only where it is the same file again, which may be gone by now.

        Parameters
        ----------
        info : mapping
            ``ClipInfo.as_dict()``, with "hfov" and "fisheye_fov" in degrees where known.
        """
        clip = None if info is None else ShownClip.from_info(info)
        before, self._clip = self._clip, clip
        same = before is not None and clip is not None and before.path == clip.path
        self._problem = None
        self._thread.open(clip, keep_shown=same)
        self.changed.emit()

    def set_loop(self, loop: tuple[float, float] | None) -> None:
        """The range that is repeated (seconds): its first pictures are kept at hand."""
        self._thread.pin_from(None if loop is None else loop[0])

    def frame_at(self, t: float) -> Picture | None:
        """The picture of moment ``t`` (seconds from the first one) if it is there, else the best.

        None before any has been decoded. Asking tells the thread where to be.
        """
        return self._thread.frame_at(t)

    def settled(self, t: float) -> bool:
        """Whether the very picture of that moment is there."""
        return self._thread.settled(t)

    def close(self) -> None:
        """End the thread; waits for what it is doing, two seconds at most."""
        self._thread.close()

    def _tell_failure(self, clip: ShownClip, line: str) -> None:
        self._reported.emit(clip, line)

    def _take_failure(self, clip: ShownClip, line: str) -> None:
        if clip is self._clip:
            self._problem = line
            self.failed.emit(line)


class _DecoderThread:
    """The thread and what it shares, all of it under one lock.

    Parameters
    ----------
    on_failure : callable
        Called in the thread with the clip and a line.
    on_arrival : callable
        Called in the thread when there is something better to show.
    widest : int
    """

    def __init__(
        self,
        on_failure: Callable[[ShownClip, str], None],
        on_arrival: Callable[[], None],
        widest: int,
    ) -> None:
        self._on_failure = on_failure
        self._on_arrival = on_arrival
        self._widest = widest
        self._changed = threading.Condition()
        self._buffer = FrameBuffer()
        self._clip: ShownClip | None = None
        self._opening = False
        self._closing = False
        self._wanted = 0.0
        self._slack = 0.0
        self._unserved = True  # what was asked for last was not there
        self._thread: threading.Thread | None = None
        # The thread's own.
        self._reader: VideoReader | None = None
        self._make: PictureMaker | None = None
        self._held: VideoFrame | None = None  # decoded; shown until the next one, not yet known
        self._held_start = 0.0
        self._ended = False
        self._placed = False  # whether the decoder has been anywhere yet
        self._last_shown = 0.0
        self._sought = -_SAME_GOAL  # the moment of the last seek
        self._careful = False  # decode everything on the way

    # --- the window's side ---

    def open(self, clip: ShownClip | None, keep_shown: bool) -> None:
        with self._changed:
            self._clip = clip
            self._opening = True
            self._wanted = 0.0
            self._unserved = True
            self._buffer.clear(keep_shown)
            if self._thread is None and clip is not None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
                self._thread.start()
            self._changed.notify()

    def pin_from(self, start: float | None) -> None:
        with self._changed:
            self._buffer.pin_from(start)

    def frame_at(self, t: float) -> Picture | None:
        with self._changed:
            self._wanted = max(t, 0.0) + self._slack
            self._unserved = self._buffer.exact(self._wanted) is None
            if not self._unserved:
                self._last_shown = time.monotonic()
            self._changed.notify()
            return self._buffer.at(self._wanted)

    def settled(self, t: float) -> bool:
        with self._changed:
            return self._buffer.exact(max(t, 0.0) + self._slack) is not None

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    # --- the thread's side ---

    def _run(self) -> None:
        yield_to_window()
        while True:
            with self._changed:
                while not (self._closing or self._opening or self._has_work()):
                    self._changed.wait()
                if self._closing:
                    break
                opening, self._opening = self._opening, False
                clip = self._clip
            try:
                if opening:
                    self._reopen(clip)
                else:
                    self._step()
            except OmniAudioError as error:
                self._give_up(clip, str(error))
            except Exception as error:  # the thread must outlive whatever a file does to it
                where = "" if clip is None else f"{clip.path}: "
                self._give_up(clip, f"{where}the picture cannot be shown ({error})")
        self._shut()

    def _reopen(self, clip: ShownClip | None) -> None:
        self._shut()
        if clip is None:
            return
        reader = VideoReader(clip)
        self._make = PictureMaker(clip, self._widest)
        with self._changed:
            self._slack = reader.slack
        self._reader = reader
        self._held, self._ended, self._placed = None, False, False

    def _shut(self) -> None:
        self._held = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _give_up(self, clip: ShownClip | None, line: str) -> None:
        """Leave the file; what is shown stays."""
        self._shut()
        if clip is not None:
            self._on_failure(clip, line)

    def _goal(self) -> float:
        """The moment the decoder is to reach: what is wanted, or what follows the pinned part."""
        return self._buffer.pinned_until(self._wanted)

    def _has_work(self) -> bool:
        if self._reader is None:
            return False
        goal = self._goal()
        if self._must_seek(goal):
            return True
        return not self._ended and self._buffer.ahead(goal) < AHEAD

    def _must_seek(self, goal: float) -> bool:
        reader = self._reader
        assert reader is not None
        if not self._placed:
            return True
        if self._buffer.exact(goal) is not None:
            return False
        if self._held is None:
            # At the end of the file everything to the end is or was there.
            return self._ended
        if goal < self._held_start:
            return True
        # Not again for the moment that the last seek was for: indices may promise too much.
        further = goal > self._sought + _SAME_GOAL
        return further and reader.worth_seeking(self._held_start, goal)

    def _step(self) -> None:
        """Decode one frame; the one before it is then known to the end and becomes a picture."""
        reader = self._reader
        assert reader is not None
        with self._changed:
            goal = self._goal()
            seek = self._must_seek(goal)
            if seek:
                self._buffer.start_run()
        if seek:
            self._placed, self._ended, self._held = True, False, None
            # Passed over by hurrying, perhaps: then not again.
            self._careful = abs(goal - self._sought) < _SAME_GOAL
            self._sought = goal
            reader.seek(goal)
        elif self._held is not None and not self._careful:
            reader.hurry(goal - self._held_start)
        from_start = reader.at_start
        frame = reader.next()
        start = None if frame is None else reader.time(frame)
        if self._held is not None:
            self._finish(self._held_start, start)
        if frame is None:
            self._ended = True
            self._check_end(reader)
        self._held = frame
        if start is not None:
            # What is asked for before the first picture is the first picture.
            self._held_start = min(start, 0.0) if from_start else start

    def _finish(self, start: float, until: float | None) -> None:
        """Make a picture of the held frame, unless it comes too late to matter."""
        reader, frame = self._reader, self._held
        assert reader is not None and frame is not None and self._make is not None
        end = float("inf") if until is None else until
        with self._changed:
            late = end <= self._goal() and not self._buffer.would_pin(start, end)
            waited = time.monotonic() - self._last_shown if self._unserved else 0.0
        if late and waited < _SHOW_EVERY:
            return
        if until is not None:
            end = min(end, start + reader.longest)
        picture = self._make(frame, reader.time(frame))
        with self._changed:
            if self._opening:
                return
            wanted = self._wanted
            self._buffer.trim(wanted)
            self._buffer.add(Entry(picture, start, end))
            better = self._unserved and start <= wanted
            if better and self._buffer.exact(wanted) is not None:
                self._unserved = False
            if better:
                self._last_shown = time.monotonic()
        if better:
            self._on_arrival()

    def _check_end(self, reader: VideoReader) -> None:
        """Say what a file lost, once its end has been reached."""
        clip = reader.clip
        if self._held is None:
            raise OmniAudioError(f"{clip.path}: no picture can be decoded; copy it again")
        reached = reader.time(self._held)
        if reader.damage and clip.duration - reached > _MISSING_END:
            self._on_failure(
                clip, f"{clip.path}: pictures after {reached:.1f} s cannot be read; copy it again"
            )
