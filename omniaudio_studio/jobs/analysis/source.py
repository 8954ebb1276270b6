"""A sound file in blocks, whatever it holds: a field, or mono or stereo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.audio import FoaReader, iter_audio
from omniaudio_studio.media.container import audio_stream, check_file, open_input

_BLOCK = 1 << 17
_PLAIN = (1, 2)  # channels


@dataclass(frozen=True)
class Source:
    """An opened sound.

    Attributes
    ----------
    rate : int
        Samples a second.
    channels : int
        1, 2, or 4: a field, which arrives as AmbiX.
    samples : int or None
        How many there are, as far as the file tells; only for progress.
    blocks : iterator of float32 arrays (channels, n)
    """

    rate: int
    channels: int
    samples: int | None
    blocks: Iterator[NDArray[np.float32]]


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a sound file, or the sound of a video.

    Raises
    ------
    MissingFileError, MediaError
        If it cannot be read, or is neither a field nor mono nor stereo.
    """
    import soundfile

    check_file(path)
    try:
        plain = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError):
        with _from_container(path) as source:
            yield source
        return
    with plain:
        if plain.channels in _PLAIN:
            yield Source(plain.samplerate, plain.channels, plain.frames, _read(path, plain))
            return
    with FoaReader(path) as reader:
        yield Source(reader.rate, 4, reader.frames, reader.blocks(_BLOCK))


@contextmanager
def _from_container(path: Path) -> Iterator[Source]:
    with open_input(path) as container:
        # As everywhere: with several tracks, the one that can be a field.
        stream = audio_stream(container, channels=4)
        if stream is None or not stream.rate:
            raise MediaError(f"{path} has no sound that can be read")
        rate, channels = stream.rate, stream.channels
        samples = None
        if stream.duration is not None and stream.time_base is not None:
            samples = round(float(stream.duration * stream.time_base) * rate)
    if channels in _PLAIN:
        yield Source(rate, channels, samples, iter_audio(path, block=_BLOCK, channels=4))
        return
    with FoaReader(path) as reader:
        yield Source(reader.rate, 4, samples, reader.blocks(_BLOCK))


def _read(path: Path, file: Any) -> Iterator[NDArray[np.float32]]:
    import soundfile

    while True:
        try:
            block = file.read(_BLOCK, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise MediaError(f"{path} is damaged: {error}; copy it again") from error
        if not len(block):
            return
        yield np.ascontiguousarray(block.T)
