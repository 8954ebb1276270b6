"""Features: the contract's frames, in one pass, each looked at once, kept only while needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine import features as module
from omniaudio_studio.engine.features import BATCH, stream_features, window_times
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.panorama.views import normalise
from tests.support.small_clip import make_small_clip

Array = np.ndarray
LONG = [window_times(s / 12.5, 24 / 12.5, 8.0) for s in (0, 20, 40, 60, 64)]


class Vision:
    """Mean and spread of each colour; counts what it is shown."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, graph: str, frames: Array) -> Array:
        assert graph == "vision"
        self.sizes.append(len(frames))
        return np.concatenate([frames.mean(axis=(2, 3)), frames.std(axis=(2, 3))], axis=1)


def naive(info: ClipInfo, times: Array, bundle: Bundle) -> dict[str, Array]:
    """A window's features with nothing shared and nothing streamed."""
    views = [view.view for view in bundle.manifest.views]
    pictures = list(iter_views(info, times, views))
    vision = Vision()
    return {
        view.name: vision("vision", normalise(np.stack([p[view.name] for p in pictures]), view))
        for view in views
    }


@pytest.mark.parametrize("rate", [8.0, 3.3, 12.5])
def test_equal_to_each_window_on_its_own(bundle: Bundle, clip: ClipInfo, rate: float) -> None:
    windows = [window_times(s / 12.5, 24 / 12.5, rate) for s in (0, 20, 40, 60, 64)]
    results = list(stream_features(clip, windows, bundle.manifest.views, Vision()))
    assert len(results) == len(windows)
    for times, result in zip(windows, results, strict=True):
        expected = naive(clip, times, bundle)
        assert set(result) == {"equirect", "front"}
        for name, value in result.items():
            assert len(value) == len(times)
            np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_the_clip_is_decoded_once(
    bundle: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Array] = []

    def counted(info: ClipInfo, times: Array, *args: Any, **kwargs: Any) -> Iterator[Any]:
        calls.append(times)
        return iter_views(info, times, *args, **kwargs)

    monkeypatch.setattr(module, "iter_views", counted)
    list(stream_features(clip, LONG, bundle.manifest.views, Vision()))
    assert len(calls) == 1
    assert (np.diff(calls[0]) > 0).all()


def test_a_picture_is_looked_at_once_in_batches_of_one_size(bundle: Bundle, tmp_path: Path) -> None:
    """Two frames a second under eight features a second: each picture serves four of them."""
    info = probe(make_small_clip(tmp_path / "slow.mp4", seconds=6.0, fps=2.0, sound=False))
    vision = Vision()
    windows = [window_times(0.0, 6.0, 8.0)]
    (result,) = stream_features(info, windows, bundle.manifest.views, vision)
    assert len(result["equirect"]) == 48
    assert set(vision.sizes) == {BATCH}
    assert len(vision.sizes) == 2 * -(-12 // BATCH)
    np.testing.assert_array_equal(result["equirect"][0], result["equirect"][3])
    assert np.abs(result["equirect"][3] - result["equirect"][4]).max() > 0


def test_progress_counts_every_frame(bundle: Bundle, clip: ClipInfo) -> None:
    counts: list[int] = []
    list(stream_features(clip, LONG, bundle.manifest.views, Vision(), advance=counts.append))
    ticks = np.unique(np.round(np.concatenate(LONG) * 1e6))
    assert sum(counts) == len(ticks)


def test_limits_repeat_a_shots_last_frame() -> None:
    times = window_times(1.0, 1.0, 8.0, limit=1.4)
    np.testing.assert_allclose(times[:4], [1.0, 1.125, 1.25, 1.375])
    np.testing.assert_allclose(times[4:], 1.4)
    np.testing.assert_array_equal(window_times(1.0, 0.5, 8.0, limit=0.9), 1.0)
