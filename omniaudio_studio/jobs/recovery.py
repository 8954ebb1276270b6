"""What became of a job whose end nobody heard: done, or to be done again. Standard library only.

A kill may come at any moment: while files are half-written, between two of them coming into place,
or between the last of them and the queue's note of it. The outputs and their sidecars tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from omniaudio_studio.files import file_sha256
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.outputs import TakeFiles, all_outputs, single_files, take_files
from omniaudio_studio.jobs.queued_request import QueuedRequest, with_absolute_paths
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from omniaudio_studio.jobs.staging import PART, WHOLE, finish

_CLOCK_SECONDS = 3.0  # coarse timestamps of some file systems
_PROBE = re.compile(rf"\.[0-9a-f]{{12}}{re.escape(PART)}")  # see `files.check_output`


def settle(
    request: QueuedRequest, temporary: Path | None, started: float | None
) -> dict[str, Any] | None:
    """End what an interrupted job has left.

    Parameters
    ----------
    request
        What it was to do.
    temporary
        Folder of its half-done files, if it came to tell.
    started
        When it was begun, seconds since the epoch.

    Returns
    -------
    dict or None
        The result as plain data, as `jobs.result` gives it, if all its outputs are there. None if
        it has to be done again; then nothing of it is left.

    Raises
    ------
    OutputError
        If the system does not let what is left be moved or removed.
    """
    since = (started or 0.0) - _CLOCK_SECONDS
    finals = all_outputs(request)
    for folder in _leftovers(request, temporary, since):
        finish(folder, finals)
    _remove_probes(request.output.parent, since)
    # Where files may be replaced, those there may be the ones that were to be replaced.
    return _result(request, since if request.overwrite else None)


def _leftovers(request: QueuedRequest, temporary: Path | None, since: float) -> list[Path]:
    """Its temporary folders: the one that was told, and any that was made before it was."""
    found = set()
    if temporary is not None and temporary.suffix == PART:
        found.add(temporary)
    stem = request.output.stem
    with suppress(OSError):
        for path in request.output.parent.iterdir():
            rest = path.name.removeprefix(f".{stem}-")
            if rest == path.name or not re.fullmatch(
                rf"[0-9a-f]{{12}}({re.escape(PART)}|{re.escape(WHOLE)})", rest
            ):
                continue
            with suppress(OSError):
                # An older one is not this job's.
                if path.is_dir() and path.stat().st_mtime >= since:
                    found.add(path.with_suffix(PART))
    return sorted(found)


def _remove_probes(folder: Path, since: float) -> None:
    """Remove the empty file with which a folder is tried out."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _PROBE.fullmatch(path.name) and path.is_file():
                status = path.stat()
                if status.st_size == 0 and status.st_mtime >= since:
                    path.unlink()


def _result(request: QueuedRequest, since: float | None) -> dict[str, Any] | None:
    if not isinstance(request, GenerateRequest):
        files = single_files(request)
        sidecar = _added(files, since) if files.in_place else _sidecar(files, request, since)
        told = _placed if isinstance(request, SpatializeRequest) else _delivered
        return None if sidecar is None else _read(partial(told, files, sidecar))
    takes, sidecar = [], None
    for index, files in enumerate(take_files(request)):
        sidecar = _sidecar(files, request.for_take(index), since)
        take = None if sidecar is None else _read(partial(_take, files, sidecar))
        if take is None:
            return None
        takes.append(take)
    assert sidecar is not None
    return _read(lambda: _whole(takes, sidecar))


def _sidecar(
    files: TakeFiles, request: QueuedRequest, since: float | None
) -> dict[str, Any] | None:
    """The sidecar of a sound that is whole and what the request makes; else None."""

    def look() -> dict[str, Any] | None:
        if since is not None and files.sidecar.stat().st_mtime < since:
            return None
        sidecar: dict[str, Any] = json.loads(files.sidecar.read_text(encoding="utf-8"))
        whole = (
            _describes(sidecar, request)
            and all(path.exists() for path in _beside(files, sidecar).values())
            and file_sha256(files.wav) == sidecar["output"]["sha256"]
        )
        return sidecar if whole else None

    return _read(look)


