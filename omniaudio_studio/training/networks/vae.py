"""The starter's four-channel VAE: W as a spectrum, the other channels as gains from W.

Direction lives in the ratio of Y, Z and X to W. A network that predicts four complex spectra apart
loses that ratio in its bottleneck. Here the decoder makes the magnitude of W, finds its phase, and
derives the other channels from the same W: ``C = g W + r D W`` with smooth real gains g per band
(the directional part, as for a plane wave) and a residual of size r that D turns by a quarter
period with a random sign per bin (the diffuse part, uncorrelated with W by construction). So a
direction that the latents name cannot be blurred by errors of phase. The magnitude is the outline
that `envelope.Envelope` finds in the latents, and what a network adds to it.

The phase of W is found by Griffin-Lim iterations inside the graph (D. Griffin and J. Lim, "Signal
estimation from modified short-time Fourier transform", 1984; with the momentum of N. Perraudin et
al., "A fast Griffin-Lim algorithm", 2013), started from a fixed random projection of the latents:
noise stays noise-like, tones become coherent, and equal latents always give equal sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.networks.blocks import TemporalBlock
from omniaudio_studio.training.networks.envelope import Envelope
from omniaudio_studio.training.networks.spectrum import (
    Spectrum,
    band_interpolation,
    band_matrix,
)

#: Added to magnitudes before the logarithm: -100 dB of full scale.
FLOOR = 1e-5

#: Edges in Hz of the bands that have a direction of their own.
BAND_EDGES = (0.0, 300.0, 700.0, 1500.0, 3000.0, 6000.0, 12000.0, 24001.0)


@dataclass(frozen=True)
class VAEConfig:
    """Sizes of the spectral VAE.

    ``hop`` is that of the spectrum in samples; a latent frame covers ``frames_per_latent`` hops.
    The first ``content`` latent channels carry the sound of W, the other ``spatial`` its direction.
    """

    sample_rate: int = 48000
    hop: int = 480
    frames_per_latent: int = 8
    content: int = 40
    spatial: int = 24
    frame_width: int = 256
    latent_width: int = 320
    phase_iterations: int = 8

    @property
    def latent_hop(self) -> int:
        """Samples per latent frame."""
        return self.hop * self.frames_per_latent

    @property
    def channels(self) -> int:
        """Latent channels."""
        return self.content + self.spatial


class DecodedSpectrum(NamedTuple):
    """What the decoder says of a sound, before any phase: F frames, K bins, E bands."""

    log_magnitude: Tensor  # [B, F, K], natural log of |W| + FLOOR
    gains: Tensor  # [B, 3, F, E], Y Z X over W
    residual: Tensor  # [B, 3, F, E], size of the diffuse part over |W|


class SpectralEncoder(nn.Module):
    """Audio ``[B, 4, N]`` (W Y Z X, N a multiple of the latent hop) -> mean, std ``[B, C, T]``."""

    latent_mean: Tensor
    latent_std: Tensor
    bands: Tensor

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.spectrum = Spectrum(config.hop)
        bins, width = self.spectrum.bins, config.frame_width
        self.register_buffer(
            "bands", band_matrix(BAND_EDGES, bins, config.sample_rate), persistent=False
        )
        self.envelope = Envelope(config.content, config.frames_per_latent, bins, config.sample_rate)
        self.frame_in = nn.Linear(bins, width)
        self.frame_blocks = nn.Sequential(*[TemporalBlock(width) for _ in range(2)])
        self.down = nn.Conv1d(
            width,
            config.latent_width,
            config.frames_per_latent,
            stride=config.frames_per_latent,
        )
        self.latent_blocks = nn.Sequential(*[TemporalBlock(config.latent_width) for _ in range(2)])
        self.content_out = nn.Conv1d(config.latent_width, 2 * config.content, 1)
        nn.init.zeros_(self.content_out.weight)
        nn.init.zeros_(_bias(self.content_out))
        self.spatial_net = nn.Sequential(
            nn.Conv1d(7 * (len(BAND_EDGES) - 1), 160, 1),
            nn.GELU(),
            nn.Conv1d(160, 2 * config.spatial, 1),
        )
        self.register_buffer("latent_mean", torch.zeros(config.channels))
        self.register_buffer("latent_std", torch.ones(config.channels))

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = self.spectrum(audio)
        return self.encode_spectrum(real, imaginary)

    def encode_spectrum(self, real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, from spectra ``[B, 4, F, K]``."""
        power = (real[:, 0] ** 2 + imaginary[:, 0] ** 2).clamp(min=1e-14)
        log_magnitude = (torch.log(torch.sqrt(power) + FLOOR) + 7.0) / 3.0
        h = self.frame_blocks(self.frame_in(log_magnitude).transpose(1, 2))
        h = self.content_out(self.latent_blocks(self.down(h)))
        content_mean, content_scale = h.chunk(2, dim=1)
        content_mean = content_mean + self.envelope.encode(self.envelope.levels(power))
        s = self.spatial_net(self.spatial_features(real, imaginary))
        spatial_mean, spatial_scale = s.chunk(2, dim=1)
        mean = torch.cat([content_mean, spatial_mean], dim=1)
        std = functional.softplus(torch.cat([content_scale, spatial_scale], dim=1)) + 1e-4
        shift, size = self.latent_mean[:, None], self.latent_std[:, None]
        return (mean - shift) / size, std / size

    def spatial_features(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Gains, residuals and level per band and latent frame: ``[B, 7 * bands, T]``.

        The gain is the least-squares factor from W to a channel, ``sum Re(W* C) / sum |W|^2``.
        """

        def pooled(x: Tensor) -> Tensor:  # [..., F, K] -> [..., T, bands]
            return (x @ self.bands).unflatten(-2, (-1, self.config.frames_per_latent)).sum(-2)

        # Clamped, not added to: the ONNX optimiser drops additions of less than 1e-8.
        w_power = pooled(real[:, :1] ** 2 + imaginary[:, :1] ** 2).clamp(min=1e-9)
        cross = pooled(real[:, :1] * real[:, 1:] + imaginary[:, :1] * imaginary[:, 1:])
        power = pooled(real[:, 1:] ** 2 + imaginary[:, 1:] ** 2)
        gains = (cross / w_power).clamp(-2, 2)
        residual = torch.sqrt((power / w_power - gains**2).clamp(1e-6, 4.0))
        level = (torch.log(w_power) + 10) / 5
        features = torch.cat([gains, residual, level], dim=1)  # [B, 7, T, bands]
        return features.transpose(2, 3).flatten(1, 2)


class SpectralDecoder(nn.Module):
    """Latents ``[B, C, T]`` -> audio ``[B, 4, T * latent_hop]`` (W Y Z X)."""

    latent_mean: Tensor
    latent_std: Tensor
    to_bins: Tensor
    start_phase: Tensor
    turn: Tensor

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.spectrum = Spectrum(config.hop)
        bins, width, per = self.spectrum.bins, config.frame_width, config.frames_per_latent
        bands = len(BAND_EDGES) - 1
        self.content_in = nn.Conv1d(config.content, config.latent_width, 1)
        self.latent_blocks = nn.Sequential(*[TemporalBlock(config.latent_width) for _ in range(2)])
        self.up = nn.ConvTranspose1d(config.latent_width, width, per, stride=per)
        self.frame_blocks = nn.Sequential(*[TemporalBlock(width) for _ in range(3)])
        self.envelope = Envelope(config.content, per, bins, config.sample_rate)
        self.magnitude_out = nn.Linear(width, bins)
        nn.init.zeros_(self.magnitude_out.weight)
        nn.init.zeros_(self.magnitude_out.bias)
        self.spatial_net = nn.Sequential(
            nn.Conv1d(config.spatial, 160, 1), nn.GELU(), nn.Conv1d(160, 6 * bands, 1)
        )
        self.register_buffer(
            "to_bins", band_interpolation(BAND_EDGES, bins, config.sample_rate), persistent=False
        )
        generator = torch.Generator().manual_seed(20250414)
        self.register_buffer(
            "start_phase",
            # rounded so that a bundle can store it in 16 bits without loss
            (torch.randn(config.content, per * bins, generator=generator) * 0.5).half().float(),
            persistent=False,
        )
        # A quarter period with a random sign per bin: real correlation with W is exactly zero.
        self.register_buffer(
            "turn",
            torch.randint(0, 2, (3, 1, bins), generator=generator).float() * 2 - 1,
            persistent=False,
        )
        self.register_buffer("latent_mean", torch.zeros(config.channels))
        self.register_buffer("latent_std", torch.ones(config.channels))

    def decode_spectrum(self, z: Tensor) -> DecodedSpectrum:
        """The regression part: magnitudes of W, gains and residuals, no phase."""
        z = z * self.latent_std[:, None] + self.latent_mean[:, None]
        content, spatial = z.split([self.config.content, self.config.spatial], dim=1)
        h = self.up(self.latent_blocks(self.content_in(content)))
        detail = self.magnitude_out(self.frame_blocks(h).transpose(1, 2))
        log_magnitude = self.envelope.decode(content) + detail
        s = self._per_frame(self.spatial_net(spatial))
        gains, residual = s.unflatten(1, (6, -1)).transpose(2, 3).split(3, dim=1)
        gains = 1.2 * torch.tanh(gains)
        residual = 1.2 * torch.sigmoid(residual - 3.0)
        return DecodedSpectrum(log_magnitude, gains, residual)

    def _per_frame(self, s: Tensor) -> Tensor:
        """``[B, C, T]`` -> ``[B, C, F]``, linear between the centres of latent frames."""
        per = self.config.frames_per_latent
        before = torch.cat([s[..., :1], s[..., :-1]], dim=-1)
        after = torch.cat([s[..., 1:], s[..., -1:]], dim=-1)
        position = (torch.arange(per, device=s.device, dtype=s.dtype) + 0.5) / per - 0.5
        back, ahead = (-position).clamp(min=0), position.clamp(min=0)
        now = 1 - back - ahead
        frames = s[..., None] * now + before[..., None] * back + after[..., None] * ahead
        return frames.flatten(-2)

    def forward(self, z: Tensor) -> Tensor:
        decoded = self.decode_spectrum(z)
        magnitude = (torch.exp(decoded.log_magnitude.clamp(max=3.0)) - FLOOR).clamp(min=0)
        real, imaginary = self.find_phase(magnitude, z)
        real, imaginary = (magnitude * real)[:, None], (magnitude * imaginary)[:, None]
        gains = decoded.gains @ self.to_bins
        turned = (decoded.residual @ self.to_bins) * self.turn
        field_real = torch.cat([real, gains * real - turned * imaginary], dim=1)
        field_imaginary = torch.cat([imaginary, gains * imaginary + turned * real], dim=1)
        return self.spectrum.inverse(field_real, field_imaginary)

    def find_phase(self, magnitude: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Unit phasors (real, imaginary), ``[B, F, K]`` each, that suit a magnitude."""
        start = z[:, : self.config.content].transpose(1, 2) @ self.start_phase
        start = start.unflatten(-1, (self.config.frames_per_latent, -1)).flatten(1, 2)
        real, imaginary = torch.cos(start), torch.sin(start)
        last_real, last_imaginary = real, imaginary
        for _ in range(self.config.phase_iterations):
            audio = self.spectrum.inverse(
                magnitude * (real + 0.9 * (real - last_real)),
                magnitude * (imaginary + 0.9 * (imaginary - last_imaginary)),
            )
            last_real, last_imaginary = real, imaginary
            real, imaginary = self.spectrum(audio)
            size = torch.rsqrt((real**2 + imaginary**2).clamp(min=1e-14))
            real, imaginary = real * size, imaginary * size
        return real, imaginary


class SpectralVAE(nn.Module):
    """Encoder and decoder as they are trained together."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SpectralEncoder(config)
        self.decoder = SpectralDecoder(config)

    @torch.no_grad()
    def fit(self, power: Tensor) -> None:
        """Begin with the outlines of a set of sounds: powers of W, ``[B, F, K]``."""
        mine, other = self.encoder.envelope, self.decoder.envelope
        spread = mine.fit(mine.levels(power))
        other.load_state_dict(mine.state_dict())
        # softplus of the bias is the spread
        bias = _bias(self.encoder.content_out)
        bias[self.config.content :].copy_(torch.log(torch.expm1(spread)))

    def set_latent_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Make latents zero-mean and unit-variance per channel (``[C]`` each) from here on."""
        for part in (self.encoder, self.decoder):
            part.latent_mean.copy_(mean)
            part.latent_std.copy_(std)


def _bias(layer: nn.Conv1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
