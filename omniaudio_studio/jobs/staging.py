"""Several outputs that appear together or not at all. Standard library only, but for `files`.

Everything is first written into one hidden folder beside the outputs, ``.<stem>-<random>.part``; on
an error or a cancellation it goes away with all that is in it. Once all of it is written, and on
the disk, one rename makes it ``.<stem>-<random>.whole``: from then on a crash, also of the machine,
loses nothing, since `finish` brings into place what the commit could not.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from omniaudio_studio.errors import (
    MissingFileError,
    OmniAudioError,
    OptionError,
    OutputError,
    OutputExistsError,
)
from omniaudio_studio.files import (
    check_output,
    is_there,
    mark_temporary,
    reason,
    remove_all_temporary,
    remove_temporary,
)

PART, WHOLE = ".part", ".whole"

_EXTRA = "intermediate"

_made: set[Path] = set()
_bringing = threading.Lock()  # held for the few renames of a commit
_BRINGING_SECONDS = 2.0


class Staging:
    """Context manager: ``path(final)`` is where to write, ``commit()`` brings all into place.

    Parameters
    ----------
    finals
        The places of outputs, all in one folder. Which of them are used may turn out later.
    overwrite
        Replace what is there. Until ``commit`` existing files are untouched, and a commit that
        fails half-way puts them back.
    updated
        Those of ``finals`` that may be there in any case: what is there is carried on.
    folders
        Those of ``finals`` that are folders.

    Raises
    ------
    OutputError
        On entering, for a folder that cannot be written; inside, in place of every OSError.
    OutputExistsError
        If an output exists and ``overwrite`` is false.
    """

    def __init__(
        self,
        finals: Sequence[Path],
        *,
        overwrite: bool = False,
        updated: Collection[Path] = (),
        folders: Collection[Path] = (),
    ) -> None:
        self.finals = tuple(finals)
        self.overwrite, self.updated = overwrite, frozenset(updated)
        self.folders = frozenset(folders)
        first = self.finals[0]
        self.folder = first.parent / f".{first.stem}-{secrets.token_hex(6)}{PART}"

    def __enter__(self) -> Staging:
        for final in self.finals:
            self._check(final)
        mark_temporary(self.folder)
        try:
            self.folder.mkdir()
        except OSError as error:
            remove_temporary(self.folder)
            raise OutputError(f"cannot write into {self.folder.parent}: {reason(error)}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        remove_temporary(self.folder)
        if isinstance(error, OutputError) and str(self.folder) in str(error):
            raise type(error)(self.told(error)) from error
        # What fails on a full disk is the output, whichever library was writing it.
        if isinstance(error, OSError) and not isinstance(error, OmniAudioError):
            raise OutputError(f"cannot write {self.finals[0]}: {reason(error)}") from error

    def told(self, error: BaseException) -> str:
        """What an error says, with the user's own names in place of the temporary ones."""
        told = str(error)
        for folder in (self.folder / _EXTRA, self.folder):
            told = told.replace(str(folder), str(self.folder.parent))
        return told

    def _check(self, final: Path) -> None:
        if final not in self.folders or not final.is_dir():
            check_output(final, overwrite=self._may_replace(final))
        elif not self._may_replace(final):
            raise OutputExistsError(
                f"{final} already exists; choose another name or add --overwrite"
            )

    def _may_replace(self, final: Path) -> bool:
        return self.overwrite or final in self.updated

    def path(self, final: Path) -> Path:
        """The temporary place of ``final``; same name, so that writers see the suffix."""
        return self.folder / final.name

    def extra(self, name: str) -> Path:
        """A place for an intermediate file that is not an output."""
        (self.folder / _EXTRA).mkdir(exist_ok=True)
        return self.folder / _EXTRA / name

    def commit(self, written: Sequence[Path] | None = None) -> None:
        """Bring outputs into place; all or none.

        Parameters
        ----------
        written
            Those of the places that are used; all where None.
        """
        if written is not None:
            self.finals = tuple(final for final in self.finals if final in written)
        for final in self.finals:
            if not self.path(final).exists():
                raise OutputError(f"nothing was written for {final}")
            if final.exists() and not self._may_replace(final):
                raise OutputExistsError(f"{final} appeared meanwhile; it was left as it is")
        for final in self.finals:
            for part in self.path(final).rglob("*"):
                _sync(part)
            _sync(self.path(final))
        (self.folder / _EXTRA).mkdir(exist_ok=True)
        with _bringing:
            self._bring_all()
        _sync(self.folder.parent)

    def _bring_all(self) -> None:
        part, whole = self.folder, self.folder.with_suffix(WHOLE)
        part.rename(whole)
        # No longer half-done: a hard exit must not take it away.
        remove_temporary(part)
        self.folder = whole
        _sync(whole.parent)
        try:
            _bring(whole, self.finals)
        except BaseException:
            _put_back(whole, self.finals)
            # To be thrown away: a crash from here on must not bring any of it into place.
            whole.rename(part)
            self.folder = part
            raise


