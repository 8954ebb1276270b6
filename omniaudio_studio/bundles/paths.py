"""Names of files inside a bundle, and their hashes. Standard library only."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from omniaudio_studio.errors import BundleError, MissingFileError

# Notes for people: they may be edited without making the bundle another bundle.
DOCUMENT_SUFFIXES = frozenset({".md", ".txt", ".rst", ".png", ".jpg", ".svg", ".pdf"})
# Formats that can run code when they are loaded. The engine never opens one.
PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"})


def safe_name(name: str, source: str, field: str) -> str:
    """A relative POSIX path that stays inside its folder, unchanged.

    Raises
    ------
    BundleError
        For absolute paths, drive letters, backslashes, "..", empty parts and control characters,
        and for pickled files.
    """
    path = PurePosixPath(name)
    windows = PureWindowsPath(name)
    leaves = (
        not name
        or "\\" in name
        or any(ord(character) < 32 for character in name)
        or path.is_absolute()
        or bool(windows.drive)
        or ".." in path.parts
        or path.as_posix() != name
        or name == "."
    )
    if leaves:
        raise BundleError(
            f"{source}: {field}: expected a file name inside the bundle, found {name[:60]!r}, "
            "which leaves its folder; do not use this bundle, get it from a source you trust"
        )
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise BundleError(
            f"{source}: {field}: {name!r} may hold pickled code, which is never loaded; "
            "export the model as ONNX files"
        )
    return name


def inside(folder: Path, name: str, source: str, field: str) -> Path:
    """The file ``name`` of ``folder``, links resolved, refused where that leaves the folder.

    Raises
    ------
    BundleError
        If the resolved file is outside ``folder``. Whether it exists is not checked.
    """
    safe_name(name, source, field)
    root = folder.resolve()
    target = (root / name).resolve()
    if not target.is_relative_to(root):
        raise BundleError(
            f"{source}: {field}: {name!r} is a link that leaves the bundle's folder; "
            "put the file itself there"
        )
    return target


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content, read in blocks."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingFileError(f"no such file: {path}") from error
