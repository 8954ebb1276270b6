"""Ten streams by their volumes are the renderer's sound, for every orientation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from omniaudio_studio.foa.binaural import BinauralRenderer, default_filters, head_rotation
from omniaudio_studio.foa.head_streams import STREAMS, HeadStreams

AXES = "XYZ"


def volumes(orientation: np.ndarray) -> np.ndarray:
    """As the module's description says it."""
    return np.array(
        [
            1.0 if head == "W" else orientation[AXES.index(field), AXES.index(head)]
            for head, field in STREAMS
        ]
    )


def rendered(foa: np.ndarray, rate: int, orientation: np.ndarray) -> np.ndarray:
    """What the renderer gives for a head that rests."""
    renderer = BinauralRenderer(default_filters(rate), foa.shape[1])
    ears = np.empty((2, foa.shape[1]), np.float32)
    renderer.process(foa, ears, orientation)
    return ears


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((4, samples)).astype(np.float32)


def test_each_product_once() -> None:
    assert len(set(STREAMS)) == len(STREAMS) == 10
    assert STREAMS[0] == ("W", "W")
    assert {head + field for head, field in STREAMS[1:]} == {a + b for a in "YZX" for b in "YZX"}


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_they_add_up_to_the_renderer(rate: int) -> None:
    foa = noise(9_000)
    streams = HeadStreams(default_filters(rate)).process(foa)
    random = np.random.default_rng(1)
    for angles in [(0.0, 0.0, 0.0), (np.pi / 2, 0.0, 0.0), *random.uniform(-3, 3, (5, 3))]:
        orientation = head_rotation(*angles)
        expected = rendered(foa, rate, orientation)
        found = np.tensordot(volumes(orientation), streams, 1)
        assert np.abs(found - expected).max() < 2e-6 * np.abs(expected).max()


def test_blocks_of_any_size_are_one_sound() -> None:
    foa = noise(80_000)
    whole = HeadStreams(default_filters()).process(foa)
    streaming = HeadStreams(default_filters())
    edges = [0, 1, 2, 300, 300, 41_000, 41_001, 80_000]
    parts = [streaming.process(foa[:, a:b]) for a, b in pairwise(edges)]
    assert np.abs(np.concatenate(parts, axis=2) - whole).max() < 1e-5


def test_the_bounds_hold_and_are_reached() -> None:
    taps = default_filters().taps
    streaming = HeadStreams(default_filters())
    # The signs of a filter, backwards, bring out its largest gain at its last tap.
    foa = np.zeros((4, taps.shape[2]), np.float32)
    for channel in range(4):
        foa[channel] = np.sign(taps[0, channel, ::-1])
    peaks = np.abs(streaming.process(foa)).max(axis=(1, 2))
    assert (peaks <= streaming.bounds * 1.00001).all()
    own = [number for number, (head, field) in enumerate(STREAMS) if head == field]
    assert peaks[own] == pytest.approx(streaming.bounds[own], rel=1e-5)