def finish(folder: Path, finals: Sequence[Path]) -> bool:
    """End what a commit was doing when its process was killed.

    Parameters
    ----------
    folder
        The temporary folder, under the name that it had at first or has now. It is gone afterwards.
    finals
        The outputs, in the order of `Staging`.

    Returns
    -------
    bool
        Whether all had been written. Then they are in place now; else nothing of it is left.

    Raises
    ------
    OutputError
        If the system does not let it.
    """
    whole = folder.with_suffix(WHOLE)
    part = folder.with_suffix(PART)
    try:
        complete = whole.is_dir()
        if complete:
            _bring(whole, finals)
            _sync(whole.parent)
        for left in (whole, part):
            if left.is_dir():
                shutil.rmtree(left)
    except OSError as error:
        raise OutputError(f"cannot finish {finals[0]}: {reason(error)}") from error
    return complete


def _bring(whole: Path, finals: Sequence[Path]) -> None:
    """Move every output into place, and what is there already into the folder."""
    for number, final in enumerate(finals):
        source = whole / final.name
        if not source.exists():  # done before a crash
            continue
        if final.exists():
            final.replace(_backup(whole, number))
        source.replace(final)


def _put_back(whole: Path, finals: Sequence[Path]) -> None:
    """Undo `_bring`; a kill in here leaves what `finish` can still bring into place."""
    for number, final in reversed(list(enumerate(finals))):
        source = whole / final.name
        if not source.exists():
            final.replace(source)
        if _backup(whole, number).exists():
            _backup(whole, number).replace(final)


def _backup(whole: Path, number: int) -> Path:
    return whole / _EXTRA / f"replaced-{number}"


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    if path.is_dir():
        if os.name == "nt":  # keeps its folders in order by itself
            return
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE folders have no such thing.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_all() -> None:
    """Last resort before a hard exit: take away all that this process has not finished."""
    # Outputs that are just being brought into place get there.
    if _bringing.acquire(timeout=_BRINGING_SECONDS):
        _bringing.release()
    remove_all_temporary()
    for folder in list(_made):
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder for outputs where it is missing; an error takes it away again if it is empty.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    if folder.is_dir():
        yield
        return
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {reason(error)}") from error
    _made.add(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise
    finally:
        _made.discard(folder)


def check_distinct(finals: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that would replace an input or one another.

    Raises
    ------
    OptionError
        One line that names both.
    """
    seen: dict[str, Path] = {}
    for final in finals:
        # Case is folded: on Windows and macOS Out.wav and out.wav are one file.
        key = str(final.absolute()).casefold()
        if key in seen:
            raise OptionError(f"{final} and {seen[key]} would be one file; choose another name")
        seen[key] = final
        for source in inputs:
            if _same(final, source):
                raise OptionError(
                    f"the output {final} is also an input ({source}); choose another name"
                )


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return first.absolute() == second.absolute()


def require_file(path: Path, what: str) -> None:
    """Raise MissingFileError unless ``path`` is a file."""
    if not is_there(path):
        raise MissingFileError(f"no such file: {path} ({what}); check the path")
    if path.is_dir():
        raise MissingFileError(f"{path} is a folder; {what} must be a file")
