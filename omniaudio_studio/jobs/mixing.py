"""The camera's own sound under a generated field: a bed in W, or a field of its own; and ducking.

Each reader opens the recording anew and reads it as a stream: what is mixed, what the field steps
back for, and the pass that measures its level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError
from omniaudio_studio.jobs.treatment import MixedField, Treatment

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

Block = NDArray[np.float32]

_BLOCK = 1 << 14  # samples
# What a file may be shorter than the clip before that is told, seconds.
_SHORTER = 0.01


class Stream:
    """Blocks of any size, read in pieces of any length.

    Parameters
    ----------
    blocks
        Float32 (channels, n).
    channels
        How many rows there are.
    """

    def __init__(self, blocks: Iterator[Block], channels: int) -> None:
        self._blocks = blocks
        self._rest = np.zeros((channels, 0), np.float32)

    def read(self, samples: int) -> Block:
        """The next piece, (channels, samples); zeros where the blocks have ended."""
        parts, have = [self._rest], self._rest.shape[1]
        while have < samples:
            block = next(self._blocks, None)
            if block is None:
                parts.append(np.zeros((len(self._rest), samples - have), np.float32))
                break
            parts.append(block)
            have += block.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._rest = joined[:, samples:]
        return joined[:, :samples]


class Recording:
    """The camera's own sound over the range of a take, as a treatment mixes it in.

    Parameters
    ----------
    info
        The clip.
    rate
        The take's sample rate, hertz.
    start
        Seconds of the clip at which the take begins.
    samples
        Length of the take.
    treatment
        Its ``mix``, ``field``, ``yaw`` and ``duck`` are what is done.
    check
        Called per block of what is read on the way to something else; raises where the work is
        cancelled.

    Attributes
    ----------
    warnings
        What is to be told, one line each.

    Raises
    ------
    MediaError
        If it is asked for and there is none, or its file is no field of four channels.
    """

    def __init__(
        self,
        info: ClipInfo,
        rate: int,
        start: float,
        samples: int,
        treatment: Treatment,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._info, self._rate, self._start, self._samples = info, rate, start, samples
        self._done, self._check = treatment, check
        self.warnings: tuple[str, ...] = ()
        if not treatment.mix:
            return
        if treatment.field is not None:
            self.warnings = self._look_at(treatment.field)
        elif info.audio is None:
            raise MediaError(f"{info.path} has no sound of its own to mix in; leave mix out")

    def _look_at(self, field: MixedField) -> tuple[str, ...]:
        """Refuse what is no field; what is to be told of its length."""
        import soundfile

        try:
            found = soundfile.info(str(field.path))
        except (soundfile.SoundFileError, OSError) as error:
            raise MediaError(
                f"{field.path} cannot be read as a field to mix in: {error}; give a WAV of AmbiX"
            ) from error
        if found.channels != 4:
            raise MediaError(
                f"{field.path} has {found.channels} channels; a field to mix in has four (W, Y, "
                "Z, X), as omniaudio spatialize writes it"
            )
        begins = field.start - self._start
        ends = begins + found.frames / found.samplerate
        told = []
        if begins > _SHORTER:
            told.append(f"{field.path.name} begins {begins:.2f} s into the range, after silence")
        if self._samples / self._rate - ends > _SHORTER:
            told.append(
                f"{field.path.name} ends {self._samples / self._rate - ends:.2f} s before the "
                "range does; silence follows it"
            )
        return tuple(told)

    def bed(self, first: int, samples: int) -> Stream | None:
        """What is added to samples ``first`` to ``first + samples`` of the take, at its gain.

        One channel for W, or all four; None where nothing is.
        """
        if not self._done.mix:
            return None
        gain = np.float32(self._done.mix)
        channels = 1 if self._done.field is None else 4
        return Stream((block * gain for block in self._blocks(first, samples)), channels)

    def gains(self, first: int) -> Stream | None:
        """What the generated field is multiplied by from sample ``first`` on, one row; or None."""
        if not (self._done.mix and self._done.duck):
            return None
        from omniaudio_studio.media.blocks import without

        return Stream(without(self._all_gains(), first), 1)

    def _all_gains(self) -> Iterator[Block]:
        """From the take's first sample on, wherever a part begins: they depend on the past."""
        from omniaudio_studio.foa.ducking import Ducker

        ducker = Ducker(self._done.duck, self.level, self._rate)
        for block in self._blocks(0, self._samples):
            self._check()
            yield ducker.push(block[0])[None]
        yield ducker.finish()[None]

    @cached_property
    def level(self) -> float:
        """Of the recording over the take's whole range, dB; see `foa.ducking.RecordingLevel`."""
        from omniaudio_studio.foa.ducking import RecordingLevel

        level = RecordingLevel(self._rate)
        for block in self._blocks(0, self._samples):
            self._check()
            level.push(block[0])
        return level.finish()

    def _blocks(self, first: int, samples: int) -> Iterator[Block]:
        """The recording without its gain, exactly ``samples``: W alone, or the field."""
        if self._done.field is not None:
            return self._field(self._done.field, first, samples)
        return self._camera(first, samples)

    def _camera(self, first: int, samples: int) -> Iterator[Block]:
        from omniaudio_studio.media.audio import iter_audio

        assert self._info.audio is not None
        ambisonic = self._info.audio.ambisonic
        start, seconds = self._start + first / self._rate, samples / self._rate
        for block in iter_audio(self._info, self._rate, start, seconds):
            # An ambisonic track has its omnidirectional signal first.
            yield block[:1] if ambisonic else block.mean(axis=0, keepdims=True)

    def _field(self, field: MixedField, first: int, samples: int) -> Iterator[Block]:
        from omniaudio_studio.delivery.measure import checked_blocks
        from omniaudio_studio.foa.rotation import rotate_yaw
        from omniaudio_studio.media.audio import FoaReader
        from omniaudio_studio.media.blocks import regrouped, resampled, silence, without

        rate = self._rate
        place = round((self._start - field.start) * rate) + first
        # Back into the clip's axes, and on into the take's.
        turn = math.radians((field.yaw - self._done.yaw) % 360)
        with FoaReader(field.path) as reader:
            # The resampler starts a second early, so that a part sounds as it does in the whole; a
            # whole second is a whole number of samples at every rate.
            second = max(0, place // rate - 1)
            natural = checked_blocks(reader, None, second * reader.rate)
            changed = natural if reader.rate == rate else resampled(natural, reader.rate, rate, 4)

            def placed() -> Iterator[Block]:
                yield from silence(4, max(0, -place))
                for block in without(changed, max(0, place) - second * rate):
                    yield rotate_yaw(block, turn) if turn else block

            yield from regrouped(placed(), 4, _BLOCK, samples)
