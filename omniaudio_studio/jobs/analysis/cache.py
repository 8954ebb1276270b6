"""Answers that are files: kept in the user's cache folder, bounded in size, made whole or not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MissingFileError, OutputError
from omniaudio_studio.files import reason, written_whole

MAX_BYTES = 8 * 2**30  # an hour of stereo sound is 1.4 GB
VERSION = 1  # of what the tasks write


def folder() -> Path:
    """Where answers are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("omniaudio-studio", appauthor=False)) / "analysis"


def file_identity(path: Path) -> list[Any]:
    """What tells a file from its later self: path, bytes, time of change.

    Raises
    ------
    MissingFileError
        If it is not there.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise MissingFileError(f"expected a file, found nothing at {path}") from error
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


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
    key = json.dumps([VERSION, task, file_identity(path), sorted(parameters.items())], default=str)
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
    except OSError as error:
        raise OutputError(f"cannot make the cache folder {home}: {reason(error)}") from error
    with written_whole(file, overwrite=True) as temporary:
        facts = make(temporary)
    facts = {**facts, "bytes": file.stat().st_size}
    # Last: an answer without its facts is no answer, so a kill in between costs only its remaking.
    with written_whole(notes, overwrite=True) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")
    trim(home, spare={file, notes})
    return file, facts


def _facts(file: Path, notes: Path) -> dict[str, Any] | None:
    """What was told beside an answer; None where it is missing, cut short or damaged."""
    try:
        facts = json.loads(notes.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts.get("bytes") != file.stat().st_size:
            return None
    except (OSError, ValueError):
        return None
    return facts


def trim(home: Path, spare: set[Path], most: int | None = None) -> None:
    """Remove what was used longest ago until the folder holds at most ``most`` bytes."""
    limit = MAX_BYTES if most is None else most
    held = []
    for path in home.iterdir():
        with suppress(OSError):
            status = path.stat()
            held.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in held)
    for _, size, path in sorted(held):
        if total <= limit:
            return
        if path in spare or path.suffix == ".part":
            continue
        with suppress(OSError):
            path.unlink()
            total -= size
