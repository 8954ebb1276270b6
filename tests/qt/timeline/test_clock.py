"""Times as text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_app.timeline.clock import clock_text, parse_clock, short_clock_text, spoken_time
from qt_app.timeline.ticks import Ticks


@settings(deadline=None)
@given(st.integers(0, 100 * 3600 * 1000))
def test_a_time_reads_back_as_it_was_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_clock(clock_text(seconds)) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00.000"),
        (59.9996, "0:01:00.000"),
        (3599.9999, "1:00:00.000"),
        (3723.004, "1:02:03.004"),
        (-3, "0:00:00.000"),
    ],
)
def test_rounding_carries(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("83", 83), ("1:23", 83), ("1:23,5", 83.5), ("0:01:23.004", 83.004), (" .5 s ", 0.5)],
)
def test_what_people_type(text: str, seconds: float) -> None:
    assert parse_clock(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "a", "1:75", "1:75:00", "1::2", "-4", "1:2:3:4", "nan", "1e5"]
)
def test_what_is_no_time(text: str) -> None:
    assert parse_clock(text) is None


def test_short_and_spoken() -> None:
    assert short_clock_text(5) == "0:05"
    assert short_clock_text(605.25, 2) == "10:05.25"
    assert short_clock_text(3605) == "1:00:05"
    assert spoken_time(3723.46) == "1 h 2 min 3.5 s"
    assert spoken_time(3600) == "1 h 0 min 0 s"
    assert spoken_time(0.2) == "0.2 s"


@settings(deadline=None)
@given(st.floats(0.0005, 500), st.floats(0, 86400))
def test_labels_never_touch_and_marks_stay_few(scale: float, start: float) -> None:
    ticks = Ticks.spaced(scale)
    assert ticks.major / scale >= 96 * (1 - 1e-9)
    shown = ticks.between(start, start + 1000 * scale)
    times = [time for time, _ in shown]
    assert times == sorted(times)
    assert len(times) <= 1000 / 96 * 6 + 2
    labels = [short_clock_text(time, ticks.decimals) for time, labelled in shown if labelled]
    assert len(set(labels)) == len(labels)
