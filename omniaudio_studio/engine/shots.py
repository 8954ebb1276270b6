"""Where the picture cuts: found in the clip, or read from a file."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.jobs.request import MAX_SEED, Segment

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

MIN_SHOT = 0.5  # seconds; a flash is no shot
_WIDTH = 128  # pixels across: enough to tell pictures apart
_COLUMNS = ("start", "end", "cfg", "seed")


def find_shots(
    info: ClipInfo,
    *,
    cancel: Cancel | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Segment]:
    """Find the cuts of a clip.

    Every frame, made small, goes to PySceneDetect's adaptive detector: a cut is a frame that
    differs from the one before far more than its neighbours do, so that camera movement is none.

    Parameters
    ----------
    info
        The clip.
    cancel
        Checked for every frame.
    progress
        Receives seconds of the clip that were looked at.

    Returns
    -------
    list of Segment
        One for each shot, the first at 0; starts are the times of frames, in seconds from the first
        one. CFG and seed are the request's.

    Raises
    ------
    MediaError
        If the clip cannot be decoded.
    Cancelled
        If ``cancel`` said so.
    """
    from scenedetect import AdaptiveDetector, FrameTimecode

    from omniaudio_studio.media.container import Damage, decode_video
    from omniaudio_studio.media.probe import opened_video

    detector = AdaptiveDetector(min_scene_len=MIN_SHOT)
    fps = info.fps if math.isfinite(info.fps) and info.fps > 0 else 25.0
    height = max(8, round(_WIDTH * info.height / max(1, info.width)))
    cuts: list[float] = []
    place = None
    with opened_video(info.path) as (container, stream):
        for frame in decode_video(container, stream, Damage()):
            if cancel is not None:
                cancel.check()
            if frame.pts is None or stream.time_base is None:
                continue
            seconds = max(0.0, float(frame.pts * stream.time_base) - info.start_time)
            small = frame.reformat(_WIDTH, height, format="bgr24", interpolation="AREA")
            place = FrameTimecode(seconds, fps=fps)
            found = detector.process_frame(place, small.to_ndarray())
            cuts += [float(cut.seconds) for cut in found]
            if progress is not None:
                progress(seconds)
    if place is not None:
        cuts += [float(cut.seconds) for cut in detector.post_process(place)]
    starts = [0.0]
    for cut in sorted(cuts):
        if starts[-1] < cut < info.duration:
            starts.append(cut)
    return [Segment(start) for start in starts]


def load_shots(path: str | Path, duration: float | None = None) -> list[Segment]:
    """Read shots from a JSON or CSV file.

    JSON is a list of objects (or an object with such a list as "shots" or "segments"); CSV has a
    line of column names. Both have `start` and, where wanted, `end`, `cfg` and `seed`. Times are
    seconds of the clip or `[HH:]MM:SS[.mmm]`. A shot without an end lasts until the next one; what
    no shot covers has the request's own values. PySceneDetect's scene lists are read too.

    Parameters
    ----------
    path
        The file; `.json`, else CSV.
    duration
        The clip's, seconds: shots outside it are refused.

    Raises
    ------
    MissingFileError
        If there is no such file.
    OptionError
        If a line is wrong; shots out of order, overlapping or outside the clip included.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingFileError(f"no such file of shots: {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read {path} as a text file of shots: {error}") from error
    rows = _from_json(text, path) if text.lstrip()[:1] in ("[", "{") else _from_csv(text, path)
    if not rows:
        raise OptionError(f"{path} holds no shots; give at least one with a start")
    return _arrange([_Row(row, f"{path}, shot {n}") for n, row in enumerate(rows, 1)], duration)


