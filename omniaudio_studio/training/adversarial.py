"""What discriminators and the network that they judge minimise, one against the other.

Hinge losses and feature matching, summed over the discriminators (K. Kumar et al., "MelGAN", arXiv
1910.06711, equations 1 to 3). Both are minimised in one step: what either says to the other is a
constant to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.discriminators import Judgement


def discriminator_loss(real: Sequence[Judgement], made: Sequence[Judgement]) -> Tensor:
    """Sum over discriminators of the means of max(0, 1 - D(real)) + max(0, 1 + D(made))."""
    parts = [
        functional.relu(1 - a.score.float()).mean() + functional.relu(1 + b.score.float()).mean()
        for a, b in zip(real, made, strict=True)
    ]
    return torch.stack(parts).sum()


def adversarial_loss(made: Sequence[Judgement]) -> Tensor:
    """Sum over discriminators of the mean of -D(made)."""
    return -torch.stack([judgement.score.float().mean() for judgement in made]).sum()


def feature_loss(real: Sequence[Judgement], made: Sequence[Judgement]) -> Tensor:
    """Sum over discriminators of the L1 between features, averaged over layers."""
    parts = [
        torch.stack(
            [(x - y).float().abs().mean() for x, y in zip(a.features, b.features, strict=True)]
        ).mean()
        for a, b in zip(real, made, strict=True)
    ]
    return torch.stack(parts).sum()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """What is computed inside sends no gradient to the module's weights, only through them."""
    learning = [value for value in module.parameters() if value.requires_grad]
    for value in learning:
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in learning:
            value.requires_grad_(True)


def losses_of_both(
    discriminators: nn.Module, real: Tensor, made: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Discriminators', adversarial and feature loss of sound ``[B, C, N]``.

    The first gives gradients to the discriminators alone, the other two to ``made`` alone.
    """
    count = real.shape[0]
    both = discriminators(torch.cat([real, made.detach()]))
    truth = [judgement.rows(0, count) for judgement in both]
    judged = discriminator_loss(truth, [judgement.rows(count, 2 * count) for judgement in both])
    with frozen(discriminators):
        again = discriminators(made)
    constant = [judgement.detached() for judgement in truth]
    return judged, adversarial_loss(again), feature_loss(constant, again)
