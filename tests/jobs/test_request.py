"""The request: every bad value gets one line, and JSON gives back what went in."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import DEVICES, MAX_SEED, GenerateRequest, Segment

PLAIN = GenerateRequest(clip=Path("clip.mp4"), output=Path("out.wav"))


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
        ("cfg", float("nan"), "nan"),
        ("cfg", float("inf"), "inf"),
        ("cfg", -0.5, "-0.5"),
        ("cfg", 101.0, "101"),
        ("cfg", "3", "'3'"),
        ("cfg", True, "true"),
        ("cfg", 10**400, "beyond all use"),
        ("steps", -1, "-1"),
        ("steps", 0, "from 1 to 1000"),
        ("steps", 1001, "1001"),
        ("steps", 2.5, "2.5"),
        ("seed", -1, "2^64 - 1"),
        ("seed", MAX_SEED + 1, "2^64 - 1"),
        ("seed", 1.0, "whole number"),
        ("start", -1.0, "at least 0 s"),
        ("start", float("inf"), "inf"),
        ("duration", 0.0, "greater than 0 s"),
        ("duration", -2.0, "-2"),
        ("duration", float("nan"), "nan"),
        ("takes", 0, "from 1 to 99"),
        ("takes", 100, "100"),
        ("yaw", float("nan"), "nan"),
        ("yaw", 361.0, "degrees"),
        ("feature_rate", 0.0, "greater than 0"),
        ("feature_rate", 1000.0, "at most 240"),
        ("rate", 100, "8000"),
        ("rate", 48000.0, "whole number"),
        ("subtype", "pcm16", "float32, pcm24"),
        ("device", "tpu", "auto, cpu"),
        ("projection", "mercator", "equirectangular"),
        ("stereo", "both", "top-bottom"),
        ("sampler", "heun", "euler"),
        ("loudness", 3.0, "LUFS"),
        ("loudness", float("-inf"), "-inf"),
        ("mix", -0.1, "from 0 to 10"),
        ("mix", float("nan"), "nan"),
        ("deliverables", (), "wav"),
        ("deliverables", ("overlay",), "wav"),
        ("deliverables", ("wav", "mp3"), "mp3"),
        ("deliverables", ("wav", "wav"), "twice"),
        ("overwrite", 1, "true or false"),
        ("bundle", "", "bundle"),
        ("output", Path("out.flac"), ".wav"),
        ("output", Path("/"), "file"),
        ("clip", Path("a\0b"), "NUL"),
        ("clip", None, "path"),
        ("base_take", Path("a.wav"), "both"),
        ("base_range", (0.0, 1.0), "both"),
        ("segments", "auto", "list"),
        ("segments", ({"start": 0},), "Segment"),
        ("segments", (Segment(1.0), Segment(1.0)), "order"),
        ("segments", (Segment(-1.0),), "shot 1 start"),
        ("segments", (Segment(0.0), Segment(2.0, cfg=float("nan"))), "shot 2 CFG"),
        ("segments", (Segment(0.0, seed=-3),), "shot 1 seed"),
        ("schema_version", 2, "schema version 2"),
    ],
)
def test_a_bad_value_gets_one_line_that_names_it(field: str, value: Any, said: str) -> None:
    assert said in refused(**{field: value})


def test_the_base_range_runs_forwards() -> None:
    assert "greater than 3" in refused(base_take=Path("a.wav"), base_range=(3.0, 2.0))
    replace(PLAIN, base_take=Path("a.wav"), base_range=(3.0, 4.0)).validate()


requests = st.builds(
    GenerateRequest,
    clip=st.just(Path("folder/a clip é.mp4")),
    output=st.just(Path("folder/sound.WAV")),
    start=st.floats(0, 1e6),
    duration=st.none() | st.floats(1e-6, 1e6),
    segments=st.lists(st.floats(0, 1e5), unique=True, max_size=5).map(
        lambda starts: tuple(
            Segment(start, cfg=None if i % 2 else 2.0 + i, seed=i or None)
            for i, start in enumerate(sorted(starts))
        )
    ),
    cfg=st.none() | st.floats(0, 100),
    seed=st.integers(0, MAX_SEED),
    steps=st.none() | st.integers(1, 1000),
    takes=st.integers(1, 99),
    base_take=st.just(Path("base.wav")),
    base_range=st.just((0.5, 2.0)),
    yaw=st.floats(-360, 360),
    device=st.sampled_from(DEVICES),
    deliverables=st.sampled_from([("wav",), ("wav", "overlay")]),
    overwrite=st.booleans(),
)


@given(requests)
def test_json_gives_back_what_went_in(request_: GenerateRequest) -> None:
    text = request_.to_json()
    assert "\n" not in text
    assert GenerateRequest.from_json(text) == request_


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "blue"}, "unknown field 'colour'"),
        ({"schema_version": 2, "colour": "blue"}, "schema version 2"),
        ({"schema_version": None}, "schema version None"),
        ({"schema_version": True}, "schema version True"),
        ({"segments": [{"start": 1, "gain": 2}]}, "unknown field 'gain'"),
        ({"segments": [{"cfg": 1}]}, "start is missing"),
        ({"segments": [3]}, "shot 1"),
        ({"segments": "auto"}, "list"),
        ({"seed": "7"}, "whole number"),
        ({"clip": 3}, "path"),
        ({"deliverables": 3}, "wav"),
    ],
)
def test_strange_json_is_refused_in_one_line(change: dict[str, Any], said: str) -> None:
    data = {**PLAIN.as_dict(), **change}
    with pytest.raises(OptionError, match=said) as caught:
        GenerateRequest.from_json(json.dumps(data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"schema_version": 1}'])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(OptionError):
        GenerateRequest.from_json(text)


def test_a_take_raises_every_seed_and_names_its_own_file() -> None:
    request = replace(
        PLAIN, seed=MAX_SEED, takes=3, segments=(Segment(0.0, seed=5), Segment(2.0, cfg=1.0))
    )
    third = request.for_take(2)
    assert third.seed == 1  # wrapped around
    assert third.segments == (Segment(0.0, seed=7), Segment(2.0, cfg=1.0))
    assert third.output == Path("out-take3.wav")
    assert third.takes == 1
    assert request.for_take(0).output == request.output


def test_the_request_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "import omniaudio_studio.jobs.request;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'omniaudio_studio'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
