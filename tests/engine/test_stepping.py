"""Sampling bound to a device's memory gives what sampling in NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.sampler import branches, euler, guided, linear_schedule
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.stepping import Stepper
from omniaudio_studio.engine.windows import Known, clamp, context_inputs
from omniaudio_studio.errors import Cancelled

Array = np.ndarray
CHANNELS, LOCAL, GLOBAL = 8, 8, 6  # the tiny bundle's


@pytest.fixture(scope="module")
def dit(bundle: Bundle) -> Session:
    return Session(bundle.graph("dit"), choose_provider("cpu"))


@pytest.fixture(scope="module")
def stepper(dit: Session) -> Stepper:
    return Stepper(dit, choose_provider("cpu"))


def window(seed: int, length: int) -> tuple[dict[str, Array], Array, Known]:
    """Conditions, noise, and a beginning that is known."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    mask = np.arange(length) < length // 3
    known = Known(normal(CHANNELS, length) * mask, mask)
    inputs = {"local": normal(1, length, LOCAL), "global_": normal(1, GLOBAL)}
    return {**inputs, **context_inputs(known)}, normal(CHANNELS, length), known


def in_numpy(
    dit: Session, inputs: dict[str, Array], noise: Array, known: Known, cfg: float, rescale: float
) -> Array:
    velocity = guided(
        lambda x, t, fed: dit.run({"x": x, "t": t, **fed})["v"], inputs, ["local"], cfg, rescale
    )
    return euler(velocity, noise[None], linear_schedule(5), before_step=clamp(known, noise))


@pytest.mark.parametrize("cfg", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_bound_sampling_is_the_samplers(
    dit: Session, stepper: Stepper, cfg: float, rescale: float
) -> None:
    # Two windows after each other, so that buffers are used again, then one of another length.
    for seed, length in ((1, 24), (2, 24), (3, 11)):
        inputs, noise, known = window(seed, length)
        expected = in_numpy(dit, inputs, noise, known, cfg, rescale)
        done: list[int] = []
        found = stepper.sample(
            branches(inputs, ["local"], cfg, rescale),
            noise, known, linear_schedule(5), cfg, rescale, callback=done.append,
        )  # fmt: skip
        assert found.shape == expected.shape == (1, CHANNELS, length)
        np.testing.assert_allclose(found, expected, atol=1e-5 * float(expected.std()))
        np.testing.assert_allclose(found[0][:, known.mask], known.latents[:, known.mask], atol=1e-6)
        assert done == [1, 2, 3, 4, 5]


def test_bound_sampling_leaves_its_inputs_alone(stepper: Stepper) -> None:
    inputs, noise, known = window(4, 24)
    fed = branches(inputs, ["local"], 2.0)
    before = {name: value.copy() for name, value in fed.items()}, noise.copy()
    stepper.sample(fed, noise, known, linear_schedule(2), 2.0)
    for name, value in fed.items():
        np.testing.assert_array_equal(value, before[0][name])
    np.testing.assert_array_equal(noise, before[1])


def test_bound_sampling_stops_when_it_is_cancelled(stepper: Stepper) -> None:
    inputs, noise, known = window(5, 24)
    cancel = CancelToken()
    seen: list[int] = []

    def callback(step: int) -> None:
        seen.append(step)
        cancel.cancel()

    with pytest.raises(Cancelled):
        stepper.sample(
            branches(inputs, ["local"], 2.0),
            noise, known, linear_schedule(5), 2.0, cancel=cancel, callback=callback,
        )  # fmt: skip
    assert seen == [1]


def test_recording_is_refused_where_there_is_none(bundle: Bundle) -> None:
    session = Session(bundle.graph("dit"), choose_provider("cpu"), record=True)
    assert session.recording == "cpu has no CUDA graphs"
