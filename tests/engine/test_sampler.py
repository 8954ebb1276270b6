"""Identities of the sampler and of guidance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.engine.sampler import euler, guide, guided, linear_schedule
from tests.support.material import material

Array = np.ndarray


def test_the_schedule() -> None:
    schedule = linear_schedule(4)
    np.testing.assert_array_equal(schedule, [1.0, 0.75, 0.5, 0.25, 0.0])
    for steps in (1, 7, 24, 1000):
        times = linear_schedule(steps)
        assert len(times) == steps + 1
        assert (times[0], times[-1]) == (1.0, 0.0)
        assert (np.diff(times) < 0).all()


def test_the_released_schedule() -> None:
    released = np.load(material("reference/sample.npz"))["schedule"]
    np.testing.assert_allclose(linear_schedule(len(released) - 1), released, atol=1e-7)


def test_straight_paths_are_exact_for_any_number_of_steps() -> None:
    rng = np.random.default_rng(0)
    data, noise = rng.standard_normal((2, 1, 4, 9)).astype(np.float32)
    for steps in (1, 3, 24):
        end = euler(lambda x, t: noise - data, noise, linear_schedule(steps))
        np.testing.assert_allclose(end, data, atol=2e-6)


def test_a_linear_equation() -> None:
    """dx/dt = a x from t = 1 to 0: Euler gives (1 - a / n)^n, and e^-a in the limit."""
    a, x = 0.7, np.full((1, 1, 1), 2.0, dtype=np.float32)
    for steps in (1, 5, 50):
        end = euler(lambda x, t: np.float32(a) * x, x, linear_schedule(steps))
        assert float(end[0, 0, 0]) == pytest.approx(2 * (1 - a / steps) ** steps, rel=1e-5)
    assert float(end[0, 0, 0]) == pytest.approx(2 * np.exp(-a), rel=0.01)


def test_time_is_handed_over_and_the_start_left_alone() -> None:
    seen: list[float] = []
    clamped: list[float] = []
    steps: list[int] = []
    x = np.ones((1, 1, 2), dtype=np.float32)

    def velocity(x: Array, t: float) -> Array:
        seen.append(t)
        return np.ones_like(x)

    def before(x: Array, t: float) -> Array:
        clamped.append(t)
        return x

    euler(velocity, x, [1.0, 0.6, 0.0], before, lambda step, x: steps.append(step))
    assert seen == [1.0, 0.6]
    assert clamped == [1.0, 0.6, 0.0]
    assert steps == [1, 2]
    np.testing.assert_array_equal(x, 1.0)


def velocities(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    pair = rng.standard_normal((2, 1, 5, 7)).astype(np.float32)
    return pair[0], pair[1]


@given(st.floats(0, 20), st.integers(0, 5))
def test_guidance_equalities(cfg: float, seed: int) -> None:
    c, u = velocities(seed)
    np.testing.assert_array_equal(guide(c, u, 0.0), u)
    np.testing.assert_allclose(guide(c, u, 1.0), c, atol=1e-6)
    np.testing.assert_allclose(guide(c, c, cfg), c, atol=1e-5)
    np.testing.assert_allclose(guide(c, u, cfg), u + cfg * (c - u), rtol=1e-4, atol=1e-4)
    whole = guide(c, u, cfg, 1.0)
    np.testing.assert_allclose(whole.std(axis=1, ddof=1), c.std(axis=1, ddof=1), rtol=1e-3)
    half = guide(c, u, cfg, 0.5)
    np.testing.assert_allclose(half, (whole + guide(c, u, cfg)) / 2, rtol=1e-4, atol=1e-4)


def test_the_released_guidance() -> None:
    z = np.load(material("reference/dit.npz"))
    v = guide(z["v_cond"], z["v_uncond"], float(z["cfg_scale"]))
    np.testing.assert_allclose(v, z["v_cfg"], atol=1e-4)
    v = guide(z["v_cond"], z["v_uncond"], float(z["cfg_scale"]), float(z["scale_phi"]))
    np.testing.assert_allclose(v, z["v_cfg_rescale"], atol=1e-4)


class Model:
    """v = x + t + local's sum + global_'s sum; remembers the batches it saw."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, x: Array, t: Array, inputs: Mapping[str, Array]) -> Array:
        self.batches.append(x.shape[0])
        assert t.shape == (x.shape[0],)
        assert t.dtype == np.float32
        total = sum(value.sum(axis=(1, 2)) for value in inputs.values())
        return x + t[:, None, None] + np.asarray(total, dtype=np.float32)[:, None, None]


INPUTS = {
    "local": np.full((1, 2, 3), 2.0, dtype=np.float32),
    "global_": np.full((1, 1, 1), 5.0, dtype=np.float32),
}


@pytest.mark.parametrize(
    ("cfg", "drop", "batch", "value"),
    [
        (3.0, ["local"], 2, 5 + 3 * 12),
        (3.0, ["local", "global_"], 2, 3 * 17),
        (1.0, ["local"], 1, 17),
        (0.0, ["local"], 1, 5),
        (3.0, [], 1, 17),
    ],
)
def test_branches(cfg: float, drop: list[str], batch: int, value: float) -> None:
    model = Model()
    x = np.zeros((1, 4, 2), dtype=np.float32)
    v = guided(model, INPUTS, drop, cfg)(x, 0.25)
    assert v.shape == x.shape
    np.testing.assert_allclose(v, value + 0.25)
    assert model.batches == [batch]


def test_rescaled_guidance_needs_both_branches() -> None:
    model = Model()
    guided(model, INPUTS, ["local"], 0.0, 0.5)(np.zeros((1, 4, 2), dtype=np.float32), 1.0)
    assert model.batches == [2]
