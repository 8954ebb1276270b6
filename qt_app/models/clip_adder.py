"""Files and folders become clips: searched in a thread, told what was left out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from qt_app.models.background import Background
from qt_app.models.clip_files import FoundFile, SearchSummary, search
from qt_app.models.clip_questions import PROBE, Asks
from qt_app.models.settings import sentence, told_of

if TYPE_CHECKING:
    from qt_app.models.library import Library


class _Addition:
    """One drop: where its clips go, and what became of it."""

    def __init__(self, paths: list[Path], row: int | None) -> None:
        self.paths, self.row = paths, row
        self.added = self.duplicates = 0
        self.duplicate: int | None = None


class ClipAdder(QObject):
    """Adds to a library. Searches come one after the other, in one thread.

    Parameters
    ----------
    library
        Gets the clips.
    analysis
        Says of files with other names whether they are videos.
    """

    searching_changed = pyqtSignal(bool)
    notice = pyqtSignal(str)

    def __init__(self, library: Library, analysis: Asks) -> None:
        super().__init__(library)
        self._library, self._analysis = library, analysis
        self._disk = Background("library-search", self)
        self._closed = threading.Event()
        self._searches = 0

    @property
    def searching(self) -> bool:
        """Whether a search is under way."""
        return self._searches > 0

    def add(self, paths: list[Path], row: int | None) -> None:
        """Look for clips in files and folders, and add them before ``row``."""
        addition = _Addition(paths, row)
        self._searches += 1
        if self._searches == 1:
            self.searching_changed.emit(True)

        def job() -> SearchSummary:
            return search(
                paths,
                lambda files: self._disk.post(lambda batch: self._take(batch, addition), files),
                self._closed.is_set,
            )

        self._disk.run(
            job,
            lambda summary: self._over(self._told(addition, summary)),
            lambda error: self._over(sentence(f"cannot search there: {error}")),
        )

    def close(self) -> None:
        """Stop searching."""
        self._closed.set()
        self._disk.close()

    def _over(self, notice: str | None) -> None:
        self._searches -= 1
        if not self._searches:
            self.searching_changed.emit(False)
        if notice is not None:
            self.notice.emit(notice)

    def _take(self, files: Sequence[FoundFile], addition: _Addition) -> None:
        new: dict[str, FoundFile] = {}
        for file in files:
            number = self._library.number_of(file.key)
            if number is not None or file.key in new:
                addition.duplicates += 1
                addition.duplicate = number or addition.duplicate
            elif file.sure:
                new[file.key] = file
            else:
                self._look_first(file)
        if new:
            self._library.take_in(list(new.values()), addition.row)
            addition.added += len(new)
            addition.row = None if addition.row is None else addition.row + len(new)

    def _look_first(self, file: FoundFile) -> None:
        """Its name does not say that it is a video: it becomes a row if it turns out to be one."""

        def done(_: Any) -> None:
            if not self._closed.is_set() and self._library.number_of(file.key) is None:
                self._library.take_in([file], None)

        def failed(message: str) -> None:
            if not self._closed.is_set():
                self.notice.emit(f"{file.path.name} is left out. {told_of(file.path, message)}")

        self._analysis.ask(
            PROBE, done, failed, path=str(file.path), projection="auto", stereo="auto"
        )

    def _told(self, addition: _Addition, summary: SearchSummary) -> str | None:
        """One notice about what was not added; none where everything was."""
        if addition.duplicates and not addition.added and addition.duplicate is not None:
            self._library.set_current(addition.duplicate)
        left_out = []
        if addition.duplicates:
            left_out.append(f"{clips_text(addition.duplicates)} already in the list")
        if summary.others and not summary.found:  # beside clips there are always other files
            files = "file that is no video" if summary.others == 1 else "files that are no videos"
            left_out.append(f"{summary.others} {files}")
        if summary.unreadable:
            first = summary.unreadable[0].name
            left_out.append(f"{len(summary.unreadable)} that cannot be read ({first})")
        if summary.gone:
            left_out.append(f"{summary.gone[0].name}, which is not there")
        if not summary.found and not summary.unreadable and not summary.gone:
            return f"No videos in {addition.paths[0].name or addition.paths[0]}."
        if not left_out:
            return None
        added = f"{clips_text(addition.added)} added. " if addition.added else ""
        return f"{added}Left out: {', '.join(left_out)}."


def clips_text(number: int) -> str:
    """1 clip, 2 clips."""
    return f"{number} {'clip' if number == 1 else 'clips'}"
