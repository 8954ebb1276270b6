"""Progress only moves forward and ends at the end."""

from __future__ import annotations

import time

import pytest

from omniaudio_studio.engine.progress import Meter, Progress


def test_forward_to_the_end() -> None:
    reports: list[Progress] = []
    meter = Meter({"frames": 4, "sampling": 2, "decoding": 1}, 10.0, reports.append)
    meter.start()
    for stage, count in (("frames", 2), ("sampling", 1), ("frames", 2), ("sampling", 1)):
        with meter.timed(stage):
            meter.advance(stage, count)
    with meter.timed("decoding"):
        meter.advance("decoding", 5)
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[0] == 0.0
    assert done[-1] == pytest.approx(10.0)
    assert reports[0] == Progress("loading", 0.0, 10.0, None)
    assert reports[-1].eta == 0.0
    assert [report.stage for report in reports[1:]] == [
        "frames", "sampling", "frames", "sampling", "decoding",
    ]  # fmt: skip


def test_time_left_is_each_stages_own_pace() -> None:
    reports: list[Progress] = []
    meter = Meter({"frames": 4, "sampling": 4, "decoding": 4}, 1.0, reports.append)
    for stage in ("frames", "sampling", "decoding"):
        with meter.timed(stage):
            time.sleep(0.03)
            meter.advance(stage, 1)
    # Three units a stage are left, 0.03 s each.
    assert reports[-1].eta == pytest.approx(0.27, rel=0.6)


def test_nothing_is_known_at_the_first_frame() -> None:
    reports: list[Progress] = []
    meter = Meter({"frames": 1000, "sampling": 4, "decoding": 4}, 1.0, reports.append)
    with meter.timed("frames"):
        meter.advance("frames")
    assert reports[-1].eta is None


def test_nobody_listens() -> None:
    meter = Meter({"frames": 1, "sampling": 1, "decoding": 1}, 1.0, None)
    meter.start()
    with meter.timed("frames"):
        meter.advance("frames")
    assert meter.seconds["frames"] >= 0
