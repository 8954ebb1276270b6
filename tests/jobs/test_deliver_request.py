"""The request for a delivery: every bad value gets one line, and JSON gives back what went in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.outputs import single_files

BIRD = PlacedSource(Path("bird.wav"), "bird", 1.0, ((0.0, 1.0, 0.0, 0.0, 1.0),))
PLAIN = DeliverRequest(field=Path("field.wav"), output=Path("out.wav"))


def refused(**changes: Any) -> str:
    with pytest.raises(OptionError) as caught:
        replace(PLAIN, **changes).validate()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 250
    return line


def test_the_plain_request_is_valid_and_returns_itself() -> None:
    assert PLAIN.validate() is PLAIN


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("field", None, "sources and a duration"),
        ("field", 3, "path"),
        ("output", Path("out.flac"), ".wav"),
        ("start", -1.0, "from 0"),
        ("start", float("nan"), "nan"),
        ("duration", 0.0, "greater than 0 s"),
        ("duration", float("inf"), "inf"),
        ("rate", 100, "8000"),
        ("subtype", "pcm16", "float32, pcm24"),
        ("loudness", 1.0, "LUFS"),
        ("yaw", 400.0, "degrees"),
        ("clip_start", float("inf"), "clip_start"),
        ("projection", "mercator", "equirectangular"),
        ("stereo", "both", "top-bottom"),
        ("deliverables", (), "a name in it"),
        ("deliverables", ("wav", "mp3"), "mp3"),
        ("deliverables", ("wav", "overlay"), "give the clip"),
        ("clip", 3, "clip"),
        ("convention", "furse", "fuma"),
        ("head_locked", Path("speech.wav"), "youtube"),
        ("hfov", 90.0, 'projection "flat"'),
        ("provenance", 1, "true or false"),
        ("head", ((0.0, 0.0, 0.0, 0.0),), "binaural"),
        ("overwrite", 1, "true or false"),
        ("sources", "bird.wav", "list"),
        ("sources", ({"file": "bird.wav"},), "PlacedSource"),
        ("schema_version", 2, "schema version 2"),
    ],
)
def test_a_bad_value_gets_one_line_that_names_it(field: str, value: Any, said: str) -> None:
    assert said in refused(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "name"),
        ("name", None, "name"),
        ("file", None, "source 1 (bird) file"),
        ("start", float("nan"), "start"),
        ("points", (), "at least one"),
        ("points", "here", "list"),
        ("points", (0.0, 1.0, 2.0, 3.0, 1.0), "expected (time, x, y, z, gain)"),
        ("points", ((0.0, 1.0, 2.0, 3.0),), "found 4 values"),
        ("points", ((0.0, 1.0, 2.0, 3.0, -1.0),), "point 1 gain"),
        ("points", ((0.0, 1.0, float("nan"), 3.0, 1.0),), "point 1 y"),
        ("points", ((0.0, 1.0, 2.0, 1e9, 1.0),), "point 1 z"),
        ("points", ((1.0, 1, 0, 0, 1.0), (1.0, 2, 0, 0, 1.0)), "order"),
        ("reference", 0.0, "greater than 0"),
        ("rolloff", -1.0, "from 0"),
        ("max_distance", 0.5, "at least 1 m"),
        ("delay", 1, "true or false"),
        ("loop", None, "true or false"),
    ],
)
def test_a_bad_source_gets_one_line_that_names_it(field: str, value: Any, said: str) -> None:
    line = refused(sources=(replace(BIRD, **{field: value}),))
    assert said in line
    assert line.startswith("source 1")


def test_sound_is_delayed_over_ten_kilometres_at_most() -> None:
    far = replace(BIRD, points=((0.0, 0.0, 12_000.0, 0.0, 1.0),))
    replace(PLAIN, sources=(far,)).validate()
    assert "12000 m away" in refused(sources=(replace(far, delay=True),))


def test_a_head_track_is_in_order_and_may_jump() -> None:
    heard = {"deliverables": ("wav", "binaural")}
    assert "before" in refused(head=((1.0, 0, 0, 0), (0.5, 0, 0, 0)), **heard)
    assert "head, 1" in refused(head=((1.0, 0, 0),), **heard)
    assert "head 1 pitch" in refused(head=((1.0, 0, float("nan"), 0),), **heard)
    replace(PLAIN, head=((1.0, 0, 0, 0), (1.0, 90, 0, 0)), **heard).validate()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "an object"),
        ({}, "schema version None"),
        ({"schema_version": 1, "output": "out.wav"}, "no field"),
        ({"schema_version": 1, "field": None, "output": "a.wav", "colour": 1}, "'colour'"),
        ({"schema_version": 1, "field": "a.wav", "output": "b.wav", "sources": "x"}, "list"),
        ({"schema_version": 1, "field": "a.wav", "output": "b.wav", "sources": [3]}, "source 1"),
        (
            {"schema_version": 1, "field": "a.wav", "output": "b.wav", "sources": [{}]},
            "source 1 has no file",
        ),
    ],
)
def test_data_that_is_no_request_is_refused(data: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        DeliverRequest.from_dict(data)


seconds = st.floats(-1e6, 1e6)
points = st.lists(seconds, unique=True, min_size=1, max_size=5).map(
    lambda times: tuple((time, 1.0 + i, -2.0, 0.5, 0.7) for i, time in enumerate(sorted(times)))
)
sources = st.builds(
    PlacedSource,
    file=st.just(Path("folder/a bird é.ogg")),
    name=st.just('a "bird"'),
    start=seconds,
    points=points,
    max_distance=st.none() | st.floats(1.0, 1e9),
    delay=st.booleans(),
    loop=st.booleans(),
)


@given(
    st.builds(
        DeliverRequest,
        field=st.just(Path("field.wav")),
        output=st.just(Path("out.WAV")),
        start=st.floats(0, 1e6),
        duration=st.none() | st.floats(1e-6, 1e6),
        sources=st.lists(sources, max_size=2).map(tuple),
        head=st.just(((0.0, 1.0, 2.0, 3.0), (1.0, 2.0, 3.0, 4.0))),
        clip=st.just(Path("clip.mp4")),
        deliverables=st.just(("wav", "overlay", "binaural")),
        loudness=st.none() | st.floats(-70, 0),
        overwrite=st.booleans(),
    )
)
def test_json_gives_back_what_went_in(request_: DeliverRequest) -> None:
    text = request_.validate().to_json()
    assert DeliverRequest.from_json(text) == request_
    assert json.loads(text) == request_.as_dict()


def test_files_are_named_after_the_wav() -> None:
    everything = ("wav", "binaural", "overlay", "plot")
    files = single_files(replace(PLAIN, deliverables=everything))
    assert [path.name for path in files.all()] == [
        "out.wav", "out.json", "out.binaural.wav", "out.overlay.mp4", "out.png",
    ]  # fmt: skip
    assert [path.name for path in single_files(PLAIN).all()] == ["out.wav", "out.json"]
