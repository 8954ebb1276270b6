"""Stage `spatializer`: shares and directions of a recording, from sound fields and their pictures.

Self-supervised: a first-order recording tells for each band and moment where sound comes from (its
intensity vector) and how directly (its length). The network is given W and the picture only, and
learns to say as much. No labels are used, so that any folder of 360 clips with ambisonics serves.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.networks.spatializer import (
    Mixture,
    Spatializer,
    SpatializerConfig,
)
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.spatial_set import SpatialSet, spatializer_config
from omniaudio_studio.training.task import Arrays, Losses, Task

#: Width of the target around a direction, in radians (half a cell of the starter's panorama).
BLOB = math.radians(10)
#: Bands that a step looks at.
BANDS = 16
#: log10 of the mean square that no band of an excerpt without sound reaches.
SILENCE = -10.5


class SpatializerTask(Task):
    """Trains on random excerpts, turned by whole cells of the panorama (which is exact: the frame
    encoder wraps around)."""

    def __init__(self, preset: Preset, clips: SpatialSet) -> None:
        setup = preset.spatializer
        torch.manual_seed(setup.seed)  # the first weights
        self.network = Spatializer(spatializer_config(preset, clips))
        super().__init__(self.network)
        self._clips, self._length = clips, setup.length

    def plan(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The bands that the step looks at."""
        return np.sort(rng.permutation(self._clips.energy.shape[2])[:BANDS])

    def row(self, plan: NDArray[np.int64], rng: np.random.Generator) -> Arrays:
        return draw_row(self._clips, rng, self._length, plan)

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        mixture = self.network.mixture(batch["equirect"], batch["sound"])
        mixture = Mixture(mixture.shares.float(), mixture.looks.float())
        return mixture_losses(self.network, mixture, batch)


def load_spatializer(config: SpatializerConfig, checkpoint: Path) -> Spatializer:
    """The averaged weights of a checkpoint."""
    network = Spatializer(config).eval().requires_grad_(False)
    load_average(checkpoint, network)
    return network


def draw_row(
    clips: SpatialSet, rng: np.random.Generator, length: int, band: NDArray[np.int64]
) -> Arrays:
    """A random excerpt of ``length`` picture frames, turned to another side.

    Returns
    -------
    ``equirect`` [S, K, D]; ``sound`` [F, bands], log10 energy, with a random tone; ``band`` [n], as
    given; and of these bands ``weight`` [F, n], the root of their energy, which adds up to 1, and
    ``vector`` [F, n, 3], the intensity vector over the energy, 0 to 1 long.
    """
    frames = clips.features.shape[1]
    length = min(length, frames)
    ratio, rows, columns = clips.ratio, clips.rows, clips.columns
    bands = clips.energy.shape[2]
    while True:
        # Of two excerpts the one whose sound comes from more places: there is more to be learned.
        index, start = max(
            (
                (int(rng.integers(len(clips))), int(rng.integers(frames - length + 1)))
                for _ in range(2)
            ),
            key=lambda place: _spread(clips, place[0], place[1], length),
        )
        sounding = slice(start * ratio, (start + length) * ratio)
        energy = clips.energy[index, sounding].astype(np.float32)
        if energy.max() >= SILENCE:  # less teaches nothing
            break
    weight = np.sqrt(10.0 ** (energy - energy.max()))[:, band]
    cells = clips.features[index, start : start + length].astype(np.float32)
    turn = int(rng.integers(columns))
    grid = cells.reshape(length, rows, columns, -1)
    tone = rng.normal(0, 0.3, 3)
    places = np.linspace(0, 1, bands)
    vector = clips.vectors[index, sounding][:, band].astype(np.float32)
    # Columns run to the right, azimuth to the left.
    angle = -2 * math.pi * turn / columns
    x, y = vector[..., 0].copy(), vector[..., 1].copy()
    vector[..., 0] = x * math.cos(angle) - y * math.sin(angle)
    vector[..., 1] = x * math.sin(angle) + y * math.cos(angle)
    return {
        "equirect": np.roll(grid, turn, axis=2).reshape(cells.shape),
        "sound": energy + np.interp(places, [0, 0.5, 1], tone).astype(np.float32),
        "band": band,
        "weight": weight / weight.sum(),
        "vector": vector,
    }


def _spread(clips: SpatialSet, index: int, start: int, length: int) -> float:
    """0 where all of an excerpt's direct sound comes from one place, to 1."""
    sounding = slice(start * clips.ratio, (start + length) * clips.ratio)
    energy = clips.energy[index, sounding].astype(np.float32)
    vectors = clips.vectors[index, sounding].astype(np.float32)
    vectors *= np.sqrt(10.0 ** (energy - energy.max()))[..., None]
    total = float(np.linalg.norm(vectors, axis=-1).sum())
    return 1 - float(np.linalg.norm(vectors.sum(axis=(0, 1)))) / max(total, 1e-9)


def mixture_losses(network: Spatializer, mixture: Mixture, batch: dict[str, Tensor]) -> Losses:
    """How well a mixture of looks explains where the bins' sound comes from.

    ``heat``: cross-entropy between where a bin's sound is measured to come from (a bump on the
    sphere, by the direct part; evenly from everywhere, by the rest) and the mixture over cells,
    sum over m of share m times look m; less the target's own entropy. ``vector``: squared error of
    the intensity vector that shares and directions make.
    """
    ratio = network.config.ratio

    def by_picture(x: Tensor) -> Tensor:  # [B, F, n, ...] -> [B, S, ratio n, ...]
        return x.unflatten(1, (-1, ratio)).flatten(2, 3)

    vector, weight = by_picture(batch["vector"]), by_picture(batch["weight"])
    direct = vector.norm(dim=-1, keepdim=True).clamp(1e-6, 1.0)
    even = torch.softmax(network.area, dim=0)
    bump = torch.exp((vector / direct) @ network.sphere.T / BLOB**2 - BLOB**-2) * even
    target = direct * bump / bump.sum(dim=-1, keepdim=True) + (1 - direct) * even

    shares = by_picture(mixture.shares[:, :, batch["band"][0]].exp())  # [B, S, n, M + 1]
    looks = mixture.looks.exp().transpose(1, 2)  # [B, S, M, K]
    nowhere = even.expand(*looks.shape[:2], 1, -1)
    made = shares @ torch.cat([looks, nowhere], dim=2)
    gap = target * (torch.log(target + 1e-8) - torch.log(made + 1e-8))
    heat = (gap.sum(dim=-1) * weight).sum() / len(weight)

    means = looks @ network.sphere
    units = means / means.norm(dim=-1, keepdim=True).clamp(min=1e-4)
    error = ((shares[..., :-1] @ units - vector) ** 2).sum(dim=-1)
    error = (error * weight).sum() / len(weight)
    return {"loss": heat + 2.0 * error, "heat": heat, "vector": error}
