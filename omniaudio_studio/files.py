"""Outputs that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import errno
import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import (
    MissingFileError,
    OmniAudioError,
    OutputError,
    OutputExistsError,
)

HASH_BLOCK = 1 << 20  # bytes

_temporary: set[Path] = set()


def is_there(path: Path) -> bool:
    """Whether an input exists.

    Raises
    ------
    MissingFileError
        If the system does not let it be looked at: a name too long, a folder that may not be read.
    """
    try:
        return path.exists()
    except OSError as error:
        raise MissingFileError(
            f"cannot look at {path}: {error.strerror or error}; check the path"
        ) from error


def check_output(path: Path, *, overwrite: bool = False) -> None:
    """Refuse an output early, before any work is done.

    Raises
    ------
    OutputExistsError
        If ``path`` exists and ``overwrite`` is false.
    OutputError
        If its folder is missing or not writable, or ``path`` is a folder.
    """
    try:
        _check_place(path, overwrite)
    except OSError as error:
        if isinstance(error, OmniAudioError):
            raise
        raise OutputError(f"cannot write {path}: {reason(error)}") from error


def _check_place(path: Path, overwrite: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(
            f"cannot write {path}: the folder {folder} does not exist; create it first"
        )
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give a file name")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} already exists; choose another name or add --overwrite")
    # access() answers wrongly for root and for some network folders: try it.
    probe = folder / f".{secrets.token_hex(6)}.part"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {reason(error)}") from error


@contextmanager
def written_whole(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it becomes ``path``.

    The temporary file is named ``.<stem>-<random>.part<suffix>``, so that writers that look at the
    suffix still work. It is removed on any error, cancellation included.

    Raises
    ------
    OutputError
        For everything the operating system refuses (folder, permission, full disk).
    """
    check_output(path, overwrite=overwrite)
    temporary = path.parent / f".{path.stem}-{secrets.token_hex(6)}.part{path.suffix}"
    mark_temporary(temporary)
    try:
        yield temporary
        if not temporary.exists():
            raise OutputError(f"nothing was written for {path}")
        if path.exists() and not overwrite:
            raise OutputExistsError(f"{path} appeared meanwhile; it was left as it is")
        temporary.replace(path)
    except OSError as error:
        _raise_about(path, temporary, error)
    finally:
        remove_temporary(temporary)


@contextmanager
def folder_written_whole(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it becomes ``path``.

    As `written_whole`, for outputs of several files. An existing folder is only put aside once the
    new one is whole.

    Raises
    ------
    OutputExistsError
        If ``path`` exists and ``overwrite`` is false.
    OutputError
        For everything the operating system refuses, or if ``path`` is a file.
    """
    name = secrets.token_hex(6)
    temporary, old = (path.parent / f".{path.name}-{name}{end}" for end in (".part", ".old"))
    if path.is_file():
        raise OutputError(f"cannot write {path}: it is a file; give another name for the folder")
    if path.is_dir() and not overwrite:
        raise OutputExistsError(f"{path} already exists; choose another name or add --overwrite")
    # The same questions about its place as for a file that is not there yet.
    check_output(temporary)
    mark_temporary(temporary)
    try:
        temporary.mkdir()
        yield temporary
        if path.exists() and not overwrite:
            raise OutputExistsError(f"{path} appeared meanwhile; it was left as it is")
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        if old.exists() and not path.exists():
            old.replace(path)
        _raise_about(path, temporary, error)
    finally:
        remove_temporary(temporary)
        remove_temporary(old)


def _raise_about(path: Path, temporary: Path, error: OSError) -> NoReturn:
    """Raise what is to be told of an error while ``path`` was being written."""
    if isinstance(error, OutputError) and str(temporary) in str(error):
        # The user's own name, not the temporary one.
        raise type(error)(str(error).replace(str(temporary), str(path))) from error
    # Errors about inputs pass through: only the system's own refusals are about the output.
    if isinstance(error, OutputError | MissingFileError):
        raise error
    raise OutputError(f"cannot write {path}: {reason(error)}") from error


def mark_temporary(path: Path) -> None:
    """Remember a file or folder that must not outlive the process, before it is made."""
    _temporary.add(path)


def remove_temporary(path: Path) -> None:
    """Take away what :func:`mark_temporary` was told of, where it is still there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
    _temporary.discard(path)


def remove_all_temporary() -> None:
    """Last resort before a hard exit, while other threads may still be writing."""
    for path in list(_temporary):
        remove_temporary(path)


def reason(error: OSError) -> str:
    """What the operating system said, in one phrase with what to do about it."""
    if error.errno == errno.ENOSPC:
        return "the disk is full; free some space or choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "permission denied; choose a folder you may write to"
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long; choose a shorter one"
    return error.strerror or str(error)


def file_sha256(path: Path, cancel: Cancel | None = None) -> str:
    """SHA-256 of a file in hexadecimal, read in blocks; ``cancel`` is looked at between them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            if cancel is not None:
                cancel.check()
            digest.update(block)
    return digest.hexdigest()
