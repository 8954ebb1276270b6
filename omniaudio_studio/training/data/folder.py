"""Folders of files, and lists of which of them belong to a split."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.convention import CONVENTIONS

#: Endings of videos, as the spatializer's clips have them (see `excerpt` for why they stand here).
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm"})
#: First cells of a CSV that are a heading, not a name.
_HEADINGS = frozenset({"id", "name", "stem", "file", "filename", "video", "video_id", "youtube_id"})


def kind_of(folder: Path) -> str:
    """What a folder looks like: "scenes" (drawn ones), "sphere360" (it has videos) or "sounds".

    Raises
    ------
    MissingFileError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise MissingFileError(f"no folder {folder}: name one with scenes, 360 clips or sounds")
    if (folder / "scenes.json").is_file():
        return "scenes"
    videos = any(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.rglob("*"))
    return "sphere360" if videos else "sounds"


def check_convention(convention: str) -> None:
    """Refuse an unknown convention before any file is read.

    Raises
    ------
    OptionError
    """
    if convention not in ("auto", *CONVENTIONS):
        raise OptionError(
            f"convention {convention}: expected auto or one of {', '.join(CONVENTIONS)}"
        )


def files_in(folder: Path, suffixes: frozenset[str]) -> tuple[str, ...]:
    """Files of some kinds in a folder and below, as sorted POSIX paths; hidden ones left out.

    Raises
    ------
    MissingFileError
        If there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise MissingFileError(f"no folder {folder}: name one that holds the files")
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.suffix.lower() in suffixes and not hidden and path.is_file():
            found.append(name.as_posix())
    if not found:
        raise MissingFileError(
            f"{folder} holds no file to encode; expected {', '.join(sorted(suffixes))}"
        )
    return tuple(sorted(found))


def find_split(folder: Path, split: str) -> Path:
    """A list by its path, or by its name: ``split/NAME.txt`` in (or beside) the folder of clips.

    Raises
    ------
    MissingFileError
        If there is none.
    """
    places = [Path(split)]
    for root in (folder, folder.parent, folder / "dataset", folder.parent / "dataset"):
        places += [root / "split" / f"{split}{suffix}" for suffix in (".txt", ".csv")]
    for path in places:
        if path.is_file():
            return path
    raise MissingFileError(
        f"no list {split!r}, nor {places[1]}: name a text or CSV file with one clip a line"
    )


def read_split(path: Path) -> tuple[str, ...]:
    """The names in a list: the first cell of each line; lines that begin with # are remarks.

    Raises
    ------
    MediaError
        If it is no text, or names nothing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            cells = [row[0].strip() for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MediaError(
            f"{path} is no list of names ({error}); give a text or CSV file"
        ) from error
    if cells and path.suffix.lower() == ".csv" and cells[0].lower() in _HEADINGS:
        del cells[0]
    names = dict.fromkeys(cell for cell in cells if cell and not cell.startswith("#"))
    if not names:
        raise MediaError(f"{path} names no clip; expected one a line")
    return tuple(names)


def chosen(files: Sequence[str], names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files that a list names, in the files' own order, and names that no file has.

    A name is a file's, with or without ending; its path within the folder; or a YouTube id, which
    stands for all files ``ID_<number>`` (Sphere360 names clips by id and first second).
    """
    known: dict[str, list[str]] = {}
    for file in files:
        path = Path(file)
        first, _, second = path.stem.rpartition("_")
        labels = {file, path.name, path.stem, path.with_suffix("").as_posix()}
        if first and second.isdigit():
            labels.add(first)
        for label in labels:
            known.setdefault(label, []).append(file)
    wanted = {file for name in names for file in known.get(name, ())}
    missing = tuple(name for name in names if name not in known)
    return tuple(file for file in files if file in wanted), missing


def files_digest(folder: Path, files: Sequence[str]) -> str:
    """One hash of names and sizes: other files, or other contents, give another."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{name}\0{(folder / name).stat().st_size}\n".encode())
    return digest.hexdigest()
