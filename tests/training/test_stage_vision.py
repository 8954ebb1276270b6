"""What the vision stage trains on: targets at the sources, augmentation that moves both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from omniaudio_studio.training.networks.conditioner import cell_directions
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.stages.vision import (
    BLOB,
    Sight,
    clip_loss,
    direction_error,
    frame_row,
    heat_loss,
    heat_target,
    place_losses,
    present_loss,
    sheet_loss,
    sheet_row,
)
from omniaudio_studio.training.views import EQUIRECT, FRONT, front_directions
from tests.training.bright import apart, brightest

SPHERE = cell_directions(10, 20)
SLOTS = 4  # three classes and any


def table(*sources: tuple[int, float, Tensor], level: float = 0.5) -> Tensor:
    """One frame's sources ``[1, 1, 3, 7]`` from (class, sounding, direction), of one level."""
    rows = torch.zeros(1, 1, 3, 7)
    rows[..., 0] = -1
    for index, (name, sounding, direction) in enumerate(sources):
        rows[0, 0, index] = torch.tensor([name, sounding, *direction.tolist(), level, -6.0])
    return rows


def target(*sources: tuple[int, float, Tensor]) -> Tensor:
    """Heat ``[K, M]``."""
    return heat_target(table(*sources), SPHERE, SLOTS)[0, 0]


@pytest.mark.parametrize("cell", [0, 57, 105, 199])
@pytest.mark.parametrize("name", [0, 2])
def test_the_heat_is_highest_at_the_source(cell: int, name: int) -> None:
    heat = target((name, 1.0, SPHERE[cell]))
    assert heat[:, name].argmax() == cell and heat[:, -1].argmax() == cell
    assert heat[cell, name].item() == pytest.approx(1, abs=1e-5)
    assert heat[cell, -1].item() == pytest.approx(1, abs=1e-5)
    silent = [slot for slot in range(SLOTS - 1) if slot != name]
    assert not heat[:, silent].any()


def test_the_heat_falls_as_a_bell_of_the_angle() -> None:
    direction = torch.nn.functional.normalize(torch.randn(3), dim=0)
    heat = target((1, 1.0, direction))
    angle = np.arccos(np.clip((SPHERE @ direction).numpy(), -1, 1))
    np.testing.assert_allclose(heat[:, 1].numpy(), np.exp(-0.5 * (angle / BLOB) ** 2), atol=1e-4)
    assert heat[:, 1].argmax() == int(angle.argmin())


def test_what_does_not_sound_leaves_no_heat() -> None:
    assert not target().any()
    assert not target((1, 0.0, SPHERE[30])).any()


def test_two_sources_of_a_class_are_two_bumps_not_a_sum() -> None:
    one, other = target((1, 1.0, SPHERE[42])), target((1, 1.0, SPHERE[43]))
    both = target((1, 1.0, SPHERE[42]), (1, 1.0, SPHERE[43]))
    assert torch.equal(both, torch.maximum(one, other))
    assert both.max() <= 1


def test_two_classes_keep_apart_and_meet_in_the_last_slot() -> None:
    heat = target((0, 1.0, SPHERE[42]), (2, 1.0, SPHERE[150]))
    assert heat[:, 0].argmax() == 42 and heat[:, 2].argmax() == 150 and not heat[:, 1].any()
    assert torch.equal(heat[:, -1], torch.maximum(heat[:, 0], heat[:, 2]))


def test_the_front_view_shows_what_is_ahead() -> None:
    ahead = front_directions()
    left = torch.tensor([math.cos(0.5), math.sin(0.5), 0.0])
    heat = heat_target(table((1, 1.0, left)), ahead, SLOTS)[0, 0, :, 1].view(12, 12)
    row, column = divmod(int(heat.argmax()), 12)
    # Half a radian to the left of a camera of 120 degrees: 6 - 6 tan(0.5) / tan(60) = 4.1 columns.
    assert column == 4 and row in (5, 6)
    behind = heat_target(table((1, 1.0, torch.tensor([-1.0, 0, 0]))), ahead, SLOTS)
    assert behind.max() < 1e-3


