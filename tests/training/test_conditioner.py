"""Where cells look, and that the localiser turns with the picture."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.sphere import row_solid_angles, vector_to_angles
from omniaudio_studio.training.networks.conditioner import (
    PEAKS,
    SEEN,
    Conditioner,
    ConditionerConfig,
    Heat,
    Localiser,
    Projection,
    cell_directions,
)
from omniaudio_studio.training.views import CELL, FRONT, front_directions

CONFIG = ConditionerConfig(features=6, classes=3, hidden=16, width=24)
CELLS = CONFIG.rows * CONFIG.columns


class Given(nn.Module):
    """Heat that is given instead of found."""

    def __init__(self, logits: Tensor, level: Tensor | None = None) -> None:
        super().__init__()
        names = torch.full((*logits.shape[:3], CONFIG.classes + 1), 0.25).log()
        level = torch.zeros(logits.shape[:3]) if level is None else level
        self.found = Heat(logits, level, names)

    def forward(self, cells: Tensor, rows: int, columns: int) -> Heat:
        return self.found


@pytest.mark.parametrize(("rows", "columns"), [(10, 20), (4, 8), (1, 2)])
def test_cells_look_where_the_panorama_says(rows: int, columns: int) -> None:
    v, u = np.mgrid[:rows, :columns].astype(float)
    expected = Equirect(columns, rows).direction(u, v).reshape(3, -1).T
    np.testing.assert_allclose(cell_directions(rows, columns).numpy(), expected, atol=1e-6)


def test_a_cell_of_the_panorama_is_the_middle_of_its_pixels() -> None:
    centre = np.mgrid[0 : 10 * CELL : CELL, 0 : 20 * CELL : CELL] + (CELL - 1) / 2
    expected = Equirect(20 * CELL, 10 * CELL).direction(centre[1], centre[0]).reshape(3, -1).T
    np.testing.assert_allclose(cell_directions(10, 20).numpy(), expected, atol=1e-6)


def test_a_cell_of_the_front_view_is_the_middle_of_its_pixels() -> None:
    camera = Perspective(FRONT.width, FRONT.height, FRONT.fov or 0.0)
    v, u = np.mgrid[0 : FRONT.height : CELL, 0 : FRONT.width : CELL] + (CELL - 1) / 2
    expected = camera.direction(u, v).reshape(3, -1).T
    np.testing.assert_allclose(front_directions().numpy(), expected, atol=1e-6)


def test_the_first_cell_is_behind_to_the_left_and_up() -> None:
    x, y, z = cell_directions(10, 20)[0].tolist()
    assert x < 0 < y and z > 0.9
    across = front_directions()[0].tolist()
    assert across[0] > 0 and across[1] > 0 and across[2] > 0


def test_the_weight_of_a_cell_is_its_solid_angle() -> None:
    area = torch.exp(Localiser(CONFIG).area).double().numpy()
    expected = row_solid_angles(CONFIG.rows).repeat(CONFIG.columns)
    np.testing.assert_allclose(area / area.sum(), expected / expected.sum(), rtol=1e-5)


def test_a_single_hot_cell_is_the_direction() -> None:
    localiser = Localiser(CONFIG)
    hot = torch.randint(CELLS, (2, 5, CONFIG.slots))
    logits = torch.full((2, 5, CELLS, CONFIG.slots), -60.0)
    logits.scatter_(2, hot[:, :, None], 40.0)
    localiser.heat = Given(logits)  # type: ignore[assignment]
    with torch.no_grad():
        located = localiser(torch.zeros(2, 5, CELLS, CONFIG.features))
    torch.testing.assert_close(located.direction, localiser.directions[hot], atol=1e-6, rtol=0)
    torch.testing.assert_close(located.activity, torch.full((2, 5, CONFIG.slots), 40.0))
    assert torch.equal(located.weights.argmax(dim=2), hot)
    torch.testing.assert_close(located.clip, torch.full((2, CONFIG.slots), 40.0))


def test_no_preference_is_no_direction() -> None:
    localiser = Localiser(CONFIG)
    localiser.heat = Given(  # type: ignore[assignment]
        torch.zeros(1, 1, CELLS, CONFIG.slots)
    )
    with torch.no_grad():
        located = localiser(torch.zeros(1, 1, CELLS, CONFIG.features))
    torch.testing.assert_close(
        located.direction, torch.zeros(1, 1, CONFIG.slots, 3), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(located.weights.sum(2), torch.ones(1, 1, CONFIG.slots))


@pytest.fixture
def localiser() -> Localiser:
    localiser = Localiser(CONFIG).double().eval()
    with torch.no_grad():
        # An untrained one hardly prefers any cell.
        localiser.heat.out.weight.mul_(20)
    return localiser


@pytest.mark.parametrize("cells", [1, 6, 13])
def test_a_turned_panorama_turns_directions_and_nothing_else(
    localiser: Localiser, cells: int
) -> None:
    features = torch.randn(2, 4, CELLS, CONFIG.features, dtype=torch.float64)
    grid = features.unflatten(2, (CONFIG.rows, CONFIG.columns))
    front = torch.randn(2, 4, CONFIG.front_cells, CONFIG.features, dtype=torch.float64)
    rolled = grid.roll(cells, 3).flatten(2, 3)
    # Columns to the right are to the right: azimuth falls.
    yaw = -2 * math.pi * cells / CONFIG.columns
    turn = torch.tensor(
        [[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]],
        dtype=torch.float64,
    )
    with torch.no_grad():
        plain, turned = localiser(features), localiser(rolled)
        told, told_turned = (localiser.summarise(x, front) for x in (features, rolled))
    assert plain.direction.norm(dim=-1).max() > 0.2
    torch.testing.assert_close(turned.direction, plain.direction @ turn.T, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(turned.activity, plain.activity)
    ends = 6 * CONFIG.slots, 6 * CONFIG.slots + PEAKS * (6 + CONFIG.classes)
    for x, y in ((told, told_turned),):
        for first, last, count in ((0, ends[0], CONFIG.slots), (*ends, PEAKS)):
            part, moved = (z[..., first:last].unflatten(-1, (count, -1)) for z in (x, y))
            torch.testing.assert_close(moved[..., :3], part[..., :3] @ turn.T, atol=1e-6, rtol=1e-6)
            torch.testing.assert_close(moved[..., 3:], part[..., 3:], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(y[..., ends[1] :], x[..., ends[1] :], atol=1e-6, rtol=1e-6)


def test_azimuth_of_a_turned_cell_falls_by_a_cell() -> None:
    directions = cell_directions(10, 20).numpy().T
    azimuth, _ = vector_to_angles(directions[:, 105])
    to_the_right, _ = vector_to_angles(directions[:, 106])
    assert float(azimuth - to_the_right) == pytest.approx(2 * math.pi / 20, abs=1e-6)


def test_summaries_have_the_length_that_the_configuration_says(localiser: Localiser) -> None:
    summary = localiser.float().summarise(
        torch.randn(1, 3, CELLS, CONFIG.features),
        torch.randn(1, 3, CONFIG.front_cells, CONFIG.features),
    )
    assert summary.shape == (1, 3, CONFIG.summary)


def test_one_frame_alone_has_no_change(localiser: Localiser) -> None:
    # With a single frame, the clip's average and the frame before are the frame itself.
    features = torch.randn(1, 1, CELLS, CONFIG.features)
    front = torch.randn(1, 1, CONFIG.front_cells, CONFIG.features)
    with torch.no_grad():
        summary = localiser.float().summarise(features, front)
    start = 6 * CONFIG.slots + PEAKS * (6 + CONFIG.classes) + CONFIG.features
    assert not summary[..., 5 : 6 * CONFIG.slots : 6].any()
    assert not summary[..., start : start + CONFIG.features].any()
    assert torch.isfinite(summary).all()


def peaks_of(localiser: Localiser, logits: Tensor, level: Tensor) -> Tensor:
    """Peaks ``[PEAKS, 6 + C]`` of one frame's class-agnostic logits and levels ``[K]``."""
    every = logits[:, None].expand(-1, CONFIG.slots)[None, None]
    heat = Given(every, level[None, None]).found
    with torch.no_grad():
        return localiser.peaks(heat)[0, 0].unflatten(0, (PEAKS, -1))


