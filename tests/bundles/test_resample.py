"""Resampling matrices against their definitions, SciPy and the released model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.bundles.resample import resampling_matrix
from tests.support.material import material

RULES = ("nearest", "linear", "spline-aligned")


@pytest.mark.parametrize(("latents", "features"), [(215, 80), (64, 24), (10, 2), (7, 3), (5, 9)])
def test_the_spline_is_scipys_natural_one(latents: int, features: int) -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    values = np.random.default_rng(0).standard_normal((features, 3))
    spline = interpolate.CubicSpline(np.linspace(0, 1, features), values, bc_type="natural")
    matrix = resampling_matrix("spline-aligned", latents, features, 1.0, 1.0)
    np.testing.assert_allclose(matrix @ values, spline(np.linspace(0, 1, latents)), atol=2e-6)


def test_the_released_conditions() -> None:
    z = np.load(material("reference/dit.npz"))
    matrix = resampling_matrix("spline-aligned", 215, 80, 21.533203125, 8.0)
    np.testing.assert_allclose(matrix @ z["fov_embed"], z["add_cond"], atol=5e-5)


def test_linear_by_time() -> None:
    values = np.random.default_rng(0).standard_normal(64)
    matrix = resampling_matrix("linear", 100, 64, 12.5, 8.0)
    expected = np.interp(np.arange(100) / 12.5, np.arange(64) / 8.0, values)
    np.testing.assert_allclose(matrix @ values, expected, atol=1e-6)


def test_nearest_by_time() -> None:
    matrix = resampling_matrix("nearest", 25, 16, 12.5, 8.0)
    times = np.arange(25) / 12.5
    expected = [np.abs(np.arange(16) / 8.0 - time).argmin() for time in times]
    # Half-way between two is either's; the definition here takes the later one.
    found = matrix.argmax(axis=1)
    distance = np.abs(found / 8.0 - times)
    np.testing.assert_allclose(distance, np.abs(np.array(expected) / 8.0 - times), atol=1e-9)
    np.testing.assert_array_equal(matrix.sum(axis=1), 1.0)


def test_features_stand_at_their_own_times() -> None:
    """Where a latent's time is a feature's, it gets that feature, rounding or not."""
    matrix = resampling_matrix("linear", 1000, 800, 10.0, 8.0)
    np.testing.assert_array_equal(matrix[::5], np.eye(800, dtype=np.float32)[::4])


@given(st.sampled_from(RULES), st.integers(1, 60), st.integers(1, 40), st.floats(1, 50))
def test_constants_stay(rule: str, latents: int, features: int, rate: float) -> None:
    matrix = resampling_matrix(rule, latents, features, rate, 8.0)
    assert matrix.shape == (latents, features)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_equal_sizes_change_nothing(rule: str) -> None:
    np.testing.assert_allclose(resampling_matrix(rule, 9, 9, 8.0, 8.0), np.eye(9), atol=1e-6)


def test_an_unknown_rule_is_the_programs_fault() -> None:
    with pytest.raises(ValueError, match="sinc"):
        resampling_matrix("sinc", 2, 2, 1.0, 1.0)