def test_heat_loss_is_least_for_the_target() -> None:
    sources = table((1, 1.0, SPHERE[57]))
    wanted = heat_target(sources, SPHERE, SLOTS)
    right = heat_loss(torch.logit(wanted, eps=1e-6), sources, SPHERE, SLOTS)
    # What is left is the entropy of the target itself.
    entropy = torch.nn.functional.binary_cross_entropy(wanted, wanted, reduction="none")
    weight = 1 + 20 * wanted
    expected = 10 * (entropy * weight).sum() / weight.sum()
    torch.testing.assert_close(right, expected, atol=1e-4, rtol=0)
    for other in (torch.zeros_like(wanted), torch.logit(wanted.roll(3, 2), eps=1e-6)):
        assert heat_loss(other, sources, SPHERE, SLOTS) > right + 0.1


def test_direction_error_is_one_minus_cosine() -> None:
    sources = table((1, 1.0, SPHERE[57]), (2, 0.0, SPHERE[3]))

    def error(of_class: Tensor, of_any: Tensor) -> float:
        direction = torch.randn(1, 1, SLOTS, 3)  # slots that nothing asks about
        direction[0, 0, 1], direction[0, 0, -1] = of_class, of_any
        return direction_error(direction, sources).item()

    there = SPHERE[57]
    assert error(there, there) == pytest.approx(0, abs=1e-6)
    # The length does not matter, only where it points.
    assert error(0.1 * there, 0.5 * there) == pytest.approx(0, abs=1e-6)
    assert error(-there, there) == pytest.approx(1, abs=1e-6)
    assert error(-there, -there) == pytest.approx(2, abs=1e-6)
    across = torch.linalg.cross(there, torch.tensor([0.0, 0, 1]))
    assert error(across, there) == pytest.approx(0.5, abs=1e-6)


def test_direction_error_asks_the_last_slot_only_about_a_single_source() -> None:
    sources = table((0, 1.0, SPHERE[57]), (1, 1.0, SPHERE[120]))
    direction = torch.randn(1, 1, SLOTS, 3)
    direction[0, 0, 0], direction[0, 0, 1] = SPHERE[57], SPHERE[120]
    assert direction_error(direction, sources).item() == pytest.approx(0, abs=1e-6)


def test_no_source_costs_no_direction() -> None:
    assert direction_error(torch.randn(1, 1, SLOTS, 3), table()).item() == 0.0


def test_present_loss_knows_which_classes_sound() -> None:
    sources = table((2, 1.0, SPHERE[0]), (1, 0.0, SPHERE[9]))
    right = torch.tensor([-30.0, -30.0, 30.0, 30.0]).view(1, 1, SLOTS)
    assert present_loss(right, sources).item() == pytest.approx(0, abs=1e-6)
    for slot in range(SLOTS):
        wrong = right.clone()
        wrong[..., slot] *= -1
        assert present_loss(wrong, sources).item() == pytest.approx(30 / SLOTS, rel=1e-4)
    silence = torch.full((1, 1, SLOTS), -30.0)
    assert present_loss(silence, table()).item() == pytest.approx(0, abs=1e-6)


def test_clip_loss_asks_for_what_sounds_at_any_time() -> None:
    frames = torch.cat([table((2, 1.0, SPHERE[0])), table((0, 1.0, SPHERE[9])), table()], dim=1)
    right = torch.tensor([[30.0, -30.0, 30.0, 30.0]])
    assert clip_loss(right, frames).item() == pytest.approx(0, abs=1e-6)
    for slot in range(SLOTS):
        wrong = right.clone()
        wrong[0, slot] *= -1
        assert clip_loss(wrong, frames).item() == pytest.approx(30 / SLOTS, rel=1e-4)


