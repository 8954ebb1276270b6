"""Head tracks from CSV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.media.head_track import read_head_track


def written(folder: Path, text: str) -> Path:
    path = folder / "head.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "0,90,0,0\n1.5,-90,45,-10\n",
        "time,yaw,pitch,roll\n0,90,0,0\n1.5,-90,45,-10\n",
        "\ufeffTime, Yaw, Pitch, Roll\r\n0, 90, 0, 0\r\n1.5, -90, 45, -10",
        "# a tracker's\n\nroll,pitch,comment,yaw,time\n0,0,x,90,0\n\n-10,45,y,-90,1.5 # end\n",
        "0,90,0,0,extra\n1.5,-9e1,45,-10,1\n",
    ],
)
def test_ways_to_write_one(tmp_path: Path, text: str) -> None:
    times, yaw, pitch, roll = read_head_track(written(tmp_path, text))
    np.testing.assert_array_equal(times, [0.0, 1.5])
    np.testing.assert_allclose(yaw, [np.pi / 2, -np.pi / 2])
    np.testing.assert_allclose(pitch, [0.0, np.pi / 4])
    np.testing.assert_allclose(roll, [0.0, -np.pi / 18])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("time,yaw,pitch,roll\n", "is empty"),
        ("time,yaw,pitch\n0,0,0\n", "line 1: expected time,yaw,pitch,roll"),
        ("time,yaw,yaw,pitch,roll\n0,0,0,0,0\n", "line 1"),
        ("0,0,0,0\n1,0,0\n", "line 2: .* found 3 values"),
        ("0,0,0,0\n\n1,north,0,0\n", "line 3: yaw is 'north'"),
        ("0,0,0,0\ntime,yaw,pitch,roll\n", "line 2: time is 'time'"),
        ("0,0,nan,0\n", "line 1: pitch is 'nan'"),
        ("0,0,0,inf\n", "line 1: roll is 'inf'"),
        ("0,0,0,0\n2,0,0,0\n1,0,0,0\n", "line 3: its time 1 comes before .* 2"),
    ],
)
def test_mistakes_have_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MediaError, match=said) as caught:
        read_head_track(written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "head.csv" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_head_track(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(MediaError, match=r"picture\.csv"):
        read_head_track(tmp_path / "picture.csv")
