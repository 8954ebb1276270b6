"""Checks of values that requests carry; each refusal is one line. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliverables import DELIVERABLES

MAX_TIME = 1e7
"""Seconds, either way, that a point in time may lie from 0."""


def check_number(
    name: str,
    value: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    unit: str = "",
) -> None:
    """Refuse what is no finite number within [minimum, maximum] and greater than ``above``.

    Like every check here it raises OptionError, one line that begins with ``name``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number, found {described(value)}")
    if isinstance(value, int) and abs(value) > 2**1000:
        raise OptionError(f"{name} is a number beyond all use; give a smaller one")
    if minimum is not None and maximum is not None:
        wanted = f"from {minimum:g} to {maximum:g}{unit}"
    elif above is not None:
        wanted = f"greater than {above:g}{unit}"
        if maximum is not None:
            wanted += f" and at most {maximum:g}{unit}"
    elif minimum is not None:
        wanted = f"at least {minimum:g}{unit}"
    else:
        wanted = "finite"
    inside = (
        math.isfinite(value)
        and (minimum is None or value >= minimum)
        and (maximum is None or value <= maximum)
        and (above is None or value > above)
    )
    if not inside:
        raise OptionError(f"{name} must be a number {wanted}, found {value:g}")


def check_integer(name: str, value: Any, minimum: int, maximum: int) -> None:
    """Refuse what is no whole number from ``minimum`` to ``maximum``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"{name} must be a whole number, found {described(value)}")
    if not minimum <= value <= maximum:
        top = "2^64 - 1" if maximum == 2**64 - 1 else str(maximum)
        raise OptionError(f"{name} must be a whole number from {minimum} to {top}, found {value}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse what is none of the ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(choices)}; found {value!r}")


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be true or false, found {described(value)}")


def check_path(name: str, value: Any) -> None:
    """Refuse what is no path of a file; the file system is not touched."""
    if not isinstance(value, Path):
        raise OptionError(f"{name} must be a path, found {described(value)}")
    if "\0" in str(value):
        raise OptionError(f"{name} must be a path without NUL characters")
    if not value.name:
        raise OptionError(f"{name} must name a file, found {str(value)!r}")


def check_wav(name: str, value: Any) -> None:
    """Refuse what is no path of a WAV file."""
    check_path(name, value)
    if value.suffix.lower() != ".wav":
        raise OptionError(f"the {name} must be a .wav file, found {value.name!r}")


def check_version(value: Any, version: int) -> None:
    """Refuse a request of another schema version than ``version``."""
    if value != version or isinstance(value, bool):
        raise OptionError(
            f"the request has schema version {value!r}, this program reads {version}; use the "
            "version of OmniAudio Studio that wrote it"
        )


def check_deliverables(value: Any, *, wav: bool = True) -> None:
    """Refuse what is no tuple of names from `jobs.deliverables`, each at most once.

    ``wav`` says whether "wav" has to be among them; one at least has to be.
    """
    if not isinstance(value, tuple) or not value or (wav and "wav" not in value):
        wanted = '"wav"' if wav else "a name"
        raise OptionError(f"deliverables must be a list with {wanted} in it")
    for name in value:
        check_choice("deliverable", name, tuple(DELIVERABLES))
    if len(set(value)) != len(value):
        raise OptionError("deliverables must not name one thing twice")


def refuse_unknown(label: str, data: Mapping[Any, Any], known: Sequence[str]) -> None:
    """Refuse fields that nobody would read."""
    unknown = [str(key) for key in data if key not in known]
    if unknown:
        raise OptionError(
            f"{label} has an unknown field {unknown[0]!r}; known are {', '.join(known)}"
        )


def plain(value: Any) -> Any:
    """A request's value as JSON has it: paths as text, tuples as lists, parts as objects."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.as_dict() if hasattr(value, "as_dict") else value


def described(value: Any) -> str:
    """What was found, in a user's words and on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    return f"a {type(value).__name__}"


def check_time(name: str, value: Any) -> None:
    """Refuse what is no time in seconds, within `MAX_TIME` of 0."""
    check_number(f"{name} time", value, minimum=-MAX_TIME, maximum=MAX_TIME, unit=" s")


def check_rows(name: str, value: Any, columns: Sequence[str]) -> None:
    """Refuse what is no tuple of rows with a value for each of ``columns``."""
    wanted = ", ".join(columns)
    if not isinstance(value, tuple):
        raise OptionError(f"{name} must be a list of ({wanted}), found {described(value)}")
    for number, row in enumerate(value, 1):
        if not isinstance(row, tuple) or len(row) != len(columns):
            found = f"{len(row)} values" if isinstance(row, tuple) else described(row)
            raise OptionError(f"{name}, {number}: expected ({wanted}), found {found}")


def as_rows(value: Any) -> Any:
    """Lists of lists as tuples of tuples; what is neither stays, to be refused."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(tuple(row) if isinstance(row, list) else row for row in value)


def check_direction(name: str, azimuth: Any, elevation: Any) -> None:
    """Refuse what is no azimuth (-360 to 360) and elevation (-90 to 90), degrees."""
    check_number(f"{name} azimuth", azimuth, minimum=-360.0, maximum=360.0, unit=" degrees")
    check_number(f"{name} elevation", elevation, minimum=-90.0, maximum=90.0, unit=" degrees")


def given_parts(
    kind: Any, values: Mapping[str, Any], name: str, part: str, of: str = ""
) -> tuple[Any, ...]:
    """The list ``name`` of a request, each ``part`` of it read by ``kind.from_dict``; else ()."""
    data = values.get(name, ())
    if isinstance(data, str) or not isinstance(data, Sequence):
        raise OptionError(f"{name} must be a list{of}, found {described(data)}")
    return tuple(kind.from_dict(item, f"{part} {number}") for number, item in enumerate(data, 1))


def given_fields(kind: type, data: Any, label: str, needed: Sequence[str]) -> dict[str, Any]:
    """A request's fields by name, none unknown and none of the ``needed`` ones missing."""
    if not isinstance(data, Mapping):
        raise OptionError(f"{label} must be an object, found {described(data)}")
    refuse_unknown(label, data, [field.name for field in fields(kind)])
    for name in needed:
        if name not in data:
            raise OptionError(f"{label} has no {name}")
    return dict(data)


def check_camera(projection: str, hfov: Any, camera: Any) -> None:
    """Refuse a field of view (1 to 179 degrees) or a camera direction that cannot be used.

    Both belong to the projection "flat" alone, which needs the field of view.
    """
    if hfov is not None:
        check_number("hfov", hfov, minimum=1.0, maximum=179.0, unit=" degrees")
    if camera is not None:
        check_rows("camera", (camera,), ("azimuth", "elevation"))
        check_direction("camera", *camera)
    if projection == "flat" and hfov is None:
        raise OptionError(
            "a flat picture needs its horizontal field of view in degrees; give hfov (90 for many "
            "cameras), and the direction it looks in as camera"
        )
    if projection != "flat" and (hfov is not None or camera is not None):
        raise OptionError(
            'hfov and camera are for the projection "flat"; choose it, or leave them out'
        )
