"""Short-time spectra as plain matrix products, so that they export to any runtime.

Frames are centred on hop-sized blocks of the signal: frame f covers samples
``[(f - 1) * hop, (f + 2) * hop)``, hence a signal of ``F * hop`` samples has exactly F frames and
the window is three hops long. A periodic Hann window is used for analysis and again for synthesis;
at this overlap the squared windows add up to 9/8 everywhere but in the first and the last hop.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Spectrum(nn.Module):
    """Real Fourier transform of windows of ``3 * hop`` samples (``hop`` even).

    The transform uses the symmetry of sine and cosine: the even and the odd half of a window are
    transformed apart, which halves the work and the size of the exported matrices.
    """

    cosine: Tensor
    sine: Tensor
    window: Tensor

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.size = 3 * hop
        half = self.size // 2
        n = torch.arange(half + 1, dtype=torch.float64)
        angle = 2 * math.pi * torch.outer(n, n) / self.size
        window = 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(self.size) / self.size)
        self.register_buffer("cosine", torch.cos(angle).float(), persistent=False)
        self.register_buffer("sine", torch.sin(angle).float(), persistent=False)
        self.register_buffer("window", window.float(), persistent=False)

    @property
    def bins(self) -> int:
        """Frequencies per frame, from 0 to half the sample rate, both included."""
        return self.size // 2 + 1

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """``[..., F * hop]`` -> real and imaginary parts ``[..., F, bins]``.

        A sine of amplitude 1 at the centre of a bin gives a magnitude of 1.
        """
        frames = self._frames(audio)
        half = self.size // 2
        mirrored = frames[..., half + 1 :].flip(-1)
        middle = frames[..., 1:half]
        first, last = frames[..., :1], frames[..., half : half + 1]
        even = torch.cat([first, middle + mirrored, last], dim=-1)
        odd = torch.nn.functional.pad(middle - mirrored, (1, 1))
        return even @ self.cosine, -(odd @ self.sine)

    def fast(self, audio: Tensor) -> Tensor:
        """The numbers of `forward` as complex ``[..., F, bins]``, by FFT: for training."""
        return torch.fft.rfft(self._frames(audio))

    def _frames(self, audio: Tensor) -> Tensor:
        blocks = audio.unflatten(-1, (-1, self.hop))
        zero = torch.zeros_like(blocks[..., :1, :])
        before = torch.cat([zero, blocks[..., :-1, :]], dim=-2)
        after = torch.cat([blocks[..., 1:, :], zero], dim=-2)
        return torch.cat([before, blocks, after], dim=-1) * (self.window * (4.0 / self.size))

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Overlap-add of ``[..., F, bins]`` to ``[..., F * hop]``: the exact inverse of `forward`
        except in the first and the last hop, where a neighbour is missing (a soft 10 ms edge).
        """
        half = self.size // 2
        # Bins 0 and half occur once in the full spectrum, the others twice.
        even = (real[..., 1:half] * 2.0) @ self.cosine[1:half]
        even = even + real[..., :1] + real[..., half:] * self.cosine[half]
        odd = (imaginary[..., 1:half] * 2.0) @ self.sine[1:half]
        left = even - odd
        right = (even + odd)[..., 1:half].flip(-1)
        # 1/4 undoes the analysis scale, 8/9 the sum of squared windows.
        frames = torch.cat([left, right], dim=-1) * (self.window * (0.25 * 8.0 / 9.0))
        before, centre, after = frames.split(self.hop, dim=-1)
        zero = torch.zeros_like(centre[..., :1, :])
        blocks = (
            torch.cat([before[..., 1:, :], zero], dim=-2)
            + centre
            + torch.cat([zero, after[..., :-1, :]], dim=-2)
        )
        return blocks.flatten(-2)


def band_matrix(edges_hz: tuple[float, ...], bins: int, sample_rate: int) -> Tensor:
    """Which bins a band sums: ``[bins, bands]`` of zeros and ones, bands from edge to edge."""
    frequency = torch.arange(bins) * (sample_rate / 2 / (bins - 1))
    edges = torch.tensor(edges_hz)
    return ((frequency[:, None] >= edges[:-1]) & (frequency[:, None] < edges[1:])).float()


def band_interpolation(edges_hz: tuple[float, ...], bins: int, sample_rate: int) -> Tensor:
    """From one value per band to one per bin: ``[bands, bins]``, linear between band centres."""
    edges = torch.tensor(edges_hz)
    return _between((edges[:-1] + edges[1:]) / 2, bins, sample_rate)


def mel_interpolation(bands: int, bins: int, sample_rate: int) -> Tensor:
    """From one value per band of :func:`mel_matrix` to one per bin: ``[bands, bins]``, linear
    between the bands' middles."""
    return _between(_mel_corners(bands, sample_rate)[1:-1], bins, sample_rate)


def _between(centres: Tensor, bins: int, sample_rate: int) -> Tensor:
    """Beyond the first and the last centre, their values go on."""
    frequency = torch.arange(bins) * (sample_rate / 2 / (bins - 1))
    position = torch.searchsorted(centres, frequency).clamp(1, len(centres) - 1)
    low, high = centres[position - 1], centres[position]
    weight = ((frequency - low) / (high - low)).clamp(0, 1)
    matrix = torch.zeros(len(centres), bins)
    columns = torch.arange(bins)
    matrix[position - 1, columns] += 1 - weight
    matrix[position, columns] += weight
    return matrix


def _mel_corners(bands: int, sample_rate: int) -> Tensor:
    """Where triangles begin, peak and end, in Hz: ``[bands + 2]``."""
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)
    return 700 * (10 ** (torch.linspace(0, top, bands + 2) / 2595) - 1)


def mel_matrix(bands: int, bins: int, sample_rate: int) -> Tensor:
    """Triangular mel filters ``[bins, bands]``, each summing to 1 (mel = 2595 log10(1 + f/700)).

    Filters narrower than a bin would be empty at low frequencies: those take the nearest bin.
    """
    corners = _mel_corners(bands, sample_rate)
    frequency = torch.arange(bins) * (sample_rate / 2 / (bins - 1))
    rise = (frequency[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    fall = (corners[2:] - frequency[:, None]) / (corners[2:] - corners[1:-1])
    filters = torch.minimum(rise, fall).clamp(min=0)
    nearest = (frequency[:, None] - corners[1:-1]).abs().argmin(dim=0)
    filters[nearest, torch.arange(bands)] += 1e-3
    return filters / filters.sum(dim=0, keepdim=True)
