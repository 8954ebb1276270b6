"""What the action needs of REAPER, in its words: items, tracks, questions.

REAPER's functions (ReaScript, Python) take and give pointers as text, "(MediaTrack*)0x...", and
return what C would write into its arguments as a tuple: the return value, then every argument.
Source: ReaScript documentation, and ``reaper_python.py`` as REAPER installs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = 0  # the active one
SECTION = "OmniAudio Studio"  # of REAPER's store of values that scripts keep
TITLE = "OmniAudio Studio"

_TEXT = 4096  # bytes of room for a text that comes back
_BUILD_PEAKS = 40047  # "Peaks: Build any missing peaks"
_ANYTHING_CHANGED = -1


@dataclass(frozen=True)
class SelectedItem:
    """The item that the action is about.

    Parameters
    ----------
    file : Path
        What it plays.
    position, length : float
        Seconds of the project.
    offset : float
        Seconds of the file at which it begins.
    rate : float
        How fast it plays: 1 as it was recorded.
    source_length : float
        Seconds that the whole file lasts; 0 where REAPER does not know.
    track : int
        Of the track it lies on, from 0.
    """

    file: Path
    position: float
    length: float
    offset: float
    rate: float
    source_length: float
    track: int


class Reaper:
    """REAPER's functions by what they are good for.

    Parameters
    ----------
    functions : mapping
        What REAPER puts into a script's namespace: names ("RPR_...") and functions.
    """

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self._functions = functions

    def _call(self, name: str, *arguments: Any) -> Any:
        function: Callable[..., Any] = self._functions[f"RPR_{name}"]
        return function(*arguments)

    def selected_item(self) -> SelectedItem | None:
        """The first selected item with a file; None without one."""
        for index in range(self._call("CountSelectedMediaItems", PROJECT)):
            item = self._call("GetSelectedMediaItem", PROJECT, index)
            take = self._call("GetActiveTake", item)
            file = self._file_of(take) if _is_there(take) else ""
            if not file:
                continue
            source = self._call("GetMediaItemTake_Source", take)
            track = self._call("GetMediaItem_Track", item)
            return SelectedItem(
                file=Path(file),
                position=self._call("GetMediaItemInfo_Value", item, "D_POSITION"),
                length=self._call("GetMediaItemInfo_Value", item, "D_LENGTH"),
                offset=self._call("GetMediaItemTakeInfo_Value", take, "D_STARTOFFS"),
                rate=self._call("GetMediaItemTakeInfo_Value", take, "D_PLAYRATE"),
                source_length=self._call("GetMediaSourceLength", source, 0)[0],
                # Numbered from 1.
                track=int(self._call("GetMediaTrackInfo_Value", track, "IP_TRACKNUMBER")) - 1,
            )
        return None

    def _file_of(self, take: str) -> str:
        """Sections and reversed pieces have no file of their own, but a source that has."""
        source = self._call("GetMediaItemTake_Source", take)
        while _is_there(source):
            name = self._call("GetMediaSourceFileName", source, "", _TEXT)[1]
            if name:
                return str(name)
            source = self._call("GetMediaSourceParent", source)
        return ""

    def media_folder(self) -> Path | None:
        """Where the project's own media go; None where there is no such place."""
        folder = self._call("GetProjectPath", "", _TEXT)[0]
        return Path(folder) if folder else None

    def ask(self, captions: list[str], values: list[str]) -> list[str] | None:
        """Let the user fill in fields; None if they did not want to.

        Commas separate fields in REAPER: only the first field may hold some.
        """
        answer = self._call(
            "GetUserInputs", TITLE, len(captions), ",".join(captions), ",".join(values), _TEXT
        )
        if not answer[0]:
            return None
        first, *rest = str(answer[4]).rsplit(",", len(captions) - 1)
        return [first.strip(), *(field.strip() for field in rest)]

    def tell(self, message: str) -> None:
        """Show a message and wait until it is read."""
        self._call("ShowMessageBox", message, TITLE, 0)

    def hint(self, message: str) -> None:
        """Show a message in REAPER's help line, until something else is shown there."""
        self._call("Help_Set", message, True)

    def kept(self, key: str) -> str:
        """What was kept under a name; empty where nothing was."""
        return str(self._call("GetExtState", SECTION, key))

    def keep(self, key: str, value: str) -> None:
        """Keep a value, also beyond REAPER's end."""
        self._call("SetExtState", SECTION, key, value, True)

    def add_track(self, after: int, name: str, channels: int) -> str:
        """A new track below the one with that index."""
        self._call("InsertTrackAtIndex", after + 1, True)
        track = str(self._call("GetTrack", PROJECT, after + 1))
        self._call("SetMediaTrackInfo_Value", track, "I_NCHAN", channels)
        self.rename(track, name)
        return track

    def is_track(self, track: str) -> bool:
        """Whether it is still there."""
        return bool(self._call("ValidatePtr2", PROJECT, track, "MediaTrack*"))

    def rename(self, track: str, name: str) -> None:
        """Give a track another name."""
        self._call("GetSetMediaTrackInfo_String", track, "P_NAME", name, True)

    def remove_track(self, track: str) -> None:
        """Take a track away."""
        self._call("DeleteTrack", track)

    def add_item(self, track: str, file: Path, position: float, length: float) -> None:
        """Put a file on a track, as one step that can be undone."""
        self._call("Undo_BeginBlock2", PROJECT)
        item = self._call("AddMediaItemToTrack", track)
        self._call("SetMediaItemInfo_Value", item, "D_POSITION", position)
        self._call("SetMediaItemInfo_Value", item, "D_LENGTH", length)
        take = self._call("AddTakeToMediaItem", item)
        source = self._call("PCM_Source_CreateFromFile", str(file))
        self._call("SetMediaItemTake_Source", take, source)
        self._call("GetSetMediaItemTakeInfo_String", take, "P_NAME", file.name, True)
        self._call("Undo_EndBlock2", PROJECT, "Generate spatial audio", _ANYTHING_CHANGED)
        self._call("UpdateArrange")
        self._call("Main_OnCommand", _BUILD_PEAKS, 0)


def _is_there(pointer: Any) -> bool:
    """REAPER's null is a pointer like any other, to 0."""
    return bool(str(pointer).rpartition("0x")[2].strip("0"))
