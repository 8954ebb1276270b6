"""Hints from the command line and from files; what is wrong is said in one line with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.jobs.hint_files import hint_from_text, read_hints
from omniaudio_studio.jobs.request import Hint

HINTS = (Hint(1.0, 2.5, -90.0, 30.0, 0.8), Hint(3.0, 4.0, 10.0, -5.0))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1,2.5,-90,30,0.8", HINTS[0]),
        (" 3, 4, 10, -5 ", HINTS[1]),
        ("3,4,10,-5,", HINTS[1]),
    ],
)
def test_a_hint_in_a_line(text: str, hint: Hint) -> None:
    assert hint_from_text(text) == hint


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([hint.as_dict() for hint in HINTS]),
        json.dumps({"hints": [HINTS[0].as_dict(), {**HINTS[1].as_dict(), "strength": 0.5}]}),
        "1,2.5,-90,30,0.8\n3,4,10,-5\n",
        "\ufeffstart,end,azimuth,elevation,strength\r\n1,2.5,-90,30,0.8\r\n3,4,10,-5,\r\n",
        "# mine\nElevation, Azimuth, start, end, strength\n\n30,-90,1,2.5,0.8 # loud\n-5,10,3,4\n",
        "start,end,azimuth,elevation,strength\n1,2.5,-90,30,0.8\n3,4,10,-5,0.5",
    ],
)
def test_files_of_both_kinds(tmp_path: Path, text: str) -> None:
    file = tmp_path / "hints.txt"
    file.write_text(text, encoding="utf-8")
    assert read_hints(file) == HINTS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3", "START,END,AZ,EL"),
        ("1,2,3,4,5,6", "START,END,AZ,EL"),
        ("1,2,left,0", "azimuth must be a number, found 'left'"),
        ("2,1,0,0", "end must be a number greater than 2"),
        ("1,2,0,0,1.5", "strength must be a number from 0 to 1, found 1.5"),
        ("1,2,nan,0", "azimuth must be a number"),
        ("1,2,0,91", "elevation must be a number from -90 to 90 degrees, found 91"),
        ("-1,2,0,0", "start must be a number at least 0 s, found -1"),
    ],
)
def test_what_is_wrong_in_a_line_is_said(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said) as error:
        hint_from_text(text)
    assert str(error.value).startswith("--hint")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no hints"),
        ("start,end,azimuth,elevation\n", "holds no hints"),
        ("[]", "holds no hints"),
        ("[{]", "is not JSON"),
        ('{"shots": []}', '"hints"'),
        ('[{"start": 1, "end": 2, "azimuth": 0}]', "hint 1 has no elevation"),
        (
            '[{"start": 1, "end": 2, "azimuth": 0, "elevation": 0, "gain": 1}]',
            "unknown field 'gain'",
        ),
        ('[{"start": 1, "end": 2, "azimuth": "0", "elevation": 0}]', "azimuth must be a number"),
        ("start,end,azimuth\n1,2,0\n", "line 1: expected the columns"),
        ("start,end,azimuth,elevation,gain\n", "line 1: expected the columns"),
        ("1,2,0,0\n\n1,2,0\n", "line 3: expected"),
        ("1,2,0,0\n1,x,0,0\n", "line 2: end must be a number, found 'x'"),
        ("1,2,0,0\n1,0.5,0,0\n", "line 2 end must be"),
        ("1,2,inf,0\n", "line 1 azimuth must be"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "hints.csv"
    file.write_text(text)
    with pytest.raises(OptionError, match=said) as error:
        read_hints(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    file = tmp_path / "hints.csv"
    with pytest.raises(MissingFileError, match="no such file of hints"):
        read_hints(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="cannot read"):
        read_hints(file)
