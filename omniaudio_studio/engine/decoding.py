"""Latents to sound in chunks, without a seam and without holding the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.sessions import Session

Array = NDArray[np.float32]
Decode = Callable[[Array, int, int], Array]

CHANNELS = "WYZX"


def decode(
    session: Session, z: Array, before: int, after: int, hop: int, cancel: CancelToken | None = None
) -> Array:
    """Sound (1, 4, n * hop) of the latents between surroundings.

    Parameters
    ----------
    session
        A bundle's decoder. One with an input "context" is told of the surroundings, and may let go
        of them as soon as it needs them no more.
    z : (1, C, before + n + after)
    """
    if "context" in session.inputs:
        around = np.array([before, after], np.int64)
        return session.run({"z": z, "context": around}, cancel)["audio"]
    sound = session.run({"z": z}, cancel)["audio"]
    return sound[..., before * hop : sound.shape[-1] - after * hop]


class ChunkedDecoder:
    """Decodes a stream of latents, equal to decoding all of them at once.

    Each chunk is decoded together with ``context`` latents of its real surroundings on both sides,
    whose sound is not kept. Where the context covers the decoder's receptive field, what is left
    is what the whole decode gives there; at the two ends there are no surroundings, as there.

    Parameters
    ----------
    decode
        z (1, C, T), and how many of its latents before and after are surroundings -> sound of the
        others, (1, 4, n * hop).
    context, chunk
        Latents, from the manifest.
    workers
        Chunks that are decoded at the same time; `decode` is called from as many threads.
    channel_order
        The letters W, Y, Z, X in the order of the decoder's channels.
    """

    def __init__(
        self,
        decode: Decode,
        context: int,
        chunk: int,
        channel_order: str = CHANNELS,
        workers: int = 1,
    ) -> None:
        self._decode = decode
        self._context = context
        self._chunk = chunk
        self._workers = workers
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
        size = self._workers * self._chunk
        while self._available() - self._next >= size + self._context:
            yield from self._run(size)

    def finish(self) -> Iterator[Array]:
        """Yield what is left; the decoder is empty and new afterwards."""
        size = self._workers * self._chunk
        while self._held is not None and self._next < self._available():
            left = self._available() - self._next
            # Half a round more is better than one more for a few latents.
            yield from self._run(left if left <= size + size // 2 else size)
        self._held, self._first, self._next = None, 0, 0

    def _available(self) -> int:
        return 0 if self._held is None else self._first + self._held.shape[1]

    def _run(self, count: int) -> Iterator[Array]:
        """Decode the next ``count`` latents, in as many parts as there are workers."""
        workers = min(self._workers, count)
        ends = [self._next + count * (part + 1) // workers for part in range(workers)]
        parts = [self._part(end) for end in ends]
        if workers == 1:
            yield self._decoded(*parts[0])
            return
        with ThreadPoolExecutor(workers, "omniaudio-decode") as pool:
            yield from list(pool.map(self._decoded, *zip(*parts, strict=True)))

    def _decoded(self, part: Array, before: int, after: int) -> Array:
        return self._decode(part, before, after)[0][self._order]

    def _part(self, end: int) -> tuple[Array, int, int]:
        """Latents ``_next`` to ``end`` with their context, and how much of that is on either side;
        forget what is done with."""
        assert self._held is not None
        begin = max(self._first, self._next - self._context)
        stop = min(self._available(), end + self._context)
        part = self._held[None, :, begin - self._first : stop - self._first].copy()
        around = self._next - begin, stop - end
        self._next = end
        keep = max(self._first, end - self._context)
        self._held = self._held[:, keep - self._first :].copy()
        self._first = keep
        return part, *around


def decode_all(
    session: Session,
    latents: Array,
    hop: int,
    context: int,
    chunk: int,
    channel_order: str = CHANNELS,
    workers: int = 1,
    cancel: CancelToken | None = None,
) -> Array:
    """Sound (4, T * hop) of latents (C, T), in chunks; parameters as those of `decode` and
    :class:`ChunkedDecoder`."""
    decoder = ChunkedDecoder(
        lambda z, before, after: decode(session, z, before, after, hop, cancel),
        context,
        chunk,
        channel_order,
        workers,
    )
    return np.concatenate([*decoder.push(latents), *decoder.finish()], axis=1)
