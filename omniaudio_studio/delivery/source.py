"""What is delivered: a sound field and where it belongs in its clip, read in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.measure import checked_blocks
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.audio import FoaReader
from omniaudio_studio.media.blocks import regrouped, resampled, silence, without

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

BLOCK = 1 << 16  # samples


@dataclass(frozen=True)
class DeliverySource:
    """A field, its clip, and how one lies in the other.

    Parameters
    ----------
    field : Path
        Anything that `media.audio.FoaReader` reads.
    clip : ClipInfo, optional
        The clip whose sound it is.
    clip_start : float
        Seconds of the clip at which the field's first sample lies; may be negative.
    yaw : float
        Degrees: the azimuth in the clip that the field's front is.
    provenance : Provenance, optional
        None where nothing shall be told, or nothing is known.
    convention : str
        Of the field: "auto" for what the file says, or one of `foa.convention.CONVENTIONS`.
    """

    field: Path
    clip: ClipInfo | None = None
    clip_start: float = 0.0
    yaw: float = 0.0
    provenance: Provenance | None = None
    convention: str = "auto"

    def rate(self) -> int:
        """Samples a second of the field's file.

        Raises
        ------
        MissingFileError, MediaError
            If the file cannot be read, or is no field.
        """
        with FoaReader(self.field, self.convention) as reader:
            return reader.rate

    def length(self, rate: int, cancel: Cancel | None = None) -> int:
        """Samples of the field at ``rate``. Files that don't state their length are read for it.

        Raises
        ------
        MissingFileError, MediaError
            If the file cannot be read, is no field, or holds no samples.
        """
        with FoaReader(self.field, self.convention) as reader:
            frames = reader.frames
            if frames is None:
                frames = sum(block.shape[1] for block in checked_blocks(reader, cancel))
            if not frames:
                raise MediaError(f"{self.field} holds no samples; export it again")
            return round(frames / reader.rate * rate)

    def blocks(
        self,
        rate: int,
        samples: int | None = None,
        *,
        size: int = BLOCK,
        cancel: Cancel | None = None,
    ) -> Iterator[Foa]:
        """The field as its file has it, for what leaves without a picture.

        At the file's own rate they are its own samples, unchanged.

        Parameters
        ----------
        rate : int
            Samples a second wanted.
        samples : int, optional
            Cut, or filled up with silence, to so many; the field's own length without.
        size : int
            Samples of every block but the last.
        cancel : object with ``check()``, optional
            Called for every block.

        Yields
        ------
        ndarray, float32, shape (4, n)

        Raises
        ------
        MissingFileError, MediaError
            If the file cannot be read, is damaged, or holds values that are no numbers.
        """
        if samples is None:
            samples = self.length(rate, cancel)
        yield from regrouped(self._read(rate, cancel), 4, size, samples)

    def blocks_in_clip(
        self, rate: int, samples: int, *, size: int = BLOCK, cancel: Cancel | None = None
    ) -> Iterator[Foa]:
        """The field in the frame of the clip's stored picture, from the clip's first picture on.

        It is turned by ``yaw``, so that it fits a picture that was not. Before and after the field
        there is silence. Without yaw, start and another rate they are the file's samples unchanged.

        Parameters, yields and errors as for `blocks`; ``samples`` is the length of the clip.
        """
        place = round(self.clip_start * rate)
        turn = math.radians(self.yaw % 360)

        def turned() -> Iterator[Foa]:
            yield from silence(4, place)
            for block in without(self._read(rate, cancel), max(0, -place)):
                yield rotate_yaw(block, turn) if turn else block

        yield from regrouped(turned(), 4, size, samples)

    def _read(self, rate: int, cancel: Cancel | None) -> Iterator[Foa]:
        with FoaReader(self.field, self.convention) as reader:
            natural = checked_blocks(reader, cancel)
            if reader.rate == rate:
                yield from natural
            else:
                yield from resampled(natural, reader.rate, rate, 4)
