"""A source's path: where it is at a time, round trips, what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.jobs.spatialize_request import DirectedSource
from qt_app.sources.source import ClipSource, at, read_sources, tidy

PATH = ((1.0, 170.0, 0.0, 1.0), (3.0, -170.0, 40.0, 0.5), (4.0, 10.0, -30.0, 0.0))


def vector(azimuth: float, elevation: float) -> list[float]:
    az, el = math.radians(azimuth), math.radians(elevation)
    return [math.cos(el) * math.cos(az), math.cos(el) * math.sin(az), math.sin(el)]


@given(st.floats(0.0, 5.0))
def test_it_goes_where_the_sound_will_go(time: float) -> None:
    track = GreatCircleTrack([p[0] for p in PATH], [vector(p[1], p[2]) for p in PATH])
    _, azimuth, elevation, gain = at(PATH, time)
    assert np.allclose(vector(azimuth, elevation), track.at([time])[0], atol=1e-6)
    assert gain == pytest.approx(np.interp(time, [p[0] for p in PATH], [p[3] for p in PATH]))


def test_opposites_and_equal_places_have_a_way_too() -> None:
    there = ((0.0, 0.0, 0.0, 1.0), (1.0, 180.0, 0.0, 1.0))
    assert all(map(math.isfinite, at(there, 0.5)))
    assert at(((0.0, 20.0, 5.0, 1.0), (1.0, 20.0, 5.0, 1.0)), 0.5)[1:3] == (20.0, 5.0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [((190.0, 0.0), (-170.0, 0.0)), ((-180.0, 95.0), (180.0, 90.0)), ((725.004, 1.0), (5.0, 1.0))],
)
def test_directions_are_kept_tidy(given: tuple[float, float], kept: tuple[float, float]) -> None:
    assert tidy(*given) == kept


def test_it_survives_json_and_becomes_a_request_s() -> None:
    source = ClipSource("dog", PATH, colour=2, confidence=((0.0, 0.5), (1.0, 1.0)))
    (again,) = read_sources(json.loads(json.dumps([source.as_dict()])))
    assert again == source
    directed = source.directed()
    assert type(directed) is DirectedSource
    assert DirectedSource.from_dict(directed.as_dict()) == directed


@pytest.mark.parametrize(
    "harm",
    [
        {"colour": 4},
        {"confidence": [[0.0, 1.5]]},
        {"points": [[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]},
        {"points": []},
        {"name": " "},
        {"size": 1},
    ],
)
def test_what_is_none_is_refused(harm: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        read_sources([{**ClipSource("dog", PATH).as_dict(), **harm}])
