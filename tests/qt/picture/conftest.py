"""Sources that end with their test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from qt_app.picture.decoder import FrameSource
from qt_app.picture.frames import Picture

PATIENCE = 20.0  # seconds; other work shares the machine


@pytest.fixture
def source(qapp: object) -> Iterator[FrameSource]:
    """Closed after the test."""
    made = FrameSource()
    yield made
    made.close()


@pytest.fixture
def exactly(source: FrameSource) -> Callable[[float], Picture]:
    """Ask for a moment until its very picture is there."""

    def ask(t: float) -> Picture:
        end = time.monotonic() + PATIENCE
        source.frame_at(t)
        while not source.settled(t):
            assert time.monotonic() < end, f"no picture for {t} s"
            time.sleep(0.002)
        picture = source.frame_at(t)
        assert picture is not None
        return picture

    return ask
