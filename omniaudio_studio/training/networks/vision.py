"""The starter's frame encoder: a small convolutional network from pictures to a grid of features.

It serves every view with the same weights. A panorama of 320 x 160 becomes 20 x 10 cells of 18
degrees; a front view of 192 x 192 becomes 12 x 12 cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from omniaudio_studio.training.networks.blocks import SphereConv


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the frame encoder; pictures are 16 times its grid on each side.

    ``stem`` are the channels at a fourth, an eighth and a sixteenth of the picture's size; of the
    ``depth`` blocks, a fourth work at an eighth.
    """

    stem: tuple[int, int, int] = (32, 64, 128)
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
    """Normalised pictures ``[N, 3, H, W]`` -> features ``[N, K, D]``, K = (H / 16) (W / 16) cells.

    Cells run row by row from the top, each row from the left of the picture.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.stem
        early = config.depth // 4

        def blocks(channels: int, count: int) -> list[nn.Module]:
            return [CellBlock(channels, config.expansion) for _ in range(count)]

        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 4, stride=4),
            nn.GroupNorm(1, first),
            nn.GELU(),
            SphereConv(first, second, stride=2),
            nn.GroupNorm(1, second),
            nn.GELU(),
            *blocks(second, early),
            SphereConv(second, third, stride=2),
        )
        self.blocks = nn.Sequential(*blocks(third, config.depth - early))
        self.out = nn.Sequential(nn.GroupNorm(1, third), nn.Conv2d(third, config.features, 1))

    def forward(self, frames: Tensor) -> Tensor:
        grid = self.out(self.blocks(self.stem(frames)))
        return grid.flatten(2).transpose(1, 2)