def test_two_sources_are_two_peaks_with_their_levels() -> None:
    localiser = Localiser(CONFIG)
    logits, level = torch.full((CELLS,), -9.0), torch.zeros(CELLS)
    one, other = 105, 112
    logits[one], logits[one + 1], logits[other] = 9.0, 8.0, 5.0
    level[[one, one + 1]], level[other] = 4.0, -4.0
    first, second, third = peaks_of(localiser, logits, level)
    # The neighbour of the first belongs to it; the second is seven cells further.
    assert first[:3] @ localiser.directions[one] > math.cos(math.radians(10))
    assert second[:3] @ localiser.directions[other] > math.cos(math.radians(10))
    assert first[3].item() == pytest.approx(1, abs=1e-3) and third[3] < 0.01
    assert first[4].item() == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item(), abs=1e-3)
    assert second[4].item() == pytest.approx(torch.sigmoid(torch.tensor(-4.0)).item(), abs=0.02)


def test_a_class_sounds_where_something_sounds_that_looks_like_it() -> None:
    net = Localiser(CONFIG).heat
    with torch.no_grad():
        heat = net(torch.randn(1, 4, CELLS, CONFIG.features), CONFIG.rows, CONFIG.columns)
    sounds = torch.sigmoid(heat.logits)
    torch.testing.assert_close(
        sounds[..., :-1], sounds[..., -1:] * heat.names[..., :-1].exp(), atol=1e-6, rtol=1e-4
    )
    torch.testing.assert_close(heat.names.exp().sum(-1), torch.ones(1, 4, CELLS))


