"""Onsets of a sound in blocks are those of the whole; bursts are found where they begin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.foa.onsets import OnsetFinder, sound_onsets

RATE = 16000


def bursts(moments: list[float], seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    sound = 1e-4 * rng.standard_normal(round(seconds * RATE))
    for moment in moments:
        start = round(moment * RATE)
        part = sound[start : start + RATE // 5]
        part += rng.standard_normal(part.size) * np.exp(-np.arange(part.size) / (0.05 * RATE))
    return sound


@settings(deadline=None, max_examples=20)
@given(sizes=st.lists(st.integers(0, 9000), max_size=8))
def test_blocks_of_any_length_give_the_same_onsets(sizes: list[int]) -> None:
    sound = bursts([0.5, 1.2], 2.0)
    finder = OnsetFinder(RATE)
    at = 0
    for size in [*sizes, sound.size]:
        finder.push(sound[at : at + size])
        at += size
    np.testing.assert_array_equal(finder.finish(), sound_onsets(sound, RATE))


def test_long_sounds_are_looked_at_in_parts() -> None:
    """30 s are three thousand frames, more than are looked at together."""
    moments = [0.5, 10.24, 10.6, 20.5, 29.5]
    np.testing.assert_allclose(sound_onsets(bursts(moments, 30.0), RATE), moments, atol=0.03)


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161, 800])
def test_silence_and_next_to_nothing_have_none(samples: int) -> None:
    assert sound_onsets(np.zeros(samples), RATE).size == 0
