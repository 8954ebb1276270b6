"""A new part put into an earlier take, with a short fade at both of its ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omniaudio_studio.engine.joining import crossfade
from omniaudio_studio.jobs.rerolling import Reroll
from omniaudio_studio.jobs.writing import Block

if TYPE_CHECKING:
    import soundfile

    from omniaudio_studio.media.bext import Bext
    from omniaudio_studio.media.wav import Subtype

_BLOCK = 1 << 16  # samples


def splice(
    reroll: Reroll,
    fresh: Path,
    target: Path,
    subtype: Subtype,
    check: Callable[[], None],
    bext: Bext | None = None,
) -> int:
    """Write the take with the part's range out of ``fresh``; returns the values clipped.

    Parameters
    ----------
    fresh
        The part's sound, from ``part.first`` to ``part.end``, not yet at the take's level.
    check
        Called per block; raises where the work is cancelled.
    bext
        What the file states of itself.
    """
    import soundfile

    from omniaudio_studio.media.wav import WavWriter

    part, gain = reroll.part, np.float32(reroll.take.treatment.gain)
    with (
        soundfile.SoundFile(reroll.take.path) as old,
        soundfile.SoundFile(fresh) as new,
        WavWriter(target, old.samplerate, 4, subtype, bext=bext) as writer,
    ):

        def copy(source: soundfile.SoundFile, count: int, factor: np.float32) -> None:
            for block in _blocks(source, count):
                check()
                writer.write(block * factor)

        one = np.float32(1)
        copy(old, part.begin, one)
        new.seek(part.begin - part.first)
        if part.fade_in:
            writer.write(crossfade(_read(old, part.fade_in), _read(new, part.fade_in) * gain))
        copy(new, part.end - part.begin - part.fade_in - part.fade_out, gain)
        old.seek(part.end - part.fade_out)
        if part.fade_out:
            writer.write(crossfade(_read(new, part.fade_out) * gain, _read(old, part.fade_out)))
        copy(old, old.frames - part.end, one)
        return writer.clipped


def _read(source: soundfile.SoundFile, count: int) -> Block:
    block: Block = source.read(count, dtype="float32", always_2d=True).T
    return np.ascontiguousarray(block)


def _blocks(source: soundfile.SoundFile, count: int) -> Iterator[Block]:
    while count > 0:
        block = _read(source, min(count, _BLOCK))
        count -= block.shape[1]
        yield block
