"""A mixer without a device: blocks on demand, pieces loaded before each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from omniaudio_studio.foa.binaural import BinauralRenderer, default_filters
from qt_app.sound.mixer import Mixer
from qt_app.sound.reader import Reader
from qt_app.sound.source import SoundSource
from qt_app.sound.track import Track

RATE = 48_000
EDGE = 240  # samples, 5 ms
FADE = 480
AHEAD = np.eye(3)


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    """(channels, n) as a float WAV."""
    soundfile.write(path, np.atleast_2d(sound).T, rate, subtype="FLOAT")
    return path


class Offline:
    """Mixer and reader in one thread."""

    def __init__(self, seconds: float) -> None:
        self.turns: list[tuple[int, float, float, int]] = []
        self.problems: list[str] = []
        self.mixer = Mixer(
            RATE,
            BinauralRenderer(default_filters(RATE), 4096),
            on_turn=lambda *turn: self.turns.append(turn),
        )
        self.mixer.set_duration(round(seconds * RATE))
        self.reader = Reader(self.mixer, self.problems.append)
        self.tracks: list[Track] = []

    def add(self, path: Path, kind: str, **more: float) -> Track:
        """One more source; the first is heard."""
        source = SoundSource(path.stem + kind, kind, path, path.stem, **more)
        self.tracks.append(Track(source, RATE))
        self.reader.set_tracks(self.tracks, self.tracks[0])
        self.read()
        return self.tracks[-1]

    def read(self) -> None:
        """Let the reader do all it wants."""
        while self.reader.step():
            pass

    def run(self, samples: int, blocks: list[int] | int = 256, head: np.ndarray = AHEAD):
        """So many samples of output, (2, n), in blocks of these sizes, again and again."""
        sizes = [blocks] if isinstance(blocks, int) else blocks
        out = np.zeros((2, samples), np.float32)
        at = turn = 0
        while at < samples:
            self.read()
            count = min(sizes[turn % len(sizes)], samples - at)
            self.mixer.render(out[:, at : at + count], head)
            at, turn = at + count, turn + 1
        return out
