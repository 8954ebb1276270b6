"""The table of deliverables: every row has a function, a name of its own, and what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import (
    BESIDE,
    DELIVERABLES,
    check_needs,
    made_of,
    ordered,
)
from omniaudio_studio.jobs.outputs import all_outputs, claimed_outputs, single_files
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.writers import WRITERS

WAV = Path("folder/walk-take1.wav")


def test_whatever_is_offered_can_be_made() -> None:
    assert tuple(WRITERS) == BESIDE


def test_no_two_lie_in_one_place() -> None:
    paths = [path for row in DELIVERABLES.values() for path in row.paths(WAV)]
    assert len(paths) == len(set(paths))
    assert WAV.with_suffix(".json") not in paths  # the sidecar's
    for path in paths:
        assert path.parent == WAV.parent
        assert path.name.startswith(WAV.stem)


def test_each_is_told_of_in_a_few_words_and_in_a_line() -> None:
    for name, row in DELIVERABLES.items():
        assert row.name == name
        assert 0 < len(row.label) < 40
        assert row.description.endswith(".")
        assert "\n" not in row.description


def test_names_are_brought_into_the_table_s_order() -> None:
    backwards = tuple(reversed(DELIVERABLES))
    assert ordered(backwards) == tuple(DELIVERABLES)
    assert ordered(("unknown", "plot", "plot", "wav")) == ("wav", "plot", "unknown")


def test_a_clip_and_sources_are_asked_for() -> None:
    check_needs(("wav", "plot"), clip=False, sources=False)
    with pytest.raises(OptionError, match="overlay shows the clip"):
        check_needs(("wav", "overlay"), clip=False, sources=False)


def test_what_was_made_is_known_from_clips_by_name() -> None:
    assert made_of("walk-take1.overlay.mp4") == "walk-take1"
    assert made_of("WALK.OVERLAY.MP4") == "WALK"
    assert made_of("walk.mp4") is None
    assert made_of("walk.png") is None


def test_more_of_a_field_is_claimed_without_its_sidecar() -> None:
    request = DeliverRequest(WAV, WAV, deliverables=("plot", "binaural")).validate()
    assert single_files(request).in_place
    names = [path.name for path in all_outputs(request)]
    assert names == ["walk-take1.json", "walk-take1.binaural.wav", "walk-take1.png"]
    assert [path.name for path in claimed_outputs(request)] == names[1:]
    elsewhere = DeliverRequest(WAV, Path("other/walk.wav"), deliverables=("plot",))
    assert not single_files(elsewhere).in_place
    assert claimed_outputs(elsewhere) == all_outputs(elsewhere)
    take = GenerateRequest(Path("clip.mp4"), WAV)
    assert claimed_outputs(take) == all_outputs(take)
