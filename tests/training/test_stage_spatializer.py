"""What the spatializer is trained by: excerpts turned exactly, losses that know the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from omniaudio_studio.training.networks.spatializer import (
    Mixture,
    Spatializer,
    SpatializerConfig,
)
from omniaudio_studio.training.spatial_set import SpatialSet
from omniaudio_studio.training.stages.spatializer import BLOB, draw_row, mixture_losses

CONFIG = SpatializerConfig(features=8, cells=16, stem=4, width=32)
BANDS = 5
FRAMES = 4


@pytest.fixture(scope="module")
def network() -> Spatializer:
    torch.manual_seed(0)
    return Spatializer(CONFIG).eval().requires_grad_(False)


def perfect(
    network: Spatializer, cell: int, direct: float, looks: Tensor
) -> tuple[Mixture, dict[str, Tensor]]:
    """A sound from one cell, ``direct`` of it straight, and slots that say so: the first has that
    part of every band and looks at ``looks``."""
    sounds, slots = CONFIG.ratio * FRAMES, CONFIG.sources
    shares = torch.full((1, sounds, CONFIG.bands, slots + 1), 1e-12)
    shares[..., 0] = direct
    shares[..., -1] = 1 - direct + 1e-12
    weight = torch.rand(1, sounds, BANDS)
    batch = {
        "band": torch.arange(BANDS)[None],
        "weight": weight / weight.sum(),
        "vector": (direct * network.sphere[cell]).expand(1, sounds, BANDS, 3),
    }
    return Mixture(shares.log(), looks.log().expand(1, slots, FRAMES, -1)), batch


def bump(network: Spatializer, cell: int) -> Tensor:
    """The target around a cell's direction, adding up to 1 over the cells."""
    along = network.sphere @ network.sphere[cell]
    shape = torch.exp((along - 1) / BLOB**2) * torch.softmax(network.area, dim=0)
    return shape / shape.sum()


@pytest.mark.parametrize("direct", [1.0, 0.6])
@pytest.mark.parametrize("cell", [3, 104, 190])
def test_a_perfect_mixture_has_no_heat(network: Spatializer, cell: int, direct: float) -> None:
    target = bump(network, cell)
    losses = mixture_losses(network, *perfect(network, cell, direct, target + 1e-12))
    assert abs(float(losses["heat"])) < 1e-5
    assert float(losses["loss"]) == pytest.approx(
        float(losses["heat"]) + 2 * float(losses["vector"])
    )
    for other in ((target + 0.02) / (target + 0.02).sum(), torch.roll(target, 1)):
        worse = mixture_losses(network, *perfect(network, cell, direct, other + 1e-12))
        assert worse["heat"] > losses["heat"] + 0.01


@pytest.mark.parametrize("direct", [1.0, 0.6])
def test_slots_that_point_at_the_source_have_no_vector_error(
    network: Spatializer, direct: float
) -> None:
    looks = torch.full((200,), 1e-12)
    looks[104] = 1.0
    mixture, batch = perfect(network, 104, direct, looks)
    assert float(mixture_losses(network, mixture, batch)["vector"]) < 1e-9
    # Behind: twice as far as the vector is long, squared.
    behind = {**batch, "vector": -batch["vector"]}
    error = float(mixture_losses(network, mixture, behind)["vector"])
    assert error == pytest.approx((2 * direct) ** 2, rel=1e-5)


def turned(batch: dict[str, Tensor], columns: int) -> dict[str, Tensor]:
    """Pictures moved to the right by whole cells, and what sounds with them."""
    grid = batch["equirect"].unflatten(2, (CONFIG.rows, CONFIG.columns))
    angle = torch.tensor(-2 * math.pi * columns / CONFIG.columns)
    c, s = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([c, -s, c * 0]), torch.stack([s, c, c * 0]), torch.eye(3)[2]])
    return {
        **batch,
        "equirect": grid.roll(columns, dims=3).flatten(2, 3),
        "vector": batch["vector"] @ turn.T,
    }


def test_the_losses_do_not_know_where_the_front_is(network: Spatializer) -> None:
    sounds = CONFIG.ratio * FRAMES
    vector = torch.nn.functional.normalize(torch.randn(2, sounds, BANDS, 3), dim=-1)
    weight = torch.rand(2, sounds, BANDS)
    batch = {
        "equirect": torch.randn(2, FRAMES, 200, 8),
        "sound": torch.randn(2, sounds, CONFIG.bands) - 4,
        "band": torch.tensor([[0, 3, 11, 24, 39]] * 2),
        "weight": weight / weight.sum(dim=(1, 2), keepdim=True),
        "vector": vector * torch.rand(2, sounds, BANDS, 1),
    }
    mixture = network.mixture(batch["equirect"], batch["sound"])
    losses = mixture_losses(network, mixture, batch)
    for columns in (1, 7, 13):
        other = turned(batch, columns)
        moved = network.mixture(other["equirect"], other["sound"])
        np.testing.assert_allclose(moved.shares, mixture.shares, atol=2e-5)
        grid = mixture.looks.unflatten(3, (CONFIG.rows, CONFIG.columns))
        np.testing.assert_allclose(moved.looks, grid.roll(columns, dims=4).flatten(3), atol=1e-4)
        for name, value in mixture_losses(network, moved, other).items():
            assert float(value) == pytest.approx(float(losses[name]), rel=1e-4)
        # Pictures alone are not enough.
        still = mixture_losses(network, moved, {**other, "vector": batch["vector"]})
        assert abs(float(still["heat"]) - float(losses["heat"])) > 1e-4


def excerpts(count: int = 3, frames: int = 6) -> SpatialSet:
    """Noise of the right shapes."""
    rng = np.random.default_rng(0)
    energy = rng.uniform(-6, -2, (count, 3 * frames, 40))
    vectors = rng.uniform(-0.5, 0.5, (count, 3 * frames, 40, 3))
    return SpatialSet(
        rng.standard_normal((count, frames, 200, 8)).astype(np.float16),
        energy.astype(np.float16),
        vectors.astype(np.float16),
        10,
        20,
    )


LOOKED_AT = np.arange(1, 33, 2)


def test_a_sample_is_what_its_docstring_says() -> None:
    row = draw_row(excerpts(), np.random.default_rng(0), 5, LOOKED_AT)
    assert row["equirect"].shape == (5, 200, 8) and row["sound"].shape == (15, 40)
    assert np.array_equal(row["band"], LOOKED_AT)
    assert row["weight"].shape == (15, 16) and row["vector"].shape == (15, 16, 3)
    assert row["weight"].sum() == pytest.approx(1, rel=1e-5)
    again = draw_row(excerpts(), np.random.default_rng(0), 5, LOOKED_AT)
    assert all(np.array_equal(again[name], row[name]) for name in row)


def test_silence_is_not_drawn() -> None:
    clips = excerpts(2)
    clips.energy[0] = -12
    clips.vectors[0] = 0
    for seed in range(6):
        row = draw_row(clips, np.random.default_rng(seed), 6, LOOKED_AT)
        assert np.abs(row["vector"]).max() > 0
