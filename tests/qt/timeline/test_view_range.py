"""Times to pixels and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_app.timeline.view_range import MIN_SECONDS_PER_PIXEL, ViewRange


@st.composite
def views(draw: st.DrawFn) -> ViewRange:
    view = ViewRange.fitted(draw(st.floats(0.01, 20_000)), draw(st.integers(1, 4000)))
    zoomed = view.zoomed(draw(st.floats(1, 5000)), draw(st.floats(0, view.width)))
    return zoomed.scrolled(draw(st.floats(-1e6, 1e6)))


def assert_inside(view: ViewRange) -> None:
    slack = 1e-9 * max(1.0, view.duration)
    assert view.start >= 0
    assert view.scale >= MIN_SECONDS_PER_PIXEL
    assert view.end <= max(view.duration, view.width * MIN_SECONDS_PER_PIXEL) + slack


@settings(deadline=None)
@given(views(), st.floats(-100, 5000))
def test_time_and_pixel_are_inverse(view: ViewRange, x: float) -> None:
    assert view.x_at(view.time_at(x)) == pytest.approx(x, abs=1e-3)


@settings(deadline=None)
@given(views(), st.floats(1, 100), st.floats(0, 1))
def test_zooming_in_keeps_the_time_under_the_cursor(
    view: ViewRange, factor: float, part: float
) -> None:
    x = part * view.width
    zoomed = view.zoomed(factor, x)
    assert zoomed.x_at(view.time_at(x)) == pytest.approx(x, abs=1e-3)
    assert zoomed.scale <= view.scale
    assert_inside(zoomed)


@settings(deadline=None)
@given(views(), st.floats(0.01, 1), st.floats(0, 1))
def test_zooming_out_keeps_it_too_unless_an_end_is_reached(
    view: ViewRange, factor: float, part: float
) -> None:
    x = part * view.width
    zoomed = view.zoomed(factor, x)
    assert_inside(zoomed)
    slack = 1e-9 * max(1.0, view.duration)
    at_an_end = zoomed.start <= slack or zoomed.end >= view.duration - slack
    assert at_an_end or zoomed.x_at(view.time_at(x)) == pytest.approx(x, abs=1e-3)


@settings(deadline=None)
@given(views(), st.floats(-1e7, 1e7), st.integers(1, 5000))
def test_nothing_leads_out_of_the_clip(view: ViewRange, pixels: float, width: int) -> None:
    for moved in (view, view.scrolled(pixels), view.resized(width), view.starting(pixels)):
        assert_inside(moved)


@settings(deadline=None)
@given(views(), st.integers(1, 5000))
def test_a_whole_clip_stays_whole_when_the_window_changes(view: ViewRange, width: int) -> None:
    fitted = ViewRange.fitted(view.duration, view.width)
    assert fitted.is_fitted
    assert fitted.resized(width) == ViewRange.fitted(view.duration, width)


def test_showing_a_range_shows_it() -> None:
    view = ViewRange.fitted(3600, 1000).showing(1200, 1260)
    assert view.start == pytest.approx(1200)
    assert view.end == pytest.approx(1260)
    assert view.contains(1230)
    assert not view.contains(1261)
    # Shorter than the deepest zoom: in the middle.
    view = view.showing(5.0, 5.001)
    assert view.scale == MIN_SECONDS_PER_PIXEL
    assert view.x_at(5.0005) == pytest.approx(500)