def test_the_heat_sees_the_frames_around_it() -> None:
    net = Localiser(CONFIG).heat
    cells = torch.randn(1, 12, CELLS, CONFIG.features)
    changed = cells.clone()
    # (What the clip as a whole is like is left as it was.)
    changed[:, 6], changed[:, 7] = cells[:, 7], cells[:, 6]
    with torch.no_grad():
        first, second = (net(x, CONFIG.rows, CONFIG.columns).level for x in (cells, changed))
    moved = (first - second).abs().amax(dim=-1)[0] > 1e-5
    assert moved.tolist() == [4 <= frame <= 10 for frame in range(12)]


def test_global_is_the_mean_over_time_and_clips_stay_apart(localiser: Localiser) -> None:
    conditioner = Conditioner(localiser.float(), Projection(CONFIG)).eval()
    around = torch.randn(3, 5, CELLS, CONFIG.features)
    front = torch.randn(3, 5, CONFIG.front_cells, CONFIG.features)
    with torch.no_grad():
        local, global_ = conditioner(around, front)
        alone = conditioner(around[1:2], front[1:2])
        each = conditioner.projection.global_(localiser.summarise(around, front))
    assert local.shape == (3, 5, CONFIG.width) and global_.shape == (3, CONFIG.width)
    torch.testing.assert_close(alone, (local[1:2], global_[1:2]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(global_, each.mean(dim=1))


@pytest.mark.parametrize("seen", SEEN)
def test_what_is_not_seen_makes_no_difference(seen: str) -> None:
    """Of each view: does another picture change what the transformer is told?"""
    config = dataclasses.replace(CONFIG, seen=seen)
    projection = Projection(config)
    assert projection.state_dict().keys() == Projection(CONFIG).state_dict().keys()
    summary = torch.rand(1, 5, config.summary)
    usual = projection(summary)[0]
    for view in ("front", "panorama"):
        ahead = torch.zeros(config.summary)
        ahead[config.ahead] = 1
        other = summary + (ahead if view == "front" else 1 - ahead)
        changed = not torch.equal(projection(other)[0], usual)
        assert changed == (seen in ("both", "pooled", view))
    # Pooled over time: the panorama of one moment is told of at all others.
    moment = summary.clone()
    moment[0, 2, 0] += 2
    elsewhere = torch.equal(projection(moment)[0][0, 4], usual[0, 4])
    assert elsewhere == (seen != "pooled")
