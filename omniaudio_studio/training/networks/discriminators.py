"""Discriminators that look at complex spectra: is this sound recorded, or decoded?

One network per length of the Fourier window, as A. Défossez et al. describe for EnCodec ("High
Fidelity Neural Audio Compression", arXiv 2210.13438, section 3.4): real and imaginary parts of all
channels go in side by side; 2-D convolutions look at them, dilated along time and strided along
frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

#: Along time, of the layers that halve the bins.
_DILATIONS = (1, 2, 4)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes: ``channels`` of sound, ``filters`` per layer, ``windows`` of the transforms in
    samples; their hops are a quarter of them."""

    channels: int = 4
    filters: int = 64
    windows: tuple[int, ...] = (2048, 1024, 512, 256, 128)


class Judgement(NamedTuple):
    """What one discriminator says: high where it takes the sound for recorded, and what its layers
    found on the way."""

    score: Tensor  # [B, 1, frames, bins]
    features: list[Tensor]  # [B, filters, frames, bins], of each layer

    def rows(self, first: int, end: int) -> Judgement:
        """That of a part of the batch."""
        return Judgement(self.score[first:end], [found[first:end] for found in self.features])

    def detached(self) -> Judgement:
        """The same as constants."""
        return Judgement(self.score.detach(), [found.detach() for found in self.features])


class SpectrumDiscriminator(nn.Module):
    """``audio`` ``[B, C, N]`` -> a `Judgement`, with one window."""

    window: Tensor

    def __init__(self, channels: int, filters: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        # Frames and bins.
        layers = [nn.Conv2d(2 * channels, filters, (3, 9), padding=(1, 4))]
        for dilation in _DILATIONS:
            layers.append(
                nn.Conv2d(
                    filters, filters, (3, 9), (1, 2), padding=(dilation, 4), dilation=(dilation, 1)
                )
            )
        layers.append(nn.Conv2d(filters, filters, (3, 3), padding=1))
        self.layers = nn.ModuleList([weight_norm(layer) for layer in layers])
        self.last = weight_norm(nn.Conv2d(filters, 1, (3, 3), padding=1))

    def forward(self, audio: Tensor) -> Judgement:
        hop = self.size // 4
        # (In 32 bits whatever the rest is: the transform knows no 16.)
        spectrum = torch.stft(
            audio.float().flatten(0, 1),
            self.size,
            hop,
            window=self.window,
            normalized=True,
            return_complex=True,
        ).unflatten(0, audio.shape[:2])
        h = torch.cat([spectrum.real, spectrum.imag], dim=1).transpose(2, 3)
        features = []
        for layer in self.layers:
            h = functional.leaky_relu(layer(h), 0.2)
            features.append(h)
        return Judgement(self.last(h), features)


class Discriminators(nn.Module):
    """``audio`` ``[B, C, N]`` -> a `Judgement` of each window. N is at least half the longest."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(
            SpectrumDiscriminator(config.channels, config.filters, size) for size in config.windows
        )

    def forward(self, audio: Tensor) -> list[Judgement]:
        return [scale(audio) for scale in self.scales]
