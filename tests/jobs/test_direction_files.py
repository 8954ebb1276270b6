"""Files of directions: read, written, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omniaudio_studio.errors import MissingFileError, OptionError, OutputExistsError
from omniaudio_studio.jobs.direction_files import read_directions, write_directions
from omniaudio_studio.jobs.spatialize_request import MAX_SOURCES, DirectedSource


def read(tmp_path: Path, text: str, name: str = "a.csv") -> tuple[DirectedSource, ...]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_directions(tmp_path / name)


def test_lines_of_several_sources(tmp_path: Path) -> None:
    """In any order of columns, spread over the file, with a remark and an empty line."""
    text = (
        "Source,elevation,time,azimuth,remark,gain\n"
        '"dog, big",10,0,90,starts here,1\n'
        "# a remark\n"
        "bird #2,45,0,-90.5,,\n\n"
        '"dog, big",12,1.5,95,,0.5\n'
    )
    assert read(tmp_path, text) == (
        DirectedSource("dog, big", ((0.0, 90.0, 10.0, 1.0), (1.5, 95.0, 12.0, 0.5))),
        DirectedSource("bird #2", ((0.0, -90.5, 45.0, 1.0),)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "time,azimuth,elevation\n0,90,0\n1,-90,5\n",
        "0,90,0\n1,-90,5",
        "\ufeff0,90,0,1\n1,-90,5,1\n",
    ],
)
def test_a_header_a_gain_and_a_name_may_be_left_out(tmp_path: Path, text: str) -> None:
    wanted = DirectedSource("source 1", ((0.0, 90.0, 0.0, 1.0), (1.0, -90.0, 5.0, 1.0)))
    assert read(tmp_path, text) == (wanted,)


def test_json(tmp_path: Path) -> None:
    """Points as lists and as objects; stems lie beside the file."""
    sources = [
        {"points": [[0, 90, 0], [1, 80, 0, 0.5]]},
        {"name": "car", "file": "car.wav", "start": -1,
         "points": [{"time": 2, "azimuth": -10, "elevation": 5}]},
    ]  # fmt: skip
    wanted = (
        DirectedSource("source 1", ((0, 90, 0, 1.0), (1, 80, 0, 0.5))),
        DirectedSource("car", ((2, -10, 5, 1.0),), tmp_path / "car.wav", -1),
    )
    assert read(tmp_path, json.dumps(sources)) == wanted
    assert read(tmp_path, json.dumps({"sources": sources}, indent=1), "a.json") == wanted
    again = [source.as_dict() for source in wanted]
    assert read(tmp_path, json.dumps(again), "b.json") == wanted


def test_a_sidecar(tmp_path: Path) -> None:
    """What was found; or what was given, with its stems."""
    found = {"name": "a", "points": [[0.0, 1.0, 2.0, 0.5]], "confidence": [0.25]}
    data = {"kind": "omniaudio-spatialization", "request": {"sources": []}, "sources": [found]}
    assert read(tmp_path, json.dumps(data)) == (DirectedSource("a", ((0.0, 1.0, 2.0, 0.5),)),)
    stem = {"name": "a", "points": [[0.0, 1.0, 2.0, 0.5]], "file": "/there/a.wav", "start": 1.0}
    data["request"] = {"sources": [stem]}
    (source,) = read(tmp_path, json.dumps(data))
    assert (source.file, source.start) == (Path("/there/a.wav"), 1.0)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sources = (
        DirectedSource('a "b", c', ((0.0, 12.25, -3.0, 1.0), (0.3333, -179.99, 90.0, 0.125))),
        DirectedSource("# 2", ((-1.5, 0.0, 0.0, 0.0),)),
    )
    path = tmp_path / "out.csv"
    write_directions(path, sources)
    assert read_directions(path) == sources
    with pytest.raises(OutputExistsError):
        write_directions(path, sources)
    write_directions(path, sources[:1], overwrite=True)
    assert read_directions(path) == sources[:1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_what_csv_cannot_hold_is_not_written(tmp_path: Path) -> None:
    one = DirectedSource("a", ((0.0, 0.0, 0.0, 1.0),))
    stem = DirectedSource("b", one.points, Path("b.wav"))
    for sources, said in (((one, stem), "has a stem"), ((one, one), "two sources are called 'a'")):
        with pytest.raises(OptionError, match=said):
            write_directions(tmp_path / "out.csv", sources)
    assert not list(tmp_path.iterdir())


MANY = "".join(f"0,0,0,1,source {number}\n" for number in range(MAX_SOURCES + 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no directions"),
        ("time,azimuth,elevation\n", "holds no directions"),
        ("time,azimuth\n0,1\n", "line 1: the column elevation is missing"),
        ("time;azimuth;elevation\n", "line 1: the column time is missing"),
        ("time,azimuth,elevation,time\n0,1,2,3\n", "several columns 'time'"),
        ("0,0,0\nnan,0,0\n", "line 2: time must be .* found nan"),
        ("0,0,0\n1,nan,0\n", "line 2: azimuth must be .* found nan"),
        ("0,0,0\n1,0,inf\n", "line 2: elevation must be .* found inf"),
        ("0,0,0,nan\n", "line 1: gain must be .* found nan"),
        ("0,left,0\n", "line 1: azimuth must be a number, found 'left'"),
        ("0,0\n", "line 1: elevation must be a number, it is missing"),
        ("0,0,0\n2,0,0\n1,0,0\n", "line 3: its time 1 s does not come after .* 2 s"),
        ("0,0,0\n0,0,0\n", "line 2: its time 0 s does not come after"),
        ("0,361,0\n", "line 1: azimuth must be a number from -360 to 360 degrees, found 361"),
        ("0,0,90.5\n", "line 1: elevation must be a number from -90 to 90 degrees"),
        ("0,0,0,1.5\n", "line 1: gain must be a number from 0 to 1"),
        (MANY, "holds 17 sources; give at most 16"),
        ("[]", "holds no directions"),
        ("{}", "expected a list of sources"),
        ("[1]", "source 1 must be an object, found the number 1"),
        ("[{]", "is not JSON"),
        ('[{"points": []}]', "has no points"),
        ('[{"name": "a"}]', "source 1 has no points"),
        ('[{"points": [[0, NaN, 0]]}]', "azimuth must be .* found nan"),
        ('[{"points": [[0, 0]]}]', "found 2 values"),
        ('[{"points": [{"time": 0, "azimuth": 0}]}]', "point 1 has no elevation"),
        ('[{"points": [{"time": 0, "az": 0}]}]', "unknown field 'az'"),
        ('[{"points": [[1, 0, 0], [0, 0, 0]]}]', "not after the one before"),
        ('[{"points": [[0, 0, 0]], "colour": 1}]', "unknown field 'colour'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "a.csv" in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data in (b"\xff\xfe\x00", b"0,0,0\0"):
        path.write_bytes(data)
        with pytest.raises(OptionError, match="is no text"):
            read_directions(path)
    with pytest.raises(OptionError, match="cannot read"):
        read_directions(tmp_path)
    with pytest.raises(MissingFileError, match="no such file of directions"):
        read_directions(tmp_path / "no.csv")
