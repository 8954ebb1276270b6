"""Graphs loaded when they are needed, and one at a time where memory is short."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine import graphs as graphs_module
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.graphs import ROOM_BYTES, Graphs
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.media.probe import ClipInfo


def test_one_at_a_time_is_the_same_sound_to_the_bit(bundle: Bundle, clip: ClipInfo) -> None:
    sounds = []
    for low_memory in (False, True):
        settings = GenerationSettings(
            takes=2, seed=3, segments=(Segment(0.7, cfg=1.0, seed=9),), low_memory=low_memory
        )
        blocks: list[list[np.ndarray]] = [[], []]
        generator = Generator(bundle, "cpu")
        result = generator.generate(clip, settings, [block.append for block in blocks])
        assert result.low_memory == low_memory
        assert result.windows >= 2
        sounds.append([np.concatenate(block, axis=1) for block in blocks])
    for plain, staged in zip(*sounds, strict=True):
        np.testing.assert_array_equal(plain, staged)


def test_one_at_a_time_holds_one_graph_and_loads_each_once(
    bundle: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    held: list[int] = []

    class Watched(Session):
        def __init__(self, path, *args, **options) -> None:
            loaded.append(path.stem)
            held.append(len(generator._graphs.loaded))
            super().__init__(path, *args, **options)

    monkeypatch.setattr(graphs_module, "Session", Watched)
    generator = Generator(bundle, "cpu")
    generator.generate(clip, GenerationSettings(low_memory=True), [lambda block: None])
    assert set(held) == {0}  # nothing else is in memory while one is loaded
    assert loaded == ["vision", "conditioner", "dit", "vae_decoder"]


def test_a_device_that_is_too_small_is_noticed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = Graphs(bundle, choose_provider("cpu"))
    manifest = bundle.manifest
    names = ("vision", "conditioner", "dit", "vae_decoder")
    needed = sum(manifest.files[manifest.graphs[name]].bytes for name in names)
    assert graphs.needed_bytes() == needed
    for free, small in (
        (None, False),
        (needed + ROOM_BYTES, False),
        (needed + ROOM_BYTES - 1, True),
    ):
        monkeypatch.setattr(graphs_module, "free_bytes", lambda device, free=free: free)
        assert graphs.too_large() is small
