"""The library: the clips in the user's order, what is known and what is wanted of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtGui import QUndoStack

from qt_app.models import library_file
from qt_app.models.background import Background
from qt_app.models.clip import MISSING, UNREADABLE, Clip
from qt_app.models.clip_adder import ClipAdder
from qt_app.models.clip_files import FileState, FoundFile
from qt_app.models.clip_finder import ClipFinder
from qt_app.models.clip_questions import PROBE, Asks, ClipQuestions
from qt_app.models.library_commands import ChangeSettings, RemoveClips
from qt_app.models.library_rows import LibraryRows
from qt_app.models.outputs import next_output
from qt_app.models.settings import CheckedChanges, sentence, told_of
from qt_app.models.shot_finder import ShotFinder

__all__ = ["Clip", "Library"]

FILE_NAME = "library.json"
SAVE_AFTER_MS = 400
UNDO_STEPS = 200


class Library(LibraryRows):
    """The clips of the library, as a list model with everything that can be done to them.

    Cuts are looked for by ``shots``, a :class:`ShotFinder`.

    The file is read in a thread: ``loaded`` fires when the rows are there. What is added before
    comes after them.

    Parameters
    ----------
    folder
        The app's folder under the user's data; the library is ``library.json`` in it.
    analysis
        Looks at files in a process of its own.
    """

    clip_changed = pyqtSignal(int)  # anything about it: settings, knowledge, picture, path
    settings_changed = pyqtSignal(list)  # ids
    current_changed = pyqtSignal(object)  # Clip or None
    selection_changed = pyqtSignal(list)  # ids
    searching_changed = pyqtSignal(bool)
    notice = pyqtSignal(str)
    loaded = pyqtSignal()

    def __init__(self, folder: Path, analysis: Asks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = folder / FILE_NAME
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(UNDO_STEPS)
        self.is_loaded = False
        self._questions = ClipQuestions(analysis, self.find, self._learned, self._not_learned)
        self._keys: dict[str, int] = {}
        self._next_id = 1
        self._current: int | None = None
        self._selected: list[int] = []
        self._selected_set: frozenset[int] = frozenset()
        self._closed = False
        self._waiting: list[tuple[list[Path], int | None]] = []
        self._protected = self._complained = False
        self._store = Background("library-file", self)
        self._adder = ClipAdder(self, analysis)
        self._finder = ClipFinder(self)
        self._adder.searching_changed.connect(self.searching_changed)
        self._adder.notice.connect(self.notice)
        self._finder.notice.connect(self.notice)
        self.shots = ShotFinder(self, analysis)
        self._save_timer = QTimer(self)
        self._save_timer.setSingleShot(True)
        self._save_timer.setInterval(SAVE_AFTER_MS)
        self._save_timer.timeout.connect(self._save)
        self._store.run(lambda: library_file.read_library(self.path), self._fill, self._no_file)

    @property
    def searching(self) -> bool:
        """Whether files and folders are being looked through."""
        return bool(self._waiting) or self._adder.searching

    # Start and end ---------------------------------------------------------------------------

    def _fill(self, contents: library_file.LibraryContents) -> None:
        self._protected = contents.protected
        self._next_id = max(contents.next_id, self._next_id)
        clips = []
        for clip in contents.clips:
            if self._keys.setdefault(clip.key, clip.id) == clip.id:
                clips.append(clip)
        self._insert(0, clips)
        self.is_loaded = True
        if contents.notice:
            self.notice.emit(contents.notice)
        self.loaded.emit()
        if contents.current is not None:
            self.set_current(contents.current)
        self.check_files()
        self._questions.look_at(clip.id for clip in clips if clip.info is None)
        waiting, self._waiting = self._waiting, []
        for paths, row in waiting:
            self.add(paths, row)

    def _no_file(self, error: Exception) -> None:
        self._fill(library_file.LibraryContents(notice=sentence(str(error)), protected=True))

    def flush(self, seconds: float = 5.0) -> bool:
        """Write what is not written yet; False where the disk does not answer in time."""
        if self._save_timer.isActive():
            self._save_timer.stop()
            self._save()
        return self._store.wait(seconds)

    def close(self) -> None:
        """Write everything and stop the threads."""
        self._closed = self._questions.closed = True
        for part in (self._adder, self._finder, self.shots):
            part.close()
        self.flush()
        self._store.close()

    def _save_soon(self) -> None:
        if self.is_loaded and not self._protected:
            self._save_timer.start()

    def _save(self) -> None:
        # Copies of rows with values that never change: the thread may take its time over the text.
        clips = [
            Clip(
                c.id, c.path, c.settings, c.info, None, None, None, c.suggested_shots, c.stamp, "-"
            )
            for c in self.clips
        ]
        current, next_id, path = self._current, self._next_id, self.path

        def job() -> None:
            library_file.write_text(path, library_file.library_text(clips, current, next_id))

        self._store.run(job, lambda _: self._saved(None), self._saved)

    def _saved(self, error: Exception | None) -> None:
        if error is not None and not self._complained:
            self.notice.emit(f"The list of clips is not kept: {error}")
        self._complained = error is not None

    # Adding ----------------------------------------------------------------------------------

    def add(self, paths: Iterable[Path | str], row: int | None = None) -> None:
        """Add files and folders; they are looked for in a thread and come in groups.

        Parameters
        ----------
        row
            Where they go; at the end where None.
        """
        wanted = [Path(path) for path in paths]
        if not wanted or self._closed:
            return
        if self.is_loaded:
            self._adder.add(wanted, row)
        else:
            self._waiting.append((wanted, row))

    def number_of(self, key: str) -> int | None:
        """The id of a file in the list by its key, None where it is not in it."""
        return self._keys.get(key)

    def take_in(self, files: Sequence[FoundFile], row: int | None) -> list[Clip]:
        """Insert files as clips before ``row``, at the end where None."""
        new = []
        for file in files:
            clip = Clip(self._next_id, file.path, stamp=file.stamp, key=file.key)
            self._next_id += 1
            self._keys[clip.key] = clip.id
            new.append(clip)
        self._insert(len(self.clips) if row is None else min(row, len(self.clips)), new)
        if self._current is None and new:
            self.set_current(new[0].id)
        self._questions.look_at(clip.id for clip in new)
        self._save_soon()
        return new

    # Rows ------------------------------------------------------------------------------------

    def remove(self, ids: Iterable[int]) -> None:
        """Take clips out of the list; files stay, and it can be undone."""
        wanted = set(ids)
        rows = [(row, clip) for row, clip in enumerate(self.clips) if clip.id in wanted]
        if rows:
            self.undo_stack.push(RemoveClips(self, rows))

    def take_out(self, ids: Sequence[int]) -> None:
        """Remove rows without a step to undo."""
        current_row = None if self._current is None else self.row(self._current)
        gone = set(ids)
        for number in gone:
            clip = self.find(number)
            if clip is not None and self._keys.get(clip.key) == number:
                del self._keys[clip.key]
        self._remove(gone)
        if any(number in gone for number in self._selected):
            self.set_selected([number for number in self._selected if number not in gone])
        if self._current in gone:
            near = min(current_row or 0, len(self.clips) - 1)
            self.set_current(self.clips[near].id if self.clips else None)
        self._save_soon()

    def put_back(self, rows: Sequence[tuple[int, Clip]]) -> None:
        """Insert rows again where they were, without a step to undo."""
        for row, clip in rows:
            if clip.key in self._keys:  # added anew meanwhile
                continue
            self._keys[clip.key] = clip.id
            self._insert(min(row, len(self.clips)), [clip])
            self._questions.look_at([clip.id])
        if self._current is None and self.clips:
            self.set_current(rows[0][1].id)
        self._save_soon()

    def move(self, ids: Iterable[int], row: int) -> None:
        """Put clips before ``row``, in the order they have."""
        self._move(set(ids), row)
        self._save_soon()

    @property
    def current(self) -> Clip | None:
        """The clip whose picture, sound and takes are shown."""
        return None if self._current is None else self.find(self._current)

    def set_current(self, number: int | None) -> None:
        """Choose it by its id; None for no clip."""
        if number is not None and self.find(number) is None:
            number = None
        if number != self._current:
            self._current = number
            self.current_changed.emit(self.current)
            self._save_soon()

    @property
    def selected(self) -> list[int]:
        """Ids of the clips that settings and Generate are about, in the list's order."""
        return list(self._selected)

    def is_selected(self, number: int) -> bool:
        """Whether a clip is one of them."""
        return number in self._selected_set

    def set_selected(self, ids: Iterable[int]) -> None:
        """Choose the clips by their ids."""
        wanted = {number for number in ids if self.find(number) is not None}
        ordered = sorted(wanted, key=self.row)
        if ordered != self._selected:
            self._selected, self._selected_set = ordered, frozenset(ordered)
            self.selection_changed.emit(list(ordered))

    # Settings --------------------------------------------------------------------------------

    def change(self, ids: Iterable[int], *, label: str | None = None, **values: Any) -> None:
        """Change settings of some clips in one step that can be undone.

        Raises
        ------
        OptionError
            One line, where a value is not valid for one of them; nothing is changed then.
        """
        self.change_each(dict.fromkeys(ids, values), label=label)

    def change_each(
        self, wanted: Mapping[int, Mapping[str, Any]], *, label: str | None = None
    ) -> None:
        """Change settings of clips, of each its own, in one step; see :meth:`change`."""
        changes: dict[int, dict[str, tuple[Any, Any]]] = {}
        checked = CheckedChanges()
        for number, values in wanted.items():
            clip = self.clip(number)
            checked.changed(clip.settings, values)
            before = {name: getattr(clip.settings, name) for name in values}
            different = {n: (before[n], v) for n, v in values.items() if before[n] != v}
            if different:
                changes[number] = different
        if changes:
            self.undo_stack.push(ChangeSettings(self, changes, label))

    def put_settings(self, values: Mapping[int, Mapping[str, Any]]) -> None:
        """Replace settings without a step to undo; ids that are gone are passed over."""
        changed = []
        checked = CheckedChanges()
        for number, fields in values.items():
            clip = self.find(number)
            if clip is None:
                continue
            clip.settings = checked.changed(clip.settings, fields)
            changed.append(number)
            if {"projection", "stereo"} & fields.keys() and not clip.missing:
                clip.forget()
                self._questions.look_at([number])
        self.touched(changed)
        if changed:
            self.settings_changed.emit(changed)

    def set_seeds(self, seeds: Mapping[int, int]) -> None:
        """Show the seeds that a run rolled, by clip; no step to undo."""
        self.put_settings({number: {"seed": seed} for number, seed in seeds.items()})

    def declare(self, ids: Iterable[int], projection: str, stereo: str = "auto") -> None:
        """Say how the sphere lies in the pictures; the clips are looked at again."""
        self.change(ids, label="declared projection", projection=projection, stereo=stereo)

    def next_output(self, clip: Clip, taken: Callable[[Path], bool] = lambda path: False) -> Path:
        """Where the clip's next take goes; ``taken`` tells of paths that are spoken for."""
        return next_output(clip.path, clip.settings, taken)

    # Files -----------------------------------------------------------------------------------

    def check_files(self, ids: Iterable[int] | None = None) -> None:
        """See in a thread which files have moved, come back or changed."""
        self._finder.check([clip.id for clip in self.clips] if ids is None else list(ids))

    def locate(self, number: int, path: Path | str) -> None:
        """Say where a clip's file is now. Others that went with it into that folder follow.

        A file that is another row already, or none at all, is refused with a notice.
        """
        self._finder.locate(self.clip(number), Path(path))

    def lose(self, clip: Clip) -> None:
        """Its file is no longer there."""
        clip.problem_kind = MISSING
        clip.problem = (
            f"The file is no longer in {clip.path.parent}. Locate it, or remove the clip."
        )

    def place(self, clip: Clip, state: FileState) -> None:
        """The clip's file is there, maybe elsewhere, maybe another one."""
        if self._keys.get(clip.key) == clip.id:
            del self._keys[clip.key]
        known = clip.info if state.stamp == clip.stamp else None
        picture = clip.thumbnail if known is not None else None
        clip.path, clip.key, clip.stamp = state.path, state.key, state.stamp
        self._keys[clip.key] = clip.id
        clip.forget()
        self._questions.renew(clip.id)
        if known is None:
            self._questions.look_at([clip.id])
        else:
            clip.thumbnail = picture
            clip.accept({**known, "path": str(clip.path)})

    def touched(self, ids: Sequence[int]) -> None:
        """Tell everybody that something about these clips has changed, and keep it."""
        if ids:
            self._refresh(ids)
            for number in ids:
                self.clip_changed.emit(number)
            self._save_soon()

    def look_again(self, ids: Iterable[int]) -> None:
        """Look at files anew, as if they were added now."""
        numbers = [number for number in ids if self.find(number) is not None]
        for number in numbers:
            clip = self.clip(number)
            if not clip.missing:
                clip.forget()
                self._questions.renew(number)
        self.touched(numbers)
        self._questions.look_at(numbers)
        self.check_files(numbers)

    def seen(self, number: int) -> None:
        """This clip is on screen: what it lacks (picture, facts) is asked for first."""
        self._questions.seen(number)

    def is_asked(self, number: int) -> bool:
        """Whether its file is being looked at just now."""
        return self._questions.is_asked(number)

    def _learned(self, clip: Clip, what: str, answer: Any) -> None:
        if what == PROBE:
            clip.accept(answer)
        else:
            clip.thumbnail = Path(answer["image"])
        self.touched([clip.id])

    def _not_learned(self, clip: Clip, what: str, message: str) -> None:
        if what == PROBE:
            clip.problem, clip.problem_kind = told_of(clip.path, message), UNREADABLE
            self.touched([clip.id])
            self.check_files([clip.id])  # maybe it only went away
