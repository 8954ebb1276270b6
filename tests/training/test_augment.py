"""Pictures in other light: what may change and what may not."""

from __future__ import annotations

import numpy as np

from omniaudio_studio.training.augment import relit

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 12, 24, 3), dtype=np.uint8)


def test_pictures_stay_pictures_and_differ_from_sample_to_sample() -> None:
    seen = [relit(PICTURES, np.random.default_rng(seed)) for seed in range(20)]
    for each in seen:
        assert each.shape == PICTURES.shape and each.dtype == np.float32
        assert each.min() >= 0 and each.max() <= 1
    means = np.array([each.mean(axis=(0, 1, 2)) for each in seen])
    assert (means.std(axis=0) > 0.02).all()
    assert np.array_equal(seen[3], relit(PICTURES, np.random.default_rng(3)))


def test_all_frames_of_an_excerpt_are_changed_alike() -> None:
    same = np.repeat(PICTURES[:1], 3, axis=0)
    still = 0
    for seed in range(20):
        first, second, third = relit(same, np.random.default_rng(seed))
        # (Noise is the only thing that differs from frame to frame.)
        assert np.abs(first - second).max() < 0.5
        still += max(np.abs(first - second).max(), np.abs(first - third).max()) < 1e-5
    assert 8 <= still < 20


def test_dark_stays_darker_than_bright() -> None:
    ramp = np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[None, None, :, None], 3, axis=3)
    ramp = np.repeat(ramp, 8, axis=1)
    for seed in range(20):
        shown = relit(ramp, np.random.default_rng(seed)).mean(axis=(0, 1, 3))
        assert shown[-1] > shown[16] > shown[0]
