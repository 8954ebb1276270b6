"""Windows cover every length; overlaps end as what was there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from omniaudio_studio.engine.sampler import euler, linear_schedule
from omniaudio_studio.engine.windows import Window, clamp, context_inputs, plan_windows


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


def test_the_clamp_walks_from_the_windows_noise_to_what_is_known() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((3, 10)).astype(np.float32)
    known = rng.standard_normal((3, 4)).astype(np.float32)
    hold = clamp(known, noise)
    x = rng.standard_normal((1, 3, 10)).astype(np.float32)
    for t in (1.0, 0.3, 0.0):
        held = hold(x, t)
        np.testing.assert_allclose(
            held[0, :, :4], (1 - t) * known + t * noise[:, :4], rtol=1e-5, atol=1e-6
        )
        np.testing.assert_array_equal(held[:, :, 4:], x[:, :, 4:])
    np.testing.assert_array_equal(hold(x, 0.0)[0, :, :4], known)
    np.testing.assert_array_equal(clamp(known[:, :0], noise)(x, 0.5), x)


def test_after_sampling_the_overlap_is_the_previous_windows_to_the_bit() -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((3, 10)).astype(np.float32)
    known = rng.standard_normal((3, 4)).astype(np.float32)
    end = euler(lambda x, t: np.sin(x), noise[None], linear_schedule(5), clamp(known, noise))
    np.testing.assert_array_equal(end[0, :, :4], known)


def test_context_stands_where_its_mask_is_one() -> None:
    known = np.arange(6, dtype=np.float32).reshape(2, 3) + 1
    inputs = context_inputs(known, 5)
    np.testing.assert_array_equal(inputs["context_mask"], [[[1, 1, 1, 0, 0]]])
    np.testing.assert_array_equal(inputs["context"][0, :, :3], known)
    np.testing.assert_array_equal(inputs["context"][0, :, 3:], 0)
