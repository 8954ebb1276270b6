"""Head tracks from CSV files: time, yaw, pitch, roll."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.container import check_file

COLUMNS = ("time", "yaw", "pitch", "roll")


def read_head_track(path: str | Path) -> tuple[NDArray[np.float64], ...]:
    """Read where the head looked.

    Each line holds seconds, yaw, pitch and roll, in degrees and separated by commas: yaw positive
    to the left, pitch up, roll with the left ear up. Times do not descend. A first line may name
    the columns, in any order and with others among them. Empty lines and what follows ``#`` are
    left out.

    Parameters
    ----------
    path : str or Path
        UTF-8 text.

    Returns
    -------
    four ndarrays, float64, shape (k,)
        Seconds, and radians, as `foa.binaural.render_binaural` takes them.

    Raises
    ------
    MissingFileError
        If there is no such file.
    MediaError
        If a line is wrong (the message has its number), or there is none.
    """
    file = Path(path)
    check_file(file)
    places = [0, 1, 2, 3]
    rows: list[list[float]] = []
    begun = False
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            for number, line in enumerate(text, 1):
                fields = [field.strip() for field in next(csv.reader([line.split("#")[0]]), [])]
                if not any(fields):
                    continue
                if not begun and not _is_number(fields[0]):
                    places = _places(file, number, fields)
                else:
                    rows.append(_numbers(file, number, fields, places))
                    if len(rows) > 1 and rows[-1][0] < rows[-2][0]:
                        raise MediaError(
                            f"{file}, line {number}: its time {rows[-1][0]:g} comes before the "
                            f"line above, {rows[-2][0]:g}; sort the lines by time"
                        )
                begun = True
    except OSError as error:
        raise MediaError(f"cannot read {file}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise MediaError(f"{file} is no head track: it is not text in UTF-8 ({error})") from error
    if not rows:
        raise MediaError(f"{file} is empty; expected lines of {','.join(COLUMNS)} in degrees")
    times, *angles = np.array(rows).T
    return (times, *np.radians(angles))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _places(file: Path, number: int, names: list[str]) -> list[int]:
    """Where the four columns are."""
    given = [name.lower() for name in names]
    missing = [name for name in COLUMNS if given.count(name) != 1]
    if missing:
        raise MediaError(
            f"{file}, line {number}: expected {','.join(COLUMNS)}, as numbers or as a header; "
            f"found {','.join(names)[:60]!r}"
        )
    return [given.index(name) for name in COLUMNS]


def _numbers(file: Path, number: int, fields: list[str], places: list[int]) -> list[float]:
    if len(fields) <= max(places):
        raise MediaError(
            f"{file}, line {number}: expected {','.join(COLUMNS)}; found {len(fields)} values"
        )
    values = []
    for name, place in zip(COLUMNS, places, strict=True):
        if not _is_number(fields[place]) or not math.isfinite(float(fields[place])):
            raise MediaError(
                f"{file}, line {number}: {name} is {fields[place][:40]!r}; expected a number"
            )
        values.append(float(fields[place]))
    return values
