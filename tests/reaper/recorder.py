"""A stand-in for REAPER, which does not run here: its functions as `reaper_python.py` has them.

Pointers are texts like "(MediaTrack*)0x...", a null is a pointer to 0, texts that C would write
come back in a tuple after the return value. It holds tracks and items, keeps what scripts keep, and
answers dialogs as it was told to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Item:
    """On a track; ``file`` is what its take plays, "" for none."""

    file: str = ""
    position: float = 0.0
    length: float = 0.0
    offset: float = 0.0
    rate: float = 1.0
    source_length: float = 0.0
    name: str = ""
    section: bool = False  # its source is a part of another one, without a file of its own


@dataclass(eq=False)
class Track:
    """With its items."""

    name: str = ""
    channels: int = 2
    items: list[Item] = field(default_factory=list)


class Recorder:
    """REAPER with some tracks. `functions` is what a script finds in its namespace."""

    def __init__(self, *tracks: Track, folder: str = "") -> None:
        self.tracks = list(tracks)
        self.selected: list[Item] = []
        self.folder = folder
        self.answers: list[str | None] = []  # to the next dialogs; None for Cancel
        self.asked: list[tuple[str, str]] = []  # captions, values
        self.messages: list[str] = []
        self.hints: list[str] = []
        self.kept: dict[tuple[str, str], str] = {}
        self.names: list[str] = []  # that tracks were given
        self.deferred: list[str] = []
        self.at_exit: list[str] = []
        self.undo: list[str] = []
        self.commands: list[int] = []
        self._pointers: dict[str, Any] = {}

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """By name, with REAPER's prefix."""
        return {
            f"RPR_{name[1:]}": getattr(self, name)
            for name in dir(self)
            if (name.startswith("_") and name[1:2].isupper()) or name in ("_defer", "_atexit")
        }

    def pointer(self, kind: str, thing: Any) -> str:
        """The text that stands for a thing; the same one each time."""
        for text, known in self._pointers.items():
            if known == (kind, thing):
                return text
        text = f"({kind}*)0x{len(self._pointers) + 1:016X}"
        self._pointers[text] = (kind, thing)
        return text

    def _thing(self, kind: str, text: str) -> Any:
        found, thing = self._pointers[text]
        assert found == kind, f"expected {kind}*, got {text}"
        return thing

    # The project

    def _CountSelectedMediaItems(self, project: int) -> int:
        return len(self.selected)

    def _GetSelectedMediaItem(self, project: int, index: int) -> str:
        return self.pointer("MediaItem", self.selected[index])

    def _GetActiveTake(self, item: str) -> str:
        thing = self._thing("MediaItem", item)
        if not thing.file:
            return "(MediaItem_Take*)0x0000000000000000"
        return self.pointer("MediaItem_Take", thing)

    def _GetMediaItemTake_Source(self, take: str) -> str:
        return self.pointer("PCM_source", self._thing("MediaItem_Take", take))

    def _GetMediaSourceParent(self, source: str) -> str:
        thing = self._thing("PCM_source", source)
        if isinstance(thing, Item) and thing.section:
            return self.pointer("PCM_source", thing.file)
        return "(PCM_source*)0x0000000000000000"

    def _GetMediaSourceFileName(self, source: str, text: str, size: int) -> tuple[Any, ...]:
        thing = self._thing("PCM_source", source)
        name = thing if isinstance(thing, str) else "" if thing.section else thing.file
        return source, name, size

    def _GetMediaSourceLength(self, source: str, quarters: int) -> tuple[Any, ...]:
        return self._thing("PCM_source", source).source_length, source, quarters

    def _GetMediaItemInfo_Value(self, item: str, name: str) -> float:
        thing = self._thing("MediaItem", item)
        return float({"D_POSITION": thing.position, "D_LENGTH": thing.length}[name])

    def _GetMediaItemTakeInfo_Value(self, take: str, name: str) -> float:
        thing = self._thing("MediaItem_Take", take)
        return float({"D_STARTOFFS": thing.offset, "D_PLAYRATE": thing.rate}[name])

    def _GetMediaItem_Track(self, item: str) -> str:
        thing = self._thing("MediaItem", item)
        (track,) = (track for track in self.tracks if thing in track.items)
        return self.pointer("MediaTrack", track)

    def _GetMediaTrackInfo_Value(self, track: str, name: str) -> float:
        assert name == "IP_TRACKNUMBER"
        return float(self.tracks.index(self._thing("MediaTrack", track)) + 1)

    def _GetProjectPath(self, text: str, size: int) -> tuple[str, int]:
        return self.folder, size

    # What it is told to do

    def _InsertTrackAtIndex(self, index: int, defaults: bool) -> None:
        self.tracks.insert(index, Track())

    def _GetTrack(self, project: int, index: int) -> str:
        return self.pointer("MediaTrack", self.tracks[index])

    def _SetMediaTrackInfo_Value(self, track: str, name: str, value: float) -> bool:
        assert name == "I_NCHAN"
        self._thing("MediaTrack", track).channels = int(value)
        return True

    def _GetSetMediaTrackInfo_String(
        self, track: str, name: str, text: str, new: bool
    ) -> tuple[Any, ...]:
        assert name == "P_NAME" and new
        self._thing("MediaTrack", track).name = text
        self.names.append(text)
        return True, track, name, text, new

    def _ValidatePtr2(self, project: int, pointer: str, kind: str) -> bool:
        return self._thing(kind.rstrip("*"), pointer) in self.tracks

    def _DeleteTrack(self, track: str) -> None:
        self.tracks.remove(self._thing("MediaTrack", track))

    def _AddMediaItemToTrack(self, track: str) -> str:
        item = Item()
        self._thing("MediaTrack", track).items.append(item)
        return self.pointer("MediaItem", item)

    def _SetMediaItemInfo_Value(self, item: str, name: str, value: float) -> bool:
        attribute = {"D_POSITION": "position", "D_LENGTH": "length"}[name]
        setattr(self._thing("MediaItem", item), attribute, value)
        return True

    def _AddTakeToMediaItem(self, item: str) -> str:
        return self.pointer("MediaItem_Take", self._thing("MediaItem", item))

    def _PCM_Source_CreateFromFile(self, file: str) -> str:
        return self.pointer("PCM_source", file)

    def _SetMediaItemTake_Source(self, take: str, source: str) -> bool:
        self._thing("MediaItem_Take", take).file = self._thing("PCM_source", source)
        return True

    def _GetSetMediaItemTakeInfo_String(
        self, take: str, name: str, text: str, new: bool
    ) -> tuple[Any, ...]:
        assert name == "P_NAME" and new
        self._thing("MediaItem_Take", take).name = text
        return True, take, name, text, new

    def _UpdateArrange(self) -> None:
        pass

    def _Main_OnCommand(self, command: int, flag: int) -> None:
        self.commands.append(command)

    def _Undo_BeginBlock2(self, project: int) -> None:
        self.undo.append("begin")

    def _Undo_EndBlock2(self, project: int, text: str, flags: int) -> None:
        self.undo.append(text)

    # The user

    def _GetUserInputs(
        self, title: str, count: int, captions: str, values: str, size: int
    ) -> tuple[Any, ...]:
        self.asked.append((captions, values))
        answer = self.answers.pop(0)
        return (
            answer is not None,
            title,
            count,
            captions,
            values if answer is None else answer,
            size,
        )

    def _ShowMessageBox(self, text: str, title: str, kind: int) -> int:
        self.messages.append(text)
        return 1

    def _Help_Set(self, text: str, temporary: bool) -> None:
        self.hints.append(text)

    def _GetExtState(self, section: str, key: str) -> str:
        return self.kept.get((section, key), "")

    def _SetExtState(self, section: str, key: str, value: str, persist: bool) -> None:
        assert persist
        self.kept[section, key] = value

    # The script

    def _defer(self, code: str) -> None:
        self.deferred.append(code)

    def _atexit(self, code: str) -> None:
        self.at_exit.append(code)
