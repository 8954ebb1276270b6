"""The image tower of CLIP (A. Radford et al., arXiv 2103.00020): a picture to one vector.

A vision transformer (arXiv 2010.11929); its class token, normalised and projected, is the picture's
embedding. Sizes default to ViT-H/14 as MetaCLIP (arXiv 2309.16671) trained it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.blocks import heads_of
from omniaudio_studio.training.networks.released_dit import WideNorm

ACTIVATIONS = ("quick_gelu", "gelu")


@dataclass(frozen=True)
class TowerConfig:
    """Sizes; ``image`` and ``patch`` in pixels. ``activation`` is one of `ACTIVATIONS`."""

    image: int = 224
    patch: int = 14
    width: int = 1280
    depth: int = 32
    heads: int = 16
    hidden: int = 5120
    embedding: int = 1024
    activation: str = "quick_gelu"
    epsilon: float = 1e-5

    @property
    def tokens(self) -> int:
        """Patches, and the class token."""
        return (self.image // self.patch) ** 2 + 1


class TowerBlock(nn.Module):
    """Attention and perceptron, each on the normalised stream and added to it."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.heads, self.activation = config.heads, config.activation
        self.norm1 = WideNorm(config.width, eps=config.epsilon)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.norm2 = WideNorm(config.width, eps=config.epsilon)
        self.up = nn.Linear(config.width, config.hidden)
        self.down = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = heads_of(self.qkv(self.norm1(x)), self.heads)
        seen = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        h = self.up(self.norm2(x))
        # "quick" GELU: x times a logistic function of 1.702 x.
        h = h * torch.sigmoid(1.702 * h) if self.activation == "quick_gelu" else functional.gelu(h)
        return x + self.down(h)


class ImageTower(nn.Module):
    """``frames`` ``[N, 3, H, W]``, normalised -> ``features`` ``[N, embedding]``, any length."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patches = nn.Conv2d(3, width, config.patch, config.patch, bias=False)
        self.first = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Parameter(torch.randn(config.tokens, width) * 0.02)
        self.before = WideNorm(width, eps=config.epsilon)
        self.blocks = nn.ModuleList([TowerBlock(config) for _ in range(config.depth)])
        self.after = WideNorm(width, eps=config.epsilon)
        self.project = nn.Linear(width, config.embedding, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        kind = self.patches.weight.dtype
        patches = self.patches(frames.to(kind)).flatten(2).transpose(1, 2)
        # (`len` would fix the number of pictures in the exported graph.)
        first = self.first.to(kind).expand(frames.shape[0], 1, -1)
        x = self.before(torch.cat([first, patches], dim=1) + self.positions.to(kind))
        for block in self.blocks:
            x = block(x)
        return self.project(self.after(x[:, 0])).float()
