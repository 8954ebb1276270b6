"""What the VAE gets right without any training: direction, determinism, chunks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from omniaudio_studio.engine.decoding import ChunkedDecoder
from omniaudio_studio.training.export import DECODER_CONTEXT
from omniaudio_studio.training.networks.spectrum import Spectrum
from omniaudio_studio.training.networks.vae import (
    BAND_EDGES,
    SpectralDecoder,
    SpectralEncoder,
    SpectralVAE,
    VAEConfig,
)

CONFIG = VAEConfig(content=8, spatial=6, frame_width=24, latent_width=24)
HOP = CONFIG.latent_hop
BANDS = len(BAND_EDGES) - 1


def features(field: Tensor) -> Tensor:
    """Spatial features of ``[B, 4, N]`` as ``[B, 7, bands, T]``."""
    encoder = SpectralEncoder(CONFIG)
    with torch.no_grad():
        return encoder.spatial_features(*encoder.spectrum(field)).unflatten(1, (7, BANDS))


def directions(count: int) -> Tensor:
    vectors = torch.randn(count, 3)
    return vectors / vectors.norm(dim=1, keepdim=True)


def plane_waves(vectors: Tensor, signal: Tensor) -> Tensor:
    """W Y Z X (SN3D) of signals from directions (x, y, z)."""
    x, y, z = vectors.T[..., None]
    return torch.stack([signal, y * signal, z * signal, x * signal], dim=1)


def telling_decoder(gains: Any, residual: float) -> SpectralDecoder:
    """A decoder that says the same gains (Y, Z, X) and residual of every frame and band."""
    decoder = SpectralDecoder(CONFIG).eval()
    with torch.no_grad():
        decoder.envelope.out.bias.fill_(-6.0)
        last: Any = decoder.spatial_net[2]
        last.weight.zero_()
        said = last.bias.view(6, BANDS)
        said[:3] = torch.atanh(torch.as_tensor(gains) / 1.2)[:, None]
        said[3:] = residual
    return decoder


@pytest.fixture
def decoder() -> SpectralDecoder:
    decoder = SpectralDecoder(CONFIG).eval()
    with torch.no_grad():
        # Louder than untrained networks are, so that differences are not hidden in silence.
        decoder.envelope.out.bias.fill_(-6.0)
        decoder.magnitude_out.weight.normal_(std=0.3)
    return decoder


def test_the_gains_of_plane_waves_are_their_direction_cosines() -> None:
    vectors = directions(16)
    found = features(plane_waves(vectors, 0.1 * torch.randn(16, 3 * HOP)))
    expected = vectors[:, [1, 2, 0], None, None].expand(-1, -1, BANDS, 3)
    torch.testing.assert_close(found[:, :3], expected, atol=1e-5, rtol=0)
    # Nothing is left over: the residual is at its floor of -60 dB.
    torch.testing.assert_close(
        found[:, 3:6], torch.full_like(found[:, 3:6], 1e-3), atol=2e-3, rtol=0
    )


def test_a_turned_field_turns_the_gains_of_any_mixture() -> None:
    # Two waves and noise: no direction is right, but the gains are still linear in the field.
    waves = plane_waves(directions(2), 0.1 * torch.randn(2, 2 * HOP)).sum(0)
    field = waves + 0.02 * torch.randn(4, 2 * HOP)
    w, y, z, x = field
    yaw = 0.7
    turned = torch.stack(
        [w, y * math.cos(yaw) + x * math.sin(yaw), z, x * math.cos(yaw) - y * math.sin(yaw)]
    )
    before, after = features(torch.stack([field, turned]))[:, :3]
    assert before.abs().max() < 1.9, "clamped gains turn into something else"
    expected = torch.stack(
        [
            before[0] * math.cos(yaw) + before[2] * math.sin(yaw),
            before[1],
            before[2] * math.cos(yaw) - before[0] * math.sin(yaw),
        ]
    )
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=0)


def test_the_residual_of_a_diffuse_field_is_its_level_over_w() -> None:
    # Independent noise in every channel: gains near 0, residual near the ratio of levels.
    size = 0.5
    field = 0.1 * torch.randn(1, 4, 25 * HOP) * torch.tensor([1, size, size, size])[:, None]
    found = features(field).mean(dim=-1)[0]
    assert found[:3, 2:].abs().max() < 0.05
    torch.testing.assert_close(
        found[3:6, 2:], torch.full_like(found[3:6, 2:], size), atol=0.05, rtol=0
    )


def test_the_level_feature_counts_powers_of_e() -> None:
    signal = plane_waves(directions(1), 0.01 * torch.randn(1, 2 * HOP))
    louder = features(signal * math.e)[:, 6] - features(signal)[:, 6]
    torch.testing.assert_close(louder, torch.full_like(louder, 2 / 5), atol=1e-4, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("batch", [1, 3])
def test_shapes(frames: int, batch: int) -> None:
    vae = SpectralVAE(CONFIG).eval()
    with torch.no_grad():
        mean, std = vae.encoder(torch.randn(batch, 4, frames * HOP))
        audio = vae.decoder(mean)
        decoded = vae.decoder.decode_spectrum(mean)
    assert mean.shape == std.shape == (batch, CONFIG.channels, frames)
    assert (std > 0).all()
    assert audio.shape == (batch, 4, frames * HOP) and torch.isfinite(audio).all()
    bins = vae.encoder.spectrum.bins
    assert decoded.log_magnitude.shape == (batch, 8 * frames, bins)
    assert decoded.gains.shape == decoded.residual.shape == (batch, 3, 8 * frames, BANDS)


def test_silence_encodes_to_numbers() -> None:
    vae = SpectralVAE(CONFIG).eval()
    with torch.no_grad():
        mean, std = vae.encoder(torch.zeros(1, 4, 2 * HOP))
        audio = vae.decoder(mean)
    assert torch.isfinite(mean).all() and torch.isfinite(std).all() and torch.isfinite(audio).all()


def test_equal_latents_give_equal_sound(decoder: SpectralDecoder) -> None:
    z = torch.randn(1, CONFIG.channels, 4)
    with torch.no_grad():
        first = decoder(z)
        torch.manual_seed(99)  # whatever the state of the generator
        again = decoder(z)
        other = SpectralDecoder(CONFIG).eval()
        other.load_state_dict(decoder.state_dict())
        elsewhere = other(z)
        different = decoder(z + 0.1)
    assert torch.equal(first, again)
    # The fixed random numbers are not in checkpoints: every instance must draw the same.
    assert torch.equal(first, elsewhere)
    assert not torch.allclose(first, different, atol=1e-3)


def test_named_gains_are_the_direction_of_the_sound() -> None:
    x, y, z = directions(1)[0].tolist()
    decoder = telling_decoder([y, z, x], residual=-30.0)
    with torch.no_grad():
        w, *others = decoder(torch.randn(1, CONFIG.channels, 6))[0]
    assert w.std() > 0.01
    for channel, cosine in zip(others, (y, z, x), strict=True):
        torch.testing.assert_close(channel, cosine * w, atol=2e-5 * float(w.abs().max()), rtol=0)


class Listening(Spectrum):
    """Keeps the last spectra that it turned into sound."""

    heard: tuple[Tensor, Tensor]

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        self.heard = real, imaginary
        return super().inverse(real, imaginary)


def test_the_residual_is_uncorrelated_with_w() -> None:
    decoder = telling_decoder([0.0, 0.0, 0.0], residual=3.0)
    decoder.spectrum = listening = Listening(CONFIG.hop)
    with torch.no_grad():
        field = decoder(torch.randn(1, CONFIG.channels, 12))[0]
    real, imaginary = (part[0] for part in listening.heard)
    # In every bin of every frame: Re(W* C) is zero, and the residual is there.
    correlation = real[:1] * real[1:] + imaginary[:1] * imaginary[1:]
    power = real**2 + imaginary**2
    assert (correlation.abs() <= 1e-6 * power[:1]).all()
    size = 1.2 * torch.sigmoid(torch.tensor(3.0 - 3.0))
    torch.testing.assert_close(power[1:].sum(), 3 * size**2 * power[0].sum())
    # And so the sound has no direction: its intensity is nothing beside its power.
    intensity = (field[:1] * field[1:]).sum(-1) / (field[0] ** 2).sum()
    assert intensity.abs().max() < 3e-3
    assert ((field[1:] ** 2).sum(-1) / (field[0] ** 2).sum()).min() > 0.1


def test_the_three_residuals_turn_by_signs_of_their_own() -> None:
    turn = SpectralDecoder(CONFIG).turn
    assert turn.shape == (3, 1, Spectrum(CONFIG.hop).bins)
    assert torch.equal(turn.abs(), torch.ones_like(turn))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert float((turn[first] * turn[second]).mean().abs()) < 0.1


def test_finding_a_phase_keeps_unit_phasors(decoder: SpectralDecoder) -> None:
    z = torch.randn(1, CONFIG.channels, 3)
    with torch.no_grad():
        magnitude = torch.exp(decoder.decode_spectrum(z).log_magnitude)
        real, imaginary = decoder.find_phase(magnitude, z)
    torch.testing.assert_close(real**2 + imaginary**2, torch.ones_like(real), atol=1e-4, rtol=0)


def test_iterations_bring_the_sound_nearer_to_its_magnitude() -> None:
    """Spectral convergence: what Griffin-Lim is there for."""
    audio = torch.randn(1, 4, 6 * HOP) * 0.1
    target = Spectrum(CONFIG.hop).fast(audio[:, 0]).abs()
    z = torch.randn(1, CONFIG.channels, 6)
    misses = []
    for iterations in (0, 8):
        decoder = SpectralDecoder(
            VAEConfig(content=8, spatial=6, frame_width=24, latent_width=24,
                      phase_iterations=iterations)
        )  # fmt: skip
        with torch.no_grad():
            real, imaginary = decoder.find_phase(target, z)
            sound = decoder.spectrum.inverse(target * real, target * imaginary)
            miss = (decoder.spectrum.fast(sound).abs() - target)[:, 2:-2].norm() / target.norm()
        misses.append(float(miss))
    assert misses[1] < 0.6 * misses[0]


# Chunks


def test_the_context_covers_what_the_decoder_sees(decoder: SpectralDecoder) -> None:
    """A latent that is not a number spoils exactly the samples that depend on it."""
    frames, spoiled = 31, 15
    z = torch.randn(1, CONFIG.channels, frames)
    z[..., spoiled] = math.nan
    with torch.no_grad():
        audio = decoder(z)[0]
    touched = torch.nonzero(audio.isnan().any(dim=0)).flatten()
    before = spoiled - float(touched[0]) / HOP
    after = float(touched[-1] + 1) / HOP - (spoiled + 1)
    assert max(before, after) <= DECODER_CONTEXT
    # As the sum beside DECODER_CONTEXT says: 6 latents, and 26 or 27 spectrum frames.
    assert 9 < before < 10 and 9 < after < 10


def test_chunks_with_context_are_the_whole(decoder: SpectralDecoder) -> None:
    decoder = decoder.double()
    z = torch.randn(1, CONFIG.channels, 45, dtype=torch.float64)

    def decoded(first: int, last: int, context: int) -> Tensor:
        begin, end = max(0, first - context), min(45, last + context)
        sound = decoder(z[..., begin:end])
        return sound[..., (first - begin) * HOP : (last - begin) * HOP]

    with torch.no_grad():
        whole = decoder(z)
        for context, exact in ((DECODER_CONTEXT, True), (4, False)):
            parts = [decoded(i, i + 15, context) for i in (0, 15, 30)]
            difference = float((torch.cat(parts, dim=-1) - whole).abs().max())
            assert (difference < 1e-12) is exact, (context, difference)


def test_the_engine_decodes_a_stream_as_the_whole(decoder: SpectralDecoder) -> None:
    z = np.random.default_rng(0).standard_normal((CONFIG.channels, 50)).astype(np.float32)

    def decode(latents: np.ndarray, before: int = 0, after: int = 0) -> np.ndarray:
        with torch.no_grad():
            sound = decoder(torch.from_numpy(latents)).numpy()
        return sound[..., before * HOP : sound.shape[-1] - after * HOP]

    chunked = ChunkedDecoder(decode, DECODER_CONTEXT, 8)
    blocks = [*chunked.push(z[:, :23]), *chunked.push(z[:, 23:]), *chunked.finish()]
    assert len(blocks) > 3
    whole = decode(z[None])[0]
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole, atol=1e-4 * whole.std())


# The scale of latents


def test_latent_statistics_change_the_latents_and_not_what_they_mean() -> None:
    vae = SpectralVAE(CONFIG).eval()
    audio = 0.1 * torch.randn(2, 4, 5 * HOP)
    shift, size = torch.randn(CONFIG.channels), torch.rand(CONFIG.channels) + 0.5
    with torch.no_grad():
        mean, std = vae.encoder(audio)
        before = vae.decoder.decode_spectrum(mean)
        vae.set_latent_statistics(shift, size)
        scaled_mean, scaled_std = vae.encoder(audio)
        after = vae.decoder.decode_spectrum(scaled_mean)
    torch.testing.assert_close(scaled_mean, (mean - shift[:, None]) / size[:, None])
    torch.testing.assert_close(scaled_std, std / size[:, None])
    for name in before._fields:
        torch.testing.assert_close(
            getattr(after, name), getattr(before, name), atol=1e-5, rtol=1e-4
        )


def test_latent_statistics_travel_with_the_weights() -> None:
    vae, other = SpectralVAE(CONFIG), SpectralVAE(CONFIG)
    vae.set_latent_statistics(torch.randn(CONFIG.channels), torch.rand(CONFIG.channels) + 0.5)
    other.load_state_dict(vae.state_dict())
    for part in (other.encoder, other.decoder):
        assert torch.equal(part.latent_mean, vae.encoder.latent_mean)
        assert torch.equal(part.latent_std, vae.encoder.latent_std)


def test_values_per_latent_are_spread_linearly_over_its_frames() -> None:
    """A ramp over latents stays a ramp over frames, away from the ends."""
    decoder = SpectralDecoder(CONFIG)
    frames = decoder._per_frame(torch.arange(6.0).expand(1, 1, 6))[0, 0]
    assert frames.shape == (48,)
    centres = (torch.arange(48) + 0.5) / 8 - 0.5
    torch.testing.assert_close(frames, centres.clamp(0, 5))
