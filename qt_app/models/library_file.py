"""The library on disk: one JSON file, written whole; a damaged one is put aside, never lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.files import written_whole
from qt_app.models.clip import MAX_ID, Clip

KIND = "omniaudio-library"
SCHEMA_VERSION = 1


@dataclass
class LibraryContents:
    """What the file held, and what to tell about it.

    ``protected``: it is damaged and could not be put aside, so it must not be written over.
    """

    clips: list[Clip] = field(default_factory=list)
    current: int | None = None
    next_id: int = 1
    notice: str | None = None
    protected: bool = False


def library_text(clips: Sequence[Clip], current: int | None, next_id: int) -> str:
    """The file's text. ASCII, so that names which are no valid Unicode come through."""
    head = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "next_id": next_id,
        "current": current,
    }
    # A line for each clip: readable, and json's fast writer, which has no indents, can be used.
    rows = ",\n".join(json.dumps(clip.as_dict(), allow_nan=False) for clip in clips)
    return f'{json.dumps(head)[:-1]}, "clips": [\n{rows}\n]}}\n'


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, its folder made first.

    Raises
    ------
    OutputError
        For everything the system refuses.
    """
    with suppress(OSError):  # said better by what follows
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_library(path: Path) -> LibraryContents:
    """Read the file. Whatever cannot be used stays on disk under another name, and is told."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return LibraryContents()
    except OSError as error:
        kept = set_aside(path)
        return LibraryContents(
            notice=f"The list of clips cannot be read ({error.strerror}). {_kept(kept)}",
            protected=kept is None,
        )
    try:
        data = json.loads(raw)
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise ValueError("it is no list of clips")
        version = data.get("schema_version")
        if version != SCHEMA_VERSION or isinstance(version, bool):
            raise ValueError(f"another version of the program wrote it ({version!r})")
        if not isinstance(data.get("clips"), list):
            raise ValueError("it holds no clips")
    except (ValueError, RecursionError) as error:
        kept = set_aside(path)
        return LibraryContents(
            notice=f"The list of clips is damaged ({error}). {_kept(kept)}", protected=kept is None
        )
    return _contents(path, raw, data)


def _contents(path: Path, raw: bytes, data: dict[str, Any]) -> LibraryContents:
    contents = LibraryContents()
    lost, changed = 0, 0
    seen: set[int] = set()
    for item in data["clips"]:
        try:
            clip, problems = Clip.from_dict(item)
        except OmniAudioError:
            lost += 1
            continue
        if clip.id in seen:
            lost += 1
            continue
        seen.add(clip.id)
        changed += bool(problems)
        contents.clips.append(clip)
    highest = max(seen, default=0)
    stored = data.get("next_id")
    stored = stored if type(stored) is int and 0 < stored < MAX_ID else 1
    contents.next_id = max(stored, highest + 1)
    contents.current = data["current"] if data.get("current") in seen else None
    if lost or changed:
        kept = _free_name(path)
        with suppress(OSError):
            kept.write_bytes(raw)
        told = [f"{lost} could not be read"] if lost else []
        told += [f"{changed} had settings that are not valid"] if changed else []
        contents.notice = (
            f"The list of clips is damaged in places: {', '.join(told)}. "
            f"The file as it was is kept as {kept}."
        )
    return contents


def set_aside(path: Path) -> Path | None:
    """Rename a file that cannot be used; None where the system refuses that too."""
    kept = _free_name(path)
    try:
        path.replace(kept)
    except OSError:
        return None
    return kept


def _free_name(path: Path) -> Path:
    candidate, number = path.with_name(path.name + ".bad"), 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}.{number}.bad"), number + 1
    return candidate


def _kept(kept: Path | None) -> str:
    return (
        "It stays where it is; changes are not kept."
        if kept is None
        else f"It is kept as {kept}; a new one is begun."
    )
