"""Sources of a clip of ten seconds at 25 pictures a second."""

from __future__ import annotations

import pytest

from qt_app.sources.model import SourcesModel
from qt_app.timeline.model import TimelineModel

DURATION = 10.0


@pytest.fixture
def model(qapp: object) -> SourcesModel:
    timeline = TimelineModel()
    timeline.load(DURATION, frame_rate=25.0)
    return SourcesModel(timeline)


@pytest.fixture
def edits(model: SourcesModel) -> list[object]:
    """What was told to be kept."""
    told: list[object] = []
    model.edited.connect(told.append)
    return told
