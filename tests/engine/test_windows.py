"""Windows cover every length; overlaps end as what was there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from omniaudio_studio.engine.sampler import euler, linear_schedule
from omniaudio_studio.engine.windows import (
    Known,
    Window,
    clamp,
    context_inputs,
    known_in,
    plan_windows,
)


@given(st.integers(1, 5000), st.integers(2, 400), st.integers(0, 399))
def test_any_length_is_covered(frames: int, length: int, overlap: int) -> None:
    assume(overlap < length)
    windows = plan_windows(frames, length, overlap)
    assert windows[0].start == 0
    assert windows[0].overlap == 0
    assert windows[-1].end == frames
    if frames <= 1.05 * length:
        assert windows == [Window(0, frames, 0)]
        return
    assert len(windows) > 1
    assert all(window.length == length for window in windows)
    for before, after in pairwise(windows):
        assert after.start > before.start
        assert after.overlap == before.end - after.start >= overlap
    for window in windows[1:-1]:
        assert window.overlap == overlap


def test_a_little_longer_is_still_one_window() -> None:
    assert plan_windows(105, 100, 12) == [Window(0, 105, 0)]
    assert plan_windows(106, 100, 12) == [Window(0, 100, 0), Window(6, 100, 94)]
    assert plan_windows(500, 100, 12)[1] == Window(88, 100, 12)


def known_at_both_ends(rng: np.random.Generator) -> Known:
    """Four latents known at the beginning of ten, and two at the end."""
    stretches = [(20, values(rng, 4)), (28, values(rng, 5))]
    return known_in(Window(20, 10, 4), 3, stretches)


def values(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.standard_normal((3, count)).astype(np.float32)


def test_what_is_known_of_a_window() -> None:
    rng = np.random.default_rng(0)
    window = Window(20, 10, 4)
    before, after = values(rng, 24), values(rng, 5)
    known = known_in(window, 3, [(0, before), (28, after), (40, values(rng, 3))])
    assert known.mask.tolist() == [True] * 4 + [False] * 4 + [True] * 2
    np.testing.assert_array_equal(known.latents[:, :4], before[:, 20:])
    np.testing.assert_array_equal(known.latents[:, 8:], after[:, :2])
    assert not known.latents[:, 4:8].any()
    later = known_in(window, 3, [(0, before), (22, after)])
    np.testing.assert_array_equal(later.latents[:, 2:7], after)
    assert not known_in(window, 3, []).mask.any()


def test_the_clamp_walks_from_the_windows_noise_to_what_is_known() -> None:
    rng = np.random.default_rng(1)
    noise, known = values(rng, 10), known_at_both_ends(rng)
    hold = clamp(known, noise)
    x = values(rng, 10)[None]
    for t in (1.0, 0.3, 0.0):
        held = hold(x, t)
        np.testing.assert_allclose(
            held[0, :, known.mask],
            ((1 - t) * known.latents + t * noise)[:, known.mask].T,
            rtol=1e-5,
            atol=1e-6,
        )
        np.testing.assert_array_equal(held[..., ~known.mask], x[..., ~known.mask])
    np.testing.assert_array_equal(hold(x, 0.0)[0, :, :4], known.latents[:, :4])
    nothing = known_in(Window(0, 10, 0), 3, [])
    np.testing.assert_array_equal(clamp(nothing, noise)(x, 0.5), x)


def test_after_sampling_what_is_known_is_what_it_was_to_the_bit() -> None:
    rng = np.random.default_rng(2)
    noise, known = values(rng, 10), known_at_both_ends(rng)
    end = euler(lambda x, t: np.sin(x), noise[None], linear_schedule(5), clamp(known, noise))
    np.testing.assert_array_equal(end[0][:, known.mask], known.latents[:, known.mask])


def test_context_is_a_known_beginning() -> None:
    inputs = context_inputs(known_at_both_ends(np.random.default_rng(3)))
    np.testing.assert_array_equal(inputs["context_mask"], [[[1, 1, 1, 1, 0, 0, 0, 0, 0, 0]]])
    assert inputs["context"].shape == (1, 3, 10)
    np.testing.assert_array_equal(inputs["context"] != 0, inputs["context_mask"].repeat(3, 1) != 0)