class _Row:
    """One shot of a file, checked on its own."""

    def __init__(self, row: Mapping[str, Any], where: str) -> None:
        self.where = where
        unknown = [key for key in row if key not in _COLUMNS]
        if unknown:
            raise OptionError(
                f"{where}: unknown field {unknown[0]!r}; known are {', '.join(_COLUMNS)}"
            )
        start = self._seconds("start", row.get("start"))
        if start is None:
            raise OptionError(f"{where}: start is missing; give it in seconds of the clip")
        self.start = start
        self.end = self._seconds("end", row.get("end"))
        if self.end is not None and self.end <= self.start:
            raise OptionError(
                f"{where} ends at {self.end:g} s, not after its start at {self.start:g} s"
            )
        self.cfg = self._number("cfg", row.get("cfg"))
        self.seed = self._seed(row.get("seed"))

    def _number(self, name: str, value: Any) -> float | None:
        if value is None or value == "":
            return None
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number) or number < 0:
            raise OptionError(
                f"{self.where}: {name} must be a finite number, at least 0; found {str(value)!r}"
            )
        return number

    def _seconds(self, name: str, value: Any) -> float | None:
        if isinstance(value, str) and ":" in value:
            parts = re.fullmatch(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)", value.strip())
            if parts is None:
                raise OptionError(
                    f"{self.where}: {name} must be seconds or HH:MM:SS.mmm; found {value!r}"
                )
            hours, minutes, seconds = parts.groups()
            return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        return self._number(name, value)

    def _seed(self, value: Any) -> int | None:
        if value is None or value == "":
            return None
        whole = not isinstance(value, bool) and re.fullmatch(r"\d{1,20}", str(value).strip())
        if not whole or int(value) > MAX_SEED:
            raise OptionError(
                f"{self.where}: seed must be a whole number from 0 to 2^64 - 1; "
                f"found {str(value)!r}"
            )
        return int(value)


def _arrange(rows: Sequence[_Row], duration: float | None) -> list[Segment]:
    """Segments by ascending start, with plain ones for what no shot covers."""
    segments: list[Segment] = []
    previous: _Row | None = None
    for row in rows:
        if previous is not None and row.start <= previous.start:
            raise OptionError(
                f"{row.where} starts at {row.start:g} s, not after the one before it "
                f"({previous.start:g} s); list the shots in order"
            )
        if previous is not None and previous.end is not None:
            if row.start < previous.end - 1e-6:
                raise OptionError(
                    f"{row.where} starts at {row.start:g} s, inside the one before it, which ends "
                    f"at {previous.end:g} s; shots must not overlap"
                )
            if row.start > previous.end + 1e-6:
                segments.append(Segment(previous.end))
        if duration is not None and row.start >= duration:
            raise OptionError(
                f"{row.where} starts at {row.start:g} s, but the clip is {duration:.3f} s long"
            )
        if duration is not None and row.end is not None and row.end > duration + 0.1:
            raise OptionError(
                f"{row.where} ends at {row.end:g} s, but the clip is {duration:.3f} s long"
            )
        segments.append(Segment(row.start, cfg=row.cfg, seed=row.seed))
        previous = row
    if previous is not None and previous.end is not None:
        open_end = duration is None or previous.end < duration - 1e-3
        if open_end:
            segments.append(Segment(previous.end))
    for number, segment in enumerate(segments, 1):
        segment.validate(f"shot {number}")
    return segments


def _from_json(text: str, path: Path) -> list[Mapping[str, Any]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not JSON: {error}") from error
    if isinstance(data, dict):
        data = data.get("shots", data.get("segments"))
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise OptionError(
            f"{path}: expected a list of objects with start, end, cfg and seed; "
            'or an object with such a list as "shots"'
        )
    return data


# What PySceneDetect calls the columns of its scene lists.
_SCENE_LIST = {"start time (seconds)": "start", "end time (seconds)": "end"}


def _from_csv(text: str, path: Path) -> list[Mapping[str, Any]]:
    lines = text.splitlines()
    if lines and lines[0].lower().startswith("timecode list"):
        lines = lines[1:]
    reader = csv.reader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    try:
        table = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise OptionError(f"{path} is no CSV file: {error}") from error
    if not table:
        return []
    names = [cell.strip().lower() for cell in table[0]]
    if any(name in _SCENE_LIST for name in names):
        places = {_SCENE_LIST[name]: i for i, name in enumerate(names) if name in _SCENE_LIST}
        return [{name: row[i] for name, i in places.items() if i < len(row)} for row in table[1:]]
    if "start" not in names:
        raise OptionError(
            f"{path}: expected a first line of column names with 'start' among them "
            f"({', '.join(_COLUMNS)}); found {', '.join(table[0])[:60]!r}"
        )
    for number, row in enumerate(table[1:], 1):
        if len(row) > len(names):
            raise OptionError(
                f"{path}, shot {number}: expected at most {len(names)} values, found {len(row)}"
            )
    return [
        {name: cell.strip() for name, cell in zip(names, row, strict=False)} for row in table[1:]
    ]
