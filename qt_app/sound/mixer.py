"""Several sources on one time line, to two ears: what the audio callback runs. NumPy only.

Everything that changes what is heard is a *voice*: a track at a position. Choosing another source,
seeking and the seam of a loop each put a new voice on top that is faded in over the ones below it,
while these run on; their weights always sum to one, whatever happens while a fade lasts.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.binaural import BinauralRenderer
from qt_app.sound.track import PIECE, Track

FADE_SECONDS = 0.01  # between voices
EDGE_SECONDS = 0.005  # when playing starts and stops
MOST_VOICES = 4
_PEAK_SECONDS = 0.3  # for the peak meters to fall to 1/e
_RMS_SECONDS = 0.2

OnTurn = Callable[[int, float, float, int], None]


class _Voice:
    __slots__ = ("age", "gain", "position", "track")

    def __init__(self, track: Track | None, position: int, age: int) -> None:
        self.track = track
        self.position = position
        self.age = age  # samples since it came in; the fade is over at the fade's length
        self.gain = track.gain if track is not None else 1.0


class Mixer:
    """Mix, turn and filter, block by block.

    `render` belongs to the audio callback. The other methods may be called from any one other
    thread: what they ask for happens at the start of the next block.

    Parameters
    ----------
    rate : int
        Samples a second of the output, and of all tracks.
    renderer : BinauralRenderer
        For that rate, and blocks of at least ``max_block``.
    max_block : int
        Longer ones are cut.
    on_turn : callable
        Takes (frame, position in seconds, speed, serial) whenever the time line takes a turn: from
        that frame of the output on, that position. Called inside `render`.
    frame : int
        Number of the first sample of output.

    Attributes
    ----------
    loop : tuple of two int, or None
    playing : bool
    ended : bool
        The end of the time line has been reached; cleared by whoever heard of it.
    starved : int
        Blocks that had to be silent because the files were late.
    peak, rms : ndarray, float32, shape (6,)
        Linear levels of W, Y, Z, X of the source as it is in the file, left, right.
    """

    def __init__(
        self,
        rate: int,
        renderer: BinauralRenderer,
        *,
        max_block: int = 4096,
        on_turn: OnTurn | None = None,
        frame: int = 0,
    ) -> None:
        self.rate = rate
        self.frame = frame
        self.max_block = max_block
        self.duration = 0
        self.loop: tuple[int, int] | None = None
        self.playing = False
        self.ended = False
        self.starved = 0
        self.serial = 0
        self.peak = np.zeros(6, dtype=np.float32)
        self.rms = np.zeros(6, dtype=np.float32)
        self._on_turn = on_turn
        self._commands: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._wanted: tuple[Track | None, int | None, int] | None = None
        self._renderer = renderer
        self._next_renderer: BinauralRenderer | None = None
        self._swap = 0
        self._fade = max(1, round(FADE_SECONDS * rate))
        self._edge = max(1, round(EDGE_SECONDS * rate))
        self._rise = _raised_cosine(self._fade, max_block)
        self._edge_up = _raised_cosine(self._edge, max_block)
        self._edge_down = np.float32(1.0) - self._edge_up
        # Samples into the edge that opens, or, while it closes, into the one that closes.
        self._opening = 0
        self._closing = 0
        self._open = False
        self._voices = [_Voice(None, 0, self._fade)]
        self._volume = self._volume_now = 1.0
        self._field = np.zeros((4, max_block), dtype=np.float32)
        self._direct = np.zeros((2, max_block), dtype=np.float32)
        self._direct_used = False
        self._work = np.zeros((4, max_block), dtype=np.float32)
        self._weights = np.zeros((MOST_VOICES, max_block), dtype=np.float32)
        self._rest = np.zeros(max_block, dtype=np.float32)
        self._glide = np.zeros(max_block, dtype=np.float32)
        self._counts = np.arange(1, max_block + 1, dtype=np.float32)
        self._other_ears = np.zeros((2, max_block), dtype=np.float32)
        self._square = np.zeros((6, max_block), dtype=np.float32)
        self._levels = np.zeros(6, dtype=np.float32)

    @property
    def position(self) -> int:
        """The next sample of the time line."""
        return self._voices[-1].position

    def playheads(self) -> list[int]:
        """Where sound is being taken from, fades included."""
        return [voice.position for voice in list(self._voices)]

    @property
    def track(self) -> Track | None:
        """What is heard."""
        return self._voices[-1].track

    # What other threads ask for.

    def play(self) -> None:
        """Run."""
        self._commands.append((self._play, ()))

    def pause(self) -> None:
        """Stand still."""
        self._commands.append((self._pause, ()))

    def jump(self, track: Track | None, position: int | None, serial: int = 0) -> None:
        """Crossfade to a track, at a position (None: where it is)."""
        self._commands.append((self._want, (track, position, serial)))

    def set_duration(self, samples: int) -> None:
        """Where playing stops."""
        self._commands.append((self._set_duration, (samples,)))

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        """Go from the second sample to the first whenever it is reached."""
        self._commands.append((self._set_loop, (loop,)))

    def set_volume(self, gain: float) -> None:
        """Linear gain of the output."""
        self._commands.append((self._set_volume, (gain,)))

    def set_renderer(self, renderer: BinauralRenderer) -> None:
        """Crossfade to other binaural filters."""
        self._commands.append((self._set_renderer, (renderer,)))

    # The callback's side.

    def render(self, out: NDArray[np.float32], orientation: NDArray[np.float64]) -> None:
        """The next block.

        Parameters
        ----------
        out : ndarray, float32, shape (2, n)
            Left and right are written here.
        orientation : ndarray, float64, shape (3, 3)
            `foa.binaural.head_rotation` at the block's end.
        """
        for start in range(0, out.shape[1], self.max_block):
            self._render(out[:, start : start + self.max_block], orientation)

    def _render(self, out: NDArray[np.float32], orientation: NDArray[np.float64]) -> None:
        while self._commands:
            command, arguments = self._commands.popleft()
            command(*arguments)
        self._jump_if_wanted()
        count = out.shape[1]
        field = self._field[:, :count]
        field.fill(0.0)
        self._direct_used = False
        done = 0
        while done < count and self._open:
            done += self._segment(done, count - done)
        self._filter(field, out, orientation)
        if self._direct_used:
            np.add(out, self._direct[:, :count], out=out)
        self._apply_volume(out)
        self._measure(field, out)
        self.frame += count

    def _segment(self, at: int, most: int) -> int:
        """Mix up to the next thing that happens; returns how many samples."""
        voice = self._voices[-1]
        loop = self.loop
        looping = loop is not None and voice.position < loop[1]
        if loop is not None and looping:
            end = loop[1]
        else:
            # The end is faded out like a pause.
            closing = self._closing > 0 or not self.playing
            end = self.duration if closing else max(self.duration - self._edge, voice.position)
            if end == voice.position and not closing:
                self._closing = self._start_closing()
                end = self.duration
        count = min(most, max(end - voice.position, 0))
        if self._closing or not self.playing:
            count = min(count, self._edge - self._closing)
        if count > 0:
            self._mix(at, count)
        if loop is not None and looping and voice.position >= loop[1] and self._open:
            self._push(_Voice(voice.track, loop[0], 0))
            self._turn(at + count, 1.0)
        elif self._closing >= self._edge or (not looping and voice.position >= self.duration):
            self._stop(at + count)
        return count

    def _mix(self, at: int, count: int) -> None:
        voices = self._voices
        edge: NDArray[np.float32] | None = None
        if self._closing or not self.playing:
            edge = self._edge_down[self._closing : self._closing + count]
            self._closing += count
        elif self._opening < self._edge:
            edge = self._edge_up[self._opening : self._opening + count]
            self._opening += count
        if len(voices) == 1 and edge is None:
            self._add(voices[0], at, count, None)
            return
        rest = self._rest[:count]
        if edge is None:
            rest.fill(1.0)
        else:
            np.copyto(rest, edge)
        for place in range(len(voices) - 1, -1, -1):
            voice = voices[place]
            weight = self._weights[place, :count]
            if place == 0 or voice.age >= self._fade:
                np.copyto(weight, rest)
                del voices[:place]  # fully under it
                self._add(voice, at, count, weight)
                voice.age = min(voice.age + count, self._fade)
                return
            rise = self._rise[voice.age : voice.age + count]
            np.multiply(rest, rise, out=weight)
            np.subtract(rest, weight, out=rest)
            self._add(voice, at, count, weight)
            voice.age += count

    def _add(self, voice: _Voice, at: int, count: int, weight: NDArray[np.float32] | None) -> None:
        """Add a voice's next samples to its bus and move it on."""
        track, position = voice.track, voice.position
        voice.position = position + count
        if track is None:
            return
        gain = voice.gain
        if track.gain != gain:
            glide = self._glide[:count]
            np.multiply(self._counts[:count], np.float32((track.gain - gain) / count), out=glide)
            np.add(glide, np.float32(gain), out=glide)
            if weight is not None:
                np.multiply(glide, weight, out=glide)
            voice.gain = track.gain
            weight, gain = glide, 1.0
        if track.width == 4:
            bus = self._field[:, at : at + count]
        else:
            if not self._direct_used:
                self._direct.fill(0.0)
                self._direct_used = True
            bus = self._direct[:, at : at + count]
        done = 0
        while done < count:
            index, first = divmod(position + done, PIECE)
            length = min(count - done, PIECE - first)
            piece = track.pieces.get(index)
            if piece is None:
                self.starved += 1
            else:
                work = self._work[: bus.shape[0], :length]
                np.multiply(piece[:, first : first + length], np.float32(gain), out=work)
                if weight is not None:
                    np.multiply(work, weight[done : done + length], out=work)
                target = bus[:, done : done + length]
                np.add(target, work, out=target)
            done += length

    def _filter(
        self,
        field: NDArray[np.float32],
        out: NDArray[np.float32],
        orientation: NDArray[np.float64],
    ) -> None:
        self._renderer.process(field, out, orientation)
        new = self._next_renderer
        if new is None:
            return
        count = out.shape[1]
        ears = self._other_ears[:, :count]
        new.process(field, ears, orientation)
        # out + rise * (ears - out)
        np.subtract(ears, out, out=ears)
        np.multiply(ears, self._rise[self._swap : self._swap + count], out=ears)
        np.add(out, ears, out=out)
        self._swap += count
        if self._swap >= self._fade:
            self._renderer, self._next_renderer = new, None

    def _apply_volume(self, out: NDArray[np.float32]) -> None:
        count = out.shape[1]
        if self._volume_now != self._volume:
            glide = self._glide[:count]
            step = (self._volume - self._volume_now) / count
            np.multiply(self._counts[:count], np.float32(step), out=glide)
            np.add(glide, np.float32(self._volume_now), out=glide)
            np.multiply(out, glide, out=out)
            self._volume_now = self._volume
        elif self._volume != 1.0:
            np.multiply(out, np.float32(self._volume), out=out)

    def _measure(self, field: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        count = out.shape[1]
        square, levels = self._square[:, :count], self._levels
        np.multiply(field, field, out=square[:4])
        np.multiply(out, out, out=square[4:])
        track = self._voices[-1].track
        if track is not None and track.width == 1 and self._direct_used:
            np.multiply(self._direct[0, :count], self._direct[0, :count], out=square[0])
        if track is not None and track.gain > 0:
            np.divide(square[:4], np.float32(track.gain**2), out=square[:4])
        seconds = count / self.rate
        np.max(square, axis=1, out=levels)
        np.sqrt(levels, out=levels)
        np.multiply(self.peak, np.float32(math.exp(-seconds / _PEAK_SECONDS)), out=self.peak)
        np.maximum(self.peak, levels, out=self.peak)
        np.add.reduce(square, axis=1, out=levels)
        keep = math.exp(-seconds / _RMS_SECONDS)
        np.multiply(self.rms, self.rms, out=self.rms)
        np.multiply(self.rms, np.float32(keep), out=self.rms)
        np.multiply(levels, np.float32((1.0 - keep) / count), out=levels)
        np.add(self.rms, levels, out=self.rms)
        np.sqrt(self.rms, out=self.rms)

    # Commands, carried out at the start of a block.

    def _play(self) -> None:
        if self.playing:
            return
        if self.position >= self.duration:
            self.ended = True
            return
        self.playing = True
        # Out of the middle of a pause's edge: on from the same height.
        self._opening = self._edge - self._closing if self._open else 0
        self._closing = 0
        if not self._open:
            self._open = True
            self._turn(0, 1.0)

    def _pause(self) -> None:
        if self.playing:
            self.playing = False
            if not self._closing:
                self._closing = self._start_closing()

    def _start_closing(self) -> int:
        """How far into the closing edge the opening one has come: the two are mirror images."""
        return max(self._edge - self._opening, 1) if self._opening < self._edge else 1

    def _want(self, track: Track | None, position: int | None, serial: int) -> None:
        if position is None and self._wanted is not None:
            _, position, serial = self._wanted
        self._wanted = (track, position, serial)
        self._jump_if_wanted()

    def _jump_if_wanted(self) -> None:
        if self._wanted is None or len(self._voices) >= MOST_VOICES - 1:
            return  # when a fade is over
        track, position, serial = self._wanted
        self._wanted = None
        if position is None:
            if track is self.track:
                return
            position = self.position
        else:
            self.serial = serial
        moved = position != self.position
        if self._open:
            self._push(_Voice(track, position, 0))
            if self.playing and self._closing:  # at the end, but now it goes on
                self._opening, self._closing = self._edge - self._closing, 0
        else:
            self._voices = [_Voice(track, position, self._fade)]
        if moved or serial:
            self._turn(0, 1.0 if self._open else 0.0)

    def _push(self, voice: _Voice) -> None:
        """On top of the others; the lowest goes where there are too many."""
        if len(self._voices) == MOST_VOICES:
            del self._voices[0]
        self._voices.append(voice)

    def _stop(self, at: int) -> None:
        voice = self._voices[-1]
        if self.playing:
            self.playing = False
            self.ended = True
            voice.position = self.duration
        self._voices = [voice]
        voice.age = self._fade
        self._open = False
        self._opening = self._closing = 0
        self._turn(at, 0.0)

    def _set_duration(self, samples: int) -> None:
        self.duration = samples

    def _set_loop(self, loop: tuple[int, int] | None) -> None:
        self.loop = loop

    def _set_volume(self, gain: float) -> None:
        self._volume = gain

    def _set_renderer(self, renderer: BinauralRenderer) -> None:
        self._next_renderer, self._swap = renderer, 0

    def _turn(self, at: int, speed: float) -> None:
        if self._on_turn is not None:
            self._on_turn(self.frame + at, self.position / self.rate, speed, self.serial)


def _raised_cosine(length: int, beyond: int) -> NDArray[np.float32]:
    """From 0 towards 1 in ``length`` steps, then ones for a block."""
    rise = np.ones(length + beyond, dtype=np.float32)
    rise[:length] = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)
    return rise
