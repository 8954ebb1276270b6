"""The starter's frame encoder: a small convolutional network from pictures to a grid of features.

It serves every view with the same weights. A panorama of 160 x 80 becomes 20 x 10 cells of 18
degrees; a front view of 96 x 96 becomes 12 x 12 cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from omniaudio_studio.training.networks.blocks import SphereConv


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the frame encoder; pictures are 8 times its grid on each side."""

    stem: tuple[int, int, int] = (24, 48, 96)
    depth: int = 4
    expansion: int = 3
    features: int = 32


class CellBlock(nn.Module):
    """Residual block on ``[B, C, H, W]``: depthwise convolution, then a perceptron per cell."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = SphereConv(channels, channels, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.up = nn.Conv2d(channels, expansion * channels, 1)
        self.down = nn.Conv2d(expansion * channels, channels, 1)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.1))
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.depthwise(x))
        return x + self.scale * self.down(self.activation(self.up(h)))


class FrameEncoder(nn.Module):
    """Normalised pictures ``[N, 3, H, W]`` -> features ``[N, K, D]``, K = (H / 8) (W / 8) cells.

    Cells run row by row from the top, each row from the left of the picture.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.stem
        self.stem = nn.Sequential(
            SphereConv(3, first, stride=2),
            nn.GELU(),
            SphereConv(first, second, stride=2),
            nn.GroupNorm(1, second),
            nn.GELU(),
            SphereConv(second, third, stride=2),
        )
        self.blocks = nn.Sequential(
            *[CellBlock(third, config.expansion) for _ in range(config.depth)]
        )
        self.out = nn.Sequential(nn.GroupNorm(1, third), nn.Conv2d(third, config.features, 1))

    def forward(self, frames: Tensor) -> Tensor:
        grid = self.out(self.blocks(self.stem(frames)))
        return grid.flatten(2).transpose(1, 2)
