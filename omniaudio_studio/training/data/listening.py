"""Sound files in parts of one excerpt each, with what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.media.blocks import regrouped, resampled

#: From here on a sample is at full scale.
FULL = 0.99
#: Share of samples that stand still at full scale, above which an excerpt counts as clipped. The
#: peaks of a low sine at full scale are flat in 16 bits, too: at 50 Hz for 0.3 % of the time.
CLIPPED = 0.005


class Parts:
    """A stream of sound at another rate, in parts of one excerpt.

    Clipping is told at the file's own rate, where flat tops are flat: samples of any channel that
    are at full scale and equal the one before. (Lossy codecs and resampling bend them: what was
    clipped before is not found.) Samples that are no numbers are replaced by silence, so that they
    do not spoil their neighbours in the resampler.

    Parameters
    ----------
    blocks
        float32 ``(channels, n)`` at the rate ``own``.
    own, rate
        Samples per second that come and that are wanted.
    channels
    span
        Samples of a part, at ``rate``.
    """

    def __init__(
        self, blocks: Iterator[NDArray[np.float32]], own: int, rate: int, channels: int, span: int
    ) -> None:
        self._size = span / rate * own
        self._flat: Counter[int] = Counter()
        self._broken: set[int] = set()
        heard = self._watched(blocks)
        if own != rate:
            heard = resampled(heard, own, rate, channels)
        self._parts = regrouped(heard, channels, span, None)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], str | None]]:
        """Each part, the last one shorter, and what is wrong with it."""
        for number, part in enumerate(self._parts):
            problem = None
            if number in self._broken:
                problem = "holds samples that are no numbers"
            elif self._flat[number] > CLIPPED * self._size:
                share = 100 * self._flat[number] / self._size
                problem = f"is clipped: {share:.1f} % of it stands still at full scale"
            yield part, problem

    def _watched(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        given, last = 0, None
        for block in blocks:
            if not block.shape[1]:
                continue
            broken = np.any(~np.isfinite(block), axis=0)
            if broken.any():
                self._broken.update(self._excerpts(given, broken))
                block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
            before = np.concatenate([block[:, :1] + 1 if last is None else last, block[:, :-1]], 1)
            flat = np.any((block == before) & (np.abs(block) >= FULL), axis=0)
            self._flat.update(self._excerpts(given, flat))
            given, last = given + block.shape[1], block[:, -1:]
            yield block

    def _excerpts(self, given: int, there: Any) -> list[int]:
        places = given + np.flatnonzero(there)
        return (places / self._size).astype(int).tolist()
