"""What can be undone in the library."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PyQt6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from qt_app.models.clip import Clip
    from qt_app.models.library import Library

MERGE_SECONDS = 1.0
_CHANGE_ID = 1

# What a setting is called where a person reads it.
NAMES = {
    "bundle": "model",
    "cfg": "CFG",
    "seed": "seed",
    "seed_locked": "seed lock",
    "steps": "steps",
    "sampler": "sampling",
    "front": "front view",
    "mix": "camera sound",
    "mix_field": "placed sound",
    "duck": "ducking",
    "start": "start",
    "duration": "duration",
    "yaw": "front",
    "takes": "takes",
    "loudness": "loudness",
    "feature_rate": "pictures per second",
    "device": "device",
    "rate": "sample rate",
    "subtype": "sample format",
    "beside": "files beside the take",
    "output_folder": "output folder",
    "projection": "projection",
    "stereo": "stereo layout",
    "shots": "shots",
    "use_shots": "use of shots",
    "hfov": "field of view",
    "camera": "camera direction",
    "sources": "sources",
    "hints": "hints",
    "directions": "directions",
    "recording": "recording",
    "max_sources": "most sources",
    "width": "width",
}

# {clip id: {setting: (before, after)}}
Changes = dict[int, dict[str, tuple[Any, Any]]]


class ChangeSettings(QUndoCommand):
    """Some settings of some clips. A slider's run of changes is one step."""

    def __init__(self, library: Library, changes: Changes, label: str | None = None) -> None:
        names = sorted({name for fields in changes.values() for name in fields})
        what = label or (NAMES[names[0]] if len(names) == 1 else "settings")
        clips = "" if len(changes) == 1 else f" of {len(changes)} clips"
        super().__init__(f"change of {what}{clips}" if label is None else f"{label}{clips}")
        self.changes, self._library, self._names = changes, library, names
        self._mergeable = label is None
        self._at = time.monotonic()

    def id(self) -> int:
        """Commands of one id may be merged."""
        return _CHANGE_ID if self._mergeable else -1

    def redo(self) -> None:
        """Do it, for the first time too."""
        self._library.put_settings(self._side(1))

    def undo(self) -> None:
        """Take it back."""
        self._library.put_settings(self._side(0))

    def mergeWith(self, other: QUndoCommand | None) -> bool:
        """Take the next command into this one, where it goes on with the same settings."""
        if (
            not isinstance(other, ChangeSettings)
            or other._names != self._names
            or other.changes.keys() != self.changes.keys()
            or other._at - self._at > MERGE_SECONDS
        ):
            return False
        for number, fields in other.changes.items():
            mine = self.changes[number]
            for name, (_, after) in fields.items():
                mine[name] = (mine[name][0] if name in mine else fields[name][0], after)
        self._at = other._at
        return True

    def _side(self, side: int) -> Mapping[int, dict[str, Any]]:
        return {
            number: {name: pair[side] for name, pair in fields.items()}
            for number, fields in self.changes.items()
        }


class RemoveClips(QUndoCommand):
    """Rows taken out; they keep their ids and settings when they come back."""

    def __init__(self, library: Library, rows: list[tuple[int, Clip]]) -> None:
        what = rows[0][1].name if len(rows) == 1 else f"{len(rows)} clips"
        super().__init__(f"removal of {what}")
        self._library, self._rows = library, rows

    def redo(self) -> None:
        """Take them out."""
        self._library.take_out([clip.id for _, clip in self._rows])

    def undo(self) -> None:
        """Put them back where they were."""
        self._library.put_back(self._rows)
