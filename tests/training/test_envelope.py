"""The outline of a spectrum: bands, interpolation, and the components that it starts with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from omniaudio_studio.training.networks.envelope import BANDS, FLOOR, Envelope
from omniaudio_studio.training.networks.vae import SpectralVAE, VAEConfig

FRAMES, BINS = 4, 721


@pytest.fixture
def envelope() -> Envelope:
    return Envelope(6, FRAMES, BINS, 48000)


def outlines(count: int, rank: int) -> Tensor:
    """Levels ``[count, 2 * FRAMES, BANDS]`` that are mixtures of a few patterns."""
    generator = torch.Generator().manual_seed(1)
    patterns = torch.randn(rank, FRAMES * BANDS, generator=generator) / 8
    weights = torch.randn(count, 2, rank, generator=generator) * torch.arange(rank, 0, -1)
    return (weights @ patterns - 9).unflatten(-1, (FRAMES, BANDS)).flatten(1, 2)


def test_equal_powers_have_their_level_in_every_band(envelope: Envelope) -> None:
    levels = envelope.levels(torch.full((1, 3, BINS), 0.25))
    torch.testing.assert_close(levels, torch.full_like(levels, math.log(0.25)))
    silent = envelope.levels(torch.zeros(1, 3, BINS))
    torch.testing.assert_close(silent, torch.full_like(silent, math.log(FLOOR)))


def test_every_bin_is_a_mean_of_bands(envelope: Envelope) -> None:
    assert (envelope.to_bins >= 0).all()
    torch.testing.assert_close(envelope.to_bins.sum(dim=0), torch.ones(BINS))


def test_a_slope_in_frequency_is_kept(envelope: Envelope) -> None:
    slope = torch.linspace(-2, -12, BINS)
    levels = envelope.levels(torch.exp(slope).expand(1, 1, -1))
    back = (levels @ envelope.to_bins)[0, 0]
    assert (back - slope)[1:-40].abs().max() < 0.05  # (beyond the last band's middle it is flat)


def test_mixtures_of_as_many_patterns_as_latents_come_back(envelope: Envelope) -> None:
    levels = outlines(60, rank=6)
    envelope.fit(levels)
    with torch.no_grad():
        z = envelope.encode(levels)
        back = envelope.out(z.transpose(1, 2)).unflatten(-1, (FRAMES, BANDS)).flatten(1, 2)
    torch.testing.assert_close(back, levels, atol=1e-3, rtol=0)
    # The latents are uncorrelated, with mean 0 and variance 1.
    flat = z.transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(flat.mean(dim=0), torch.zeros(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(flat.T @ flat / len(flat), torch.eye(6), atol=1e-3, rtol=0)


def test_of_more_patterns_the_strongest_are_kept(envelope: Envelope) -> None:
    levels = outlines(200, rank=12)
    envelope.fit(levels)
    with torch.no_grad():
        z = envelope.encode(levels)
        back = envelope.out(z.transpose(1, 2)).unflatten(-1, (FRAMES, BANDS)).flatten(1, 2)
    patches = levels.unflatten(1, (-1, FRAMES)).flatten(2).flatten(0, 1)
    spectrum = torch.linalg.svdvals(patches - patches.mean(dim=0)) ** 2
    left = float(((back - levels) ** 2).sum() / spectrum.sum())
    assert left == pytest.approx(float(spectrum[6:].sum() / spectrum.sum()), rel=1e-2)


def test_strong_patterns_start_with_less_noise(envelope: Envelope) -> None:
    noise = envelope.fit(outlines(200, rank=12))
    assert (noise.diff() >= 0).all() and noise[0] < noise[-1]
    size = envelope.out.weight.norm(dim=0)
    within = noise > 0.021  # not at the least
    assert within.sum() >= 3
    torch.testing.assert_close((noise * size)[within], (noise * size)[-1].expand(int(within.sum())))


def test_a_vae_begins_with_the_outline_and_its_noise() -> None:
    config = VAEConfig(content=12, spatial=6, frame_width=24, latent_width=24)
    vae = SpectralVAE(config).eval()
    hop = config.latent_hop
    slow = torch.rand(40, 4, 5, generator=torch.Generator().manual_seed(2))
    audio = 0.1 * torch.randn(40, 4, 5 * hop) * slow.repeat_interleave(hop, dim=-1)
    power = vae.encoder.spectrum.fast(audio[:, 0]).abs() ** 2
    vae.fit(power)
    with torch.no_grad():
        mean, std = vae.encoder(audio)
        decoded = vae.decoder.decode_spectrum(mean)
        outline = vae.decoder.envelope.decode(mean[:, :12])
    torch.testing.assert_close(decoded.log_magnitude, outline)
    levels = vae.decoder.envelope.levels(power)
    found = vae.decoder.envelope.levels(torch.exp(2 * outline))
    assert (found - levels).mean().abs() < 0.2
    assert (found - levels).std() < 0.6 * levels.std()
    content = std[:, :12]
    torch.testing.assert_close(content, content[:1, :, :1].expand_as(content), atol=1e-5, rtol=1e-4)
    assert content.max() < 0.26
