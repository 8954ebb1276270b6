"""The flow transformer and the conditioner of the OmniAudio paper (arXiv 2504.14906).

The transformer sees latents and the local condition added up frame by frame, and one token in front
of them that carries the time and the global condition. The conditioner makes both conditions of the
two views' features. Norms, the time embedding and the conditioner's MLP stay in 32 bits when the
rest is halved (`half`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.blocks import heads_of
from omniaudio_studio.training.networks.dit import GUIDANCE_UNIT, guidance_embedding, rotate
from omniaudio_studio.training.networks.recomputing import recomputed

ROTARY = 32
"""Dimensions of a head that are turned by its position; the others are not."""


@dataclass(frozen=True)
class ReleasedConfig:
    """Sizes: latent channels, width of the features of a picture, width, layers, heads.
    ``guided``: the transformer takes the guidance scale as an input, which no released one does."""

    channels: int = 64
    features: int = 1024
    width: int = 1536
    depth: int = 24
    heads: int = 24
    guided: bool = False


LARGE = ReleasedConfig()
MEDIUM = ReleasedConfig(width=1024, depth=16, heads=16)
SMALL = ReleasedConfig(width=768, depth=12, heads=12)


class WideNorm(nn.LayerNorm):
    """Layer normalisation in 32 bits whatever its input is."""

    def forward(self, input: Tensor) -> Tensor:
        wide = functional.layer_norm(
            input.float(), self.normalized_shape, self.weight, self.bias, self.eps
        )
        return wide.to(input.dtype)


class Attention(nn.Module):
    """Self-attention over ``[B, T, d]``; positions turn the first `ROTARY` dimensions of a head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        q, k, v = heads_of(self.qkv(x), self.heads)
        q, k = _turned(q, cosine, sine), _turned(k, cosine, sine)
        h = functional.scaled_dot_product_attention(q, k, v)
        return self.out(h.transpose(1, 2).flatten(2))


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    # The angles need 32 bits at positions in the hundreds, the products too.
    turned = rotate(x[..., :ROTARY].float(), cosine, sine).to(x.dtype)
    return torch.cat([turned, x[..., ROTARY:]], dim=-1)


class Block(nn.Module):
    """Attention and a gated perceptron, each on the normalised stream and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = WideNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = WideNorm(width)
        self.up = nn.Linear(width, 8 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), cosine, sine)
        value, gate = self.up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(value * functional.silu(gate))


class ReleasedDiT(nn.Module):
    """Velocity v = noise - data of latents at time t (1 noise, 0 data).

    Inputs: ``x`` ``[B, C, T]``, ``t`` ``[B]``, ``local`` ``[B, T, d]``, ``global_`` ``[B, d]``.
    Where it is guided, ``guidance`` ``[B]`` is the scale, as for the starter's (`networks.dit`).
    Output ``[B, C, T]``. With ``recomputing``, only what goes from block to block is kept for the
    gradient; the rest is computed again.
    """

    inverse: Tensor
    rates: Tensor
    recomputing = False

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.frequencies = nn.Parameter(torch.randn(128, 1))
        self.time = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        if config.guided:
            self.guidance = guidance_embedding(width)
            self.register_buffer(
                "rates", torch.exp(torch.linspace(0, math.log(1000.0), 128)), persistent=False
            )
        self.before = nn.Conv1d(config.channels, config.channels, 1, bias=False)
        self.after = nn.Conv1d(config.channels, config.channels, 1, bias=False)
        self.project_in = nn.Linear(config.channels, width, bias=False)
        self.project_out = nn.Linear(width, config.channels, bias=False)
        self.blocks = nn.ModuleList([Block(width, config.heads) for _ in range(config.depth)])
        # Rotary frequencies (arXiv 2104.09864), kept in checkpoints.
        places = torch.arange(0, ROTARY, 2) / ROTARY
        self.register_buffer("inverse", 10000.0**-places)

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        local: Tensor,
        global_: Tensor,
        guidance: Tensor | None = None,
    ) -> Tensor:
        kind = self.project_in.weight.dtype
        x, local = x.to(kind), local.to(kind)
        angle = 2 * math.pi * t[:, None].float() @ self.frequencies.T
        moment = self.time(torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1))
        if guidance is not None:
            angle = guidance[:, None].float() / GUIDANCE_UNIT * self.rates
            moment = moment + self.guidance(torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1))
        token = (global_.float() + moment)[:, None].to(kind)
        x = x + self.before(x)
        h = torch.cat([token, self.project_in(x.transpose(1, 2)) + local], dim=1)
        position = torch.arange(h.shape[1], device=x.device, dtype=torch.float32)
        turn = position[:, None] * self.inverse.float()
        cosine, sine = torch.cos(turn), torch.sin(turn)
        for block in self.blocks:
            inputs = (h, cosine, sine)
            h = recomputed(block, *inputs) if self.recomputing else block(*inputs)
        y = self.project_out(h[:, 1:]).transpose(1, 2)
        return (y + self.after(y)).float()


class ReleasedConditioner(nn.Module):
    """Features of the views ``[B, S, D]`` -> ``local`` ``[B, S, d]`` and ``global_`` ``[B, d]``.

    The global condition is the largest value over time of each dimension.
    """

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        width = config.width
        self.front = nn.Linear(config.features, width)
        self.equirect = nn.Linear(config.features, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, width, bias=False), nn.SiLU(), nn.Linear(width, width, bias=False)
        )

    def forward(self, equirect: Tensor, front: Tensor) -> tuple[Tensor, Tensor]:
        return self.front(front), self.mlp(self.equirect(equirect)).amax(dim=1)


def half(module: nn.Module) -> nn.Module:
    """Turn weights to 16 bits in place, but for norms, embeddings of numbers and Snake.

    Networks take and give 32 bits all the same.
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d)
    for name, child in module.named_modules():
        if isinstance(child, kinds) and not name.startswith(("time.", "guidance.")):
            child.half()
    return module
