"""From frame features to what the flow transformer is told.

The localiser compares every frame's cells with the clip's own average and with the frame before
(what moves or changes stands out from any background, one never seen in training too) and asks
of each cell: does something sound here, and what? Per class this gives a *slot*: a direction,
scaled by how sure it is. It is trained by itself, on the known directions of synthetic scenes; the
conditioner then carries its slots, the panorama's and the front view's features to the transformer
frame by frame (pooling the panorama over time, as the paper does, loses motion).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.blocks import SphereConv


@dataclass(frozen=True)
class ConditionerConfig:
    """Sizes; ``classes`` does not count the class-agnostic slot that always comes last."""

    features: int = 32
    rows: int = 10
    columns: int = 20
    front_cells: int = 144
    classes: int = 10
    hidden: int = 64
    width: int = 256

    @property
    def slots(self) -> int:
        """Heat maps: one per class and one for anything that sounds."""
        return self.classes + 1

    @property
    def summary(self) -> int:
        """Values per frame that the localiser hands on."""
        return 4 * self.slots + 3 * self.features + self.slots


class Located(NamedTuple):
    """What the localiser sees: B clips, S frames, K cells, M slots."""

    logits: Tensor  # [B, S, K, M], does it sound here?
    direction: Tensor  # [B, S, M, 3], x y z, length at most 1
    activity: Tensor  # [B, S, M], logit that anything of this slot sounds
    weights: Tensor  # [B, S, K], where the class-agnostic slot looks


def cell_directions(rows: int, columns: int) -> Tensor:
    """Unit vectors (x front, y left, z up) of the cells of an equirectangular grid, ``[K, 3]``."""
    azimuth = math.pi - 2 * math.pi * (torch.arange(columns) + 0.5) / columns
    elevation = math.pi / 2 - math.pi * (torch.arange(rows) + 0.5) / rows
    el, az = torch.meshgrid(elevation, azimuth, indexing="ij")
    return torch.stack([az.cos() * el.cos(), az.sin() * el.cos(), el.sin()], dim=-1).flatten(0, 1)


class HeatNet(nn.Module):
    """Features of cells and their changes -> one logit per cell and slot."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.mix = nn.Linear(4 * config.features + 1, config.hidden)
        self.around = nn.ModuleList([SphereConv(config.hidden, config.hidden) for _ in range(2)])
        self.norm = nn.LayerNorm(config.hidden)
        self.out = nn.Linear(config.hidden, config.slots)
        nn.init.constant_(self.out.bias, -4.0)

    def forward(self, cells: Tensor, rows: int, columns: int) -> Tensor:
        """``[B, S, K, D]`` with K = rows * columns -> ``[B, S, K, M]``."""
        batch, frames = cells.shape[:2]
        mean = cells.mean(dim=1, keepdim=True)
        previous = torch.cat([cells[:, :1], cells[:, :-1]], dim=1)
        spread = (cells - mean).abs().mean(dim=1, keepdim=True)
        height = torch.linspace(1, -1, rows, device=cells.device).repeat_interleave(columns)
        height = height.to(cells.dtype)[:, None].expand(batch, frames, -1, 1)
        stacked = torch.cat(
            [cells, cells - mean, (cells - previous).abs(), spread.expand_as(cells), height], dim=-1
        )
        h = functional.gelu(self.mix(stacked)).flatten(0, 1).unflatten(1, (rows, columns))
        for conv in self.around:
            h = h + functional.gelu(conv(h.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return self.out(self.norm(h)).flatten(1, 2).unflatten(0, (batch, frames))


class Localiser(nn.Module):
    """Directions and classes of what sounds, from the cells of a panorama."""

    directions: Tensor
    area: Tensor

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        self.heat = HeatNet(config)
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        directions = cell_directions(config.rows, config.columns)
        self.register_buffer("directions", directions, persistent=False)
        # log of the solid angle: small cells near the poles weigh less
        area = torch.log(torch.sqrt(1 - directions[:, 2] ** 2))
        self.register_buffer("area", area, persistent=False)

    def forward(self, equirect: Tensor) -> Located:
        """Features ``[B, S, K, D]`` of panorama frames."""
        logits = self.heat(equirect, self.config.rows, self.config.columns)
        weights = torch.softmax(logits * self.sharpness + self.area[:, None], dim=2)
        direction = weights.transpose(2, 3) @ self.directions
        activity = torch.logsumexp(logits * 2.0, dim=2) / 2.0
        return Located(logits, direction, activity, weights[..., -1])

    def summarise(self, equirect: Tensor, front: Tensor) -> Tensor:
        """Everything the transformer is told of each frame: ``[B, S, summary]``.

        Slots (direction times probability, probability), the panorama's features and their change
        where something sounds, the front view's features and class probabilities.
        """
        located = self(equirect)
        sure = torch.sigmoid(located.activity)[..., None]
        slots = torch.cat([located.direction * sure, sure], dim=-1).flatten(2)
        look = located.weights[..., None, :]
        here = (look @ equirect)[..., 0, :]
        previous = torch.cat([equirect[:, :1], equirect[:, :-1]], dim=1)
        change = (look @ (equirect - previous).abs())[..., 0, :]
        side = math.isqrt(self.config.front_cells)
        front_logits = self.heat(front, side, side)
        front_look = torch.softmax(front_logits[..., -1], dim=2)[..., None, :]
        front_here = (front_look @ front)[..., 0, :]
        front_sure = torch.sigmoid(front_logits.amax(dim=2))
        return torch.cat([slots, here, change, front_here, front_sure], dim=-1)


class Projection(nn.Module):
    """Summaries ``[B, S, summary]`` -> ``local`` ``[B, S, d]`` and ``global_`` ``[B, d]``."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        width = config.width

        def perceptron() -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(config.summary, width), nn.SiLU(), nn.Linear(width, width)
            )

        self.local = perceptron()
        self.global_ = perceptron()

    def forward(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        return self.local(summary), self.global_(summary).mean(dim=1)


class Conditioner(nn.Module):
    """Localiser and projection, as exported: features per view -> ``local`` and ``global_``."""

    def __init__(self, localiser: Localiser, projection: Projection) -> None:
        super().__init__()
        self.localiser = localiser
        self.projection = projection

    def forward(self, equirect: Tensor, front: Tensor) -> tuple[Tensor, Tensor]:
        return self.projection(self.localiser.summarise(equirect, front))
