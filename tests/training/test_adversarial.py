"""Discriminators and what they judge learn in one step, each from its own loss alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from omniaudio_studio.training.adversarial import (
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    frozen,
    losses_of_both,
)
from omniaudio_studio.training.networks.discriminators import (
    DiscriminatorConfig,
    Discriminators,
    Judgement,
)

SMALL = DiscriminatorConfig(filters=4, windows=(128, 64))


def judgement(score: float, *features: float) -> Judgement:
    found = [torch.full((2, 1, 3, 3), value) for value in features]
    return Judgement(torch.full((2, 1, 3, 3), score), found)


def test_losses_are_those_of_the_equations() -> None:
    real = [judgement(0.25, 1.0, 2.0), judgement(3.0, 0.0, 0.0)]
    made = [judgement(-0.5, 4.0, 1.0), judgement(2.0, 0.5, -0.5)]
    # (1 - 0.25) + (1 - 0.5), and 0 + (1 + 2).
    assert discriminator_loss(real, made).item() == pytest.approx(1.25 + 3)
    assert adversarial_loss(made).item() == pytest.approx(0.5 - 2)
    assert feature_loss(real, made).item() == pytest.approx((3 + 1) / 2 + 0.5)


def test_every_scale_sees_all_channels_and_all_of_the_time() -> None:
    discriminators = Discriminators(SMALL)
    audio = torch.randn(1, 4, 512, requires_grad=True)
    for scale in discriminators(audio):
        (gradient,) = torch.autograd.grad(scale.score.sum(), audio, retain_graph=True)
        assert (gradient.abs().amax(dim=2) > 0).all()
        assert (gradient[0].abs().amax(dim=0).unflatten(0, (-1, 32)).amax(dim=1) > 0).all()
        assert len(scale.features) == 5


def test_sizes_are_those_of_the_published_discriminators() -> None:
    full = Discriminators(DiscriminatorConfig(channels=2))
    # EnCodec's layers with 64 filters: weights, and one length per filter for weight norm.
    one = 4 * 64 * 27 + 3 * 64 * 64 * 27 + 64 * 64 * 9 + 64 * 9 + 2 * (5 * 64 + 1)
    assert sum(value.numel() for value in full.parameters()) == 5 * one


def test_gradients_stay_on_their_side() -> None:
    torch.manual_seed(1)
    discriminators = Discriminators(SMALL)
    maker = nn.Conv1d(4, 4, 1)
    real = torch.randn(2, 4, 512)
    judged, adversarial, features = losses_of_both(discriminators, real, maker(real))

    def gradients(loss: torch.Tensor, module: nn.Module) -> list[torch.Tensor | None]:
        values = list(module.parameters())
        return list(torch.autograd.grad(loss, values, retain_graph=True, allow_unused=True))

    assert all(found is None for found in gradients(judged, maker))
    assert all(found is not None and found.any() for found in gradients(adversarial, maker))
    assert all(found is not None and found.any() for found in gradients(features, maker))
    assert all(found is not None for found in gradients(judged, discriminators))
    for loss in (adversarial, features):
        assert all(found is None for found in gradients(loss, discriminators))
    assert all(value.requires_grad for value in discriminators.parameters())


def test_what_was_frozen_before_stays_so() -> None:
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    with frozen(layer):
        assert not layer.weight.requires_grad
    assert layer.weight.requires_grad and not layer.bias.requires_grad


def test_discriminators_learn_to_tell_noise_from_tones() -> None:
    torch.manual_seed(2)
    discriminators = Discriminators(SMALL)
    optimiser = torch.optim.AdamW(discriminators.parameters(), lr=5e-3)
    time = torch.arange(512) / 512

    def pair() -> tuple[torch.Tensor, torch.Tensor]:
        pitch = torch.randint(20, 200, (2, 4, 1))
        return torch.sin(2 * torch.pi * pitch * time), torch.randn(2, 4, 512)

    for _ in range(25):
        judged, _, _ = losses_of_both(discriminators, *pair())
        optimiser.zero_grad()
        judged.backward()
        optimiser.step()
    real, made = (discriminators(sound) for sound in pair())
    for a, b in zip(real, made, strict=True):
        assert a.score.mean() > 0.3 > -0.3 > b.score.mean()
