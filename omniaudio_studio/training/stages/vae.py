"""Stage `vae`: the four-channel spectral VAE, on the sound of the scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.loop import Losses, Report, run_training
from omniaudio_studio.training.losses import (
    band_level_loss,
    direction_loss,
    kl_divergence,
    magnitude_loss,
)
from omniaudio_studio.training.networks.spectrum import mel_matrix
from omniaudio_studio.training.networks.vae import SpectralVAE, VAEConfig
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.scenes import SceneSet

KL_WEIGHT = 2e-3


def vae_config(preset: Preset) -> VAEConfig:
    """The VAE's sizes in a preset."""
    networks = preset.networks
    return VAEConfig(
        content=networks.content,
        spatial=networks.spatial,
        frame_width=networks.frame_width,
        latent_width=networks.latent_width,
    )


def train_vae(
    preset: Preset, scenes: SceneSet, checkpoint: Path, report: Report | None = None
) -> None:
    """Train into a checkpoint; `load_vae` reads it."""
    setup = preset.vae
    torch.manual_seed(setup.seed)  # the first weights
    vae = SpectralVAE(vae_config(preset))
    mel = mel_matrix(96, vae.encoder.spectrum.bins, vae.config.sample_rate)

    def step(rng: np.random.Generator) -> Losses:
        audio = sound_batch(scenes, rng, setup.batch, setup.length * vae.config.latent_hop)
        with torch.no_grad():
            spectrum = vae.encoder.spectrum.fast(audio)
            real, imaginary = spectrum.real.contiguous(), spectrum.imag.contiguous()
        mean, std = vae.encoder.encode_spectrum(real, imaginary)
        decoded = vae.decoder.decode_spectrum(mean + std * torch.randn_like(mean))
        magnitude = magnitude_loss(decoded, real, imaginary)
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

    run_training(vae, step, setup, checkpoint, report=report)


def load_vae(preset: Preset, scenes: SceneSet, checkpoint: Path) -> SpectralVAE:
    """The averaged weights of a checkpoint, latents normalised."""
    vae = SpectralVAE(vae_config(preset)).eval().requires_grad_(False)
    load_average(checkpoint, vae)
    vae.set_latent_statistics(*latent_statistics(vae, scenes, preset.vae.seed))
    return vae


def sound_batch(scenes: SceneSet, rng: np.random.Generator, batch: int, samples: int) -> Tensor:
    """Random excerpts ``[B, 4, samples]``, each turned by a random yaw (exact: X and Y rotate),
    mirrored up and down half of the time, and scaled by -12 to +3 dB."""
    length = scenes.foa.shape[-1]
    samples = min(samples, length)
    excerpts = np.empty((batch, 4, samples), np.float32)
    for row in range(batch):
        index = int(rng.integers(len(scenes)))
        start = int(rng.integers(length - samples + 1))
        excerpts[row] = scenes.foa[index, :, start : start + samples]
    w, y, z, x = excerpts.transpose(1, 0, 2)
    yaw = rng.uniform(-np.pi, np.pi, (batch, 1)).astype(np.float32)
    turned_x = x * np.cos(yaw) - y * np.sin(yaw)
    turned_y = x * np.sin(yaw) + y * np.cos(yaw)
    up = np.where(rng.random((batch, 1)) < 0.5, -1, 1).astype(np.float32)
    gain = (10 ** (rng.uniform(-12, 3, (batch, 1, 1)) / 20)).astype(np.float32)
    field = np.stack([w, turned_y, z * up, turned_x], axis=1) * gain
    return torch.from_numpy(np.ascontiguousarray(field, np.float32))


@torch.no_grad()
def latent_statistics(vae: SpectralVAE, scenes: SceneSet, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per latent channel, sampling noise included."""
    vae.set_latent_statistics(torch.zeros(vae.config.channels), torch.ones(vae.config.channels))
    rng = np.random.default_rng([seed, 77])
    hop = vae.config.latent_hop
    samples = scenes.foa.shape[-1] // hop * hop
    means, variances = [], []
    for _ in range(30):
        audio = sound_batch(scenes, rng, 4, min(samples, 25 * hop))
        spectrum = vae.encoder.spectrum.fast(audio)
        mean, std = vae.encoder.encode_spectrum(spectrum.real, spectrum.imag)
        means.append(mean.transpose(1, 2).flatten(0, 1))
        variances.append((std**2).transpose(1, 2).flatten(0, 1))
    stacked = torch.cat(means)
    spread = stacked.var(dim=0) + torch.cat(variances).mean(dim=0)
    return stacked.mean(dim=0), spread.sqrt()
