"""The starter's flow transformer: velocity of noisy latents, given what the clip shows.

A transformer over latent frames with rotary positions. Time, the clip's global vector and each
frame's local vector modulate its normalised activations (the adaptive normalisation of W. Peebles
and S. Xie, "Scalable diffusion models with transformers", arXiv 2212.09748, here per frame and, as
in PixArt-alpha, arXiv 2310.00426, from one shared layer).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class DiTConfig:
    """Sizes. ``channels`` is the latent width, ``condition`` that of ``local`` and ``global_``.
    ``guided``: it takes the guidance scale as an input."""

    channels: int = 64
    condition: int = 256
    width: int = 256
    depth: int = 8
    heads: int = 4
    expansion: int = 4
    guided: bool = False


#: A guidance scale of this is embedded as a time of 1 is, so that what is learned varies slowly
#: over the few units that are in use.
GUIDANCE_UNIT = 100.0


def guidance_embedding(width: int) -> nn.Sequential:
    """From 256 cosines and sines to a vector, zero at first."""
    last = nn.Linear(width, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(256, width), nn.SiLU(), last)


class RotaryAttention(nn.Module):
    """Self-attention with rotary positions and normalised queries and keys. ``[B, T, d]``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.query_norm = nn.LayerNorm(width // heads)
        self.key_norm = nn.LayerNorm(width // heads)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        q, k, v = self.inputs(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q = rotate(self.query_norm(q), cosine, sine)
        k = rotate(self.key_norm(k), cosine, sine)
        h = functional.scaled_dot_product_attention(q, k, v)
        return self.output(h.transpose(1, 2).flatten(2))


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn pairs (i, i + half) of the last dimension by each frame's angle (arXiv 2104.09864)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class DiTBlock(nn.Module):
    """Attention and perceptron, each scaled, shifted and gated by the modulation."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.width
        self.attention = RotaryAttention(width, config.heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, config.expansion * width),
            nn.GELU(),
            nn.Linear(config.expansion * width, width),
        )
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.offset = nn.Parameter(torch.randn(6, width) * 0.02)

    def forward(self, x: Tensor, modulation: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """``modulation`` is ``[B, T, 6, d]``."""
        scale1, shift1, gate1, scale2, shift2, gate2 = (modulation + self.offset).unbind(2)
        h = self.norm1(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(h, cosine, sine)
        h = self.norm2(x) * (1 + scale2) + shift2
        return x + gate2 * self.mlp(h)


class DiT(nn.Module):
    """Velocity v = noise - data of latents at time t (1 noise, 0 data).

    Inputs: ``x`` ``[B, C, T]``, ``t`` ``[B]``, ``local`` ``[B, T, d]``, ``global_`` ``[B, d]``,
    ``context`` ``[B, C, T]`` (clean latents where ``context_mask`` ``[B, 1, T]`` is 1, ignored
    elsewhere). Output ``[B, C, T]``.

    Where it is guided, ``guidance`` ``[B]`` is the scale whose guided velocity it gives in one
    evaluation (C. Meng et al., "On distillation of guided diffusion models", arXiv 2210.03142);
    with its first weights, that of the same transformer without guidance.
    """

    frequencies: Tensor
    rates: Tensor

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.x_in = nn.Linear(config.channels, width)
        self.context_in = nn.Linear(config.channels + 1, width)
        self.local_in = nn.Linear(config.condition, width)
        self.global_in = nn.Linear(config.condition, width)
        self.time_in = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        if config.guided:
            self.guidance_in = guidance_embedding(width)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.blocks = nn.ModuleList([DiTBlock(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        half = width // config.heads // 2
        self.register_buffer(
            "frequencies", 10000.0 ** (-torch.arange(half) / half), persistent=False
        )
        self.register_buffer(
            "rates", torch.exp(torch.linspace(0, math.log(1000.0), 128)), persistent=False
        )

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        local: Tensor,
        global_: Tensor,
        context: Tensor,
        context_mask: Tensor,
        guidance: Tensor | None = None,
    ) -> Tensor:
        angle = t[:, None] * self.rates
        moment = self.time_in(torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1))
        if guidance is not None:
            angle = guidance[:, None] / GUIDANCE_UNIT * self.rates
            moment = moment + self.guidance_in(
                torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)
            )
        near = self.local_in(local)
        condition = (moment + self.global_in(global_))[:, None] + near
        modulation = self.modulation(condition).unflatten(-1, (6, -1))
        known = torch.cat([context * context_mask, context_mask], dim=1).transpose(1, 2)
        h = self.x_in(x.transpose(1, 2)) + self.context_in(known) + near
        position = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
        turn = position[:, None] * self.frequencies
        cosine, sine = torch.cos(turn), torch.sin(turn)
        for block in self.blocks:
            h = block(h, modulation, cosine, sine)
        return self.out(self.norm(h)).transpose(1, 2)
