"""Timecodes and times of creation, from files that libav wrote."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from omniaudio_studio.errors import MissingFileError
from omniaudio_studio.media.clip_time import ClipTime, clip_time, timecode_seconds


def clip(path: Path, fps: Fraction | int = 30, **tags: str) -> Path:
    """Three pictures, with container tags; a ``timecode`` becomes a track in MOV."""
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream("mpeg4", fps)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("timecode", "fps", "seconds"),
    [
        ("01:00:00:00", 25, 3600.0),
        ("00:00:01:12", 24, 1.5),
        # 108000 numbers an hour, each 1001/30000 s long.
        ("01:00:00:00", Fraction(30000, 1001), 3603.6),
        # Drop-frame: 107892 pictures an hour, 3.6 ms short of it.
        ("01:00:00;00", Fraction(30000, 1001), 3599.9964),
        ("00:01:00;02", Fraction(30000, 1001), 1800 * 1001 / 30000),
        ("00:10:00;00", Fraction(60000, 1001), 599.9994),
        ("23:59:59:23", Fraction(24000, 1001), 2073599 * 1001 / 24000),
    ],
)
def test_timecodes_number_pictures(timecode: str, fps: Fraction, seconds: float) -> None:
    assert timecode_seconds(timecode, fps) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["", "noon", "1:2:3", "01:00:00:00:00", "aa:00:00:00"])
def test_what_is_no_timecode(text: str) -> None:
    assert timecode_seconds(text, 25) is None


def test_a_timecode_track_and_a_time_of_creation(tmp_path: Path) -> None:
    made = "2026-01-31T14:05:59.500000Z"
    found = clip_time(clip(tmp_path / "a.mov", 25, creation_time=made, timecode="10:00:00:05"))
    assert found == ClipTime("2026-01-31", "14:05:59", 36000.2)
    found = clip_time(clip(tmp_path / "b.mp4", 25, creation_time=made))
    # MP4 keeps whole seconds.
    assert found == ClipTime("2026-01-31", "14:05:59", 14 * 3600 + 5 * 60 + 59)
    found = clip_time(clip(tmp_path / "c.mkv", 25, creation_time=made))
    assert (found.date, found.midnight) == ("2026-01-31", 14 * 3600 + 5 * 60 + 59.5)
    found = clip_time(clip(tmp_path / "d.mov", 25, timecode="00:00:02:00"))
    assert (found.date, found.midnight) == ("", 2.0)


def test_clips_that_do_not_say(tmp_path: Path) -> None:
    assert clip_time(clip(tmp_path / "a.mp4")) == ClipTime()
    assert clip_time(clip(tmp_path / "b.mp4", creation_time="1970-01-01T00:00:00Z")) == ClipTime()
    assert clip_time(clip(tmp_path / "c.mkv", creation_time="last spring")) == ClipTime()
    with pytest.raises(MissingFileError, match="no such file"):
        clip_time(tmp_path / "none.mp4")
