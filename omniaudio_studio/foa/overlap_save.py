"""Convolution of the four channels with the filters of both ears, in blocks of any size."""

from __future__ import annotations

import inspect

import numpy as np
from numpy.typing import NDArray

# The largest transform: longer blocks are to be cut. Beyond it little is gained.
_LARGEST = 16384
# NumPy 1.26 transforms in float64 into arrays of its own.
_FFT_TAKES_OUT = "out" in inspect.signature(np.fft.rfft).parameters


class EarFilters:
    """Eight convolutions by overlap-save: no delay of its own, blocks of any size.

    The input's last samples are kept; each block is transformed together with them, at the smallest
    size that holds both, so that the sum is exact whatever the blocks are (Oppenheim and Schafer,
    "Discrete-time signal processing", section 8.7.3). All memory is taken at construction.

    Parameters
    ----------
    taps : ndarray, float32, shape (2, 4, n)
    longest : int
        The longest block that will come, in samples.

    Attributes
    ----------
    longest : int
        The longest block that is taken at once; it may be less than what was asked for.
    """

    def __init__(self, taps: NDArray[np.float32], longest: int) -> None:
        self._past = taps.shape[2] - 1
        smallest = self._past + min(64, longest)
        largest = max(_LARGEST, 1 << (4 * taps.shape[2] - 1).bit_length())
        self._sizes = _sizes(smallest, min(largest, self._past + longest))
        self._spectra = [np.fft.rfft(taps, size).astype(np.complex64) for size in self._sizes]
        top = self._sizes[-1]
        self.longest = top - self._past
        self._line = np.zeros((4, top), dtype=np.float32)
        self._other = np.zeros((4, top), dtype=np.float32)
        # Flat, so that each size finds its arrays without gaps.
        bins = top // 2 + 1
        self._fields = [np.empty((4, size // 2 + 1), np.complex64) for size in self._sizes]
        self._products = np.empty(8 * bins, dtype=np.complex64)
        self._sums = np.empty(2 * bins, dtype=np.complex64)
        self._ears = np.empty(2 * top, dtype=np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self._line[:] = 0.0
        self._other[:] = 0.0

    def room(self, count: int) -> NDArray[np.float32]:
        """Where the next ``count`` samples, at most ``longest``, are to be put: (4, count)."""
        return self._line[:, self._past : self._past + count]

    def run(self, out: NDArray[np.float32]) -> None:
        """Filter what was put into `room`; ``out`` is (2, count)."""
        count, past = out.shape[1], self._past
        used = past + count
        which = 0
        while self._sizes[which] < used:
            which += 1
        size, spectra, field = self._sizes[which], self._spectra[which], self._fields[which]
        bins = size // 2 + 1
        products = self._products[: 8 * bins].reshape(2, 4, bins)
        sums = self._sums[: 2 * bins].reshape(2, bins)
        ears = self._ears[: 2 * size].reshape(2, size)
        line = self._line
        _forward(line[:, :used], size, field)
        # Ear by ear: NumPy takes memory to repeat an array over several.
        np.multiply(spectra[0], field, out=products[0])
        np.multiply(spectra[1], field, out=products[1])
        np.add.reduce(products, axis=1, out=sums)
        _backward(sums, size, ears)
        np.copyto(out, ears[:, past:used])
        # Into another array: NumPy would make a copy to move them within one.
        np.copyto(self._other[:, :past], line[:, count:used])
        self._line, self._other = self._other, line


def _sizes(smallest: int, largest: int) -> list[int]:
    """2^k and 3 * 2^k, from the first that holds ``smallest`` to the first for ``largest``."""
    sizes: list[int] = []
    power = 64
    while not sizes or sizes[-1] < largest:
        sizes += [size for size in (power, power * 3 // 2) if size >= smallest]
        power *= 2
    return sizes[: next(i for i, size in enumerate(sizes) if size >= largest) + 1]


# With norm="ortho" both transforms share the factor 1 / size. It is not only a matter of taste:
# left to itself, NumPy 2's rfft computes float32 in float64, in memory of its own.


def _forward(signal: NDArray[np.float32], size: int, out: NDArray[np.complex64]) -> None:
    if _FFT_TAKES_OUT:
        np.fft.rfft(signal, size, norm="ortho", out=out)  # type: ignore[arg-type]
    else:
        out[:] = np.fft.rfft(signal, size, norm="ortho")


def _backward(spectrum: NDArray[np.complex64], size: int, out: NDArray[np.float32]) -> None:
    if _FFT_TAKES_OUT:
        np.fft.irfft(spectrum, size, norm="ortho", out=out)  # type: ignore[arg-type]
    else:
        out[:] = np.fft.irfft(spectrum, size, norm="ortho")
