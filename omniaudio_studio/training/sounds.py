"""Sounds that excerpts are cut from, all as first-order fields at one rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.library import SOUND_SUFFIXES
from omniaudio_studio.errors import MediaError, MissingFileError, OmniAudioError
from omniaudio_studio.foa.encoding import pseudo_foa
from omniaudio_studio.media.audio import FoaReader, iter_audio
from omniaudio_studio.media.blocks import resampled, without
from omniaudio_studio.media.probe import probe_sound

if TYPE_CHECKING:  # (presets, which scenes are made by, know what is trained on these)
    from omniaudio_studio.training.scenes import SceneSet

Field = NDArray[np.float32]

#: Below this (-100 dB of full scale) a file is silent.
_SILENCE = 1e-5
#: A file is clipped if so large a part of its samples is at full scale and equal to the one before.
_CLIPPED = 1e-3
_FULL = 0.99
_BLOCK = 1 << 16
#: Seconds of surroundings that an excerpt is resampled with.
_AROUND = 0.1


class Sounds(Protocol):
    """Fields by number."""

    rate: int

    def __len__(self) -> int: ...

    def length(self, index: int) -> int:
        """Samples of one."""
        ...

    def read(self, index: int, start: int, samples: int) -> Field:
        """W, Y, Z, X ``(4, samples)`` from ``start`` on; zeros where the sound has ended."""
        ...


class SceneSounds:
    """The fields of drawn scenes."""

    rate = RATE

    def __init__(self, scenes: SceneSet) -> None:
        self._scenes = scenes

    def __len__(self) -> int:
        return len(self._scenes)

    def length(self, index: int) -> int:
        return int(self._scenes.foa.shape[-1])

    def read(self, index: int, start: int, samples: int) -> Field:
        return _filled(self._scenes.foa[index, :, start : start + samples], samples)


@dataclass(frozen=True)
class SoundFile:
    """A file that can be used: its channels, own rate, and length in samples at that rate."""

    path: Path
    channels: int
    rate: int
    frames: int


class FolderSounds:
    """Every sound file in a folder and below: ambisonics, stereo or mono.

    Fields are read as AmbiX unless the file says otherwise. Stereo becomes W = (L + R) / sqrt 2 and
    Y = (L - R) / sqrt 2, as `importers.stereo` has it, and mono W alone. Each file is read once as
    a whole, to find out whether it can be used.

    Parameters
    ----------
    folder
        Searched in the order of names.
    rate
        Samples a second; files of other rates are resampled as they are read.
    say
        Told of each file that is left out, and why.

    Raises
    ------
    MissingFileError
        If there is no such folder, or no sound file in it.
    MediaError
        If none of the files can be used.
    """

    def __init__(self, folder: Path, rate: int, say: Callable[[str], None]) -> None:
        if not folder.is_dir():
            raise MissingFileError(f"no folder of sounds at {folder}")
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES)
        if not paths:
            raise MissingFileError(f"{folder} holds no sound files (WAV, FLAC, Opus, MP3 ...)")
        self.rate = rate
        self.files: list[SoundFile] = []
        for path in paths:
            try:
                self.files.append(inspect(path))
            except OmniAudioError as error:
                say(f"left out: {error}")
        if not self.files:
            raise MediaError(
                f"none of the {len(paths)} sound files in {folder} can be used; expected mono, "
                "stereo or first-order ambisonics that is neither silent nor clipped"
            )

    def __len__(self) -> int:
        return len(self.files)

    def length(self, index: int) -> int:
        file = self.files[index]
        return file.frames * self.rate // file.rate

    def read(self, index: int, start: int, samples: int) -> Field:
        file = self.files[index]
        if file.rate == self.rate:
            return _filled(_gathered(_field(file, start), samples), samples)
        # From where both rates have a sample, so that times are exact.
        shared = math.gcd(file.rate, self.rate)
        ours, own = self.rate // shared, file.rate // shared
        first = max(0, (start - round(_AROUND * self.rate)) // ours)
        around = round(_AROUND * file.rate)
        wanted = (start + samples) * file.rate // self.rate - first * own + around
        blocks = [_gathered(_field(file, first * own), wanted)]
        changed = resampled(iter(blocks), file.rate, self.rate, 4)
        return _filled(_gathered(without(changed, start - first * ours), samples), samples)


def inspect(path: Path) -> SoundFile:
    """Read a file and judge whether it can be trained on.

    Raises
    ------
    MediaError
        If it cannot be read, has other channels, is silent or clipped, or holds what is no number.
    """
    sound = probe_sound(path)
    frames, flat, largest = 0, 0, 0.0
    for block in _blocks(path, sound.channels, sound.rate, 0):
        if not np.isfinite(block).all():
            raise MediaError(f"{path} holds values that are no numbers (NaN or infinite)")
        size = np.abs(block)
        largest = max(largest, float(size.max(initial=0)))
        flat += int(((size[:, 1:] >= _FULL) & (block[:, 1:] == block[:, :-1])).sum())
        frames += block.shape[1]
    if largest < _SILENCE:
        raise MediaError(f"{path} is silent")
    if flat > _CLIPPED * frames * sound.channels:
        share = flat / (frames * sound.channels)
        raise MediaError(f"{path} is clipped ({share:.1%} of its samples are flat at full scale)")
    return SoundFile(path, sound.channels, sound.rate, frames)


def _blocks(path: Path, channels: int, rate: int, start: int) -> Iterator[Field]:
    """A file's sound from a sample on, ``(channels, n)``; AmbiX where it has more than two."""
    if channels <= 2:
        yield from iter_audio(path, start=start / rate, block=_BLOCK)
        return
    with FoaReader(path) as reader:
        yield from reader.blocks(_BLOCK, start)


def _field(file: SoundFile, start: int) -> Iterator[Field]:
    """The same as a field."""
    for block in _blocks(file.path, file.channels, file.rate, start):
        if file.channels == 1:
            yield np.concatenate([block, np.zeros((3, block.shape[1]), np.float32)])
        elif file.channels == 2:
            yield pseudo_foa(block) * np.float32(math.sqrt(0.5))
        else:
            yield block


def _gathered(blocks: Iterator[Field], samples: int) -> Field:
    """The first samples of a stream, fewer where it ends before."""
    parts: list[Field] = [np.zeros((4, 0), np.float32)]
    have = 0
    for block in blocks:
        parts.append(block)
        have += block.shape[1]
        if have >= samples:
            break
    return np.concatenate(parts, axis=1)[:, :samples]


def _filled(field: NDArray[np.floating], samples: int) -> Field:
    """As float32, with zeros up to ``samples``."""
    whole = np.zeros((4, samples), np.float32)
    whole[:, : field.shape[1]] = field
    return whole
