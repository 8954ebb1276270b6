"""A sound card that can be listened to, for a Blender that plays on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blender_program import missing_blender
from tests.support.pulse import NullSink, missing_pulse


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[NullSink]:
    for why in (missing_pulse(), missing_blender()):
        if why is not None:
            pytest.skip(why)
    folder = tmp_path / "pulse"
    folder.mkdir()
    sink = NullSink(folder)
    sink.start()
    yield sink
    sink.stop()
