"""Building blocks that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def heads_of(joint: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys, values: from ``[B, T, 3 d]`` to a ``[B, heads, T, d / heads]`` of each."""
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in joint.chunk(3, dim=-1))
    return q, k, v


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of ``[B, C, T]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class TemporalBlock(nn.Module):
    """A residual block over time: depthwise convolution, then a two-layer perceptron per frame.

    The shape of ConvNeXt (arXiv 2201.03545) in one dimension. It looks ``kernel // 2`` frames to
    either side; beyond the ends of its input it sees zeros.

    Input and output: ``[B, C, T]``.
    """

    def __init__(self, channels: int, expansion: int = 2, kernel: int = 7) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up = nn.Linear(channels, expansion * channels)
        self.down = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.depthwise(x).transpose(1, 2))
        h = self.down(self.activation(self.up(h))) * self.scale
        return x + h.transpose(1, 2)


class SphereConv(nn.Module):
    """A 3 x 3 convolution over an equirectangular picture ``[B, C, H, W]``.

    Columns wrap around (azimuth is circular); beyond the poles the edge row repeats. On a picture
    that does not wrap, the wrapped column is a small error at the left and right edge.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[..., -1:], x, x[..., :1]], dim=-1)
        x = torch.cat([x[..., :1, :], x, x[..., -1:, :]], dim=-2)
        return self.conv(x)
