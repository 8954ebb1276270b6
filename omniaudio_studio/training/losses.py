"""What the trainers minimise. Each function returns a scalar tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from omniaudio_studio.training.networks.vae import FLOOR, DecodedSpectrum


def kl_divergence(mean: Tensor, std: Tensor) -> Tensor:
    """Mean over all latents of KL(N(mean, std^2) || N(0, 1)), in nats."""
    return 0.5 * (mean**2 + std**2 - 1 - 2 * torch.log(std)).mean()


def magnitude_loss(
    decoded: DecodedSpectrum, real: Tensor, imaginary: Tensor, mel: Tensor
) -> Tensor:
    """L1 between log magnitudes of W, per bin: the fine structure. Spectra are ``[B, 4, F, K]``.

    Bins count as much as they weigh in ``mel`` ``[K, bands]``: half of all lie above 12 kHz.
    """
    target = torch.log(torch.sqrt(real[:, 0] ** 2 + imaginary[:, 0] ** 2 + 1e-14) + FLOOR)
    weight = mel.sum(dim=1) / mel.sum()
    return ((decoded.log_magnitude - target).abs() @ weight).mean()


def band_level_loss(
    decoded: DecodedSpectrum, real: Tensor, imaginary: Tensor, mel: Tensor
) -> Tensor:
    """L1 between log powers of W in mel bands, averaged over 1, 4 and 20 frames.

    The per-bin loss settles on the median of a noise, which lies below its power, and smooths what
    is short and loud; power summed over longer stretches keeps the level of both. ``mel`` is
    ``[K, bands]``.
    """
    power = (real[:, 0] ** 2 + imaginary[:, 0] ** 2) @ mel
    predicted = (torch.exp(decoded.log_magnitude.clamp(max=3.0)) - FLOOR).clamp(min=0) ** 2 @ mel
    total = power.new_zeros(())
    for frames in (1, 4, 20):
        whole = power.shape[1] // frames * frames
        if whole == 0:
            continue

        def level(x: Tensor, frames: int = frames, whole: int = whole) -> Tensor:
            return torch.log(x[:, :whole].unflatten(1, (-1, frames)).mean(2) + FLOOR**2)

        total = total + 0.5 * (level(predicted) - level(power)).abs().mean()
    return total


def direction_loss(
    decoded: DecodedSpectrum, real: Tensor, imaginary: Tensor, bands: Tensor
) -> tuple[Tensor, Tensor]:
    """How far Y, Z, X are from gains times W, and how far the residual's size is from what is left.

    Errors are relative to the power of W per frame and band (``bands`` is ``[K, bands]``), weighted
    by the fourth root of that power so that loud parts count more without drowning quiet ones.
    """
    w_power = (real[:, :1] ** 2 + imaginary[:, :1] ** 2) @ bands + 1e-9
    cross = (real[:, :1] * real[:, 1:] + imaginary[:, :1] * imaginary[:, 1:]) @ bands
    power = (real[:, 1:] ** 2 + imaginary[:, 1:] ** 2) @ bands
    weight = w_power**0.25
    weight = weight / weight.mean()
    # sum |C - g W|^2 over a band, relative to the power of W there
    left = (power - 2 * decoded.gains * cross) / w_power + decoded.gains**2
    gain_error = (weight * left.clamp(0, 4)).mean()
    size = torch.sqrt(left.detach().clamp(0, 4) + 1e-6)
    return gain_error, (weight * (decoded.residual - size) ** 2).mean()
