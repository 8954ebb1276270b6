"""Where sounds come from, as CSV and JSON files. Standard library only."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.files import is_there, reason, written_whole
from omniaudio_studio.jobs.checks import (
    check_direction,
    check_number,
    check_time,
    described,
    refuse_unknown,
)
from omniaudio_studio.jobs.spatialize_request import MAX_SOURCES, POINT, DirectedSource, Point

COLUMNS = (*POINT, "source")
_NEEDED = POINT[:3]
_ONE = "source 1"
_FULL_GAIN = 1.0
_MOST_BYTES = 64 << 20
_WANTED = f"lines of {','.join(_NEEDED)} (s, degrees), with gain and source where wanted"


def read_directions(path: Path) -> tuple[DirectedSource, ...]:
    """Read the sources of a file.

    CSV has a line for each point: seconds of the clip, azimuth and elevation in degrees and, where
    wanted, a gain from 0 to 1 (1 by default) and the source's name; in this order, or in the order
    that a first line names. The lines of a source come by ascending time; those of several sources
    may alternate. Empty lines and those that begin with ``#`` are left out.

    JSON is a list of sources as `DirectedSource.as_dict` has them, or an object with such a list as
    "sources", the sidecar of an earlier spatialization for one. A point is a list or an object;
    names and gains may be missing. Stems are looked for from the file's folder.

    Raises
    ------
    MissingFileError
        If there is no such file.
    OptionError
        If it holds no directions, or one of them is wrong: one line, with where that is.
    """
    text = _text(path)
    read = _from_json if text.lstrip()[:1] in ("[", "{") else _from_csv
    sources = read(path, text)
    if not sources:
        raise OptionError(f"{path} holds no directions; expected {_WANTED}")
    if len(sources) > MAX_SOURCES:
        raise OptionError(f"{path} holds {len(sources)} sources; give at most {MAX_SOURCES}")
    return tuple(sources)


def write_directions(
    path: Path, sources: Sequence[DirectedSource], *, overwrite: bool = False
) -> None:
    """Write sources as CSV, as `read_directions` reads them.

    Raises
    ------
    OptionError
        If a source has a stem, which CSV has no column for, or two have one name.
    OutputError, OutputExistsError
        If the file cannot be written.
    """
    names = [source.name for source in sources]
    for source in sources:
        if source.file is not None:
            raise OptionError(
                f"{source.name} has a stem ({source.file.name}), which {path.name} cannot hold: "
                "its directions are in the sidecar"
            )
        if names.count(source.name) > 1:
            raise OptionError(f"two sources are called {source.name!r}; give each its own name")
    with (
        written_whole(path, overwrite=overwrite) as place,
        place.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for source in sources:
            for point in source.points:
                writer.writerow([*(f"{value:.10g}" for value in point), source.name])


def _text(path: Path) -> str:
    if not is_there(path):
        raise MissingFileError(f"no such file of directions: {path}; check the path")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise OptionError(f"{path} is too large for a file of directions; expected {_WANTED}")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} is no text in UTF-8; expected {_WANTED}") from error
    except OSError as error:
        raise OptionError(f"cannot read {path}: {reason(error)}") from error
    if "\0" in text:
        raise OptionError(f"{path} is no text; expected {_WANTED}")
    return text


def _from_csv(path: Path, text: str) -> list[DirectedSource]:
    points: dict[str, list[Point]] = {}
    columns: tuple[str, ...] | None = None
    for line, fields in _rows(path, text):
        where = f"{path}, line {line}"
        if columns is None:
            columns = COLUMNS
            if not _is_number(fields[0]):
                columns = _named(where, fields)
                continue
        row = dict(zip(columns, fields, strict=False))
        point = _point(where, {name: _number(where, name, row.get(name, "")) for name in POINT})
        own = points.setdefault(row.get("source", "") or _ONE, [])
        if own and point[0] <= own[-1][0]:
            raise OptionError(
                f"{where}: its time {point[0]:g} s does not come after the one before it, "
                f"{own[-1][0]:g} s; sort the lines of a source by time"
            )
        own.append(point)
    return [DirectedSource(name, tuple(own)) for name, own in points.items()]


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold something, with their numbers."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if any(fields) and not fields[0].startswith("#"):
                yield reader.line_num, fields
    except csv.Error as error:
        raise OptionError(f"{path}, line {reader.line_num}: no CSV ({error})") from error


def _named(where: str, fields: Sequence[str]) -> tuple[str, ...]:
    names = tuple(field.lower() for field in fields)
    for name in _NEEDED:
        if name not in names:
            found = ",".join(fields)[:60]
            raise OptionError(
                f"{where}: the column {name} is missing; expected {_WANTED}, found {found!r}"
            )
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"{where}: there are several columns {name!r}; give one")
    return names


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _number(where: str, name: str, field: str) -> float:
    if not field and name == "gain":
        return _FULL_GAIN
    if not _is_number(field):
        found = f"found {field[:40]!r}" if field else "it is missing"
        raise OptionError(f"{where}: {name} must be a number, {found}")
    return float(field)


def _point(where: str, values: Mapping[str, Any]) -> Point:
    """A checked point: what is wrong is said with its line."""
    time, azimuth, elevation, gain = (values[name] for name in POINT)
    check_time(f"{where}:", time)
    check_direction(f"{where}:", azimuth, elevation)
    check_number(f"{where}: gain", gain, minimum=0.0, maximum=1.0)
    return (time, azimuth, elevation, gain)


def _from_json(path: Path, text: str) -> list[DirectedSource]:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not JSON: {error}") from error
    if isinstance(data, Mapping):
        # A sidecar has what was given, stems included, in its request; else what was found.
        request = data.get("request")
        given = request.get("sources") if isinstance(request, Mapping) else None
        data = given or data.get("sources")
    if not isinstance(data, list):
        raise OptionError(
            f'{path}: expected a list of sources, or an object with such a list as "sources"'
        )
    return [_source(path, item, number) for number, item in enumerate(data, 1)]


def _source(path: Path, item: Any, number: int) -> DirectedSource:
    label = f"{path}, source {number}"
    if not isinstance(item, Mapping):
        raise OptionError(f"{label} must be an object, found {described(item)}")
    # What was found has a confidence, which directions that are given don't need.
    values = {key: value for key, value in item.items() if key != "confidence"}
    values.setdefault("name", f"source {number}")
    if isinstance(values.get("points"), list):
        values["points"] = [
            _json_point(f"{label}, point {place}", point)
            for place, point in enumerate(values["points"], 1)
        ]
    source = DirectedSource.from_dict(values, label)
    return source if source.file is None else replace(source, file=path.parent / source.file)


def _json_point(where: str, point: Any) -> Any:
    """As (time, azimuth, elevation, gain), not yet checked."""
    if isinstance(point, Mapping):
        refuse_unknown(where, point, POINT)
        for name in _NEEDED:
            if name not in point:
                raise OptionError(f"{where} has no {name}")
        return tuple(point.get(name, _FULL_GAIN) for name in POINT)
    if isinstance(point, list) and len(point) == len(_NEEDED):
        return (*point, _FULL_GAIN)
    return point
