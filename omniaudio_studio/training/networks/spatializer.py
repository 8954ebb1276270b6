"""The spatializer: which parts of a recording come from where in the picture.

An audio-visual network after the separation-and-localisation design of Morgado et al. ("Self-
supervised generation of spatial audio for 360 video", NeurIPS 2018, arXiv 1809.02587): it splits
the sound into k shares per band and frame and gives each share a direction over time. Here each
share is a slot that looks for its own cells of the panorama (attention as in "End-to-end object
detection with transformers", arXiv 2005.12872), so that a direction is always that of something
seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.blocks import TemporalBlock
from omniaudio_studio.training.networks.conditioner import cell_directions

#: How much lower the log probability of a cell is for a slot where another one looks already.
INHIBITION = 5.0
#: How far around it, in radians (a Gaussian's width).
REACH = math.radians(24)


@dataclass(frozen=True)
class SpatializerConfig:
    """Sizes. Bands are a multiple of 4; ``ratio`` sound frames fall on one picture frame."""

    features: int = 32
    rows: int = 10
    columns: int = 20
    bands: int = 40
    ratio: int = 3
    sources: int = 3
    cells: int = 48
    stem: int = 16
    width: int = 160
    embedding: int = 32
    heads: int = 4


class Mixture(NamedTuple):
    """B clips, F sound frames, S picture frames, K cells, M sources."""

    shares: Tensor  # [B, F, bands, M + 1], log; the last is what comes from nowhere in particular
    looks: Tensor  # [B, M, S, K], log: where each source is


class Neighbours(nn.Module):
    """A depthwise filter over time (5 frames) and around each cell (3 x 3), as sums of shifts.

    On ``[B, S, rows, columns, C]``; columns wrap around, rows and frames repeat at their ends. A
    convolution of torch's gives the same and takes ten times as long on a CPU, forwards and back.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.over_time = nn.Parameter(torch.randn(5, width) * 0.3)
        self.around = nn.Parameter(torch.randn(3, 3, width) * 0.3)

    def forward(self, h: Tensor) -> Tensor:
        frames, rows = h.shape[1], h.shape[2]
        padded = torch.cat([h[:, :1], h[:, :1], h, h[:, -1:], h[:, -1:]], dim=1)
        moved = padded[:, :frames] * self.over_time[0]
        for tap in range(1, 5):
            moved = torch.addcmul(moved, padded[:, tap : tap + frames], self.over_time[tap])
        wide = torch.cat([moved[..., -1:, :], moved, moved[..., :1, :]], dim=3)
        wide = torch.cat([wide[:, :, :1], wide, wide[:, :, -1:]], dim=2)
        columns = h.shape[3]
        out = torch.zeros_like(h)
        for row in range(3):
            for column in range(3):
                part = wide[:, :, row : row + rows, column : column + columns]
                out = torch.addcmul(out, part, self.around[row, column])
        return out


