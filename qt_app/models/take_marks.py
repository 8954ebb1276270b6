"""Stars, keeps and measured loudness of takes, by the WAV's hash: they survive a renamed file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omniaudio_studio.files import written_whole

FILE = "takes.json"
VERSION = 1


@dataclass(frozen=True)
class Mark:
    """What is remembered of one take; ``loudness`` in LUFS, -inf for silence."""

    starred: bool = False
    kept: bool = False
    loudness: float | None = None


class TakeMarks:
    """The marks of all takes, in one small JSON file.

    Reading and writing are for a thread; :meth:`get` and :meth:`change` never touch the disk.

    Parameters
    ----------
    folder
        The user's data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._marks: dict[str, Mark] = {}

    def get(self, sha256: str) -> Mark:
        """The marks of a take; an empty one where there are none."""
        return self._marks.get(sha256, Mark())

    def change(self, sha256: str, **values: Any) -> Mark:
        """Set ``starred``, ``kept`` or ``loudness``; the file follows with :meth:`save`."""
        made = replace(self.get(sha256), **values)
        if made == Mark():
            self._marks.pop(sha256, None)
        else:
            self._marks[sha256] = made
        return made

    def as_json(self) -> str:
        """What the file is to hold."""
        marks = {
            sha256: {
                "starred": mark.starred,
                "kept": mark.kept,
                "loudness": "silent" if mark.loudness == -math.inf else mark.loudness,
            }
            for sha256, mark in self._marks.items()
        }
        return json.dumps({"version": VERSION, "takes": marks}, indent=1, sort_keys=True)

    def save(self, text: str) -> None:
        """Write the file whole; raises OutputError with one line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.path, overwrite=True) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def read(self) -> dict[str, Mark]:
        """What the file holds; a damaged one is put aside as ``takes.json.damaged``."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return {sha256: _mark(entry) for sha256, entry in data["takes"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            self.path.replace(self.path.with_name(FILE + ".damaged"))
            return {}

    def adopt(self, marks: dict[str, Mark]) -> None:
        """Take over what was read; marks set meanwhile win."""
        self._marks = {**marks, **self._marks}


def _mark(entry: dict[str, Any]) -> Mark:
    loudness = entry.get("loudness")
    if loudness == "silent":
        loudness = -math.inf
    return Mark(
        starred=bool(entry.get("starred")),
        kept=bool(entry.get("kept")),
        loudness=None if loudness is None else float(loudness),
    )
