"""Files of clips: found in folders, known again after a rename. For a thread: disks are slow."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omniaudio_studio.jobs.deliverables import made_of

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".m4v", ".avi", ".insv", ".360")
BATCH = 64  # rows that appear at once
# What is put beside a take: pictures of its sound, not clips.

Stamp = tuple[int, int, int]  # bytes, modification time in ns, inode


@dataclass(frozen=True)
class FoundFile:
    """A file that is or may be a clip.

    ``sure`` is False where its name does not say that it is a video.
    """

    path: Path
    key: str
    stamp: Stamp
    sure: bool = True


@dataclass
class SearchSummary:
    """What a search went through."""

    found: int = 0
    others: int = 0
    unreadable: list[Path] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class FileState:
    """Where a clip's file is now: ``stamp`` is None where it is gone."""

    path: Path
    key: str
    stamp: Stamp | None


def file_key(path: Path) -> str:
    """The same text for the same file, whichever way it is named."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except (OSError, ValueError):
        return os.path.normcase(str(path))


def is_video_name(path: Path) -> bool:
    """Whether the name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts clip2 before clip10, whatever the case."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def stamp_of(path: Path) -> Stamp | None:
    """Size, time and inode of a regular file; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return _stamp(status) if stat.S_ISREG(status.st_mode) else None


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ino


def search(
    paths: Sequence[Path],
    found: Callable[[list[FoundFile]], None],
    stopped: Callable[[], bool] = lambda: False,
) -> SearchSummary:
    """Find the clips in files and folders, in the order given, folders by name.

    Hidden files and folders are passed over, links to folders are not followed.

    Parameters
    ----------
    paths
        Files and folders.
    found
        Receives up to :data:`BATCH` files at a time.
    stopped
        Asked between files.
    """
    summary = SearchSummary()
    batch: list[FoundFile] = []
    for file in _files(paths, summary):
        if stopped():
            break
        batch.append(file)
        summary.found += 1
        if len(batch) >= BATCH:
            found(batch)
            batch = []
    if batch:
        found(batch)
    return summary


def _files(paths: Sequence[Path], summary: SearchSummary) -> Iterator[FoundFile]:
    for given in paths:
        path = given.absolute()
        if path.is_dir():
            yield from _in_folder(path, summary)
            continue
        stamp = stamp_of(path)
        if stamp is None:
            summary.gone.append(path)
        else:
            yield FoundFile(path, file_key(path), stamp, sure=is_video_name(path))


def _in_folder(folder: Path, summary: SearchSummary) -> Iterator[FoundFile]:
    def refused(error: OSError) -> None:
        summary.unreadable.append(Path(error.filename or folder))

    for place, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_key)
        for name in sorted(names, key=natural_key):
            if name.startswith("."):
                continue
            path = Path(place, name)
            if not is_video_name(path) or _is_delivered(path):
                summary.others += 1
                continue
            stamp = stamp_of(path)
            if stamp is None:
                summary.unreadable.append(path)
            else:
                yield FoundFile(path, file_key(path), stamp)


def _is_delivered(path: Path) -> bool:
    """Whether it is a video that was made of a take, beside it."""
    take = made_of(path.name)
    return take is not None and path.with_name(f"{take}.json").exists()


def look_for(path: Path, stamp: Stamp | None) -> FileState:
    """Where a file is now: in its place, or renamed within its folder.

    Parameters
    ----------
    path
        Where it was.
    stamp
        What it was; a file of another name is only taken for it if all of size, time and inode
        agree.
    """
    now = stamp_of(path)
    if now is not None or stamp is None:
        return FileState(path, file_key(path), now)
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                try:
                    # An entry's own stat has no inode on Windows: ask the file.
                    same = entry.is_file() and _stamp(Path(entry.path).stat()) == stamp
                except OSError:
                    continue
                if same:
                    other = Path(entry.path)
                    return FileState(other, file_key(other), stamp)
    except OSError:
        pass
    return FileState(path, file_key(path), None)