def _added(files: TakeFiles, since: float | None) -> dict[str, Any] | None:
    """The sidecar of a field that tells of all that was to be made of it; else None."""

    def look() -> dict[str, Any] | None:
        sidecar: dict[str, Any] = json.loads(files.sidecar.read_text(encoding="utf-8"))
        folder = files.sidecar.parent
        told: dict[str, list[Any]] = {name: [] for name in files.beside}
        for entry in sidecar["files"]:
            told.get(entry["deliverable"], []).append(entry)
        for entries in told.values():
            for entry in entries:
                path = folder / entry["name"]
                if since is not None and path.stat().st_mtime < since:
                    return None
                if file_sha256(path) != entry["sha256"]:
                    return None
        return sidecar if all(told.values()) else None

    return _read(look)


def _read(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What a look at files gives; None where they are not there or hold something else."""
    try:
        return look()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _describes(sidecar: Any, request: QueuedRequest) -> bool:
    """Whether a sidecar is of this very request."""
    wanted, found = with_absolute_paths(request).as_dict(), dict(sidecar["request"])
    # A name and the folder that it was found in are the same bundle.
    bundles = {_bundle_name(data.pop("bundle", "")) for data in (wanted, found)}
    return found == wanted and len(bundles) == 1


def _bundle_name(text: str) -> str:
    path = Path(text)
    return path.parent.name if path.name == "bundle.json" else path.name


def _beside(files: TakeFiles, sidecar: dict[str, Any]) -> dict[str, Path]:
    """What lies beside the WAV, by deliverable, as the sidecar has it."""
    found = {}
    for entry in sidecar.get("files", ()):
        if entry["deliverable"] in files.beside:
            # One that is a folder is told of file by file.
            name = PurePosixPath(entry["name"]).parts[0]
            found[str(entry["deliverable"])] = files.sidecar.with_name(name)
    return found


def _paths(files: TakeFiles, sidecar: dict[str, Any]) -> dict[str, Any]:
    """A result's paths, as text."""
    return {
        "wav": str(files.wav),
        "sidecar": str(files.sidecar),
        "files": {name: str(path) for name, path in _beside(files, sidecar).items()},
        "problems": [],
    }


def _take(files: TakeFiles, sidecar: dict[str, Any]) -> dict[str, Any]:
    return {
        **_paths(files, sidecar),
        "seed": sidecar["request"]["seed"],
        "samples": sidecar["output"]["samples"],
        "sha256": sidecar["output"]["sha256"],
        "sound_sha256": sidecar["output"].get("sound_sha256", ""),
        "gain_db": sidecar["output"]["gain_db"],
    }


def _placed(files: TakeFiles, sidecar: dict[str, Any]) -> dict[str, Any]:
    output = sidecar["output"]
    return {
        "kind": SpatializeRequest.KIND,
        **_paths(files, sidecar),
        "samples": output["samples"],
        "rate": output["rate"],
        "sha256": output["sha256"],
        "sound_sha256": output.get("sound_sha256", ""),
        "method": sidecar["request"]["method"],
        "sources": sidecar["sources"],
        "confidence": sidecar["confidence"],
        "peak": output["peak"],
        "duration": output["samples"] / output["rate"],
        "seconds": sidecar["seconds"],
        "warnings": list(sidecar["warnings"]),
    }


def _delivered(files: TakeFiles, sidecar: dict[str, Any]) -> dict[str, Any]:
    output = sidecar["output"]
    seconds = 0.0 if files.in_place else sidecar["seconds"]
    return {
        "kind": DeliverRequest.KIND,
        **_paths(files, sidecar),
        "samples": output["samples"],
        "rate": output["rate"],
        "sha256": output["sha256"],
        "sound_sha256": output.get("sound_sha256", ""),
        "peak": output.get("peak"),
        "gain_db": output.get("gain_db", 0.0),
        "duration": output["samples"] / output["rate"],
        "seconds": seconds,
        "warnings": [] if files.in_place else list(sidecar["warnings"]),
    }


def _whole(takes: list[dict[str, Any]], sidecar: dict[str, Any]) -> dict[str, Any]:
    duration = float(sidecar["resolved"]["duration"])
    sound_seconds = float(sidecar["sound_seconds"])
    return {
        "takes": takes,
        "duration": duration,
        "rate": sidecar["output"]["rate"],
        "seconds": sidecar["seconds"],
        "sound_seconds": sound_seconds,
        "provider": sidecar["provider"]["name"],
        "reason": sidecar["provider"]["reason"],
        "bundle": sidecar["bundle"]["name"],
        "bundle_title": sidecar["bundle"]["title"],
        "demonstration": sidecar["bundle"]["demonstration"],
        "commercial": sidecar["bundle"].get("commercial", True),
        "warnings": list(sidecar["warnings"]),
        "problems": [],
        "realtime": duration * len(takes) / max(sound_seconds, 1e-9),
    }
