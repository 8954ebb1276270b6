"""The sound at both ears as a weighted sum of ten stereo streams that do not know the head.

The renderer (`binaural`) turns the field first and filters then. Both are linear, so the order can
be changed: each channel of the field goes through the filters of each channel that it can be turned
into, once and for all, and the head's orientation is left with a volume for each product. So a
player that only mixes, such as a game engine or Blender's sound device, turns the head too.

With the head's orientation H (`binaural.head_rotation`), the volume of the stream (head, field) is
H[axis of field, axis of head], x y z being the axes of X, Y, Z; that of W is 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.binaural_filters import BinauralFilters
from omniaudio_studio.foa.convention import CHANNELS

STREAMS = (("W", "W"), *((head, field) for head in "YZX" for field in "YZX"))
"""(Channel as the head meets it, channel of the field) of each stream; the order is the files'."""

_LONGEST = 1 << 15  # samples transformed at once


class HeadStreams:
    """Filter a field, block by block, into the streams named by `STREAMS`.

    The sum of the streams by their volumes is what `BinauralRenderer` gives for a head that rests;
    for one that turns it differs from it only by how volumes are interpolated.

    Parameters
    ----------
    filters : BinauralFilters
        At the rate of the sound.

    Attributes
    ----------
    bounds : ndarray, float64, shape (10,)
        No sample of stream k is larger than ``bounds[k]`` times the largest of its field's channel.
    """

    def __init__(self, filters: BinauralFilters) -> None:
        self._heads = [CHANNELS.index(head) for head, _ in STREAMS]
        self._fields = [CHANNELS.index(field) for _, field in STREAMS]
        # The sum of magnitudes is a filter's largest possible gain.
        sums = np.abs(filters.taps.astype(np.float64)).sum(axis=2).max(axis=0)
        self.bounds: NDArray[np.float64] = sums[self._heads]
        past = filters.taps.shape[2] - 1
        self._size = 1 << (past + _LONGEST).bit_length()
        self._spectra = np.fft.rfft(filters.taps, self._size).astype(np.complex64)
        self._past = np.zeros((4, past), np.float32)

    def process(self, foa: NDArray[np.float32]) -> NDArray[np.float32]:
        """The streams of the next samples.

        Parameters
        ----------
        foa : ndarray, float32, shape (4, n)
            W, Y, Z, X (AmbiX), any number of samples.

        Returns
        -------
        ndarray, float32, shape (10, 2, n)
            Stream, ear (left, right), time.
        """
        past, longest = self._past.shape[1], self._size - self._past.shape[1]
        line = np.concatenate([self._past, foa], axis=1)
        streams = np.empty((len(STREAMS), 2, foa.shape[1]), np.float32)
        for start in range(0, foa.shape[1], longest):
            stop = min(start + longest, foa.shape[1])
            # Overlap-save: what the circle wraps around falls on the past, which is cut off.
            field = np.fft.rfft(line[:, start : stop + past], self._size).astype(np.complex64)
            for number, (head, channel) in enumerate(zip(self._heads, self._fields, strict=True)):
                ears = np.fft.irfft(self._spectra[:, head] * field[channel], self._size)
                streams[number, :, start:stop] = ears[:, past : past + stop - start]
        self._past = line[:, line.shape[1] - past :].copy()
        return streams
