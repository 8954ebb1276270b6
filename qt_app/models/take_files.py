"""Takes on the disk: found, compared with their hashes, moved to the trash. For threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QFile

from omniaudio_studio.errors import OptionError
from qt_app.models.take import Take, TakeState, is_of_clip, matches, read_take, take_order

_Stamp = tuple[int, int]  # bytes, time of change in ns


class TakeReader:
    """Reads sidecars; one that has not changed is not read again. One thread at a time."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[_Stamp, Take | None, str]] = {}

    def scan(self, clip: Path, folders: Sequence[Path]) -> tuple[list[Take], list[str]]:
        """The clip's takes in some folders, oldest first, and what is wrong with other sidecars."""
        takes: dict[Path, Take] = {}
        problems = []
        for folder in folders:
            try:
                sidecars = [path for path in folder.iterdir() if path.suffix.lower() == ".json"]
            except OSError:
                continue  # no folder, no takes
            for sidecar in sidecars:
                take, wrong = self._take(sidecar)
                if wrong:
                    problems.append(wrong)
                if take is not None and is_of_clip(take, clip):
                    takes[sidecar] = take
        return sorted(takes.values(), key=take_order), problems

    def _take(self, sidecar: Path) -> tuple[Take | None, str]:
        try:
            stamp = _stamp(sidecar)
        except OSError:
            return None, ""
        held = self._read.get(sidecar)
        if held is None or held[0] != stamp:
            try:
                held = (stamp, read_take(sidecar), "")
            except OptionError as error:
                held = (stamp, None, str(error))
            self._read[sidecar] = held
        _, take, wrong = held
        if take is not None:
            there = TakeState.UNCHECKED if take.wav.is_file() else TakeState.MISSING
            take = replace(take, state=there)
        return take, wrong


class TakeChecker:
    """Compares WAVs with their hashes, once for each state of a file. One thread at a time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, _Stamp], TakeState] = {}

    def check(self, take: Take, stopped: Callable[[], bool]) -> TakeState | None:
        """How the WAV is; None where that is not known or ``stopped`` said to give up."""
        try:
            key = (take.sha256, _stamp(take.wav))
        except OSError:
            return TakeState.MISSING
        found = self._known.get(key)
        if found is None:
            found = matches(take.wav, take.sha256, stopped)
            if found is not None:
                self._known[key] = found
        return found


def to_trash(takes: Sequence[Take]) -> tuple[list[Take], list[str]]:
    """Move takes with all their files; the takes that went, and why others did not."""
    gone, problems = [], []
    for take in takes:
        for path in take.files():
            if path.exists() and not QFile.moveToTrash(str(path))[0]:
                problems.append(
                    f"{path.name} could not be moved to the trash; its disk may have none, or it "
                    "is open in another program"
                )
                break
        else:
            gone.append(take)
    return gone, problems


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