def test_level_and_name_are_asked_at_the_place_of_the_source() -> None:
    sources = table((1, 1.0, SPHERE[57]), (2, 0.0, SPHERE[3]), level=0.8)
    there = (SPHERE @ SPHERE[57] > math.cos(1.0)).float()
    level = torch.logit(torch.tensor(0.8)) * there - 9 * (1 - there)
    names = torch.full((200, SLOTS), 0.02).log()
    names[there > 0, 1] = math.log(0.94)
    names[there == 0, 1] = math.log(1e-4)
    found = place_losses(level[None, None], names[None, None], sources, SPHERE)
    assert found[0].item() == pytest.approx(0, abs=1e-4)
    assert found[1].item() == pytest.approx(-math.log(0.94), abs=1e-3)
    quiet, _ = place_losses(level[None, None] - 99, names[None, None], sources, SPHERE)
    assert quiet.item() == pytest.approx(0.64, abs=1e-3)
    # Behind the camera of the front view there is nothing to ask about.
    behind = table((1, 1.0, torch.tensor([-1.0, 0, 0])))
    nothing = place_losses(
        level[None, None, :144], names[None, None, :144], behind, front_directions()
    )
    assert nothing[0].item() == nothing[1].item() == 0


def drawn(*things: tuple[int, int, float]) -> Tensor:
    """A sheet's drawings ``[1, 1, 12, 5]`` from (class, cell, diameter in degrees)."""
    rows = torch.zeros(1, 1, 12, 5)
    rows[..., 0] = -1
    for index, (name, cell, size) in enumerate(things):
        rows[0, 0, index] = torch.tensor([name, *SPHERE[cell].tolist(), math.radians(size)])
    return rows


def test_every_cell_of_a_drawing_has_its_name_and_the_rest_none() -> None:
    # (A rendered object has no name, and is nothing that is known.)
    things = drawn((0, 105, 42.0), (2, 112, 15.0), (-1, 65, 40.0))
    right = torch.full((200, 4), -30.0)
    right[:, 3] = 30.0
    big = SPHERE @ SPHERE[105] > math.cos(math.radians(18.9))
    assert big.sum() == 5
    right[big], right[112] = (
        torch.tensor([30.0, -30, -30, -30]),
        torch.tensor([-30.0, -30, 30, -30]),
    )
    assert sheet_loss(right[None, None], things, SPHERE).item() < 1e-5
    for cell, name in ((105, 1), (112, 0), (65, 2), (20, 0), (105, 3)):
        wrong = right.clone()
        wrong[cell] = -30.0
        wrong[cell, name] = 30.0
        assert sheet_loss(wrong[None, None], things, SPHERE) > 0.05


# Augmentation


