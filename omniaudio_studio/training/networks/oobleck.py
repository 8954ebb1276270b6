"""The VAE of the released models ("Oobleck"): sound in four channels to latents and back.

Convolutions with periodic activations, strided down and up again; all of it along time, so that any
stretch can be decoded with ``OobleckConfig.decoder_context`` latents of its surroundings on either
side and gives the same samples as the whole. Layers are numbered as in the published checkpoints.
The activation is "Snake" (Ziyin et al., "Neural networks fail to learn periodic functions and how
to fix it", arXiv 2006.08195) with an amplitude of its own (BigVGAN, arXiv 2206.04658).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.recomputing import recomputed

DILATIONS = (1, 3, 9)


@dataclass(frozen=True)
class OobleckConfig:
    """Sizes. Widths are ``width`` times 1 and each of ``multiples``, from the sound inwards."""

    audio: int = 4
    width: int = 128
    multiples: tuple[int, ...] = (1, 2, 4, 8, 16)
    strides: tuple[int, ...] = (2, 4, 4, 8, 8)
    latent: int = 64

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels before the first block and after each, from the sound inwards."""
        return (self.width, *(self.width * multiple for multiple in self.multiples))

    @property
    def hop(self) -> int:
        """Samples per latent."""
        return math.prod(self.strides)

    @property
    def decoder_context(self) -> int:
        """Whole latents to either side that a decoded sample depends on.

        The span of samples of one latent is followed inwards, layer by layer.
        """
        first, last = -3, self.hop - 1 + 3  # the last convolution
        for stride in self.strides:
            first, last = first - 3 * sum(DILATIONS), last + 3 * sum(DILATIONS)
            # Output n of a transposed convolution takes inputs i with 0 <= n + padding - i stride
            # < 2 stride.
            padding = math.ceil(stride / 2)
            first = (first + padding - 2 * stride) // stride + 1
            last = (last + padding) // stride
        return max(3 - first, last + 3)

    @property
    def decoder_margins(self) -> tuple[int, ...]:
        """Frames to either side that the layers after each upsampling see, at its own rate; from
        the sound inwards."""
        margins, margin = [], 3
        for stride in self.strides:
            margin += 3 * sum(DILATIONS)
            margins.append(margin)
            # The neighbours of the frames that an upsampled one is made of, see above.
            margin = (margin + math.ceil(stride / 2)) // stride + 1
        return tuple(margins)


class Snake(nn.Module):
    """x + sin^2(x e^alpha) / (e^beta + 1e-9), per channel of ``[B, C, T]``; always in 32 bits."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        rate = torch.exp(self.alpha.float())[:, None]
        strength = 1.0 / (torch.exp(self.beta.float()) + 1e-9)[:, None]
        wave = torch.sin(wide * rate)
        return (wide + strength * (wave * wave)).to(x.dtype)


class ResidualUnit(nn.Module):
    """Snake, dilated convolution, Snake, convolution of width 1; added to the input.

    With ``recomputing``, what is between its input and output is computed again for the gradient.
    """

    recomputing = False

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Snake(channels),
            nn.Conv1d(channels, channels, 7, dilation=dilation, padding=3 * dilation),
            Snake(channels),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + (recomputed(self.layers, x) if self.recomputing else self.layers(x))


class EncoderBlock(nn.Module):
    """Residual units, then ``stride`` times fewer frames."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(ResidualUnit(inputs, dilation) for dilation in DILATIONS),
            Snake(inputs),
            nn.Conv1d(inputs, outputs, 2 * stride, stride, padding=math.ceil(stride / 2)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DecoderBlock(nn.Module):
    """``stride`` times more frames, then residual units."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Snake(inputs),
            nn.ConvTranspose1d(inputs, outputs, 2 * stride, stride, padding=math.ceil(stride / 2)),
            *(ResidualUnit(outputs, dilation) for dilation in DILATIONS),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class OobleckEncoder(nn.Module):
    """``audio`` ``[B, 4, N]`` -> mean and standard deviation of latents, ``[B, C, N / hop]``."""

    def __init__(self, config: OobleckConfig) -> None:
        super().__init__()
        widths = config.widths
        blocks = [
            EncoderBlock(widths[index], widths[index + 1], stride)
            for index, stride in enumerate(config.strides)
        ]
        self.layers = nn.Sequential(
            nn.Conv1d(config.audio, widths[0], 7, padding=3),
            *blocks,
            Snake(widths[-1]),
            nn.Conv1d(widths[-1], 2 * config.latent, 3, padding=1),
        )

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        first = self.layers[0]
        assert isinstance(first, nn.Conv1d)
        mean, scale = self.layers(audio.to(first.weight.dtype)).float().chunk(2, dim=1)
        return mean, functional.softplus(scale) + 1e-4


class OobleckDecoder(nn.Module):
    """``z`` ``[B, C, T]`` -> ``audio`` ``[B, 4, T * hop]``; no limit to its range."""

    def __init__(self, config: OobleckConfig) -> None:
        super().__init__()
        widths = config.widths
        blocks = [
            DecoderBlock(widths[index + 1], widths[index], config.strides[index])
            for index in reversed(range(len(config.strides)))
        ]
        self.layers = nn.Sequential(
            nn.Conv1d(config.latent, widths[-1], 7, padding=3),
            *blocks,
            Snake(widths[0]),
            nn.Conv1d(widths[0], config.audio, 7, padding=3, bias=False),
        )

    def forward(self, z: Tensor) -> Tensor:
        first = self.layers[0]
        assert isinstance(first, nn.Conv1d)
        sound: Tensor = self.layers(z.to(first.weight.dtype)).float()
        return sound


class Oobleck(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: OobleckConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = OobleckEncoder(config)
        self.decoder = OobleckDecoder(config)
