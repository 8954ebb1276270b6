"""Shots are joined to the sample, and fades keep the level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.engine.joining import Joiner, crossfade

Array = np.ndarray


def joined(shots: list[tuple[Array, int, int]], block: int) -> Array:
    blocks: list[Array] = []
    joiner = Joiner(blocks.append)
    for sound, samples, tail in shots:
        joiner.begin(samples, tail)
        for at in range(0, sound.shape[1], block):
            joiner.write(sound[:, at : at + block])
        joiner.finish()
    return np.concatenate(blocks, axis=1)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    fade=st.integers(0, 20),
    block=st.integers(1, 50),
    extra=st.integers(0, 30),
)
def test_every_sample_is_there_once(lengths: list[int], fade: int, block: int, extra: int) -> None:
    """The joined stream of ramps of absolute time is that ramp: equal sounds fade to themselves."""
    shots = []
    at = 0
    for index, length in enumerate(lengths):
        after = lengths[index + 1] if index + 1 < len(lengths) else 0
        tail = min(fade, after)
        ramp = np.arange(at, at + length + tail + extra, dtype=np.float32) + 1
        shots.append((np.tile(ramp, (4, 1)), length, tail))
        at += length
    result = joined(shots, block)
    assert result.shape == (4, sum(lengths))
    np.testing.assert_allclose(result[0], np.arange(sum(lengths)) + 1, rtol=1e-4)


def test_the_cut_is_where_the_new_sound_begins() -> None:
    old = np.full((4, 130), 1.0, dtype=np.float32)
    new = np.full((4, 100), -1.0, dtype=np.float32)
    result = joined([(old, 100, 30), (new, 100, 0)], 17)
    np.testing.assert_array_equal(result[:, :100], 1.0)
    np.testing.assert_array_equal(result[:, 130:], -1.0)
    assert (np.diff(result[0, 99:131]) <= 1e-6).all()


@pytest.mark.parametrize("related", [0.0, 0.5, 1.0])
def test_fades_keep_the_level(related: float) -> None:
    rng = np.random.default_rng(0)
    count = 48_000
    common, one, two = rng.standard_normal((3, 4, count)).astype(np.float32)
    old = np.float32(related**0.5) * common + np.float32((1 - related) ** 0.5) * one
    new = np.float32(related**0.5) * common + np.float32((1 - related) ** 0.5) * two
    mixed = crossfade(old, new)
    levels = [10 * np.log10(np.mean(part**2)) for part in np.split(mixed, 10, axis=1)]
    assert np.ptp(levels) < 0.5


def test_fades_keep_directions() -> None:
    """One gain for all channels: a fade between two sounds from one direction stays there."""
    rng = np.random.default_rng(0)
    gains = np.array([[1.0], [0.5], [0.1], [0.85]], dtype=np.float32)
    old, new = rng.standard_normal((2, 1, 1000)).astype(np.float32)
    mixed = crossfade(old * gains, new * gains)
    np.testing.assert_allclose(mixed, mixed[:1] * gains, atol=1e-6)


def test_silence_and_opposites() -> None:
    zero = np.zeros((4, 10), dtype=np.float32)
    np.testing.assert_array_equal(crossfade(zero, zero), 0)
    one = np.ones((4, 10), dtype=np.float32)
    assert np.abs(crossfade(one, -one)).max() <= 1.0
    assert np.isfinite(crossfade(one, zero)).all()
