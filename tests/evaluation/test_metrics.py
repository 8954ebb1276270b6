"""Errors and their statistics."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.evaluation.metrics import CHANCE, frame_errors, statistics
from omniaudio_studio.foa.encoding import direction_vector, encode_plane_wave


def test_frame_errors_are_angles_to_the_track():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(4800).astype(np.float32)
    azimuth = np.repeat(np.radians([0, 90, 170]), 1600)
    foa = encode_plane_wave(noise, azimuth, np.zeros(4800))
    foa[:, 3200:] = 0
    expected = direction_vector(np.radians([30, 90, 0]), np.radians([0, 20, 0]))
    errors = frame_errors(foa, 1600, expected, 1.0)
    np.testing.assert_allclose(errors[:2], np.radians([30, 20]), atol=1e-6)
    assert errors[2] == CHANCE  # silence tells nothing
    foa[1:] = 0
    assert frame_errors(foa, 1600, expected, 1.0).tolist() == [CHANCE] * 3  # so does W alone
    with pytest.raises(ValueError, match="3 frames, expected 4"):
        frame_errors(foa, 1600, np.ones((3, 4)), 1.0)


def test_chance_is_the_mean_angle_to_a_random_direction():
    vectors = np.random.default_rng(0).standard_normal((100_000, 3))
    cosine = vectors[:, 0] / np.linalg.norm(vectors, axis=1)
    assert np.arccos(cosine).mean() == pytest.approx(CHANCE, abs=0.01)


def test_statistics_of_a_known_sample():
    data = np.random.default_rng(1).normal(1.0, 0.3, 400)
    result = statistics(data)
    assert result is not None
    assert result.mean == pytest.approx(data.mean())
    assert result.median == pytest.approx(np.median(data))
    # The interval of a mean: 1.96 standard errors to both sides.
    half = 1.96 * data.std() / 20
    assert result.low == pytest.approx(data.mean() - half, abs=0.1 * half)
    assert result.high == pytest.approx(data.mean() + half, abs=0.1 * half)
    assert statistics(data) == result
    assert statistics([]) is None
    one = statistics([0.5])
    assert one is not None and (one.low, one.mean, one.high, one.count) == (0.5, 0.5, 0.5, 1)
