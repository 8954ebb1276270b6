"""Rolling a part of an earlier take again: the new sound is faded into the old one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omniaudio_studio.engine.joining import crossfade
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.jobs.outputs import sidecar_path
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.writing import Block

if TYPE_CHECKING:
    import soundfile

    from omniaudio_studio.media.wav import Subtype

FADE_SECONDS = 0.05
_BLOCK = 1 << 16  # samples


@dataclass(frozen=True)
class Part:
    """The part of a take that is made anew, in samples of the delivery rate.

    ``first`` and ``samples`` include the fades, which lie outside the range that was asked for
    where the take goes on there. ``gain`` (linear) is what the earlier take was levelled with.
    """

    first: int
    samples: int
    fade_in: int
    fade_out: int
    gain: float = 1.0


def plan_part(request: GenerateRequest, samples: int) -> Part:
    """Where the new sound goes in a take of ``samples`` samples.

    Raises
    ------
    OptionError, MediaError
        If the range leaves the request's, or the earlier take is another length, rate or kind.
    """
    import soundfile

    assert request.base_take is not None
    assert request.base_range is not None
    base, rate = request.base_take, request.rate
    try:
        info = soundfile.info(str(base))
    except (soundfile.SoundFileError, OSError) as error:
        raise MediaError(f"{base} cannot be read as an earlier take: {error}") from error
    if (info.channels, info.samplerate, info.frames) != (4, rate, samples):
        raise MediaError(
            f"{base} is not a take of this range: expected 4 channels and {samples} samples at "
            f"{rate} Hz, found {info.channels} and {info.frames} at {info.samplerate}"
        )
    begin, end = (round((time - request.start) * rate) for time in request.base_range)
    if begin < 0 or end > samples or end <= begin:
        raise OptionError(
            f"base_range {request.base_range[0]:g} to {request.base_range[1]:g} s is not within "
            f"the take's {request.start:g} to {request.start + samples / rate:g} s"
        )
    fade = round(FADE_SECONDS * rate)
    fade_in, fade_out = min(fade, begin), min(fade, samples - end)
    return Part(
        first=begin - fade_in,
        samples=end + fade_out - (begin - fade_in),
        fade_in=fade_in,
        fade_out=fade_out,
        gain=_gain(base),
    )


def _gain(base: Path) -> float:
    """What the earlier take was levelled with, as its sidecar says; 1 without one."""
    try:
        data = json.loads(sidecar_path(base).read_text(encoding="utf-8"))
        return float(10 ** (float(data["output"]["gain_db"]) / 20))
    except (OSError, ValueError, KeyError, TypeError):
        return 1.0


def splice(
    base: Path, fresh: Path, target: Path, part: Part, subtype: Subtype, check: Callable[[], None]
) -> int:
    """Write ``base`` with ``part`` replaced by ``fresh``; returns the values clipped.

    ``check`` is called per block, and raises where the work is cancelled.
    """
    import soundfile

    from omniaudio_studio.media.wav import WavWriter

    gain = np.float32(part.gain)
    with (
        soundfile.SoundFile(base) as old,
        soundfile.SoundFile(fresh) as new,
        WavWriter(target, old.samplerate, 4, subtype) as writer,
    ):

        def copy(source: soundfile.SoundFile, count: int, factor: np.float32) -> None:
            for block in _blocks(source, count):
                check()
                writer.write(block * factor)

        one = np.float32(1)
        copy(old, part.first, one)
        if part.fade_in:
            writer.write(crossfade(_read(old, part.fade_in), _read(new, part.fade_in) * gain))
        copy(new, part.samples - part.fade_in - part.fade_out, gain)
        old.seek(part.first + part.samples - part.fade_out)
        if part.fade_out:
            writer.write(crossfade(_read(new, part.fade_out) * gain, _read(old, part.fade_out)))
        copy(old, old.frames - part.first - part.samples, one)
        return writer.clipped


def _read(source: soundfile.SoundFile, count: int) -> Block:
    block: Block = source.read(count, dtype="float32", always_2d=True).T
    return np.ascontiguousarray(block)


def _blocks(source: soundfile.SoundFile, count: int) -> Iterator[Block]:
    while count > 0:
        block = _read(source, min(count, _BLOCK))
        count -= block.shape[1]
        yield block
