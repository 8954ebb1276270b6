"""Stages `pretrain` and `finetune`: the flow-matching transformer, on encoded clips.

Pre-training sees no pictures: part of the time it is given a part of the latents and has to find
the rest (masked flow matching: A. Liu et al., "Generative pre-training for speech with flow
matching", arXiv 2310.16338), first of any sound made into a field, then of fields. Fine-tuning goes
on from there, with the transformer and the projection of its conditions trained together.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.networks.conditioner import ConditionerConfig, Projection
from omniaudio_studio.training.networks.dit import DiT, DiTConfig
from omniaudio_studio.training.paper import PaperFlow
from omniaudio_studio.training.presets import Preset, StageSetup
from omniaudio_studio.training.stages.encoded import EncodedClips
from omniaudio_studio.training.task import Arrays, Losses, Task


class Flow(nn.Module):
    """The starter's transformer and the projection of its conditions; ``guided`` makes it one that
    is told the guidance scale."""

    def __init__(self, preset: Preset, config: ConditionerConfig, *, guided: bool = False) -> None:
        super().__init__()
        networks = preset.networks
        self.projection = Projection(config)
        self.dit = DiT(
            DiTConfig(
                channels=networks.content + networks.spatial,
                condition=config.width,
                width=networks.dit_width,
                depth=networks.dit_depth,
                heads=networks.dit_heads,
                guided=guided,
            )
        )

    def conditions(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """``local`` [B, S, d] and ``global_`` [B, d] of ``summary`` [B, S, summary]."""
        return self.projection(features["summary"])

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
        """Velocity [B, C, T] of latents ``x`` at ``t`` [B].

        ``conditions`` are ``local`` [B, T, d] and ``global_`` [B, d], or None without pictures;
        ``keep`` [B] is 0 where guidance hides them; ``known`` are clean latents [B, C, T] where
        ``mask`` [B, 1, T] is 1; ``guidance`` [B] is the scale, for a transformer that is told it.
        """
        if conditions is None:
            width = self.dit.config.condition
            local, global_ = x.new_zeros(len(x), x.shape[-1], width), x.new_zeros(len(x), width)
        else:
            local, global_ = conditions
            local, global_ = local * keep[:, None, None], global_ * keep[:, None]
        return self.dit(x, t, local, global_, known, mask, guidance)


class FlowTask(Task):
    """What both stages share: excerpts, noise, logit-normal times (P. Esser et al., arXiv
    2403.03206) and the loss."""

    #: Whether the picture is used.
    sees: bool

    def __init__(self, setup: StageSetup, clips: EncodedClips, flow: Flow | PaperFlow) -> None:
        super().__init__(flow)
        self.flow, self._clips = flow, clips
        self._length = clips.most(setup.length)

    def plan(self, rng: np.random.Generator) -> int:
        """The excerpts' length."""
        return self._clips.draw_length(self._length, rng)

    def row(self, plan: int, rng: np.random.Generator) -> Arrays:
        """Latents ``mean``, ``std``, their ``grain``, ``noise`` [C, T], ``t``, ``keep``, and
        ``mask`` (latents that are given) and ``asked`` (frames that the loss counts) [1, T]; with
        pictures, ``to_latents`` [T, S] and the features."""
        excerpt = self._clips.draw(plan, rng)
        mask, asked, keep = self.given(plan, rng)
        shape = excerpt.mean.shape
        row: Arrays = {
            "mean": excerpt.mean,
            "std": excerpt.std,
            "grain": rng.standard_normal(shape).astype(np.float32),
            "noise": rng.standard_normal(shape).astype(np.float32),
            "t": np.array(1 / (1 + np.exp(-rng.standard_normal())), np.float32),
            "mask": mask,
            "asked": asked,
            "keep": np.array(keep, np.float32),
        }
        if self.sees:
            assert excerpt.to_latents is not None
            row |= {"to_latents": excerpt.to_latents, **excerpt.features}
        return row

    @abstractmethod
    def given(
        self, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        """``mask``, ``asked`` [1, T] and ``keep`` of a sample."""

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        flow, t, mask = self.flow, batch["t"], batch["mask"]
        data = batch["mean"] + batch["std"] * batch["grain"]
        x = (1 - t[:, None, None]) * data + t[:, None, None] * batch["noise"]
        conditions = None
        if self.sees:
            local, global_ = flow.conditions(batch)
            conditions = batch["to_latents"] @ local.float(), global_.float()
        velocity = flow.velocity(x, t, conditions, batch["keep"], data * mask, mask)
        error = ((velocity.float() - (batch["noise"] - data)) ** 2 * batch["asked"]).mean(1)
        return {"loss": (error.sum(1) / batch["asked"].sum((1, 2))).mean()}


class PretrainTask(FlowTask):
    """Masked flow matching without pictures; ``setup`` is the preset's "coarse" or "pretrain"."""

    sees = False

    def __init__(
        self, preset: Preset, setup: StageSetup, clips: EncodedClips, flow: Flow | PaperFlow
    ) -> None:
        super().__init__(setup, clips, flow)
        self._probability, self._span = preset.masking_probability, preset.masking_span

    def given(
        self, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        if rng.random() >= self._probability:
            return np.zeros((1, length), np.float32), np.ones((1, length), np.float32), False
        asked = hidden_spans(rng, length, self._span)[None]
        return 1 - asked, asked, False


class FinetuneTask(FlowTask):
    """Flow matching with pictures, guidance dropout, and the window before as context at times."""

    sees = True

    def __init__(self, preset: Preset, clips: EncodedClips, flow: Flow | PaperFlow) -> None:
        super().__init__(preset.finetune, clips, flow)
        self._context, self._dropout = preset.context_probability, preset.guidance_dropout

    def given(
        self, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        mask = context_mask(rng, length, self._context)
        return mask, np.ones((1, length), np.float32), bool(rng.random() >= self._dropout)


def new_flow(preset: Preset, config: ConditionerConfig, seed: int, *, guided: bool = False) -> Flow:
    """A flow with the first weights of a seed."""
    torch.manual_seed(seed)
    return Flow(preset, config, guided=guided)


def load_flow(preset: Preset, config: ConditionerConfig, checkpoint: Path) -> Flow:
    """The averaged weights of a checkpoint."""
    flow = Flow(preset, config).eval().requires_grad_(False)
    load_average(checkpoint, flow)
    return flow


def hidden_spans(rng: np.random.Generator, length: int, shortest: int) -> NDArray[np.float32]:
    """1 where latents have to be found, in stretches of at least ``shortest`` (all of a shorter
    excerpt) that cover 70 to 100 % of the frames: float32 (T,)."""
    wanted = rng.uniform(0.7, 1.0) * length
    hidden = np.zeros(length, np.float32)
    shortest = min(shortest, length)
    while hidden.sum() < wanted:
        begin = int(rng.integers(length - shortest + 1))
        hidden[begin : begin + shortest] = 1
    return hidden


def context_mask(rng: np.random.Generator, length: int, probability: float) -> NDArray[np.float32]:
    """1 where clean latents are given: the first frames, at times; float32 (1, T).

    Half of the time at most a quarter, as between consecutive windows; else up to all but one, as
    in a clip's last window, which is moved back to end with the clip.
    """
    mask = np.zeros((1, length), np.float32)
    if rng.random() < probability:
        most = length // 4 if rng.random() < 0.5 else length - 1
        mask[:, : int(rng.integers(1, max(1, most) + 1))] = 1
    return mask
