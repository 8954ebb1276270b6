"""Stage `flow`: the flow-matching transformer, on encoded scenes, with guidance dropout.

Scenes are encoded once: latents by the trained VAE, summaries of what is seen by the trained
encoder and localiser. The transformer and the projection of its conditions are trained together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omniaudio_studio.files import written_whole
from omniaudio_studio.panorama.views import View, normalise
from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.loop import Losses, Report, run_training
from omniaudio_studio.training.losses import flow_matching_loss
from omniaudio_studio.training.networks.conditioner import ConditionerConfig, Projection
from omniaudio_studio.training.networks.dit import DiT, DiTConfig
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.stages.vision import Sight
from omniaudio_studio.training.views import EQUIRECT, FRONT


@dataclass(frozen=True)
class EncodedScenes:
    """What the transformer trains on: ``mean`` and ``std`` ``(N, C, T)`` of the latents,
    ``summary`` ``(N, S, d)`` at ``feature_rate``; ``latent_rate`` in frames per second."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    summary: NDArray[np.float32]
    feature_rate: float
    latent_rate: float


class Flow(nn.Module):
    """The transformer and the projection of its conditions."""

    def __init__(self, preset: Preset, config: ConditionerConfig) -> None:
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
            )
        )


@torch.no_grad()
def encode_scenes(
    scenes: SceneSet,
    vae: SpectralVAE,
    sight: Sight,
    path: Path,
    report: Report | None = None,
    *,
    bfloat16: bool = False,
) -> EncodedScenes:
    """Latents and summaries of every scene, kept in ``path`` (an .npz) for the next run.

    What is kept is made again when the networks or the number of scenes are no longer those it was
    made with.
    """
    rate = vae.config.sample_rate / vae.config.latent_hop
    made_with = _fingerprint(vae, sight, len(scenes))
    if path.exists():
        with np.load(path) as stored:
            if "made_with" not in stored or str(stored["made_with"]) == made_with:
                return EncodedScenes(
                    stored["mean"], stored["std"], stored["summary"], scenes.feature_rate, rate
                )
    hop = vae.config.latent_hop
    samples = scenes.foa.shape[-1] // hop * hop
    means, stds, summaries = [], [], []
    for index in range(len(scenes)):
        audio = torch.from_numpy(scenes.foa[index : index + 1, :, :samples].astype(np.float32))
        spectrum = vae.encoder.spectrum.fast(audio)
        mean, std = vae.encoder.encode_spectrum(spectrum.real, spectrum.imag)
        means.append(mean[0].numpy())
        stds.append(std[0].numpy())
        equirect = _frames(scenes.equirect[index], EQUIRECT)
        front = _frames(scenes.front[index], FRONT)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            around, ahead = sight.features(equirect), sight.features(front)
        summary = sight.localiser.summarise(around.float(), ahead.float())
        summaries.append(summary[0].numpy())
        if report is not None and (index + 1) % 20 == 0:
            report(index + 1, len(scenes), {}, 0.0)
    encoded = EncodedScenes(
        np.stack(means), np.stack(stds), np.stack(summaries), scenes.feature_rate, rate
    )
    with written_whole(path, overwrite=True) as temporary:
        np.savez(
            temporary,
            mean=encoded.mean,
            std=encoded.std,
            summary=encoded.summary,
            made_with=made_with,
        )
    return encoded


def _fingerprint(vae: SpectralVAE, sight: Sight, scenes: int) -> str:
    """What encoded scenes depend on: every weight, and how many scenes there are.

    The latents' statistics follow from both, and may differ in the last digit between machines.
    """
    digest = hashlib.sha256(str(scenes).encode())
    for module in (vae, sight):
        for weight in module.parameters():
            digest.update(weight.detach().numpy().tobytes())
    return digest.hexdigest()


def _frames(stored: NDArray[np.uint8], view: View) -> Tensor:
    return torch.from_numpy(normalise(np.asarray(stored), view))[None]


