"""A recording and its placement into a field: Y, Z and X by gains per band and moment, W as it is.

Each band of the recording is a plane wave from its sources' directions, weighted by their shares;
what no source has a share in is spread around the listener.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.placement import Placement

WINDOW_SECONDS = 0.04
"""Least length of a window of the short-time spectrum: 2048 samples at 44.1 and at 48 kHz."""

_AXES = [1, 2, 0]  # of x, y, z, in the order of the channels Y, Z, X
_BATCH = 32  # frames worked on at once


class BandEncoder:
    """Encodes a recording as a stream.

    The recording is cut into Hann windows, a quarter of a window apart; each is filtered by its
    moment's gains and added up again (Allen and Rabiner, "A unified approach to short-time Fourier
    analysis and synthesis", Proc. IEEE 1977). Where gains don't change that is exact.

    What comes out begins with the first sample that went in, is exactly as long, and does not
    depend on how the recording is cut into blocks.

    Parameters
    ----------
    placement
        Where its parts come from.
    rate
        Samples per second.
    width
        How much of what comes from nowhere in particular is spread around the listener: 0 leaves it
        in W alone, 1 makes it an isotropic field (Y, Z and X each with a third of W's power).
    seed
        Of the noises that spread it.
    first
        Number of the first sample that will be pushed, counted from the placement's second 0.
    """

    def __init__(
        self, placement: Placement, rate: int, *, width: float, seed: int, first: int = 0
    ) -> None:
        self._rate, self._zero = rate, first
        self.size = 1 << int(np.ceil(np.log2(WINDOW_SECONDS * rate)))
        self._hop, self._pad = self.size // 4, self.size // 2
        # Windows a quarter apart add up to 2.
        self._taper = (np.hanning(self.size + 1)[:-1] / 2).astype(np.float32)
        self._times = placement.times
        self._vectors, self._rest = _gains(placement)
        self._to_bins = _bins_of_bands(placement.edges, 2 * self.size, rate).astype(np.float32)
        self._noises = _noises(seed, self._pad, 2 * self.size) * np.float32(width / np.sqrt(3))
        self._side_gain = np.float32(min(1.0, 2.0 * width))
        self._frame = 0
        self._pushed = self._given = 0
        self._stereo = False
        # From three windows' steps before the first sample on, so that it is in four of them.
        self._held = np.zeros((2, 3 * self._hop), np.float32)  # W and side
        self._sum = np.zeros((3, self._pad + 3 * self._hop), np.float32)  # Y, Z, X
        self._w = np.zeros(0, np.float32)  # W that is not yet given out
        self._silent_start = self._pad + 3 * self._hop  # of the sum: before the first sample

    def push(self, w: ArrayLike, side: ArrayLike | None = None) -> Foa:
        """Take more of the recording.

        Parameters
        ----------
        w : float32 (n,)
            Goes into W as it is.
        side : float32 (n,), optional
            (L - R) / 2 of a stereo recording: what comes from nowhere in particular keeps its own
            left and right. For all blocks or for none.

        Returns
        -------
        ndarray, float32, (4, m)
            What is complete, m >= 0.
        """
        block = np.zeros((2, np.size(w)), np.float32)
        block[0] = w
        if side is not None:
            block[1] = side
        self._stereo = side is not None
        self._pushed += block.shape[1]
        self._w = np.concatenate([self._w, block[0]])
        return self._work(block)

    def finish(self) -> Foa:
        """What is left after the last block."""
        tail = self._work(np.zeros((2, 2 * self.size), np.float32))
        return tail[:, : self._pushed - (self._given - tail.shape[1])]

    def _work(self, block: NDArray[np.float32]) -> Foa:
        self._held = np.concatenate([self._held, block], axis=1)
        done = 0
        count = (self._held.shape[1] - self.size) // self._hop + 1
        parts = [np.zeros((3, 0), np.float32)]
        while done < count:
            frames = min(_BATCH, count - done)
            parts.append(self._add(done * self._hop, frames))
            done += frames
        if done > 0:
            self._held = self._held[:, done * self._hop :]
        ready = np.concatenate(parts, axis=1)
        dropped = min(self._silent_start, ready.shape[1])
        self._silent_start -= dropped
        ready = ready[:, dropped:]
        foa = np.zeros((4, ready.shape[1]), np.float32)
        foa[1:] = ready
        own = min(ready.shape[1], self._w.size)
        foa[0, :own] = self._w[:own]
        self._w = self._w[own:]
        self._given += ready.shape[1]
        return foa

    def _add(self, place: int, frames: int) -> NDArray[np.float32]:
        """Filter ``frames`` windows of what is held from ``place`` on; what is complete then."""
        starts = place + self._hop * np.arange(frames)
        windows = np.zeros((2, frames, 2 * self.size), np.float32)
        middle = slice(self._pad, self._pad + self.size)
        for row, start in enumerate(starts):
            windows[:, row, middle] = self._held[:, start : start + self.size] * self._taper
        spectrum = np.fft.rfft(windows[0]).astype(np.complex64)
        begin = self._zero + (self._frame + np.arange(frames) - 3) * self._hop
        vectors, rest = self._at((begin + self._pad) / self._rate)
        # Frame by frame, so that rounding doesn't depend on how many there are.
        gains = np.matmul(np.concatenate([vectors, rest[:, None]], axis=1), self._to_bins)
        channels = gains[:, :3].swapaxes(0, 1) * spectrum
        diffuse = gains[:, 3]
        spread = spectrum * diffuse
        channels[1:] += spread * self._noises[1:, None]
        if self._stereo:
            side = np.fft.rfft(windows[1]).astype(np.complex64)
            channels[0] += side * diffuse * self._side_gain
        else:
            channels[0] += spread * self._noises[0]
        pieces = np.fft.irfft(channels, 2 * self.size).astype(np.float32)
        total = (frames - 1) * self._hop + 2 * self.size
        out = np.zeros((3, total), np.float32)
        out[:, : self._sum.shape[1]] = self._sum[:, :total]
        for row in range(frames):
            out[:, row * self._hop : row * self._hop + 2 * self.size] += pieces[:, row]
        complete = frames * self._hop
        self._frame += frames
        self._sum = out[:, complete:]
        return out[:, :complete]

    def _at(self, seconds: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors (n, 3, bands) and rests (n, bands) at these times, linear in between."""
        times = self._times
        later = np.clip(np.searchsorted(times, seconds), 1, max(times.size - 1, 1))
        later = np.minimum(later, times.size - 1)
        earlier = np.maximum(later - 1, 0)
        span = np.maximum(times[later] - times[earlier], 1e-9)
        part = np.clip((seconds - times[earlier]) / span, 0, 1).astype(np.float32)[:, None]
        rest = self._rest[earlier] * (1 - part) + self._rest[later] * part
        part = part[..., None]
        return self._vectors[earlier] * (1 - part) + self._vectors[later] * part, rest


def _gains(placement: Placement) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors (frames, 3, bands) in the order of Y, Z, X, and what is left over (frames, bands)."""
    vectors = np.einsum("kbt,ktc->tcb", placement.shares, placement.directions[..., _AXES])
    rest = np.clip(1.0 - placement.shares.sum(axis=0).T, 0.0, 1.0)
    return vectors.astype(np.float32), rest.astype(np.float32)


def _bins_of_bands(edges: NDArray[np.float64], size: int, rate: int) -> NDArray[np.float64]:
    """From a value per band to one per bin: (bands, bins), linear between the bands' middles."""
    middles = (edges[:-1] + edges[1:]) / 2
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    return np.stack([np.interp(frequencies, middles, row) for row in np.eye(middles.size)])


def _noises(seed: int, taps: int, size: int) -> NDArray[np.complex64]:
    """Spectra of three noises that decay by 60 dB over ``taps`` samples, of unit energy."""
    noises = np.random.default_rng(seed).standard_normal((3, taps))
    noises *= 10.0 ** (-3.0 * np.arange(taps) / taps)
    noises /= np.linalg.norm(noises, axis=1, keepdims=True)
    return np.fft.rfft(noises, size).astype(np.complex64)
