"""Recordings put where sources say: stems out of their files, the rest spread, W untouched."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.delivery.directed import DirectedField
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.spatialize_request import DirectedSource
from omniaudio_studio.media.wav import write_wav

RATE = 16_000


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    sound = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return sound.astype(np.float32)


def field(
    sources: Sequence[DirectedSource],
    sound: np.ndarray,
    side: np.ndarray | None = None,
    *,
    width: float = 0.0,
    seed: int = 0,
    first: int = 0,
    blocks: Sequence[int] = (),
) -> np.ndarray:
    """All of it, pushed in pieces that end at ``blocks``."""
    edges = [0, *blocks, sound.size]
    with DirectedField(sources, RATE, width=width, seed=seed, first=first) as encoder:
        parts = [
            encoder.push(sound[a:b], None if side is None else side[a:b])
            for a, b in pairwise(edges)
        ]
        parts.append(encoder.finish())
    return np.concatenate(parts, axis=1)


LEFT = DirectedSource("left", ((0.0, 90.0, 0.0, 1.0),))
HALF = DirectedSource("half", ((0.0, 90.0, 0.0, 0.5),))


def test_a_source_that_takes_all_is_a_plane_wave() -> None:
    """Whatever the width: nothing is left to be spread."""
    sound = noise(0)
    wanted = encode_plane_wave(sound, np.pi / 2, 0.0)
    for width in (0.0, 1.0):
        np.testing.assert_array_equal(field([LEFT], sound, width=width), wanted)


@pytest.mark.parametrize("width", [0.0, 0.3, 1.0])
def test_w_is_the_recording_bit_for_bit_in_any_blocks(width: float) -> None:
    sound, side = noise(0), noise(1)
    whole = field([HALF], sound, side, width=width, first=7)
    assert whole.shape == (4, sound.size)
    assert whole[0].tobytes() == sound.tobytes()
    parts = field([HALF], sound, side, width=width, first=7, blocks=(1, 2, 5000, 29_999))
    assert parts[0].tobytes() == sound.tobytes()
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_what_no_source_takes_is_spread() -> None:
    """Half of the pressure, by the width: about a third of its power in each of Z and X."""
    sound = noise(0, 4.0)
    whole = field([HALF], sound, width=1.0)
    np.testing.assert_array_equal(field([HALF], sound), 0.5 * field([LEFT], sound) + (
        0.5 * np.stack([sound, 0 * sound, 0 * sound, 0 * sound])
    ))  # fmt: skip
    power = np.mean(np.square(whole[2:]), axis=1) / np.mean(np.square(0.5 * sound))
    np.testing.assert_allclose(power, 1 / 3, rtol=0.25)
    narrow = field([HALF], sound, width=0.5)
    np.testing.assert_allclose(narrow[2:], 0.5 * whole[2:], atol=1e-6)
    assert np.abs(field([HALF], sound, width=1.0, seed=1)[2:] - whole[2:]).max() > 0.01


def test_a_stereo_recording_keeps_its_sides_where_no_source_takes_them() -> None:
    sound, side = noise(0), noise(1)
    with_side = field([HALF], sound, side, width=1.0)
    ambience = with_side[1] - 0.5 * sound
    np.testing.assert_allclose(ambience, 0.5 * side, atol=2e-5)
    np.testing.assert_array_equal(field([LEFT], sound, side, width=1.0)[1], sound)


def test_stems_are_put_where_they_are_and_the_rest_is_spread(tmp_path: Path) -> None:
    """From their files at their times; what they make of the recording is not spread too."""
    stem = noise(1, 0.5)
    write_wav(tmp_path / "stem.wav", stem, RATE)
    source = DirectedSource("stem", ((0.0, 0.0, 90.0, 1.0),), tmp_path / "stem.wav", 0.75)
    others = noise(0)
    sound = others.copy()
    begin = round(0.75 * RATE)
    sound[begin : begin + stem.size] += stem
    alone = np.zeros_like(sound)
    alone[begin : begin + stem.size] = stem
    dry = field([source], sound)
    np.testing.assert_allclose(dry[2], alone, atol=1e-7)
    np.testing.assert_allclose(dry[[1, 3]], 0.0, atol=1e-7)
    assert dry[0].tobytes() == sound.tobytes()
    wet = field([source], sound, width=1.0, blocks=(9999,))
    spread = field([DirectedSource("none", ((0.0, 0.0, 0.0, 0.0),))], others, width=1.0)
    np.testing.assert_allclose(wet[1:], dry[1:] + spread[1:], atol=1e-5)


def test_a_part_of_the_time_line(tmp_path: Path) -> None:
    """Tracks and stems count from the clip's first frame, wherever the recording begins."""
    write_wav(tmp_path / "stem.wav", noise(1, 0.5), RATE)
    sources = [
        DirectedSource("path", ((0.5, 90.0, 0.0, 1.0), (1.5, -90.0, 0.0, 0.25))),
        DirectedSource("stem", ((0.0, 0.0, 90.0, 1.0),), tmp_path / "stem.wav", -0.125),
    ]
    sound, first = noise(0), 3000
    whole = field(sources, sound)
    part = field(sources, sound[first:], first=first)
    assert part.tobytes() == np.ascontiguousarray(whole[:, first:]).tobytes()
