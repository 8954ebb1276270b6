"""Losses: zero where they should be, and closed forms elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.distributions import kl_divergence as reference_kl

from omniaudio_studio.training.losses import (
    band_level_loss,
    direction_loss,
    kl_divergence,
    magnitude_loss,
)
from omniaudio_studio.training.networks.spectrum import Spectrum, band_matrix, mel_matrix
from omniaudio_studio.training.networks.vae import BAND_EDGES, FLOOR, DecodedSpectrum

HOP, RATE = 480, 48000
SPECTRUM = Spectrum(HOP)
BANDS = len(BAND_EDGES) - 1
MATRIX = band_matrix(BAND_EDGES, SPECTRUM.bins, RATE)
MEL = mel_matrix(96, SPECTRUM.bins, RATE)


def spectra(field: Tensor) -> tuple[Tensor, Tensor]:
    found = SPECTRUM.fast(field)
    return found.real, found.imag


def said(
    real: Tensor, imaginary: Tensor, gains: Tensor | float = 0.0, residual: float = 1e-3
) -> DecodedSpectrum:
    """What a perfect decoder says of W, with given gains ``[3]`` and residual everywhere."""
    magnitude = torch.sqrt(real[:, 0] ** 2 + imaginary[:, 0] ** 2)
    shape = (len(real), 3, real.shape[2], BANDS)
    every = torch.as_tensor(gains, dtype=real.dtype).reshape(-1, 1, 1)
    return DecodedSpectrum(
        torch.log(magnitude + FLOOR), every.expand(shape), torch.full(shape, residual)
    )


@pytest.fixture
def noise() -> tuple[Tensor, Tensor]:
    return spectra(0.1 * torch.randn(2, 4, 80 * HOP))


def plane_wave() -> tuple[Tensor, Tensor, Tensor]:
    """Spectra of a plane wave, and its gains Y Z X."""
    gains = torch.randn(3)
    gains = gains / gains.norm()
    signal = 0.1 * torch.randn(1, 1, 40 * HOP)
    real, imaginary = spectra(torch.cat([signal, gains[:, None] * signal], dim=1))
    return real, imaginary, gains


def test_magnitude_loss_is_zero_when_right(noise: tuple[Tensor, Tensor]) -> None:
    assert magnitude_loss(said(*noise), *noise, MEL) < 1e-5


def test_magnitude_loss_counts_nepers(noise: tuple[Tensor, Tensor]) -> None:
    right = said(*noise)
    louder = right._replace(log_magnitude=right.log_magnitude + math.log(2))
    assert magnitude_loss(louder, *noise, MEL).item() == pytest.approx(math.log(2), abs=1e-4)


def test_magnitude_loss_counts_low_bins_more(noise: tuple[Tensor, Tensor]) -> None:
    right = said(*noise)
    low, high = right.log_magnitude.clone(), right.log_magnitude.clone()
    low[..., :72] += 1.0
    high[..., -72:] += 1.0
    found = [
        magnitude_loss(right._replace(log_magnitude=wrong), *noise, MEL).item()
        for wrong in (low, high)
    ]
    assert found[0] > 3 * found[1] > 0


def test_band_level_loss_is_zero_when_right(noise: tuple[Tensor, Tensor]) -> None:
    assert band_level_loss(said(*noise), *noise, MEL) < 1e-4


def test_band_level_loss_counts_nepers_over_three_spans(noise: tuple[Tensor, Tensor]) -> None:
    right = said(*noise)
    # Twice the magnitude: half of log 4, once for each of 1, 4 and 20 frames.
    louder = right._replace(log_magnitude=right.log_magnitude + math.log(2))
    found = band_level_loss(louder, *noise, MEL).item()
    assert found == pytest.approx(3 * math.log(2), rel=5e-3)


def test_band_level_loss_hears_the_level_that_a_median_misses(
    noise: tuple[Tensor, Tensor],
) -> None:
    """A flat spectrum at the noise's power is right; at its median magnitude it is too quiet."""
    real, imaginary = noise
    power = (real[:, 0] ** 2 + imaginary[:, 0] ** 2).mean()
    median = torch.sqrt(real[:, 0] ** 2 + imaginary[:, 0] ** 2).median()
    right = said(*noise)
    at_power = right._replace(
        log_magnitude=torch.full_like(right.log_magnitude, power.sqrt().log().item())
    )
    at_median = right._replace(
        log_magnitude=torch.full_like(right.log_magnitude, median.log().item())
    )
    assert band_level_loss(at_power, *noise, MEL) < band_level_loss(at_median, *noise, MEL)


