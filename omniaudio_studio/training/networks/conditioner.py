"""From frame features to what the flow transformer is told.

The localiser compares every frame's cells with the clip's own average and with the frames around
(what moves or changes stands out from any background, one never seen in training too) and asks
of each cell: what is drawn here, does it sound, and how loud? Per class this gives a *slot*: a
direction, scaled by how sure it is, and a level. The highest *peaks* of what sounds, whatever it
is called, come beside the slots, so that two sources stay apart when their names are mistaken. It
is trained by itself, on the known directions of synthetic scenes; the conditioner then carries
slots, peaks and features to the transformer frame by frame (pooling the panorama over time, as the
paper does, loses motion).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.blocks import SphereConv

#: Places where something sounds that are told beside the slots, and how far apart they are.
PEAKS = 3
_APART = math.cos(math.radians(25))
#: Frames that the heat looks at together.
_FRAMES = 5
#: Highest log-probability that is turned into a logit.
_SUREST = -1e-4


#: What the transformer is told of, for comparisons: both views, one of them, or both with the
#: panorama's largest value over time in place of each moment's.
SEEN = ("both", "front", "panorama", "pooled")


@dataclass(frozen=True)
class ConditionerConfig:
    """Sizes; ``classes`` does not count the class-agnostic slot that always comes last. ``seen`` is
    one of `SEEN`."""

    features: int = 32
    rows: int = 10
    columns: int = 20
    front_cells: int = 144
    classes: int = 10
    hidden: int = 64
    width: int = 256
    seen: str = "both"

    @property
    def slots(self) -> int:
        """Heat maps: one per class and one for anything that sounds."""
        return self.classes + 1

    @property
    def summary(self) -> int:
        """Values per frame that the localiser hands on."""
        peaks = PEAKS * (6 + self.classes)
        return 6 * self.slots + peaks + 3 * self.features + 2 * self.slots

    @property
    def ahead(self) -> slice:
        """Those of the values that the front view gives; all others are the panorama's."""
        start = 6 * self.slots + PEAKS * (6 + self.classes) + 2 * self.features
        return slice(start, start + self.features + self.slots)


class Heat(NamedTuple):
    """What is seen in K cells of S frames of B clips."""

    logits: Tensor  # [B, S, K, M], does something of this slot sound here?
    level: Tensor  # [B, S, K], logit of how loud
    names: Tensor  # [B, S, K, C + 1], log-probabilities of what is drawn; the last: nothing known


class Located(NamedTuple):
    """What the localiser sees: B clips, S frames, K cells, M slots."""

    heat: Heat
    direction: Tensor  # [B, S, M, 3], x y z, length at most 1
    activity: Tensor  # [B, S, M], logit that anything of this slot sounds
    clip: Tensor  # [B, M], the same of the whole clip
    weights: Tensor  # [B, S, K, M], where the slots look


def cell_directions(rows: int, columns: int) -> Tensor:
    """Unit vectors (x front, y left, z up) of the cells of an equirectangular grid, ``[K, 3]``."""
    azimuth = math.pi - 2 * math.pi * (torch.arange(columns) + 0.5) / columns
    elevation = math.pi / 2 - math.pi * (torch.arange(rows) + 0.5) / rows
    el, az = torch.meshgrid(elevation, azimuth, indexing="ij")
    return torch.stack([az.cos() * el.cos(), az.sin() * el.cos(), el.sin()], dim=-1).flatten(0, 1)


