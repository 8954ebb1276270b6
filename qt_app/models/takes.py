"""The takes of the clip that is shown: found on the disk, starred, kept, removed, rolled again."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from typing import Any

from PyQt6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QFileSystemWatcher,
    QModelIndex,
    QObject,
    Qt,
    QTimer,
    pyqtSignal,
)

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest
from qt_app.models.background import Background
from qt_app.models.clip_questions import Asks
from qt_app.models.take import Take, TakeState, free_name, grid, reroll
from qt_app.models.take_files import TakeChecker, TakeReader, to_trash
from qt_app.models.take_marks import Mark, TakeMarks
from qt_app.models.take_words import describe, spoken

__all__ = ["Take", "TakeRole", "TakeState", "TakesModel", "grid"]

SETTLE_MS = 400  # after the last change in a folder before it is looked at again


class TakeRole(IntEnum):
    """What the model tells of a take, beside its title."""

    TAKE = Qt.ItemDataRole.UserRole + 1
    SEED = Qt.ItemDataRole.UserRole + 2
    CFG = Qt.ItemDataRole.UserRole + 3
    STEPS = Qt.ItemDataRole.UserRole + 4
    BUNDLE = Qt.ItemDataRole.UserRole + 5
    DEMONSTRATION = Qt.ItemDataRole.UserRole + 6
    COMMERCIAL = Qt.ItemDataRole.UserRole + 7
    LOUDNESS = Qt.ItemDataRole.UserRole + 8
    STARRED = Qt.ItemDataRole.UserRole + 9
    KEPT = Qt.ItemDataRole.UserRole + 10
    CREATED = Qt.ItemDataRole.UserRole + 11
    PATH = Qt.ItemDataRole.UserRole + 12
    STATE = Qt.ItemDataRole.UserRole + 13
    COMMAND = Qt.ItemDataRole.UserRole + 14


class TakesModel(QAbstractListModel):
    """Takes of one clip, oldest first.

    Folders are read, hashes compared and files removed in threads; the list follows what happens in
    the folders by itself.

    Parameters
    ----------
    folder
        The user's data folder, for stars and keeps.
    analysis
        Measures loudness; without it takes have none until :meth:`set_loudness`.
    taken
        Whether an output is promised to a job already, besides existing.

    Signals
    -------
    changed()
        Takes came, went, or one of them is another.
    current_changed(object)
        Another Take is the current one, or None is.
    notice(str)
        Something that was done, to be told in passing.
    problem(str)
        One line.
    removed(list)
        Takes that are in the trash now.
    """

    changed = pyqtSignal()
    current_changed = pyqtSignal(object)
    notice = pyqtSignal(str)
    problem = pyqtSignal(str)
    removed = pyqtSignal(list)

    def __init__(
        self,
        folder: Path,
        analysis: Asks | None = None,
        taken: Callable[[Path], bool] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._takes: list[Take] = []
        self._clip: Path | None = None
        self._folders: tuple[Path, ...] = ()
        self._looking = self._again = False  # at the folders; once more when that is over
        self._current: Path | None = None
        self._marks = TakeMarks(folder)
        self._unread = False  # the file of marks could not be read: it is not written over
        self._licences: dict[str, bool] = {}
        self._analysis, self._taken = analysis, taken
        self._tickets: dict[str, int] = {}
        self._told: set[str] = set()
        self._generation = threading.Event()  # set: the hashes at work are of another clip
        self._reader, self._checker = TakeReader(), TakeChecker()
        self._disk = Background("takes", self)
        self._hashing = Background("takes-check", self)
        self._watch = QFileSystemWatcher(self)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.refresh)
        self._watch.directoryChanged.connect(lambda _: self._settle.start())
        self._read_marks()

    # What is there

    def takes(self) -> list[Take]:
        """All takes, oldest first."""
        return list(self._takes)

    def take(self, wav: Path | None) -> Take | None:
        """The take with this WAV."""
        return next((take for take in self._takes if take.wav == wav), None)

    @property
    def clip(self) -> Path | None:
        """The clip whose takes are shown."""
        return self._clip

    @property
    def current(self) -> Take | None:
        """The take that is listened to and acted upon."""
        return self.take(self._current)

    @property
    def chosen(self) -> Path | None:
        """The WAV that `set_current` named, whether its take is there yet or not."""
        return self._current

    def set_current(self, wav: Path | None) -> None:
        """Choose a take by its WAV; None for none. One that is not there yet is chosen later."""
        if wav != self._current:
            self._current = wav
            self.current_changed.emit(self.current)

    def show(self, clip: Path | None, folders: Sequence[Path] = ()) -> None:
        """Show the takes of a clip that lie in some folders (its own, where none is given)."""
        other = clip != self._clip
        self._clip = clip
        found = tuple(dict.fromkeys(folders or (() if clip is None else (clip.parent,))))
        if found != self._folders:
            self._folders = found
            if watched := self._watch.directories():
                self._watch.removePaths(watched)
        if other:
            self._generation.set()
            self._generation = threading.Event()
            self._set([])
            self.set_current(None)
        self.refresh()

    def refresh(self) -> None:
        """Look at the folders again."""
        clip, folders = self._clip, self._folders
        self._again = self._looking
        if clip is not None and not self._looking:
            self._looking = True
            self._disk.run(
                lambda: (clip, *self._reader.scan(clip, folders)),
                lambda found: self._looked(lambda: self._found(*found)),
                lambda error: self._looked(lambda: self._fail(error)),
            )

    def set_bundles(self, bundles: Sequence[Mapping[str, Any]]) -> None:
        """Tell what the bundles' licences allow, as the analyst's task "bundles" answers."""
        for bundle in bundles:
            licence = bundle.get("licence")
            if isinstance(licence, Mapping) and "commercial" in licence:
                self._licences[str(bundle["name"])] = bool(licence["commercial"])
        self._update(self._with_licence)

    # Marks

    def star(self, take: Take, starred: bool = True) -> None:
        """Give or take a star."""
        self._mark(take, starred=starred)

    def keep(self, take: Take, kept: bool = True) -> None:
        """Keep a take from "Remove the others", or no longer."""
        self._mark(take, kept=kept)

    def set_loudness(self, wav: Path, loudness: float | None) -> None:
        """Remember a take's integrated loudness in LUFS; None for silence."""
        take = self.take(wav)
        if take is not None:
            self._measured(take, loudness)

    # New takes

    def next_output(self, take: Take) -> Path:
        """The next free name beside a take."""
        promised = self._taken
        return free_name(
            take.wav, lambda path: path.exists() or (promised is not None and promised(path))
        )

    def reroll_request(
        self, take: Take, start: float, end: float, seed: int, output: Path | None = None
    ) -> GenerateRequest:
        """The request that makes ``start`` to ``end`` (seconds of the clip) of a take anew.

        Raises
        ------
        OptionError
            One line, see :func:`qt_app.models.take.reroll`.
        """
        if take.state is TakeState.CHANGED:
            raise OptionError(
                f"{take.wav.name} is no longer the sound that its sidecar describes; generate the "
                "whole clip instead"
            )
        return reroll(take, start, end, seed, output or self.next_output(take), self._clip)

    # Away with it

    def removable(self) -> list[Take]:
        """The takes that are neither starred nor kept."""
        return [take for take in self._takes if not take.protected]

    def remove(self, takes: Sequence[Take]) -> None:
        """Move takes to the trash, but never a starred or kept one. Ask first: this does not."""
        wanted = {take.sidecar for take in takes}
        going = [take for take in self.removable() if take.sidecar in wanted]
        if len(going) < len(wanted):
            self.notice.emit("Starred and kept takes stay")
        if going:
            self._disk.run(lambda: to_trash(going), self._gone)

    def close(self) -> None:
        """Let threads end; marks that were set are written first."""
        self._generation.set()
        self._settle.stop()
        self._disk.wait(2.0)
        self._disk.close()
        self._hashing.close()

    # Qt's side

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._takes)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._takes):
            return None
        take = self._takes[index.row()]
        read = _ROLES.get(role)
        return None if read is None else read(take)

    def roleNames(self) -> dict[int, QByteArray]:
        names = {int(role): QByteArray(role.name.lower().encode()) for role in TakeRole}
        return {**super().roleNames(), **names}

    def row(self, wav: Path | None) -> int:
        """The row of a take, -1 where it is none."""
        return next((row for row, take in enumerate(self._takes) if take.wav == wav), -1)

    # Inside

    def _looked(self, tell: Callable[[], None]) -> None:
        self._looking = False
        tell()
        self._follow_folders()
        if self._again:
            self.refresh()

    def _found(self, clip: Path, takes: list[Take], problems: list[str]) -> None:
        if clip != self._clip:
            return
        before = {take.sidecar: take for take in self._takes}
        made = []
        for take in takes:
            old = before.get(take.sidecar)
            if old is not None and old.sha256 == take.sha256 and old.usable == take.usable:
                take = replace(take, state=old.state)
            made.append(self._with_marks(self._with_licence(take)))
        self._set(made)
        for line in problems:
            if line not in self._told:
                self._told.add(line)
                self.problem.emit(line)
        for take in made:
            self._check(take)
            self._measure(take)

    def _follow_folders(self) -> None:
        """Hear of changes in folders, also in one that was made after it was first looked at.

        Done after a look in the thread: a disk that has just answered keeps nobody waiting.
        """
        unheard = {str(folder) for folder in self._folders} - set(self._watch.directories())
        if unheard and len(self._watch.addPaths(sorted(unheard))) < len(unheard):
            self._settle.start()  # what came between the look and now

    def _set(self, takes: list[Take]) -> None:
        if takes == self._takes:
            return
        was = self.current
        if [take.sidecar for take in takes] == [take.sidecar for take in self._takes]:
            self._takes = takes
            self.dataChanged.emit(self.index(0), self.index(len(takes) - 1))
        else:
            self.beginResetModel()
            self._takes = takes
            self.endResetModel()
        self.changed.emit()
        if self.current != was:
            self.current_changed.emit(self.current)

    def _update(self, change: Callable[[Take], Take]) -> None:
        self._set([change(take) for take in self._takes])

    def _with_marks(self, take: Take) -> Take:
        mark = self._marks.get(take.sha256)
        return replace(take, starred=mark.starred, kept=mark.kept, loudness=mark.loudness)

    def _with_licence(self, take: Take) -> Take:
        known = self._licences.get(take.bundle)
        return take if known is None else replace(take, commercial=known)

    def _read_marks(self) -> None:
        def failed(error: Exception) -> None:
            self._unread = True
            self._fail(error)

        self._disk.run(self._marks.read, self._adopt, failed)

    def _adopt(self, marks: dict[str, Mark]) -> None:
        late, self._unread = self._unread, False
        self._marks.adopt(marks)
        self._update(self._with_marks)
        if late:
            self._save_marks()

    def _mark(self, take: Take, **values: Any) -> None:
        self._marks.change(take.sha256, **values)
        self._update(self._with_marks)
        if self._unread:
            self._read_marks()
        else:
            self._save_marks()

    def _save_marks(self) -> None:
        text = self._marks.as_json()
        self._disk.run(lambda: self._marks.save(text), failed=self._fail)

    def _fail(self, error: Exception) -> None:
        self.problem.emit(str(error))

    def _check(self, take: Take) -> None:
        """Hash the WAV in a thread, once for each state of the file."""
        if take.state is not TakeState.UNCHECKED:
            return
        stopped = self._generation.is_set

        def done(state: TakeState | None) -> None:
            if state is not None:
                self._update(
                    lambda one: replace(one, state=state) if one.sidecar == take.sidecar else one
                )

        self._hashing.run(lambda: self._checker.check(take, stopped), done)

    def _measure(self, take: Take) -> None:
        if self._analysis is None or take.loudness is not None or not take.usable:
            return
        if take.sha256 in self._tickets:
            return
        self._tickets[take.sha256] = self._analysis.ask(
            "field",
            lambda answer: self._measured(take, answer.get("loudness")),
            lambda _: None,  # the take is shown without
            priority=-1,
            path=str(take.wav),
        )

    def _measured(self, take: Take, loudness: float | None) -> None:
        """Also of a take whose clip is no longer the one that is shown."""
        self._mark(take, loudness=-math.inf if loudness is None else float(loudness))

    def _gone(self, outcome: tuple[list[Take], list[str]]) -> None:
        gone, problems = outcome
        if gone:
            sidecars = {take.sidecar for take in gone}
            self._set([take for take in self._takes if take.sidecar not in sidecars])
            number = f"{len(gone)} takes are" if len(gone) > 1 else f"{gone[0].title} is"
            self.notice.emit(f"{number} in the trash")
            self.removed.emit(gone)
        for line in problems:
            self.problem.emit(line)
        self.refresh()


_ROLES: dict[int, Callable[[Take], Any]] = {
    Qt.ItemDataRole.DisplayRole: lambda take: take.title,
    Qt.ItemDataRole.ToolTipRole: describe,
    Qt.ItemDataRole.AccessibleTextRole: spoken,
    TakeRole.TAKE: lambda take: take,
    TakeRole.SEED: lambda take: take.seed,
    TakeRole.CFG: lambda take: take.cfg,
    TakeRole.STEPS: lambda take: take.steps,
    TakeRole.BUNDLE: lambda take: take.bundle_title,
    TakeRole.DEMONSTRATION: lambda take: take.demonstration,
    TakeRole.COMMERCIAL: lambda take: take.commercial,
    TakeRole.LOUDNESS: lambda take: take.loudness,
    TakeRole.STARRED: lambda take: take.starred,
    TakeRole.KEPT: lambda take: take.kept,
    TakeRole.CREATED: lambda take: take.created,
    TakeRole.PATH: lambda take: str(take.wav),
    TakeRole.STATE: lambda take: take.state,
    TakeRole.COMMAND: lambda take: take.command(),
}
