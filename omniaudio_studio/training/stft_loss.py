"""Multi-resolution STFT loss of a sound field, each channel by itself.

Spectral convergence and the L1 between log magnitudes over several windows (R. Yamamoto et al.,
"Parallel WaveGAN", arXiv 1910.11480, equations 3 to 6). Spectra are A-weighted first, as the
published configuration of Stable Audio's VAE has it, by the curve of IEC 61672-1 and bin by bin:
a window of 2048 shows bass that the ear hardly hears in as many bins as what it hears best.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WINDOWS = (2048, 1024, 512, 256, 128, 64, 32)

#: Power of a bin that counts as silence: -80 dB of a full-scale sample.
_SILENCE = 1e-8
#: A channel's error is relative to its own size, but to no less than this part of the loudest's:
#: Z of sound at ear level is next to nothing, and stays audible as nothing.
_SMALLEST = 0.01


def a_weighting(frequencies: Tensor) -> Tensor:
    """Gain of the A curve at frequencies in Hz, 1 at 1 kHz (IEC 61672-1, annex E)."""
    square = frequencies.double() ** 2
    curve = (12194.217**2 * square**2) / (
        (square + 20.598997**2)
        * torch.sqrt((square + 107.65265**2) * (square + 737.86223**2))
        * (square + 12194.217**2)
    )
    return (curve * 10 ** (1.9997 / 20)).float()


class STFTLoss(nn.Module):
    """``made`` and ``real`` ``[B, C, N]`` at ``rate`` -> loss, the mean over samples and channels
    (of four channels each has the weight 1/4). N is more than half the longest window."""

    def __init__(self, rate: int, windows: tuple[int, ...] = WINDOWS) -> None:
        super().__init__()
        self.windows = windows
        for size in windows:
            weights = a_weighting(torch.fft.rfftfreq(size, 1 / rate))
            self.register_buffer(f"hann_{size}", torch.hann_window(size), persistent=False)
            self.register_buffer(f"weights_{size}", weights[:, None], persistent=False)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        parts = []
        for size in self.windows:
            found, wanted = self._magnitude(made, size), self._magnitude(real, size)
            # (Kept from 0, where the root has no slope: two silences are equal.)
            error = (wanted - found).square().sum(dim=(-2, -1)).clamp(min=1e-12).sqrt()
            total = wanted.square().sum(dim=(-2, -1)).sqrt()
            loudest = total.amax(dim=1, keepdim=True)
            convergence = (error / torch.maximum(total, _SMALLEST * loudest)).mean()
            parts.append(convergence + (torch.log(wanted) - torch.log(found)).abs().mean())
        return torch.stack(parts).mean()

    def _magnitude(self, audio: Tensor, size: int) -> Tensor:
        """``[B, C, bins, frames]``, never below `_SILENCE`."""
        spectrum = torch.stft(
            audio.float().flatten(0, 1),
            size,
            size // 4,
            window=self.get_buffer(f"hann_{size}"),
            return_complex=True,
        ).unflatten(0, audio.shape[:2])
        spectrum = spectrum * self.get_buffer(f"weights_{size}")
        power = spectrum.real**2 + spectrum.imag**2
        return power.clamp(min=_SILENCE).sqrt()
