"""Bundles in one zip: read where they lie, unpacked once into the cache."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omniaudio_studio.bundles.manifest import MANIFEST_NAME, Manifest, parse_manifest
from omniaudio_studio.bundles.paths import sha256_of
from omniaudio_studio.errors import BundleError, OutputError
from omniaudio_studio.files import mark_temporary, reason, remove_temporary
from omniaudio_studio.places import cache_folder

BLOCK = 1 << 20


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive and the folder prefix under which its manifest lies ("" or "name/")."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            found = [
                name
                for name in names
                if name.count("/") <= 1 and name.rpartition("/")[2] == MANIFEST_NAME
            ]
            if not found:
                raise BundleError(f"{path} is no model bundle: it has no {MANIFEST_NAME}")
            manifest = min(found, key=lambda name: name.count("/"))
            yield archive, manifest[: -len(MANIFEST_NAME)]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BundleError(f"{path} is no readable zip ({error}); get the bundle again") from error


def read_member(path: Path, name: str) -> bytes:
    """Content of a small file of a zipped bundle; BundleError where it is missing or huge."""
    with _opened(path) as (archive, prefix):
        try:
            member = archive.getinfo(prefix + name)
        except KeyError as error:
            raise BundleError(f"{path} has no {name}; get the bundle again") from error
        if member.file_size > 64 * BLOCK:
            raise BundleError(f"{path}: {name} is {member.file_size} bytes, far too large")
        return archive.read(member)


def unpack(path: Path, cache: Path | None = None) -> Path:
    """Unpack a zipped bundle into the cache, or find it there.

    The folder's name is the hash of the manifest, which holds the hash of every file, so that one
    folder is one content. Only files that the manifest lists are taken out, by their checked names
    and up to their listed sizes: the archive's own names never become paths.

    Returns
    -------
    Path
        A folder with `bundle.json`. Hashes are not checked here.

    Raises
    ------
    BundleError
        If the zip is broken, or lacks a listed file.
    OutputError
        If the cache cannot be written.
    """
    text = read_member(path, MANIFEST_NAME)
    manifest = parse_manifest(text, f"{path}:{MANIFEST_NAME}")
    if cache is None:
        cache = cache_folder("bundles")
    folder = cache / f"{manifest.name}-{hashlib.sha256(text).hexdigest()[:24]}"
    if _is_whole(folder, manifest):
        return folder
    temporary = cache / f".{secrets.token_hex(6)}.part"
    mark_temporary(temporary)
    try:
        temporary.mkdir(parents=True)
        with _opened(path) as (archive, prefix):
            for name, entry in manifest.files.items():
                _extract(archive, prefix + name, temporary / name, entry.bytes, path)
        (temporary / MANIFEST_NAME).write_bytes(text)
        if folder.exists():  # altered since it was unpacked
            shutil.rmtree(folder)
        try:
            temporary.replace(folder)
        except OSError:
            # Another process unpacked the same content meanwhile.
            if not _is_whole(folder, manifest):
                raise
    except OSError as error:
        raise OutputError(f"cannot unpack {path} into {cache}: {reason(error)}") from error
    finally:
        remove_temporary(temporary)
    return folder


def _extract(archive: zipfile.ZipFile, member: str, target: Path, size: int, path: Path) -> None:
    try:
        source = archive.open(member)
    except KeyError as error:
        raise BundleError(
            f"{path} has no {member}, which its manifest lists; get the bundle again"
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with source, target.open("wb") as stream:
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise BundleError(
                    f"{path}: {member} holds more than the {size} bytes that its manifest "
                    "lists; get the bundle again"
                )
            stream.write(block)


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether the cache holds every listed file with its content."""
    return folder.is_dir() and all(
        (folder / name).is_file() and sha256_of(folder / name) == entry.sha256
        for name, entry in manifest.files.items()
    )