class HeatNet(nn.Module):
    """Features of cells and their changes -> what is drawn, whether it sounds and how loud.

    That something of a class sounds here is that something sounds, times that it is of the class:
    names are learnt from still pictures too.
    """

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.mix = nn.Linear(5 * config.features + 1, hidden)
        self.frames = nn.Conv1d(hidden, hidden, _FRAMES, padding=_FRAMES // 2, groups=hidden)
        self.around = nn.ModuleList([SphereConv(hidden, hidden) for _ in range(2)])
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, 2 + config.classes + 1)
        self.still = nn.Linear(config.features, config.classes + 1)
        with torch.no_grad():
            self.out.bias.zero_()
            self.out.bias[0] = -4.0

    def names(self, cells: Tensor) -> Tensor:
        """Logits of what is drawn, from each picture alone: ``[..., D]`` -> ``[..., C + 1]``."""
        return self.still(cells)

    def forward(self, cells: Tensor, rows: int, columns: int) -> Heat:
        """``[B, S, K, D]`` with K = rows * columns."""
        batch, frames = cells.shape[:2]
        mean = cells.mean(dim=1, keepdim=True)
        step = cells - before(cells)
        spread = (cells - mean).abs().mean(dim=1, keepdim=True)
        height = torch.linspace(1, -1, rows, device=cells.device).repeat_interleave(columns)
        height = height.to(cells.dtype)[:, None].expand(batch, frames, -1, 1)
        stacked = torch.cat(
            [cells, cells - mean, step, step.abs(), spread.expand_as(cells), height], dim=-1
        )
        h = functional.gelu(self.mix(stacked))
        over_time = self.frames(h.permute(0, 2, 3, 1).flatten(0, 1)).unflatten(0, (batch, -1))
        h = h + functional.gelu(over_time.permute(0, 3, 1, 2))
        h = h.flatten(0, 1).unflatten(1, (rows, columns))
        for conv in self.around:
            h = h + functional.gelu(conv(h.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        found = self.out(self.norm(h)).flatten(1, 2).unflatten(0, (batch, frames))
        anything, level = found[..., :1], found[..., 1]
        names = functional.log_softmax(self.names(cells) + found[..., 2:], dim=-1)
        both = (functional.logsigmoid(anything) + names[..., :-1]).clamp(max=_SUREST)
        of_class = both - torch.log(-torch.expm1(both))
        return Heat(torch.cat([of_class, anything], dim=-1), level, names)


def before(x: Tensor) -> Tensor:
    """Each frame's predecessor along ``[B, S, ...]``; the first frame's is itself."""
    return torch.cat([x[:, :1], x[:, :-1]], dim=1)


class Localiser(nn.Module):
    """Directions, classes and levels of what sounds, from the cells of a panorama."""

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
        heat = self.heat(equirect, self.config.rows, self.config.columns)
        weights = torch.softmax(heat.logits * self.sharpness + self.area[:, None], dim=2)
        direction = weights.transpose(2, 3) @ self.directions
        activity = torch.logsumexp(heat.logits * 2.0, dim=2) / 2.0
        # Frames in which something sounds say what it is.
        said = torch.softmax(activity[..., -1:], dim=1)
        return Located(heat, direction, activity, (said * activity).sum(dim=1), weights)

    def peaks(self, heat: Heat) -> Tensor:
        """The places where something sounds most, each further from those before than 25 degrees:
        direction, probability, level, its change and names, ``[B, S, PEAKS * (6 + C)]``."""
        anything = heat.logits[..., -1]
        level = torch.sigmoid(heat.level)
        values = torch.cat(
            [torch.stack([level, level - before(level)], dim=-1), heat.names[..., :-1].exp()],
            dim=-1,
        )
        left, found = anything, []
        for _ in range(PEAKS):
            top, best = left.max(dim=-1)
            near = self.directions[best] @ self.directions.T > _APART
            look = anything * self.sharpness + self.area
            weights = torch.softmax(look.masked_fill(~near, -1e4), dim=-1)[..., None, :]
            sure = torch.sigmoid(top)[..., None]
            where, what = (weights @ self.directions)[..., 0, :], (weights @ values)[..., 0, :]
            found.append(torch.cat([where * sure, sure, what * sure], dim=-1))
            left = left.masked_fill(near, -30.0)
        return torch.cat(found, dim=-1)

    def summarise(self, equirect: Tensor, front: Tensor) -> Tensor:
        """Everything the transformer is told of each frame: ``[B, S, summary]``.

        Slots (direction, 1, level and its change, times probability), peaks, the panorama's
        features and their change where something sounds, the front view's features and class
        probabilities, the clip's class probabilities.
        """
        located = self(equirect)
        heat, weights = located.heat, located.weights.transpose(2, 3)
        sure = torch.sigmoid(located.activity)[..., None]
        level = torch.sigmoid(heat.level)
        loud = weights @ torch.stack([level, level - before(level)], dim=-1)
        one = torch.ones_like(sure)
        slots = (torch.cat([located.direction, one, loud], dim=-1) * sure).flatten(2)
        look = weights[..., -1:, :]
        here = (look @ equirect)[..., 0, :]
        change = (look @ (equirect - before(equirect)).abs())[..., 0, :]
        side = math.isqrt(self.config.front_cells)
        ahead = self.heat(front, side, side).logits
        front_look = torch.softmax(ahead[..., -1], dim=2)[..., None, :]
        front_here = (front_look @ front)[..., 0, :]
        front_sure = torch.sigmoid(ahead.amax(dim=2))
        clip = torch.sigmoid(located.clip)[:, None].expand(-1, equirect.shape[1], -1)
        return torch.cat(
            [slots, self.peaks(heat), here, change, front_here, front_sure, clip], dim=-1
        )


class Projection(nn.Module):
    """Summaries ``[B, S, summary]`` -> ``local`` ``[B, S, d]`` and ``global_`` ``[B, d]``."""

    ahead: Tensor

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        width, self.seen = config.width, config.seen
        ahead = torch.zeros(config.summary)
        ahead[config.ahead] = 1
        self.register_buffer("ahead", ahead, persistent=False)

        def perceptron() -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(config.summary, width), nn.SiLU(), nn.Linear(width, width)
            )

        self.local = perceptron()
        self.global_ = perceptron()

    def forward(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        if self.seen == "front":
            summary = summary * self.ahead
        elif self.seen == "panorama":
            summary = summary * (1 - self.ahead)
        elif self.seen == "pooled":
            most = summary.amax(dim=1, keepdim=True)
            summary = summary * self.ahead + most * (1 - self.ahead)
        return self.local(summary), self.global_(summary).mean(dim=1)


class Conditioner(nn.Module):
    """Localiser and projection, as exported: features per view -> ``local`` and ``global_``."""

    def __init__(self, localiser: Localiser, projection: Projection) -> None:
        super().__init__()
        self.localiser = localiser
        self.projection = projection

    def forward(self, equirect: Tensor, front: Tensor) -> tuple[Tensor, Tensor]:
        return self.projection(self.localiser.summarise(equirect, front))
