"""Names the class of a sound: a small convolutional network on the log-mel spectrogram of W.

The spectrogram is inside the network, as matrix products, so that the exported graph takes a
waveform and needs no library for spectra.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.spectrum import Spectrum, mel_matrix

#: Power that counts as silence; a sine at full scale has 1.
FLOOR = 1e-10
#: Nepers of power under a clip's loudest cell at which levels are cut off: 61 dB.
RANGE = 14.0


@dataclass(frozen=True)
class TaggerConfig:
    """Sizes: ``widths`` are the channels of the stages, each of half the size of the one before.

    ``hop`` is that of the spectra in samples; a frame is the mean of two.
    """

    classes: int
    sample_rate: int = 48000
    hop: int = 320
    bands: int = 64
    widths: tuple[int, ...] = (16, 32, 64, 128)

    @property
    def frame(self) -> int:
        """Samples per frame."""
        return 2 * self.hop


class ConvStage(nn.Module):
    """Two 3 x 3 convolutions, each normalised in groups of channels, then means of 2 x 2 cells.

    Input ``[B, C, F, M]``, output ``[B, C', F // 2, M // 2]``.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        groups = max(1, outputs // 8)
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(groups, outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(groups, outputs),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Tagger(nn.Module):
    """Sound ``[B, F * frame]`` (W at the config's rate) -> scores ``[B, classes]`` before softmax.

    The level of a clip does not matter: its spectrogram is taken relative to its loudest cell. F is
    at least 2 to the power of the number of stages.
    """

    mel: Tensor

    def __init__(self, config: TaggerConfig) -> None:
        super().__init__()
        self.config = config
        self.spectrum = Spectrum(config.hop)
        mel = mel_matrix(config.bands, self.spectrum.bins, config.sample_rate)
        self.register_buffer("mel", mel, persistent=False)
        for buffer in (self.mel, *self.spectrum.buffers()):
            # Rounded so that a file can store them in 16 bits: an error 98 dB under a sine.
            buffer.copy_(buffer.half().float())
        widths = (1, *config.widths)
        self.stages = nn.Sequential(*[ConvStage(a, b) for a, b in pairwise(widths)])
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * widths[-1], config.classes)

    def forward(self, sound: Tensor) -> Tensor:
        real, imaginary = self.spectrum(sound)
        return self.classify(self.levels(real**2 + imaginary**2))

    def levels(self, power: Tensor) -> Tensor:
        """Powers ``[B, 2 F, K]`` of spectra -> levels ``[B, F, bands]``, 1 at the clip's loudest,
        0 at `RANGE` under it."""
        bands = (power @ self.mel).unflatten(1, (-1, 2)).mean(2)
        level = torch.log(torch.clamp(bands, min=FLOOR))
        return ((level - level.amax(dim=(1, 2), keepdim=True)) / RANGE + 1).clamp(min=0)

    def classify(self, levels: Tensor) -> Tensor:
        """Scores of levels ``[B, F, bands]``: by a clip's mean and by its most telling moment."""
        h = self.stages(levels[:, None] * 4 - 2).mean(dim=3)
        return self.head(self.dropout(torch.cat([h.mean(dim=2), h.amax(dim=2)], dim=1)))


def tagging_loss(scores: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy to the shares ``[B, classes]`` that a sample has of each class."""
    return -(shares * functional.log_softmax(scores, dim=1)).sum(dim=1).mean()
