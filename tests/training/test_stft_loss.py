"""The STFT loss is what its equations say, and silence does not break it."""

from __future__ import annotations

import math

import pytest
import torch

from omniaudio_studio.training.stft_loss import STFTLoss, a_weighting


def test_the_a_curve_is_that_of_the_standard() -> None:
    # IEC 61672-1, table 3; at exact thirds of octaves (31.5 Hz is 31.62 Hz).
    frequencies = 10 ** torch.tensor([1.5, 2.0, 3.0, 3.3, 4.0])
    found = 20 * torch.log10(a_weighting(frequencies))
    torch.testing.assert_close(
        found, torch.tensor([-39.4, -19.1, 0.0, 1.2, -2.5]), atol=0.06, rtol=0
    )
    assert a_weighting(torch.zeros(1)) == 0


def test_twice_as_loud_is_one_and_the_logarithm_of_two() -> None:
    loss = STFTLoss(8000, (256, 64))
    sound = torch.randn(2, 4, 2000)
    # |2S - S| / |S| = 1 and log 2, but for the bin at 0 Hz, which is weighted with nothing.
    audible = (128 / 129 + 32 / 33) / 2
    assert loss(2 * sound, sound).item() == pytest.approx(1 + audible * math.log(2), rel=1e-3)
    assert loss(sound, sound).item() == pytest.approx(0, abs=1e-6)


def test_each_channel_weighs_a_quarter() -> None:
    loss = STFTLoss(8000, (256,))
    sound = torch.randn(1, 4, 2000)
    for channel in range(4):
        louder = sound.clone()
        louder[:, channel] *= 2
        expected = (1 + 128 / 129 * math.log(2)) / 4
        assert loss(louder, sound).item() == pytest.approx(expected, rel=1e-3)


def test_a_batch_is_the_mean_of_its_samples() -> None:
    loss = STFTLoss(8000, (256, 64))
    made, real = torch.randn(2, 3, 4, 1000)
    apart = torch.stack([loss(made[i : i + 1], real[i : i + 1]) for i in range(3)]).mean()
    torch.testing.assert_close(loss(made, real), apart)


@pytest.mark.parametrize("level", [0.0, 1e-7, 1.0])
def test_silent_channels_give_finite_gradients(level: float) -> None:
    loss = STFTLoss(8000, (256, 64))
    real = torch.randn(1, 4, 1000)
    real[:, 2] = 0
    made = (level * torch.randn(1, 4, 1000)).requires_grad_(True)
    value = loss(made, real)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(made.grad).all()
    assert (made.grad[:, 2].abs().max() > 0) == (level == 1.0)
    silent = loss(torch.zeros(1, 4, 1000, requires_grad=True), torch.zeros(1, 4, 1000))
    silent.backward()
    assert silent.item() < 0.01
