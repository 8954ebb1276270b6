"""A sound in bands and frames: energy, and where it comes from, as a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def mel_edges(bands: int, low: float, high: float) -> NDArray[np.float64]:
    """Borders of bands that are equally wide on the mel scale, hertz, shape (bands + 1,).

    mel = 2595 log10(1 + f / 700) (O'Shaughnessy, "Speech Communication", 1987).
    """
    first, last = (2595 * math.log10(1 + value / 700) for value in (low, high))
    mels = np.linspace(first, last, bands + 1, dtype=np.float64)
    return np.asarray(700 * (10 ** (mels / 2595) - 1), np.float64)


@dataclass(frozen=True)
class BandFrames:
    """Frames of a sound of c channels.

    Attributes
    ----------
    energy
        float32 (frames, bands): mean square of the first channel, per band.
    across
        float32 (frames, bands, c - 1): mean product of the first channel with each of the others;
        for W, Y, Z, X the intensity in this order of axes (y, z, x), times a constant.
    power
        float32 (frames, bands, c - 1): mean square of each of the others.
    """

    energy: NDArray[np.float32]
    across: NDArray[np.float32]
    power: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.energy)


class BandAnalysis:
    """Cuts a sound into frames and bands.

    Frame f is a Hann window whose middle is at (f + 1/2) / frame_rate seconds from the first
    sample pushed; beyond the sound's ends there is silence.

    Parameters
    ----------
    rate
        Samples per second.
    edges
        Borders of the bands, hertz, ascending; the lowest band reaches down to 0, the highest up to
        half the sample rate. A band without a bin of its own takes the nearest one.
    frame_rate
        Frames per second.
    window
        Seconds that a frame looks at, rounded up to a power of two of samples.
    channels
        Of the sound.
    """

    def __init__(
        self,
        rate: float,
        edges: ArrayLike,
        frame_rate: float,
        window: float,
        channels: int = 1,
    ) -> None:
        self.rate, self.frame_rate, self.channels = rate, frame_rate, channels
        self.size = 1 << int(np.ceil(np.log2(window * rate)))
        self._taper = np.hanning(self.size + 1)[:-1].astype(np.float32)
        self.matrix = band_matrix(np.fft.rfftfreq(self.size, 1 / rate), edges)
        # Parseval, one-sided, and the window's own power: a band's mean square.
        self._scale = np.float32(2.0 / (self.size * float(np.sum(self._taper**2))))
        self._held = np.zeros((channels, 0), np.float32)
        self._place = 0  # sample number of the first one held
        self._frame = 0
        self._pushed = 0

    def push(self, sound: ArrayLike) -> BandFrames:
        """Take more samples, float32 (channels, n) or (n,); the frames that are complete."""
        block = np.atleast_2d(np.asarray(sound, np.float32))
        if block.shape[0] != self.channels:
            raise ValueError(f"expected {self.channels} channels, found {block.shape[0]}")
        self._held = np.concatenate([self._held, block], axis=1)
        self._pushed += block.shape[1]
        ready = []
        while self._first(self._frame) + self.size <= self._pushed:
            ready.append(self._cut(self._frame))
            self._frame += 1
        self._let_go()
        return self._frames(ready)

    def finish(self, frames: int | None = None) -> BandFrames:
        """The frames that are left: ``frames`` in all, else those whose middle has sound."""
        total = int(np.ceil(self._pushed / self.rate * self.frame_rate - 0.5))
        total = max(total, 0) if frames is None else frames
        ready = [self._cut(frame) for frame in range(self._frame, total)]
        self._frame = max(self._frame, total)
        return self._frames(ready)

    def _first(self, frame: int) -> int:
        """First sample of a frame's window."""
        return round((frame + 0.5) / self.frame_rate * self.rate) - self.size // 2

    def _cut(self, frame: int) -> NDArray[np.float32]:
        first = self._first(frame) - self._place
        last = first + self.size
        part = self._held[:, max(first, 0) : max(last, 0)]
        if part.shape[1] == self.size:
            return part
        whole = np.zeros((self.channels, self.size), np.float32)
        begin = max(-first, 0)
        whole[:, begin : begin + part.shape[1]] = part
        return whole

    def _let_go(self) -> None:
        dropped = min(max(self._first(self._frame) - self._place, 0), self._held.shape[1])
        self._held = self._held[:, dropped:]
        self._place += dropped

    def _frames(self, parts: Sequence[NDArray[np.float32]]) -> BandFrames:
        bands, others = self.matrix.shape[1], self.channels - 1
        if not parts:
            empty = np.zeros((0, bands, others), np.float32)
            return BandFrames(np.zeros((0, bands), np.float32), empty, empty.copy())
        energy, across, power = [], [], []
        for begin in range(0, len(parts), 64):
            chunk = np.stack(parts[begin : begin + 64])
            spectra = np.fft.rfft(chunk * self._taper, axis=-1).astype(np.complex64)
            first, rest = spectra[:, :1], spectra[:, 1:]
            energy.append(_square(first[:, 0]) @ self.matrix)
            product = first.real * rest.real + first.imag * rest.imag
            across.append((product @ self.matrix).transpose(0, 2, 1))
            power.append((_square(rest) @ self.matrix).transpose(0, 2, 1))
        return BandFrames(*(np.concatenate(x) * self._scale for x in (energy, across, power)))


def band_matrix(frequencies: NDArray[Any], edges: ArrayLike) -> NDArray[np.float32]:
    """Which bins belong to which band: float32 (bins, bands) of zeros and ones."""
    borders = np.asarray(edges, np.float64)
    if borders.ndim != 1 or borders.size < 2 or not np.all(np.diff(borders) > 0):
        raise ValueError(f"expected two or more ascending band edges in Hz, found {edges!r}")
    bands = borders.size - 1
    band = np.clip(np.searchsorted(borders, frequencies, side="right") - 1, 0, bands - 1)
    matrix = np.zeros((frequencies.size, bands), np.float32)
    matrix[np.arange(frequencies.size), band] = 1
    for empty in np.flatnonzero(matrix.sum(axis=0) == 0):
        middle = (borders[empty] + borders[empty + 1]) / 2
        matrix[np.argmin(np.abs(frequencies - middle)), empty] = 1
    return matrix


def _square(spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    return spectra.real**2 + spectra.imag**2
