"""Hints as text: on the command line, and in JSON and CSV files. Standard library only."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.jobs.request import Hint

COLUMNS = ("start", "end", "azimuth", "elevation", "strength")
_NEEDED = len(COLUMNS) - 1


def hint_from_text(text: str) -> Hint:
    """Read ``START,END,AZ,EL[,STRENGTH]``; raises OptionError with one line."""
    fields = [field.strip() for field in text.split(",")]
    if not _NEEDED <= len(fields) <= len(COLUMNS):
        raise OptionError(
            f"--hint must be START,END,AZ,EL[,STRENGTH] as 2,5.5,90,0,0.8; found {text[:60]!r}"
        )
    return _hint(COLUMNS, fields, f"--hint {text[:60]}")


def read_hints(path: Path) -> tuple[Hint, ...]:
    """Read hints from a JSON or CSV file.

    JSON is a list of objects with start, end (seconds of the clip), azimuth, elevation (degrees)
    and, where wanted, strength (0 to 1); or an object with such a list as "hints". CSV has these
    columns in this order, or in the order that a first line names. Empty lines and what follows
    ``#`` are left out.

    Raises
    ------
    MissingFileError
        If there is no such file.
    OptionError
        If it is no list of hints, or one of them is wrong; the message has its number or line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingFileError(f"no such file of hints: {path}; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read {path} as a text file of hints: {error}") from error
    hints = _from_json(path, text) if text.lstrip()[:1] in ("[", "{") else _from_csv(path, text)
    if not hints:
        raise OptionError(f"{path} holds no hints; give lines of {','.join(COLUMNS)}")
    return tuple(hints)


def _from_json(path: Path, text: str) -> list[Hint]:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not JSON: {error}") from error
    if isinstance(data, dict):
        data = data.get("hints")
    if not isinstance(data, list):
        raise OptionError(
            f"{path}: expected a list of objects with {', '.join(COLUMNS)}, or an object with such "
            'a list as "hints"'
        )
    return [Hint.from_dict(item, f"{path}, hint {number}") for number, item in enumerate(data, 1)]


def _from_csv(path: Path, text: str) -> list[Hint]:
    names: Sequence[str] = COLUMNS
    hints: list[Hint] = []
    try:
        lines = [line.split("#")[0] for line in text.splitlines()]
        table = list(csv.reader(io.StringIO("\n".join(lines)), skipinitialspace=True))
    except csv.Error as error:
        raise OptionError(f"{path} is no CSV file: {error}") from error
    begun = False
    for number, row in enumerate(table, 1):
        fields = [field.strip() for field in row]
        if not any(fields):
            continue
        where = f"{path}, line {number}"
        if not begun and fields[0].lower() in COLUMNS:
            names = [field.lower() for field in fields]
            missing = [name for name in COLUMNS[:_NEEDED] if names.count(name) != 1]
            if missing or any(name not in COLUMNS for name in names):
                raise OptionError(
                    f"{where}: expected the columns {','.join(COLUMNS)}, found {','.join(names)}"
                )
        elif not _NEEDED <= len(fields) <= len(names):
            raise OptionError(f"{where}: expected {','.join(names)}, found {len(fields)} values")
        else:
            hints.append(_hint(names, fields, where))
        begun = True
    return hints


def _hint(names: Sequence[str], fields: Sequence[str], where: str) -> Hint:
    values: dict[str, float] = {}
    for name, field in zip(names, fields, strict=False):
        if not field and name == "strength":
            continue  # left to its default
        try:
            values[name] = float(field)
        except ValueError:
            raise OptionError(f"{where}: {name} must be a number, found {field[:40]!r}") from None
    return Hint.from_dict(values, where)
