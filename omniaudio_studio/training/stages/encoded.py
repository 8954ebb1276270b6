"""Latents and features of what a flow is trained on, excerpt by excerpt.

Scenes are encoded once: latents by the trained VAE, summaries of what is seen by the trained
encoder and localiser.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omniaudio_studio.files import written_whole
from omniaudio_studio.panorama.views import View, normalise
from omniaudio_studio.training.loop import Report
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.stages.vision import Sight
from omniaudio_studio.training.views import EQUIRECT, FRONT


class Excerpt(NamedTuple):
    """``mean`` and ``std`` (C, T) of the latents, features by name (S, ...), and the matrix (T, S)
    that brings features to the latents' times."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    features: dict[str, NDArray[np.float32]]
    to_latents: NDArray[np.float32]


class Encoded(Protocol):
    """Encoded clips."""

    @property
    def longest(self) -> int:
        """Latent frames of the longest excerpt."""

    def __len__(self) -> int: ...

    def excerpt(self, index: int, start: float, length: int) -> Excerpt:
        """``length`` latent frames of one clip; ``start`` in 0..1 is from its first to its last
        possible place. Every excerpt of a length has features of one shape."""


@dataclass(frozen=True)
class EncodedScenes:
    """Scenes of one length: ``mean`` and ``std`` ``(N, C, T)`` of the latents,
    ``summary`` ``(N, S, d)`` at ``feature_rate``; ``latent_rate`` in frames per second."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    summary: NDArray[np.float32]
    feature_rate: float
    latent_rate: float

    @property
    def longest(self) -> int:
        return self.mean.shape[2]

    def __len__(self) -> int:
        return len(self.mean)

    def excerpt(self, index: int, start: float, length: int) -> Excerpt:
        """Features are interpolated in a straight line, and the last is held, as generating does
        (`bundles.resample`)."""
        frames = self.summary.shape[1]
        begin = min(int(start * (self.longest - length + 1)), self.longest - length)
        wanted = min(frames, int(np.ceil(length / self.latent_rate * self.feature_rate)) + 1)
        first = min(int(begin / self.latent_rate * self.feature_rate), frames - wanted)
        times = (begin + np.arange(length)) / self.latent_rate * self.feature_rate - first
        low = np.clip(np.floor(times).astype(int), 0, wanted - 1)
        high = np.minimum(low + 1, wanted - 1)
        part = np.clip(times - low, 0, 1)
        matrix = np.zeros((length, wanted), np.float32)
        matrix[np.arange(length), low] += 1 - part
        matrix[np.arange(length), high] += part
        there = slice(begin, begin + length)
        return Excerpt(
            self.mean[index, :, there],
            self.std[index, :, there],
            {"summary": self.summary[index, first : first + wanted]},
            matrix,
        )


@torch.no_grad()
def encode_scenes(
    scenes: SceneSet,
    vae: SpectralVAE,
    sight: Sight,
    path: Path,
    report: Report | None = None,
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
        summary = sight.localiser.summarise(sight.features(equirect), sight.features(front))
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
