"""Curves at every zoom: what a pixel shows is what lies under it, for little work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import MediaError
from qt_app.timeline.field import FieldSummary
from qt_app.timeline.pyramid import MaxPyramid, PeakPyramid


@settings(deadline=None)
@given(
    st.integers(1, 3000), st.floats(-50, 3100), st.floats(0.05, 400), st.integers(0, 50),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_a_stretch_has_the_maximum_of_what_it_touches(
    length: int, start: float, step: float, count: int, seed: int
) -> None:
    base = np.random.default_rng(seed).integers(0, 255, (2, length), dtype=np.uint8)
    result = MaxPyramid(base).columns(start, step, count)
    assert result.shape == (2, count)
    for k in range(count):
        left, right = start + k * step, start + (k + 1) * step
        first = min(max(int(np.floor(left + 1e-6)), 0), length - 1)
        last = min(max(int(np.ceil(right - 1e-6)) - 1, first), length - 1)
        # Never less than what lies there, and nothing from further than one entry of its level.
        assert (result[:, k] >= base[:, first : last + 1].max(axis=1)).all()
        reach = int(2 * step) + 2
        wide = base[:, max(0, first - reach) : last + 1 + reach]
        assert (result[:, k] <= wide.max(axis=1)).all()


@settings(deadline=None)
@given(st.floats(0.01, 3600), st.floats(0, 3599))
def test_an_hour_costs_no_more_than_a_minute(width_seconds: float, start: float) -> None:
    hour = MaxPyramid(_HOUR)
    hour.columns(start * 100, width_seconds * 100 / 1000, 1000)
    assert hour.reads <= 3 * 1000


_HOUR = np.random.default_rng(1).normal(size=(2, 360_000)).astype(np.float32)


def test_peaks_of_the_whole_clip_are_its_extremes() -> None:
    rng = np.random.default_rng(3)
    high = rng.uniform(0, 1, 5000).astype(np.float32)
    low = -rng.uniform(0, 1, 5000).astype(np.float32)
    low_px, high_px = PeakPyramid(np.stack([low, high]), 100.0).columns(0.0, 0.5, 100)
    assert low_px.min() == low.min()
    assert high_px.max() == high.max()
    exact = high.reshape(100, 50).max(axis=1)
    assert (high_px >= exact).all()


def test_between_peaks_the_curve_is_straight() -> None:
    peaks = np.stack([np.zeros(10), np.arange(10) / 10]).astype(np.float32)
    _, high = PeakPyramid(peaks, 100.0).columns(0.0, 0.001, 100)
    # Peak k stands in the middle of its 10 ms.
    times = 0.001 * (np.arange(100) + 0.5)
    assert high == pytest.approx(np.interp(times, (np.arange(10) + 0.5) / 100, peaks[1]), abs=1e-6)


@pytest.mark.parametrize("zoom", [1e-4, 1e-3, 0.1, 10.0])
def test_before_and_after_the_sound_nothing_fails(zoom: float) -> None:
    peaks = PeakPyramid(np.array([[-0.5], [0.25]], dtype=np.float32), 100.0)
    for start in (-5.0, 0.0, 100.0):
        low, high = peaks.columns(start, zoom, 7)
        assert low == pytest.approx(np.full(7, -0.5))
        assert high == pytest.approx(np.full(7, 0.25))
    empty = PeakPyramid(np.zeros((2, 0), dtype=np.float32), 100.0)
    assert empty.columns(0.0, zoom, 5)[1].tolist() == [0] * 5


def test_int8_peaks_are_scaled_to_one() -> None:
    low, high = PeakPyramid(np.array([[-127, -64], [127, 0]], dtype=np.int8), 100.0).columns(
        0, 0.01, 2
    )
    assert low == pytest.approx([-1, -64 / 127])
    assert high == pytest.approx([1, 0])


def test_a_summary_knows_levels_and_directions() -> None:
    anglegram = np.zeros((72, 20), dtype=np.uint8)
    anglegram[18, 5] = 200  # 18.5 bins of 5 degrees below +180
    field = FieldSummary.from_arrays(
        {
            "peaks": np.tile(np.array([[-0.1], [0.05]], dtype=np.float32), 200),
            "anglegram": anglegram,
            "covariance": np.arange(20 * 16, dtype=np.float32).reshape(20, 4, 4),
            "frame_rate": np.float64(10),
        }
    )
    assert field.seconds == 2.0
    assert field.level_at(1.0) == pytest.approx(-20, abs=0.01)
    assert field.azimuth_at(0.55) == pytest.approx(87.5)
    assert field.azimuth_at(0.1) is None
    assert field.covariance_at(0.55) is not None
    assert field.covariance_at(0.55)[0, 0] == 5 * 16  # type: ignore[index]
    assert field.covariance_at(2.0) is None
    assert field.covariance_at(-0.1) is None


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"peaks": np.zeros(5)},
        {"peaks": np.zeros((2, 5)), "anglegram": np.zeros((72, 3), dtype=np.float32)},
    ],
)
def test_arrays_of_other_shapes_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(MediaError, match="expected"):
        FieldSummary.from_arrays(arrays)