def batches(
    scenes: SceneSet, *, front: bool, seeds: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames in 0..1 and the first source's row, of many augmented excerpts."""
    view = FRONT if front else EQUIRECT
    for seed in range(4 * seeds):
        frames, sources = frame_row(scenes, np.random.default_rng(seed), 5, front=front)
        assert frames.shape == (5, 3, view.height, view.width) and frames.dtype == np.float32
        assert sources.shape == (5, 3, 7)
        pictures = frames.transpose(0, 2, 3, 1) * view.std + view.mean
        assert pictures.min() > -1e-6 and pictures.max() < 1 + 1e-6
        for picture, row in zip(pictures, sources[:, 0], strict=True):
            if row[1]:
                yield picture, row


def test_sources_turn_and_mirror_with_the_panorama(disk_scenes: SceneSet) -> None:
    azimuths = []
    for picture, row in batches(disk_scenes, front=False, seeds=6):
        angle, azimuth = apart(brightest(picture, front=False), row[2:5])
        assert angle < 9 and azimuth < 1.5
        azimuths.append(math.atan2(row[3], row[2]))
    # Disks that were in a few places are now everywhere.
    counts, _ = np.histogram(azimuths, bins=8, range=(-math.pi, math.pi))
    assert len(azimuths) > 80 and (counts > 0).all()


def test_sources_mirror_with_the_front_view(disk_scenes: SceneSet) -> None:
    sides = set()
    for picture, row in batches(disk_scenes, front=True, seeds=20):
        if row[2] > 0.9:
            angle, azimuth = apart(brightest(picture, front=True), row[2:5])
            assert angle < 9 and azimuth < 3
            if abs(row[3]) > 0.15:
                sides.add(bool(row[3] > 0))
    assert sides == {False, True}


def test_augmentation_keeps_what_a_turn_cannot_change(disk_scenes: SceneSet) -> None:
    stored = disk_scenes.sources[:, :, 0][..., [0, 1, 4, 5, 6]].reshape(-1, 5)
    known = {tuple(np.round(row, 4)) for row in stored}
    rng = np.random.default_rng(0)
    sources = np.stack([frame_row(disk_scenes, rng, 5, front=False)[1] for _ in range(8)])
    found = sources[:, :, 0][..., [0, 1, 4, 5, 6]].reshape(-1, 5)
    assert {tuple(np.round(row, 4)) for row in found} <= known
    np.testing.assert_allclose(np.linalg.norm(sources[:, :, 0, 2:5], axis=-1), 1, atol=1e-4)


def test_equal_generators_give_equal_samples(disk_scenes: SceneSet) -> None:
    first, again, other = (
        frame_row(disk_scenes, np.random.default_rng(seed), 4, front=False) for seed in (1, 1, 2)
    )
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])


def test_an_excerpt_is_no_longer_than_its_scene(disk_scenes: SceneSet) -> None:
    frames, _ = frame_row(disk_scenes, np.random.default_rng(0), 500, front=True)
    assert len(frames) == disk_scenes.front.shape[1]


def test_both_views_go_through_the_same_encoder() -> None:
    sight = Sight(load_preset("debug"), classes=3).eval()
    with torch.no_grad():
        around = sight.features(torch.randn(2, 3, 3, EQUIRECT.height, EQUIRECT.width))
        ahead = sight.features(torch.randn(2, 3, 3, FRONT.height, FRONT.width))
        located = sight.localiser(around)
        summary = sight.localiser.summarise(around, ahead)
    config = sight.localiser.config
    assert around.shape == (2, 3, config.rows * config.columns, config.features)
    assert ahead.shape == (2, 3, config.front_cells, config.features)
    assert located.heat.logits.shape == (2, 3, 200, 4)
    assert located.heat.names.shape == (2, 3, 200, 4) and located.heat.level.shape == (2, 3, 200)
    assert summary.shape == (2, 3, config.summary)


def test_sheets_turn_and_mirror_with_what_is_drawn_on_them(disk_scenes: SceneSet) -> None:
    where = np.zeros((4, 12, 5), np.float32)
    where[..., 0] = -1
    sheets = np.zeros((4, 1, EQUIRECT.height, EQUIRECT.width, 3), np.uint8)
    cell = 16
    for index, place in enumerate((57, 105, 112, 140)):
        row, column = divmod(place, 20)
        sheets[index, 0, cell * row : cell * (row + 1), cell * column : cell * (column + 1)] = 255
        where[index, 0] = 1, *SPHERE[place].tolist(), 0.3
    scenes = replace(disk_scenes, sheets=sheets, drawn=where)
    azimuths = []
    for seed in range(6):
        frames, things = sheet_row(scenes, np.random.default_rng(seed), 5)
        assert frames.shape == (5, 3, EQUIRECT.height, EQUIRECT.width)
        for picture, thing in zip(frames.transpose(0, 2, 3, 1), things, strict=True):
            angle, _ = apart(brightest(picture, front=False), thing[0, 1:4])
            assert angle < 6 and thing[0, 0] == 1 and not thing[1:, 1:].any()
            azimuths.append(math.atan2(thing[0, 2], thing[0, 1]))
    assert len(set(np.round(azimuths, 3))) > 20