def train_flow(
    preset: Preset,
    encoded: EncodedScenes,
    config: ConditionerConfig,
    checkpoint: Path,
    report: Report | None = None,
) -> None:
    """Flow matching with logit-normal times (P. Esser et al., arXiv 2403.03206).

    The checkpoint is what comes of it; `load_flow` reads it.
    """
    setup = preset.flow
    torch.manual_seed(setup.seed)  # the first weights
    flow = Flow(preset, config)

    def step(rng: np.random.Generator) -> Losses:
        # Shorter excerpts now and then, since a clip can be shorter than a window.
        length = setup.length
        if rng.random() < 0.2:
            length = int(rng.integers(max(2, length // 4), length + 1))
        batch = excerpt(encoded, rng, setup.batch, length)
        data = batch.mean + batch.std * torch.randn_like(batch.mean)
        noise = torch.randn_like(data)
        t = torch.sigmoid(torch.randn(len(data)))
        x = (1 - t[:, None, None]) * data + t[:, None, None] * noise
        mask = context_mask(rng, len(data), data.shape[-1], preset.context_probability)
        with torch.autocast("cpu", torch.bfloat16, enabled=setup.bfloat16):
            local, global_ = flow.projection(batch.summary)
            local = batch.to_latents @ local.float()
            keep = torch.from_numpy(
                (rng.random(len(data)) >= preset.guidance_dropout).astype(np.float32)
            )
            velocity = flow.dit(
                x,
                t,
                local * keep[:, None, None],
                global_.float() * keep[:, None],
                data * mask,
                mask,
            )
        return {"loss": flow_matching_loss(velocity.float(), noise, data)}

    run_training(flow, step, setup, checkpoint, report=report)


def load_flow(preset: Preset, config: ConditionerConfig, checkpoint: Path) -> Flow:
    """The averaged weights of a checkpoint."""
    flow = Flow(preset, config).eval().requires_grad_(False)
    load_average(checkpoint, flow)
    return flow


@dataclass(frozen=True)
class Excerpts:
    """A batch: latents ``[B, C, T]``, summaries ``[B, S, d]``, and the matrices ``[B, T, S]`` that
    bring features to the latents' times."""

    mean: Tensor
    std: Tensor
    summary: Tensor
    to_latents: Tensor


def excerpt(encoded: EncodedScenes, rng: np.random.Generator, batch: int, length: int) -> Excerpts:
    """Random excerpts of ``length`` latent frames with the features that cover them."""
    total, frames = encoded.mean.shape[-1], encoded.summary.shape[1]
    length = min(length, total)
    wanted = min(frames, int(np.ceil(length / encoded.latent_rate * encoded.feature_rate)) + 1)
    rows = rng.integers(len(encoded.mean), size=batch)
    starts = rng.integers(total - length + 1, size=batch)
    matrices = np.zeros((batch, length, wanted), np.float32)
    means, stds, summaries = [], [], []
    for number, (row, start) in enumerate(zip(rows, starts, strict=True)):
        first = int(start / encoded.latent_rate * encoded.feature_rate)
        first = min(first, frames - wanted)
        times = (start + np.arange(length)) / encoded.latent_rate * encoded.feature_rate - first
        low = np.clip(np.floor(times).astype(int), 0, wanted - 1)
        high = np.minimum(low + 1, wanted - 1)
        part = np.clip(times - low, 0, 1)
        matrices[number, np.arange(length), low] += 1 - part
        matrices[number, np.arange(length), high] += part
        means.append(encoded.mean[row, :, start : start + length])
        stds.append(encoded.std[row, :, start : start + length])
        summaries.append(encoded.summary[row, first : first + wanted])
    return Excerpts(
        torch.from_numpy(np.stack(means)),
        torch.from_numpy(np.stack(stds)),
        torch.from_numpy(np.stack(summaries)),
        torch.from_numpy(matrices),
    )


def context_mask(rng: np.random.Generator, batch: int, length: int, probability: float) -> Tensor:
    """1 where clean latents are given: the first frames, in a part of the batch.

    Half of the time at most a quarter, as between consecutive windows; else up to all but one, as
    in a clip's last window, which is moved back to end with the clip.
    """
    mask = np.zeros((batch, 1, length), np.float32)
    for row in range(batch):
        if rng.random() < probability:
            most = length // 4 if rng.random() < 0.5 else length - 1
            mask[row, :, : int(rng.integers(1, max(1, most) + 1))] = 1
    return torch.from_numpy(mask)
