"""A timeline with a clip of a minute in it."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.request import Segment
from qt_app.timeline.field import FieldSummary
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.widget import TimelineWidget

WIDTH = 1072  # 1000 pixels of time beside the gutter
DURATION = 60.0


def field_of(seconds: float) -> FieldSummary:
    """Noise with a source that goes round once."""
    rng = np.random.default_rng(7)
    high = rng.uniform(0.1, 0.8, round(seconds * 100)).astype(np.float32)
    frames = round(seconds * 10)
    rows = np.arange(72)[:, None]
    centre = np.linspace(0, 71, frames)[None]
    anglegram = np.rint(255 * np.exp(-(((rows - centre) / 6) ** 2))).astype(np.uint8)
    return FieldSummary.from_arrays(
        {"peaks": np.stack([-high, high]), "anglegram": anglegram, "frame_rate": 10.0}
    )


@pytest.fixture
def model() -> TimelineModel:
    """Three shots, two suggested cuts, a field."""
    model = TimelineModel()
    model.load(DURATION, [Segment(0.0), Segment(20.0, 3.0, 7), Segment(40.0)], [10.0, 33.0])
    model.set_field(field_of(DURATION))
    return model


@pytest.fixture
def timeline(qtbot: QtBot, model: TimelineModel) -> TimelineWidget:
    """On the screen, the whole clip over 1000 pixels."""
    widget = TimelineWidget(model)
    qtbot.addWidget(widget)
    widget.resize(WIDTH, widget.sizeHint().height())
    widget.show()
    qtbot.waitExposed(widget)
    assert model.view.width == 1000
    return widget
