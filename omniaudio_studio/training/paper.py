"""The paper's networks as a preset holds them, and as the flow stages train them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.networks.recomputing import recompute
from omniaudio_studio.training.networks.released_dit import (
    ReleasedConditioner,
    ReleasedConfig,
    ReleasedDiT,
)
from omniaudio_studio.training.stages.oobleck import OobleckSetup

#: Features that encoded clips have to hold: one vector per picture and view.
FEATURES = ("equirect", "front")


@dataclass(frozen=True)
class Paper:
    """Sizes of the transformer and the VAE; ``recomputing`` trades time for memory in training
    (see `networks.recomputing`)."""

    dit: ReleasedConfig = field(default_factory=ReleasedConfig)
    vae: OobleckSetup = field(default_factory=OobleckSetup)
    recomputing: bool = True


class PaperFlow(nn.Module):
    """The paper's transformer and conditioner; ``guided`` makes it one that is told the guidance
    scale.

    ``known`` shows pre-training the latents that it is given, added to the stream as the local
    condition is; it has no part in generating and none in a bundle.
    """

    def __init__(self, paper: Paper, *, guided: bool = False) -> None:
        super().__init__()
        self.conditioner = ReleasedConditioner(paper.dit)
        self.dit = ReleasedDiT(replace(paper.dit, guided=guided))
        self.known = nn.Linear(paper.dit.channels + 1, paper.dit.width)
        if paper.recomputing:
            recompute(self)

    def conditions(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """``local`` [B, S, d] and ``global_`` [B, d] of both views' features [B, S, D]."""
        local, global_ = self.conditioner(features["equirect"], features["front"])
        return local, global_

    def velocity(
        self,
        x: Tensor,
        t: Tensor,
        conditions: tuple[Tensor, Tensor] | None,
        keep: Tensor,
        known: Tensor,
        mask: Tensor,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """As the starter's (`stages.flow.Flow.velocity`); guidance hides the local condition only,
        and latents are given only where there are no pictures."""
        if conditions is None:
            local = self.known(torch.cat([known, mask], dim=1).transpose(1, 2))
            global_ = x.new_zeros(len(x), local.shape[-1])
        else:
            local, global_ = conditions
            local = local * keep[:, None, None]
        velocity: Tensor = self.dit(x, t, local, global_, guidance)
        return velocity


def load_paper_flow(paper: Paper, checkpoint: Path, *, guided: bool = False) -> PaperFlow:
    """The averaged weights of a checkpoint."""
    flow = PaperFlow(paper, guided=guided).eval().requires_grad_(False)
    load_average(checkpoint, flow)
    return flow