def test_band_level_loss_of_a_short_excerpt_is_a_number() -> None:
    noise = spectra(torch.randn(1, 4, HOP))
    right = said(*noise)
    assert band_level_loss(right, *noise, MEL).item() == pytest.approx(0, abs=1e-4)
    # One frame fills the shortest span only.
    louder = right._replace(log_magnitude=right.log_magnitude + math.log(2))
    assert band_level_loss(louder, *noise, MEL).item() == pytest.approx(math.log(2), rel=5e-3)


def test_direction_loss_is_zero_for_a_plane_wave_and_its_gains() -> None:
    real, imaginary, gains = plane_wave()
    gain, residual = direction_loss(said(real, imaginary, gains), real, imaginary, MATRIX)
    assert gain < 1e-5 and residual < 1e-5


def test_wrong_gains_cost_their_squared_error() -> None:
    real, imaginary, gains = plane_wave()
    error = torch.tensor([0.3, -0.2, 0.1])
    gain, residual = direction_loss(said(real, imaginary, gains + error), real, imaginary, MATRIX)
    assert gain.item() == pytest.approx(float((error**2).mean()), rel=1e-2)
    # What the gains leave is what the residual should have been.
    assert residual.item() == pytest.approx(float((error**2).mean()), rel=2e-2)


def test_the_residual_that_is_left_costs_nothing() -> None:
    real, imaginary, gains = plane_wave()
    field = said(real, imaginary, gains + 0.3, residual=0.3)
    _, residual = direction_loss(field, real, imaginary, MATRIX)
    assert residual < 1e-4


def test_the_best_gain_is_the_least_squares_one() -> None:
    real, imaginary = spectra(0.1 * torch.randn(1, 4, 20 * HOP))
    gains = torch.zeros(1, 3, 20, BANDS, requires_grad=True)
    decoded = said(real, imaginary)._replace(gains=gains)
    weight = (real[:, :1] ** 2 + imaginary[:, :1] ** 2) @ MATRIX
    cross = (real[:, :1] * real[:, 1:] + imaginary[:, :1] * imaginary[:, 1:]) @ MATRIX
    best = decoded._replace(gains=(cross / weight).detach().requires_grad_())
    assert (best.gains.abs() < 1.5).float().mean() > 0.9
    error, _ = direction_loss(best, real, imaginary, MATRIX)
    (slope,) = torch.autograd.grad(error, best.gains)
    assert slope.abs().max() < 1e-6
    assert error < direction_loss(decoded, real, imaginary, MATRIX)[0]


def test_silence_costs_a_number() -> None:
    real, imaginary = spectra(torch.zeros(1, 4, 4 * HOP))
    for loss in direction_loss(said(real, imaginary), real, imaginary, MATRIX):
        assert torch.isfinite(loss)
    assert magnitude_loss(said(real, imaginary), real, imaginary, MEL) < 0.1


def test_kl_is_zero_for_the_standard_normal() -> None:
    assert kl_divergence(torch.zeros(4, 5), torch.ones(4, 5)).item() == 0.0


def test_kl_is_the_library_s() -> None:
    mean, std = torch.randn(3, 8, 5), torch.rand(3, 8, 5) + 0.1
    expected = reference_kl(Normal(mean, std), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, std), expected)


def test_the_velocity_leads_from_noise_to_data() -> None:
    """One Euler step of the right velocity, from t = 1 to t = 0, is the data."""
    from omniaudio_studio.engine.sampler import euler, linear_schedule

    data, noise = torch.randn(2, 1, 4, 5).numpy()

    def velocity(x: object, t: object) -> object:
        return noise - data

    found = euler(velocity, noise, linear_schedule(7))  # type: ignore[arg-type]
    torch.testing.assert_close(torch.from_numpy(found), torch.from_numpy(data), atol=1e-5, rtol=0)
