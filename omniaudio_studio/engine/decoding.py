"""Latents to sound in chunks, without a seam and without holding the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Decode = Callable[[Array], Array]

CHANNELS = "WYZX"


class ChunkedDecoder:
    """Decodes a stream of latents, equal to decoding all of them at once.

    Each chunk is decoded together with ``context`` latents of its real surroundings on both sides,
    whose sound is thrown away. Where the context covers the decoder's receptive field, what is left
    is what the whole decode gives there; at the two ends there are no surroundings, as there.

    Parameters
    ----------
    decode
        z (1, C, T) -> audio (1, 4, T * hop).
    hop
        Samples per latent.
    context, chunk
        Latents, from the manifest.
    channel_order
        The letters W, Y, Z, X in the order of the decoder's channels.
    """

    def __init__(
        self, decode: Decode, hop: int, context: int, chunk: int, channel_order: str = CHANNELS
    ) -> None:
        self._decode = decode
        self._hop = hop
        self._context = context
        self._chunk = chunk
        self._order = [channel_order.index(channel) for channel in CHANNELS]
        self._held: Array | None = None  # latents from `_first` on
        self._first = 0
        self._next = 0  # the next latent to decode

    def push(self, latents: Array) -> Iterator[Array]:
        """Take final latents (C, n); yield the blocks (4, samples) that they complete."""
        if self._held is None:
            self._held = np.array(latents, dtype=np.float32)
        else:
            self._held = np.concatenate([self._held, latents], axis=1)
        while self._available() - self._next >= self._chunk + self._context:
            yield self._run(self._next + self._chunk)

    def finish(self) -> Iterator[Array]:
        """Yield what is left; the decoder is empty and new afterwards."""
        while self._held is not None and self._next < self._available():
            left = self._available() - self._next
            # Half a chunk more is better than one more run for a few latents.
            whole = left <= self._chunk + self._chunk // 2
            yield self._run(self._next + (left if whole else self._chunk))
        self._held, self._first, self._next = None, 0, 0

    def _available(self) -> int:
        return 0 if self._held is None else self._first + self._held.shape[1]

    def _run(self, end: int) -> Array:
        """Decode latents ``_next`` to ``end`` with their context; forget what is done with."""
        assert self._held is not None
        begin = max(self._first, self._next - self._context)
        stop = min(self._available(), end + self._context)
        part = self._held[None, :, begin - self._first : stop - self._first]
        sound = self._decode(part)[0]
        skip = (self._next - begin) * self._hop
        sound = sound[self._order, skip : skip + (end - self._next) * self._hop]
        self._next = end
        keep = max(self._first, end - self._context)
        self._held = self._held[:, keep - self._first :].copy()
        self._first = keep
        return sound
