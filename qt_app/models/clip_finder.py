"""Where clips' files are now: moved, renamed, back again, or pointed at by the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal

from qt_app.models.background import Background
from qt_app.models.clip import Clip
from qt_app.models.clip_adder import clips_text
from qt_app.models.clip_files import FileState, look_for

if TYPE_CHECKING:
    from qt_app.models.library import Library

# Clip, where it was thought to be, where it is.
_Answers = list[tuple[int, Path, FileState]]


class ClipFinder(QObject):
    """Looks for a library's files in a thread."""

    notice = pyqtSignal(str)

    def __init__(self, library: Library) -> None:
        super().__init__(library)
        self._library = library
        self._disk = Background("library-files", self)
        self._checking = False
        self._later: dict[int, None] = {}  # to be checked when that is over

    def close(self) -> None:
        """Listen to no answer any more."""
        self._disk.close()

    def check(self, ids: list[int]) -> None:
        """See which files have moved, come back or changed; one look at a time at a slow disk."""
        if self._checking:
            self._later.update(dict.fromkeys(ids))
            return
        clips = [clip for number in ids if (clip := self._library.find(number)) is not None]
        asked = [(clip.id, clip.path, clip.stamp) for clip in clips]
        if asked:
            self._checking = True
            self._disk.run(
                lambda: [(number, path, look_for(path, stamp)) for number, path, stamp in asked],
                self._checked,
                lambda _: self._checked([]),
            )

    def _checked(self, answers: _Answers) -> None:
        self._checking = False
        changed = []
        for number, before, state in answers:
            clip = self._library.find(number)
            if clip is None or clip.path != before:
                continue
            renamed = state.path != before
            taken = renamed and self._library.number_of(state.key) not in (None, number)
            if state.stamp is None or taken:
                if not clip.missing:
                    self._library.lose(clip)
                    changed.append(number)
            elif state.stamp != clip.stamp or clip.missing or renamed:
                if renamed:
                    self.notice.emit(f"{before.name} is now called {state.path.name}.")
                self._library.place(clip, state)
                changed.append(number)
        self._library.touched(changed)
        later, self._later = list(self._later), {}
        self.check(later)

    def locate(self, clip: Clip, path: Path) -> None:
        """Say where a file is now; other missing ones are looked for beside it."""
        asked = [(clip.id, clip.path, path)]
        for other in self._library.clips:
            if other.missing and other is not clip:
                asked.append((other.id, other.path, path.parent / other.name))
        self._disk.run(
            lambda: [(number, before, look_for(now, None)) for number, before, now in asked],
            self._located,
        )

    def _located(self, answers: _Answers) -> None:
        changed = []
        for position, (number, before, state) in enumerate(answers):
            clip = self._library.find(number)
            if clip is None or clip.path != before:
                continue
            taken = self._library.number_of(state.key) not in (None, number)
            if state.stamp is not None and not taken:
                self._library.place(clip, state)
                changed.append(number)
            elif position == 0 and taken:
                self.notice.emit(f"{state.path.name} is in the list already.")
            elif position == 0:
                self.notice.emit(f"There is no file {state.path}.")
        self._library.touched(changed)
        others = len(changed) - (answers[0][0] in changed)
        if others:
            self.notice.emit(f"{clips_text(others)} more found in the same folder.")
