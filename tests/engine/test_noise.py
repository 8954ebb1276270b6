"""Noise depends on seed and absolute frame alone, and never changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.engine.noise import initial_noise, take_seed

MASK = 2**64 - 1


def philox_words(key: tuple[int, int], count: int) -> list[int]:
    """Philox-4x64-10 as Salmon et al. define it, in Python integers; counter from 1 as NumPy's."""
    words: list[int] = []
    block = 0
    while len(words) < count:
        block += 1
        counter = [block, 0, 0, 0]
        k0, k1 = key
        for _ in range(10):
            p0 = 0xD2E7470EE14C6C93 * counter[0]
            p1 = 0xCA5A826395121157 * counter[2]
            counter = [
                (p1 >> 64) ^ counter[1] ^ k0,
                p1 & MASK,
                (p0 >> 64) ^ counter[3] ^ k1,
                p0 & MASK,
            ]
            k0 = (k0 + 0x9E3779B97F4A7C15) & MASK
            k1 = (k1 + 0xBB67AE8584CAA73B) & MASK
        words += counter
    return words[:count]


@pytest.mark.parametrize(("seed", "frame"), [(0, 0), (7, 3), (2**64 - 1, 10**6)])
def test_against_the_algorithms_in_plain_python(seed: int, frame: int) -> None:
    channels = 6
    words = philox_words((seed, frame), channels)
    uniform = [((word >> 11) + 0.5) / 2**53 for word in words]
    expected = []
    for first, second in zip(uniform[:3], uniform[3:], strict=True):
        radius = math.sqrt(-2 * math.log(first))
        expected += [
            radius * math.cos(2 * math.pi * second),
            radius * math.sin(2 * math.pi * second),
        ]
    np.testing.assert_allclose(
        initial_noise(seed, frame, 1, channels)[:, 0], expected, rtol=1e-6, atol=1e-7
    )


def test_golden_numbers() -> None:
    """Written down once: a change of these changes every sound anybody has made."""
    np.testing.assert_allclose(initial_noise(0, 0, 2, 4), GOLDEN_0, rtol=1e-6)
    np.testing.assert_allclose(initial_noise(1234567890123, 500, 2, 4), GOLDEN_1, rtol=1e-6)


GOLDEN_0 = [
    [2.2844414710998535, -0.303813099861145],
    [1.9245853424072266, -0.5664584040641785],
    [-1.5494507551193237, -0.7519386410713196],
    [-0.6637518405914307, 0.0800321027636528],
]
GOLDEN_1 = [
    [0.3699474334716797, 0.44552087783813477],
    [0.23693421483039856, -1.0147212743759155],
    [-0.25983569025993347, 0.9955186247825623],
    [0.8517441749572754, 1.3357598781585693],
]


@given(
    seed=st.integers(0, MASK),
    first=st.integers(0, 10**7),
    frames=st.integers(1, 20),
    channels=st.integers(1, 9),
    skip=st.integers(0, 19),
)
def test_a_window_sees_its_part_of_the_same_noise(
    seed: int, first: int, frames: int, channels: int, skip: int
) -> None:
    whole = initial_noise(seed, first, frames, channels)
    assert whole.shape == (channels, frames)
    assert whole.dtype == np.float32
    part = initial_noise(seed, first + skip, max(0, frames - skip), channels)
    np.testing.assert_array_equal(part, whole[:, skip:])


def test_normal_and_uncorrelated() -> None:
    noise = initial_noise(42, 0, 2000, 16)
    assert np.isfinite(noise).all()
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert abs(np.mean(noise**4) - 3) < 0.15
    across = np.corrcoef(noise) - np.eye(16)
    assert np.abs(across).max() < 0.1
    along = np.mean(noise[:, 1:] * noise[:, :-1])
    assert abs(along) < 0.02
    other = initial_noise(43, 0, 2000, 16)
    assert abs(np.mean(noise * other)) < 0.02


def test_seeds_beyond_64_bits_go_around() -> None:
    np.testing.assert_array_equal(initial_noise(2**64 + 5, 0, 3, 4), initial_noise(5, 0, 3, 4))
    np.testing.assert_array_equal(initial_noise(-1, 0, 3, 4), initial_noise(MASK, 0, 3, 4))
    assert take_seed(MASK, 1) == 0
    assert take_seed(10, 3) == 13


def test_nothing_asked_nothing_given() -> None:
    assert initial_noise(0, 0, 0, 4).shape == (4, 0)
