"""A part of a sound field's file, exact to the sample, at a delivery rate."""

from __future__ import annotations

from collections.abc import Iterator

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.measure import checked_blocks
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.media.audio import FoaReader
from omniaudio_studio.media.blocks import regrouped, resampled, without

# Durations are read off displays with three digits: half of the last one is no mistake.
_ROUNDING = 0.0006
# The resampler starts a second early, so that a part sounds as it does in the whole.
_PREROLL = 1


class FieldPart:
    """Samples ``first`` to ``first + samples`` of a field, counted at the delivery rate.

    At the field's own rate they are its own samples, unchanged.

    Parameters
    ----------
    reader : FoaReader
        The field.
    rate : int
        Delivery rate, samples per second.
    start : float
        Seconds; ``first`` is round(start * rate).
    duration : float, optional
        Seconds; the rest of the field by default.
    cancel : object with ``check()``, optional
        Called for every block.

    Raises
    ------
    MediaError
        If the field holds no samples.
    OptionError
        If the part is not within it.
    """

    def __init__(
        self,
        reader: FoaReader,
        rate: int,
        start: float = 0.0,
        duration: float | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self._reader, self.rate, self._cancel = reader, rate, cancel
        frames = reader.frames
        if frames is None:  # only reading on tells
            frames = sum(block.shape[1] for block in checked_blocks(reader, cancel))
        if not frames:
            raise MediaError(f"{reader.path} holds no samples; export it again")
        seconds, whole = frames / reader.rate, round(frames / reader.rate * rate)
        if start >= seconds:
            raise OptionError(
                f"the part starts at {start:g} s, but {reader.path} is {seconds:.3f} s long; "
                "choose a smaller start"
            )
        if duration is not None and start + duration > seconds + _ROUNDING:
            raise OptionError(
                f"the part ends at {start + duration:.3f} s, but {reader.path} is {seconds:.3f} s "
                f"long; choose a duration of at most {seconds - start:.3f} s"
            )
        self.first = round(start * rate)
        self.samples = whole - self.first if duration is None else round(duration * rate)
        if self.samples < 1:
            raise OptionError("the part is shorter than a sample; choose a longer duration")

    def blocks(self, size: int = 65536) -> Iterator[Foa]:
        """The part, float32 (4, n), n = ``size`` but in the last block.

        Raises
        ------
        MediaError
            If the file is damaged, or ends before its header says.
        """
        own, rate = self._reader.rate, self.rate
        if own == rate:
            source = checked_blocks(self._reader, self._cancel, self.first)
        else:
            # A whole second is a whole number of samples at every rate.
            second = max(0, self.first // rate - _PREROLL)
            natural = checked_blocks(self._reader, self._cancel, second * own)
            changed = resampled(natural, own, rate, 4)
            source = without(changed, self.first - second * rate)
        return regrouped(self._complete(source), 4, size, self.samples)

    def _complete(self, source: Iterator[Foa]) -> Iterator[Foa]:
        """The blocks; an end that comes too early is an error, not silence."""
        given = 0
        for block in source:
            given += block.shape[1]
            yield block
        if given < self.samples - _ROUNDING * self.rate - 1:
            raise MediaError(
                f"{self._reader.path} ends {(self.samples - given) / self.rate:.3f} s early; it is "
                "damaged: copy it again"
            )
