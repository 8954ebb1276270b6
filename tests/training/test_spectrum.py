"""The transform against the library's own, and what its matrices must add up to."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from omniaudio_studio.training.networks.spectrum import (
    Spectrum,
    band_interpolation,
    band_matrix,
    mel_matrix,
)
from omniaudio_studio.training.networks.vae import BAND_EDGES

HOP = 480
RATE = 48000


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    return Spectrum(HOP)


@pytest.mark.parametrize("hop", [2, 6, 48, 480])
def test_the_inverse_undoes_the_transform_but_in_the_outer_hops(hop: int) -> None:
    spectrum = Spectrum(hop).double()
    audio = noise(2, 4, 9 * hop)
    back = spectrum.inverse(*spectrum(audio))
    assert back.shape == audio.shape
    inner = slice(hop, -hop)
    # Sines and cosines are held in 32 bits.
    torch.testing.assert_close(back[..., inner], audio[..., inner], atol=2e-6, rtol=0)
    assert not torch.allclose(back[..., :hop], audio[..., :hop], atol=1e-2)


def test_the_inverse_is_linear(spectrum: Spectrum) -> None:
    first, second = torch.randn(2, 2, 5, spectrum.bins)
    together = spectrum.inverse(first[0] + 3 * second[0], first[1] + 3 * second[1])
    apart = spectrum.inverse(*first) + 3 * spectrum.inverse(*second)
    torch.testing.assert_close(together, apart, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize("hop", [2, 6, 480])
def test_the_matrices_are_a_fourier_transform(hop: int) -> None:
    spectrum = Spectrum(hop)
    audio = torch.randn(3, 7 * hop)
    real, imaginary = spectrum(audio)
    fast = spectrum.fast(audio)
    assert real.shape == imaginary.shape == fast.shape == (3, 7, 3 * hop // 2 + 1)
    torch.testing.assert_close(torch.complex(real, imaginary), fast, atol=5e-6, rtol=1e-5)


def test_a_frame_is_a_windowed_fourier_transform_of_three_hops(spectrum: Spectrum) -> None:
    # Written out by the definition, with numpy.
    audio = np.random.default_rng(0).standard_normal(6 * HOP)
    n = np.arange(3 * HOP)
    window = np.sin(np.pi * n / (3 * HOP)) ** 2
    expected = np.fft.rfft(audio[1 * HOP : 4 * HOP] * window) * 4 / (3 * HOP)
    found = spectrum.fast(torch.from_numpy(audio).float())[2].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("bin_", [2, 30, 200, 718])
@pytest.mark.parametrize("phase", [0.0, 1.0])
def test_a_sine_of_amplitude_one_has_magnitude_one(
    spectrum: Spectrum, bin_: int, phase: float
) -> None:
    t = torch.arange(8 * HOP, dtype=torch.float64)
    sine = torch.sin(2 * math.pi * bin_ * t / spectrum.size + phase).float()
    magnitude = spectrum.fast(sine).abs()[1:-1]
    torch.testing.assert_close(magnitude[:, bin_], torch.ones(6), atol=1e-4, rtol=0)
    # The Hann window gives each neighbour one half, and nothing to bins beyond.
    torch.testing.assert_close(magnitude[:, bin_ - 1], torch.full((6,), 0.5), atol=1e-4, rtol=0)
    assert magnitude[:, bin_ + 2 :].max() < 1e-4


def test_silence_has_no_spectrum(spectrum: Spectrum) -> None:
    real, imaginary = spectrum(torch.zeros(3 * HOP))
    assert not real.any() and not imaginary.any()


def test_every_bin_belongs_to_one_band(spectrum: Spectrum) -> None:
    bands = band_matrix(BAND_EDGES, spectrum.bins, RATE)
    assert bands.shape == (spectrum.bins, len(BAND_EDGES) - 1)
    assert torch.equal(bands.sum(dim=1), torch.ones(spectrum.bins))
    width = RATE / 2 / (spectrum.bins - 1)
    for index, (low, high) in enumerate(itertools.pairwise(BAND_EDGES)):
        frequencies = torch.nonzero(bands[:, index]).flatten() * width
        assert low <= float(frequencies.min()) and float(frequencies.max()) < high
    # The highest bin counts too: the last edge lies just above half the sample rate.
    assert bands[-1, -1] == 1


def test_band_interpolation_is_a_partition_of_unity(spectrum: Spectrum) -> None:
    matrix = band_interpolation(BAND_EDGES, spectrum.bins, RATE)
    assert matrix.shape == (len(BAND_EDGES) - 1, spectrum.bins)
    assert matrix.min() >= 0
    torch.testing.assert_close(matrix.sum(dim=0), torch.ones(spectrum.bins))
    assert int((matrix > 0).sum(dim=0).max()) == 2


def test_band_interpolation_is_linear_between_centres_and_held_beyond(spectrum: Spectrum) -> None:
    matrix = band_interpolation(BAND_EDGES, spectrum.bins, RATE)
    edges = np.array(BAND_EDGES)
    centres = (edges[:-1] + edges[1:]) / 2
    values = np.random.default_rng(1).standard_normal(len(centres))
    frequency = np.arange(spectrum.bins) * RATE / 2 / (spectrum.bins - 1)
    found = values @ matrix.numpy()
    np.testing.assert_allclose(found, np.interp(frequency, centres, values), atol=1e-5)


@pytest.mark.parametrize("bands", [20, 96])
def test_mel_filters_sum_to_one_and_climb(spectrum: Spectrum, bands: int) -> None:
    mel = mel_matrix(bands, spectrum.bins, RATE)
    assert mel.shape == (spectrum.bins, bands) and mel.min() >= 0
    torch.testing.assert_close(mel.sum(dim=0), torch.ones(bands))
    frequency = torch.arange(spectrum.bins) * (RATE / 2 / (spectrum.bins - 1))
    middle = frequency @ mel
    assert (middle.diff() >= 0).all()
    # The centre of a filter is where the mel scale puts it, to within a bin and a triangle's skew.
    corners = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), bands + 2) / 2595))
    expected = corners[1:-1] - 700
    width = (corners[2:] - corners[:-2]) / 2
    assert (np.abs(middle.numpy() - expected) <= 0.2 * width + 34).all()
