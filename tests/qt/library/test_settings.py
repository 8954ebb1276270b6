"""Settings of a clip: round trips, the request they make, what is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliverables import OFFERED, ordered
from omniaudio_studio.jobs.request import (
    DEVICES,
    MAX_SEED,
    PROJECTIONS,
    STEREO_LAYOUTS,
    SUBTYPES,
    GenerateRequest,
    Hint,
    Segment,
)
from omniaudio_studio.jobs.spatialize_request import METHODS, SpatializeRequest
from qt_app.models.library_commands import NAMES
from qt_app.models.settings import (
    FIELDS,
    ClipSettings,
    problem_with,
    range_problem,
    seed_for_run,
    sentence,
    told_of,
)
from qt_app.sources.source import ClipSource

finite = st.floats(0, 1e6, allow_nan=False)
seeds = st.integers(0, MAX_SEED)
cfgs = st.none() | st.floats(0, 100)
shots = st.lists(
    st.builds(Segment, start=finite, cfg=cfgs, seed=st.none() | seeds),
    max_size=5,
    unique_by=lambda shot: shot.start,
).map(lambda found: tuple(sorted(found, key=lambda shot: shot.start)))
folders = st.none() | st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20
).map(lambda name: Path("/takes") / name)
azimuths, elevations = st.floats(-360, 360), st.floats(-90, 90)
points = st.lists(
    st.tuples(st.floats(0, 1e6), azimuths, elevations, st.floats(0, 1)),
    min_size=1,
    max_size=4,
    unique_by=lambda point: point[0],
).map(lambda found: tuple(sorted(found)))
sources = st.lists(
    st.builds(
        ClipSource,
        name=st.text(min_size=1, max_size=10).filter(lambda name: bool(name.strip())),
        points=points,
        file=folders,
        start=st.floats(-10, 10),
        colour=st.integers(0, 3),
        confidence=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 1)), max_size=3).map(tuple),
    ),
    max_size=3,
).map(tuple)
hints = st.lists(
    st.builds(
        Hint,
        start=st.floats(0, 5),
        end=st.floats(6, 9),
        azimuth=azimuths,
        elevation=elevations,
        strength=st.floats(0, 1),
    ),
    max_size=2,
).map(tuple)
settings_strategy = st.builds(
    ClipSettings,
    bundle=st.text(min_size=1, max_size=30),
    cfg=cfgs,
    seed=seeds,
    seed_locked=st.booleans(),
    steps=st.none() | st.integers(1, 1000),
    mix=st.floats(0, 10),
    start=finite,
    duration=st.none() | st.floats(1e-3, 1e6),
    yaw=st.floats(-360, 360),
    takes=st.integers(1, 99),
    loudness=st.none() | st.floats(-70, 0),
    feature_rate=st.none() | st.floats(1e-3, 240),
    device=st.sampled_from(DEVICES),
    rate=st.integers(8000, 384_000),
    subtype=st.sampled_from(SUBTYPES),
    beside=st.sets(st.sampled_from(OFFERED)).map(ordered),
    output_folder=folders,
    projection=st.sampled_from(PROJECTIONS),
    stereo=st.sampled_from(STEREO_LAYOUTS),
    shots=shots,
    use_shots=st.booleans(),
    hfov=st.floats(1, 179),
    camera=st.tuples(azimuths, elevations),
    front=st.none() | st.just("auto") | azimuths,
    mix_field=folders,
    duck=st.floats(0, 60),
    sources=sources,
    hints=hints,
    directions=st.none() | st.sampled_from(METHODS),
    recording=folders,
    max_sources=st.integers(1, 3),
    width=st.floats(0, 1),
)
# Handed over only where they have a meaning.
FLAT, MIXED = ("hfov", "camera"), ("mix_field", "duck")


@given(settings_strategy)
def test_settings_survive_json(settings: ClipSettings) -> None:
    text = json.dumps(settings.as_dict(), allow_nan=False)
    assert ClipSettings.from_dict(json.loads(text)) == settings


@given(settings_strategy)
def test_the_request_holds_every_setting(settings: ClipSettings) -> None:
    request = settings.request(Path("/c/clip.mp4"), Path("/o/out.wav"))
    for field in fields(GenerateRequest):
        meant = field.name not in FLAT or settings.projection == "flat"
        meant = meant and (field.name not in MIXED or settings.mix > 0)
        if field.name in FIELDS and meant:
            assert getattr(request, field.name) == getattr(settings, field.name), field.name
        elif field.name in FIELDS:
            assert not getattr(request, field.name), field.name
    assert request.segments == (settings.shots if settings.use_shots else ())
    assert request.deliverables == ("wav", *settings.beside)
    assert not request.overwrite
    assert GenerateRequest.from_json(request.to_json()) == request


@given(settings_strategy)
def test_the_placing_holds_every_setting(settings: ClipSettings) -> None:
    if settings.method == "given" and not settings.sources:
        with pytest.raises(OptionError, match="double-click in the picture"):
            settings.placing(Path("/c/clip.mp4"), Path("/o/out.wav"))
        return
    request = settings.placing(Path("/c/clip.mp4"), Path("/o/out.wav"))
    for name in ("start", "duration", "max_sources", "width", "yaw", "subtype", "projection"):
        assert getattr(request, name) == getattr(settings, name), name
    assert request.audio == settings.recording
    assert (request.hfov is not None) == (settings.projection == "flat")
    assert request.rate is None  # W stays the recording, sample for sample
    assert request.method == settings.method
    if settings.method == "given":
        assert [s.as_dict() for s in request.sources] == [
            s.directed().as_dict() for s in settings.sources
        ]
    assert SpatializeRequest.from_json(request.to_json()) == request


def test_markers_are_the_way_where_there_are_some() -> None:
    assert ClipSettings().method == "automatic"
    marked = ClipSettings(sources=(ClipSource("dog", ((0.0, 90.0, 0.0, 1.0),)),))
    assert marked.method == "given"
    assert replace(marked, directions="learned").method == "learned"


def test_defaults_are_those_of_a_request() -> None:
    made = ClipSettings().request(Path("a.mp4"), Path("a.wav"))
    assert made == GenerateRequest(Path("a.mp4"), Path("a.wav"))
    placed = ClipSettings().placing(Path("a.mp4"), Path("a.wav"))
    assert placed == SpatializeRequest(Path("a.mp4"), Path("a.wav"))


def test_a_locked_seed_stays_and_another_is_rolled() -> None:
    assert seed_for_run(ClipSettings(seed=7, seed_locked=True), lambda: 99) == 7
    assert seed_for_run(ClipSettings(seed=7), lambda: 99) == 99
    rolled = {seed_for_run(ClipSettings(seed=7)) for _ in range(20)}
    assert len(rolled) == 20  # of 10^9: two alike would be a fault
    assert all(0 <= seed < 10**9 for seed in rolled)  # short enough to be shown whole


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cfg", 200.0, "CFG must be a number from 0 to 100, found 200."),
        ("seed", 2**64, "Seed must be a whole number from 0 to 2^64 - 1"),
        ("seed", -1, "Seed must be a whole number from 0 to 2^64 - 1"),
        ("steps", 0, "Steps must be a whole number from 1 to 1000"),
        ("takes", 100, "Takes must be a whole number from 1 to 99"),
        ("mix", 11.0, "Mix must be a number from 0 to 10"),
        ("start", -0.1, "Start must be a number at least 0 s"),
        ("duration", 0.0, "Duration must be a number greater than 0 s"),
        ("yaw", 361.0, "Yaw must be a number from -360 to 360 degrees"),
        ("loudness", 1.0, "Loudness must be a number from -70 to 0 LUFS"),
        ("feature_rate", 0.0, "Feature rate must be a number greater than 0"),
        ("rate", 7999, "Rate must be a whole number from 8000 to 384000"),
        ("device", "abacus", "Device must be one of"),
        ("beside", ("stems",), "Beside must be one of fuma"),
        ("output_folder", "text", "The output folder must be a path"),
        ("shots", (Segment(2.0), Segment(1.0)), "Shot 2 starts at 1 s, not after"),
        ("shots", (Segment(1.0, cfg=101.0),), "Shot 1 CFG must be a number from 0 to 100"),
    ],
)
def test_what_is_wrong_is_said(name: str, value: object, said: str) -> None:
    problem = problem_with(name, value)
    assert problem is not None and problem.startswith(said)
    with pytest.raises(OptionError):
        ClipSettings().changed(**{name: value})


def test_shots_are_checked_even_where_they_are_not_used() -> None:
    with pytest.raises(OptionError, match="shot 2"):
        ClipSettings(use_shots=False).changed(shots=(Segment(2.0), Segment(2.0)))


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(OptionError, match="no setting 'volume'"):
        ClipSettings.from_dict({"volume": 3})
    with pytest.raises(OptionError, match="must be an object"):
        ClipSettings.from_dict([1])
    with pytest.raises(OptionError, match="shots must be a list"):
        ClipSettings.from_dict({"shots": "two"})


def test_a_range_beyond_the_clip_is_told() -> None:
    assert range_problem(ClipSettings(start=3.0), 2.0) == (
        "The clip is 2.000 s long: start before its end."
    )
    assert range_problem(ClipSettings(start=1.9), 2.0) is None
    assert range_problem(ClipSettings(start=3.0), None) is None


def test_every_setting_has_a_name_for_people() -> None:
    assert set(NAMES) == set(FIELDS)


def test_messages_become_sentences() -> None:
    assert sentence("cfg must be 1") == "CFG must be 1."
    path = Path("/films/x.mp4")
    assert told_of(path, "/films/x.mp4 is truncated") == "It is truncated."
    assert told_of(path, "/films/x.mp4: no picture can be decoded") == "No picture can be decoded."
    assert told_of(path, "the analyst ended") == "The analyst ended."
