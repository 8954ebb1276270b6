"""The transformer: what it starts from, and what it may not depend on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from omniaudio_studio.training.networks.dit import DiT, DiTBlock, DiTConfig, rotate

CONFIG = DiTConfig(channels=6, condition=10, width=32, depth=2, heads=4)

Inputs = dict[str, Tensor]


def inputs(batch: int = 3, frames: int = 12) -> Inputs:
    return {
        "x": torch.randn(batch, CONFIG.channels, frames),
        "t": torch.rand(batch),
        "local": torch.randn(batch, frames, CONFIG.condition),
        "global_": torch.randn(batch, CONFIG.condition),
        "context": torch.randn(batch, CONFIG.channels, frames),
        "context_mask": (torch.rand(batch, 1, frames) < 0.5).float(),
    }


@pytest.fixture
def dit() -> DiT:
    """With an output that is not zero, and blocks that do something."""
    dit = DiT(CONFIG)
    nn.init.normal_(dit.out.weight)
    nn.init.normal_(dit.out.bias)
    return dit.eval()


def test_it_starts_from_no_velocity() -> None:
    velocity = DiT(CONFIG)(**inputs())
    assert velocity.shape == (3, CONFIG.channels, 12)
    assert not velocity.any()


@torch.no_grad()
def test_context_counts_only_where_the_mask_says(dit: DiT) -> None:
    given = inputs()
    mask = given["context_mask"]
    assert 0 < mask.mean() < 1
    plain = dit(**given)
    elsewhere = given["context"] + 100 * torch.randn_like(given["context"]) * (1 - mask)
    assert torch.equal(dit(**given | {"context": elsewhere}), plain)
    here = given["context"] + mask
    assert not torch.allclose(dit(**given | {"context": here}), plain, atol=1e-3)
    # Being told that silence is known is not the same as being told nothing.
    silent = given | {"context": torch.zeros_like(given["context"])}
    told = dit(**silent)
    untold = dit(**silent | {"context_mask": torch.zeros_like(mask)})
    assert not torch.allclose(told, untold, atol=1e-3)


@torch.no_grad()
def test_clips_of_a_batch_do_not_see_each_other(dit: DiT) -> None:
    given = inputs()
    together = dit(**given)
    for row in range(3):
        alone = dit(**{name: value[row : row + 1] for name, value in given.items()})
        torch.testing.assert_close(alone, together[row : row + 1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 33, 150])
@torch.no_grad()
def test_any_length_will_do(dit: DiT, frames: int) -> None:
    velocity = dit(**inputs(1, frames))
    assert velocity.shape == (1, CONFIG.channels, frames)
    assert torch.isfinite(velocity).all()


@pytest.mark.parametrize("name", ["x", "t", "local", "global_"])
@torch.no_grad()
def test_every_input_counts(dit: DiT, name: str) -> None:
    given = inputs()
    other = dit(**given | {name: given[name] * 0.5 + 0.2})
    assert not torch.allclose(other, dit(**given), atol=1e-3)


@torch.no_grad()
def test_every_frame_sees_every_other_and_knows_its_place(dit: DiT) -> None:
    given = inputs(1, 8)
    plain = dit(**given)
    last = given["x"].clone()
    last[..., -1] += 1
    assert not torch.allclose(dit(**given | {"x": last})[..., 0], plain[..., 0], atol=1e-5)
    # Frames in another order are not the same frames: positions matter.
    order = torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])
    mixed = {
        name: value[:, order] if name == "local" else value[..., order]
        for name, value in given.items()
        if name not in ("t", "global_")
    }
    shuffled = dit(**given | mixed)
    assert not torch.allclose(shuffled, plain[..., order], atol=1e-4)


def test_rotary_positions_are_relative() -> None:
    """Turned queries and keys meet at an angle that depends on their distance alone."""
    query, key = torch.randn(2, 8, dtype=torch.float64)
    rates = torch.tensor([1.0, 0.3, 0.1, 0.01], dtype=torch.float64)

    def meet(first: float, second: float) -> Tensor:
        q = rotate(query, torch.cos(first * rates), torch.sin(first * rates))
        k = rotate(key, torch.cos(second * rates), torch.sin(second * rates))
        torch.testing.assert_close(q.norm(), query.norm())
        return q @ k

    torch.testing.assert_close(meet(3, 7), meet(50, 54))
    assert not torch.allclose(meet(3, 7), meet(3, 8))


@torch.no_grad()
def test_local_conditions_act_frame_by_frame(dit: DiT) -> None:
    """Without attention, a frame's condition changes that frame only."""
    for block in dit.blocks:
        assert isinstance(block, DiTBlock)
        block.attention.output.weight.zero_()
    given = inputs(1, 9)
    local = given["local"].clone()
    local[:, 4] += 1
    change = (dit(**given | {"local": local}) - dit(**given)).abs().amax(dim=1)[0]
    assert torch.nonzero(change > 1e-6).flatten().tolist() == [4]


def test_only_the_output_learns_at_first_and_then_everything() -> None:
    dit = DiT(CONFIG)
    given = inputs()
    target = torch.randn(3, CONFIG.channels, 12)

    def learning() -> set[str]:
        dit.zero_grad()
        ((dit(**given) - target) ** 2).mean().backward()
        return {
            name
            for name, parameter in dit.named_parameters()
            if parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        }

    assert learning() == {"out.weight", "out.bias"}
    nn.init.normal_(dit.out.weight)
    assert learning() == {name for name, _ in dit.named_parameters()}