class Sight(nn.Module):
    """Features of cells over time -> what could sound there, ``[B, S, K, cells]``."""

    def __init__(self, config: SpatializerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.cells
        self.mix = nn.Linear(4 * config.features + 1, width)
        self.around = nn.ModuleList([Neighbours(width) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.up = nn.ModuleList([nn.Linear(width, 2 * width) for _ in range(2)])
        self.down = nn.ModuleList([nn.Linear(2 * width, width) for _ in range(2)])
        self.norm = nn.LayerNorm(width)

    def forward(self, cells: Tensor) -> Tensor:
        rows, columns = self.config.rows, self.config.columns
        batch, frames = cells.shape[:2]
        mean = cells.mean(dim=1, keepdim=True)
        previous = torch.cat([cells[:, :1], cells[:, :-1]], dim=1)
        spread = (cells - mean).abs().mean(dim=1, keepdim=True)
        height = torch.linspace(1, -1, rows, device=cells.device).repeat_interleave(columns)
        height = height.to(cells.dtype)[:, None].expand(batch, frames, -1, 1)
        parts = [cells, cells - mean, (cells - previous).abs(), spread.expand_as(cells), height]
        h = functional.gelu(self.mix(torch.cat(parts, dim=-1)))
        for around, norm, up, down in zip(self.around, self.norms, self.up, self.down, strict=True):
            near = around(h.unflatten(2, (rows, columns))).flatten(2, 3)
            h = h + down(functional.gelu(up(norm(near))))
        return self.norm(h)


class Hearing(nn.Module):
    """Log energies per band -> a context per frame and skips per band."""

    def __init__(self, config: SpatializerConfig) -> None:
        super().__init__()
        stem = config.stem
        self.first = nn.Conv2d(1, stem, (5, 5), padding=(2, 2))
        self.second = nn.Conv2d(stem, 2 * stem, (3, 4), stride=(1, 2), padding=(1, 1))
        self.third = nn.Conv2d(2 * stem, 3 * stem, (3, 4), stride=(1, 2), padding=(1, 1))
        self.flat = nn.Linear(3 * stem * (config.bands // 4), config.width)

    def forward(self, sound: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``[B, F, bands]`` -> context ``[B, F, width]`` and maps ``[B, C, F, ...]``."""
        one = functional.gelu(self.first(sound[:, None]))
        two = functional.gelu(self.second(one))
        three = functional.gelu(self.third(two))
        return self.flat(three.permute(0, 2, 1, 3).flatten(2)), [one, two, three]


class Attention(nn.Module):
    """Multi-head attention of queries ``[B, Q, C]`` on tokens ``[B, N, C]``, residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, tokens: Tensor | None = None) -> Tensor:
        normed = self.norm(queries)
        source = normed if tokens is None else tokens
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, normed), (self.key, source), (self.value, source))
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), dim=-1)
        return queries + self.out((weights @ v).transpose(1, 2).flatten(2))


class SlotLayer(nn.Module):
    """Slots look at each other, at the sound and at the picture."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.each_other = Attention(width, heads)
        self.sound = Attention(width, heads)
        self.picture = Attention(width, heads)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, slots: Tensor, sound: Tensor, picture: Tensor) -> Tensor:
        slots = self.picture(self.sound(self.each_other(slots), sound), picture)
        return slots + self.down(functional.gelu(self.up(self.norm(slots))))


class Spatializer(nn.Module):
    """Panorama features and band energies -> shares and directions of up to M sources."""

    sphere: Tensor
    area: Tensor
    near: Tensor

    def __init__(self, config: SpatializerConfig) -> None:
        super().__init__()
        self.config = config
        width, cells, stem = config.width, config.cells, config.stem
        self.sight = Sight(config)
        self.hearing = Hearing(config)
        self.before = nn.ModuleList([TemporalBlock(width, kernel=9) for _ in range(2)])
        self.seen = nn.Linear(2 * cells, width)
        self.overall = nn.Linear(2 * width, width)
        self.after = nn.ModuleList([TemporalBlock(width, kernel=9) for _ in range(3)])
        self.objectness = nn.Linear(cells, 1)
        self.cell_token = nn.Linear(2 * cells, width)
        self.slots = nn.Parameter(torch.randn(config.sources, width))
        self.layers = nn.ModuleList([SlotLayer(width, config.heads) for _ in range(2)])
        # back to bands
        self.spread = nn.Linear(width, 3 * stem * (config.bands // 4))
        self.up_two = nn.ConvTranspose2d(3 * stem, 2 * stem, (1, 2), stride=(1, 2))
        self.up_one = nn.ConvTranspose2d(2 * stem, 2 * stem, (1, 2), stride=(1, 2))
        self.join = nn.Conv2d(3 * stem, 2 * config.embedding, (3, 3), padding=(1, 1))
        self.embed = nn.Conv2d(2 * config.embedding, config.embedding, (1, 1))
        self.share_key = nn.Linear(width, config.embedding)
        self.nowhere = nn.Linear(config.embedding, 1)
        self.look_key = nn.Linear(width, cells)
        self.look_now = nn.Linear(width, cells)
        self.look_own = nn.Linear(config.embedding, cells)
        self.patience = nn.Parameter(torch.tensor(1.0))
        self.sharpness = nn.Parameter(torch.tensor(0.5))
        directions = cell_directions(config.rows, config.columns)
        self.register_buffer("sphere", directions, persistent=False)
        area = torch.log(torch.sqrt(1 - directions[:, 2] ** 2))
        self.register_buffer("area", area, persistent=False)
        angles = torch.arccos((directions @ directions.T).clamp(-1, 1))
        self.register_buffer("near", torch.exp(-0.5 * (angles / REACH) ** 2), persistent=False)

    def mixture(self, equirect: Tensor, sound: Tensor) -> Mixture:
        """Log probabilities that training is on; see `forward` for the inputs."""
        config = self.config
        batch = equirect.shape[0]
        seen = self.sight(equirect)
        objectness = self.objectness(seen)[..., 0]
        weights = torch.softmax(objectness + self.area, dim=2)[..., None]
        summary = torch.cat([(weights * seen).sum(dim=2), seen.amax(dim=2)], dim=-1)
        summary = self.seen(summary)[:, :, None].expand(-1, -1, config.ratio, -1).flatten(1, 2)

        context, (one, two, three) = self.hearing(_levelled(sound))
        context = context.transpose(1, 2)
        for block in self.before:
            context = block(context)
        overall = torch.cat([context.mean(dim=2), context.amax(dim=2)], dim=-1)
        context = context + summary.transpose(1, 2) + self.overall(overall)[..., None]
        for block in self.after:
            context = block(context)
        context = context.transpose(1, 2)  # [B, F, width]
        slow = context.unflatten(1, (-1, config.ratio)).mean(dim=2)  # [B, S, width]

        tokens = self.cell_token(torch.cat([seen.mean(dim=1), seen.amax(dim=1)], dim=-1))
        slots = self.slots.expand(batch, -1, -1)
        for layer in self.layers:
            slots = layer(slots, slow, tokens)

        wide = self.spread(context).unflatten(2, (config.bands // 4, -1)).permute(0, 3, 1, 2)
        wide = functional.gelu(self.up_two(functional.gelu(wide + three)) + two)
        wide = torch.cat([functional.gelu(self.up_one(wide)), one], dim=1)
        embedding = self.embed(functional.gelu(self.join(wide))).permute(0, 2, 3, 1)
        keys = self.share_key(slots) / math.sqrt(config.embedding)
        to_slots = embedding @ keys.transpose(1, 2)[:, None]
        shares = torch.cat([to_slots, self.nowhere(embedding)], dim=-1)

        # What each slot hears now, so that it can look for what moves with it.
        heard = torch.softmax(shares, dim=-1)[..., :-1].transpose(2, 3) @ embedding
        heard = heard.unflatten(1, (-1, config.ratio)).mean(dim=2).transpose(1, 2)
        queries = self.look_key(slots)[:, :, None] + self.look_now(slow)[:, None]
        queries = queries + self.look_own(heard / config.bands**0.5)
        match = torch.einsum("bmsc,bskc->bmsk", queries, seen)
        # Over all the time: what agrees again and again is no chance.
        always = match.mean(dim=2, keepdim=True)
        looks = match + self.patience * always + objectness[:, None]
        looks = looks * self.sharpness + self.area
        return Mixture(torch.log_softmax(shares, dim=-1), self._apart(looks))

    def _apart(self, looks: Tensor) -> Tensor:
        """Log probabilities over cells, each slot's lowered where one before it looks already: so
        that what is there to be seen is shared out, and no two slots stand for one thing."""
        taken = torch.zeros_like(looks[:, 0])
        found = []
        for slot in looks.unbind(dim=1):
            chosen = torch.log_softmax(slot - INHIBITION * taken, dim=-1)
            taken = (taken + chosen.exp() @ self.near).clamp(max=1.0)
            found.append(chosen)
        return torch.stack(found, dim=1)

    def forward(self, equirect: Tensor, sound: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the bundle's graph does.

        Parameters
        ----------
        equirect
            Features ``[B, S, K, D]`` of panorama frames.
        sound
            log10 of the energy per band, ``[B, S * ratio, bands]``.

        Returns
        -------
        shares ``[B, M, bands, F]`` (0 to 1), directions ``[B, M, S, 3]`` (unit vectors x, y, z) and
        confidence ``[B, M, S]`` (0 to 1: how narrow a place each slot looks at).
        """
        shares, looks = self.mixture(equirect, sound)
        vectors = looks.exp() @ self.sphere
        length = vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return (
            shares[..., :-1].exp().permute(0, 3, 2, 1),
            vectors / length,
            length[..., 0].clamp(max=1.0),
        )


def _levelled(sound: Tensor) -> Tensor:
    """Log energies relative to the clip's loudest band, -7 at least, brought to about unit size."""
    loudest = sound.amax(dim=(1, 2), keepdim=True)
    return (sound - loudest).clamp(min=-7.0) / 2.0 + 1.5
