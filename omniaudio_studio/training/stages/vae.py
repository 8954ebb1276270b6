"""Stage `vae`: the four-channel spectral VAE, on the sound of the scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.losses import (
    band_level_loss,
    direction_loss,
    kl_divergence,
    magnitude_loss,
)
from omniaudio_studio.training.networks.spectrum import mel_matrix
from omniaudio_studio.training.networks.vae import SpectralVAE, VAEConfig
from omniaudio_studio.training.pictures import shown
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.task import Arrays, Losses, Sample, Task

KL_WEIGHT = 2e-3
#: Excerpts that the first outlines are taken from.
OUTLINES = 256


def vae_config(preset: Preset) -> VAEConfig:
    """The VAE's sizes in a preset."""
    networks = preset.networks
    return VAEConfig(
        content=networks.content,
        spatial=networks.spatial,
        frame_width=networks.frame_width,
        latent_width=networks.latent_width,
    )


class VAETask(Task):
    """Trains the spectral VAE on the sound of scenes."""

    def __init__(self, preset: Preset, scenes: SceneSet) -> None:
        torch.manual_seed(preset.vae.seed)  # the first weights
        self.vae = SpectralVAE(vae_config(preset))
        super().__init__(self.vae)
        self._scenes = scenes
        config, spectrum = self.vae.config, self.vae.encoder.spectrum
        self._samples = preset.vae.length * config.latent_hop
        self._samples = min(self._samples, scenes.foa.shape[-1])
        self._mel = mel_matrix(96, spectrum.bins, config.sample_rate)
        self._seed = preset.vae.seed

    def begin_with_outlines(self) -> None:
        """Look at excerpts of the scenes for the first weights; a checkpoint has them already."""
        rng = np.random.default_rng([self._seed, 78])
        rows = [sound_row(self._scenes, rng, self._samples)[0] for _ in range(OUTLINES)]
        spectrum = self.vae.encoder.spectrum
        self.vae.fit(spectrum.fast(torch.from_numpy(np.stack(rows))).abs() ** 2)

    def row(self, plan: Any, rng: np.random.Generator) -> Arrays:
        """``audio`` (4, samples) and ``noise`` (C, T)."""
        config = self.vae.config
        frames = self._samples // config.latent_hop
        return {
            "audio": sound_row(self._scenes, rng, self._samples),
            "noise": rng.standard_normal((config.channels, frames)).astype(np.float32),
        }

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        vae = self.vae
        with torch.no_grad():
            spectrum = vae.encoder.spectrum.fast(batch["audio"])
            real, imaginary = spectrum.real.contiguous(), spectrum.imag.contiguous()
        mean, std = vae.encoder.encode_spectrum(real, imaginary)
        decoded = vae.decoder.decode_spectrum(mean + std * batch["noise"])
        mel = self._mel.to(real.device)
        magnitude = magnitude_loss(decoded, real, imaginary, mel)
        level = band_level_loss(decoded, real, imaginary, mel)
        gain, residual = direction_loss(decoded, real, imaginary, vae.encoder.bands)
        kl = kl_divergence(mean, std)
        loss = magnitude + level + 6 * gain + 3 * residual + KL_WEIGHT * kl
        return {
            "loss": loss,
            "magnitude": magnitude,
            "level": level,
            "gain": gain,
            "residual": residual,
            "kl": kl,
        }

    @torch.no_grad()
    def samples(self, folder: Path) -> dict[str, Sample]:
        """The first scene's sound and what comes back of it."""
        hop, rate = self.vae.config.latent_hop, self.vae.config.sample_rate
        length = min(50 * hop, self._scenes.foa.shape[-1] // hop * hop)
        field = self._scenes.foa[:1, :, :length].astype(np.float32)
        audio = torch.from_numpy(field).to(next(self.vae.parameters()).device)
        again = self.vae.decoder(self.vae.encoder(audio)[0])
        return shown("true", field[0], rate) | shown("decoded", again[0].cpu().numpy(), rate)


def load_vae(preset: Preset, scenes: SceneSet, checkpoint: Path) -> SpectralVAE:
    """The averaged weights of a checkpoint, latents normalised."""
    vae = SpectralVAE(vae_config(preset)).eval().requires_grad_(False)
    load_average(checkpoint, vae)
    vae.set_latent_statistics(*latent_statistics(vae, scenes, preset.vae.seed))
    return vae


def sound_row(scenes: SceneSet, rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """A random excerpt ``(4, samples)``, turned by a random yaw (exact: X and Y rotate), mirrored
    up and down half of the time, and scaled by -12 to +3 dB."""
    length = scenes.foa.shape[-1]
    samples = min(samples, length)
    index = int(rng.integers(len(scenes)))
    start = int(rng.integers(length - samples + 1))
    w, y, z, x = scenes.foa[index, :, start : start + samples].astype(np.float32)
    yaw = rng.uniform(-np.pi, np.pi)
    turned_x = x * np.cos(yaw) - y * np.sin(yaw)
    turned_y = x * np.sin(yaw) + y * np.cos(yaw)
    up = -1.0 if rng.random() < 0.5 else 1.0
    gain = 10 ** (rng.uniform(-12, 3) / 20)
    field = np.stack([w, turned_y, z * up, turned_x]) * gain
    return np.ascontiguousarray(field, np.float32)


@torch.no_grad()
def latent_statistics(vae: SpectralVAE, scenes: SceneSet, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per latent channel, sampling noise included."""
    vae.set_latent_statistics(torch.zeros(vae.config.channels), torch.ones(vae.config.channels))
    rng = np.random.default_rng([seed, 77])
    hop = vae.config.latent_hop
    samples = scenes.foa.shape[-1] // hop * hop
    means, variances = [], []
    for _ in range(30):
        rows = [sound_row(scenes, rng, min(samples, 25 * hop)) for _ in range(4)]
        audio = torch.from_numpy(np.stack(rows))
        spectrum = vae.encoder.spectrum.fast(audio)
        mean, std = vae.encoder.encode_spectrum(spectrum.real, spectrum.imag)
        means.append(mean.transpose(1, 2).flatten(0, 1))
        variances.append((std**2).transpose(1, 2).flatten(0, 1))
    stacked = torch.cat(means)
    spread = stacked.var(dim=0) + torch.cat(variances).mean(dim=0)
    return stacked.mean(dim=0), spread.sqrt()
