"""Answers that are files: kept in the user's cache folder, bounded in size, made whole or not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from omniaudio_studio.errors import MissingFileError, OutputError
from omniaudio_studio.files import reason, written_whole
from omniaudio_studio.places import cache_folder, trim_folder

MAX_BYTES = 8 * 2**30  # an hour of stereo sound is 1.4 GB
VERSION = 3  # of what the tasks write
_SAMPLE = 1 << 16  # bytes looked at in each of three places of an answer


def folder() -> Path:
    """Where answers are kept."""
    return cache_folder("analysis")


def file_identity(path: Path) -> list[Any]:
    """What tells a file from its later self: path, bytes, time of change.

    Raises
    ------
    MissingFileError
        If it is not there.
    """
    try:
        status = path.stat()
        return [str(path.resolve()), status.st_size, status.st_mtime_ns]
    except FileNotFoundError as error:
        raise MissingFileError(
            f"no such file: {path}; it was moved, renamed or deleted, or its disk is not there"
        ) from error
    except (OSError, ValueError) as error:
        said = reason(error) if isinstance(error, OSError) else str(error)
        raise MissingFileError(f"cannot look at {path}: {said}; check the path") from error


def cached(
    task: str,
    path: Path,
    suffix: str,
    make: Callable[[Path], dict[str, Any]],
    **parameters: Any,
) -> tuple[Path, dict[str, Any]]:
    """The file that answers a question about another file, made where it is not there yet.

    Parameters
    ----------
    task, path, parameters
        What is asked, about which file.
    suffix
        Of the answer, with its dot.
    make
        Writes the answer to the path it is given; returns what is told beside it, plain data.

    Returns
    -------
    file, facts
        The answer, and what ``make`` returned when it made it.

    Raises
    ------
    OutputError
        If the cache folder cannot be written.
    """
    identity = file_identity(path)
    key = json.dumps([VERSION, task, identity, sorted(parameters.items())], default=str)
    stem = f"{task}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    home = folder()
    file, notes = home / f"{stem}{suffix}", home / f"{stem}.json"
    facts = _facts(file, notes)
    if facts is not None:
        for used in (file, notes):
            with suppress(OSError):
                os.utime(used)  # what is used stays longest
        return file, facts
    try:
        home.mkdir(parents=True, exist_ok=True)
        trim_folder(home, MAX_BYTES)
    except OSError as error:
        _refuse(home, error)
    with suppress(OSError):
        notes.unlink()  # they would vouch for an answer that is being replaced
    with written_whole(file, overwrite=True) as temporary:
        facts = make(temporary)
    if file_identity(path) == identity:
        # Last: an answer without its facts is no answer, so a kill in between costs only its
        # remaking. A file that changed while it was read is looked at again next time.
        seal = {"facts": facts, "seal": _seal(file)}
        with written_whole(notes, overwrite=True) as temporary:
            temporary.write_text(json.dumps(seal), encoding="utf-8")
    trim_folder(home, MAX_BYTES, {file, notes})
    return file, facts


def _refuse(home: Path, error: OSError) -> NoReturn:
    raise OutputError(f"cannot use the cache folder {home}: {reason(error)}") from error


def _facts(file: Path, notes: Path) -> dict[str, Any] | None:
    """What was told beside an answer; None where it is missing, cut short or damaged."""
    try:
        held = json.loads(notes.read_text(encoding="utf-8"))
        if held["seal"] != _seal(file) or not isinstance(held["facts"], dict):
            return None
        return dict(held["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seal(file: Path) -> list[Any]:
    """Size and a hash of beginning, middle and end: what a power cut or a full disk damages.

    An hour of sound is not read whole each time it is wanted.
    """
    size = file.stat().st_size
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        for place in (0, max(0, size // 2 - _SAMPLE // 2), max(0, size - _SAMPLE)):
            stream.seek(place)
            digest.update(stream.read(_SAMPLE))
    return [size, digest.hexdigest()]
