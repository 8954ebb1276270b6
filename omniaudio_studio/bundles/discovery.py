"""Which bundles there are, and where they are looked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.bundles.manifest import MANIFEST_NAME
from omniaudio_studio.errors import MissingFileError, OmniAudioError
from omniaudio_studio.files import is_there

ENVIRONMENT = "OMNIAUDIO_BUNDLES"


@dataclass(frozen=True)
class Found:
    """Something that looks like a bundle: opened, or with the problem in one line."""

    path: Path
    bundle: Bundle | None
    problem: str | None = None


def search_folders() -> list[Path]:
    """Folders that hold bundles, in the order in which they are searched.

    The folders of ``$OMNIAUDIO_BUNDLES``, the user's data folder, the bundles inside the installed
    package, then `models/` of a checkout.
    """
    package = Path(__file__).resolve().parent.parent
    folders = [Path(part) for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    folders.append(user_bundles())
    folders.append(package / "_models")
    if (package.parent / "pyproject.toml").is_file():
        folders.append(package.parent / "models")
    return folders


def user_bundles() -> Path:
    """Where this user's own bundles live."""
    import platformdirs

    return user_folder(platformdirs.user_data_dir("omniaudio-studio", appauthor=False))


def user_folder(data: str) -> Path:
    """Where a user's own bundles live, under the platform's data folder."""
    return Path(data) / "bundles"


def find_bundle(name_or_path: str | Path, *, verify: bool = True) -> Bundle:
    """Open a bundle by name or path.

    Parameters
    ----------
    name_or_path
        A folder, zip or `bundle.json`; else the name of a bundle (its folder's, its zip's or the
        one in its manifest).
    verify
        Check the hashes of its files.

    Raises
    ------
    MissingFileError
        If there is none; the line names those there are.
    BundleError
        If it is there and broken.
    """
    text = str(name_or_path)
    path = Path(text)
    is_there(path)  # says so where it cannot even be looked at
    looks_like_path = (
        isinstance(name_or_path, Path) or path.name != text or path.suffix.lower() == ".zip"
    )
    if looks_like_path or (path / MANIFEST_NAME).is_file():
        return load_bundle(path, verify=verify)
    for folder in search_folders():
        try:
            found = _named(folder, text)
        except OSError:  # a search folder that may not be looked into: `models list` says so
            continue
        if found is not None:
            return load_bundle(found, verify=verify)
    known = list_bundles()
    for bundle in known:
        if bundle.name == text:
            return load_bundle(bundle.path, verify=verify)
    names = ", ".join(sorted({bundle.name for bundle in known})) or "none"
    raise MissingFileError(
        f"no model bundle named {text!r}; known: {names}; "
        f"give a path, or add its folder to {ENVIRONMENT}"
    )


def _named(folder: Path, name: str) -> Path | None:
    """A bundle by its file's name in a search folder, which may be a bundle itself."""
    for candidate in (folder / name, folder / f"{name}.zip"):
        if (candidate / MANIFEST_NAME).is_file() or candidate.is_file():
            return candidate
    return folder if folder.name == name and (folder / MANIFEST_NAME).is_file() else None


def scan_bundles() -> list[Found]:
    """Everything in the search folders that looks like a bundle; hashes are not checked.

    Broken ones are in the list with their problem. Of several with one name, the first is the one
    that :func:`find_bundle` opens.
    """
    found: list[Found] = []
    seen: set[Path] = set()
    for folder in search_folders():
        try:
            places = [place for place in _inside(folder) if _is_bundle(place)]
        except OSError as error:
            found.append(Found(folder, None, f"cannot look into {folder}: {error.strerror}"))
            continue
        for candidate in places:
            if candidate.resolve() in seen:
                continue
            seen.add(candidate.resolve())
            try:
                found.append(Found(candidate, load_bundle(candidate, verify=False)))
            except OmniAudioError as error:
                found.append(Found(candidate, None, str(error)))
    return found


def _inside(folder: Path) -> list[Path]:
    """A search folder, which may be a bundle itself, and what it holds; nothing where it is not."""
    return [folder, *sorted(folder.iterdir())] if folder.is_dir() else []


def _is_bundle(place: Path) -> bool:
    zipped = place.suffix.lower() == ".zip" and place.is_file()
    return zipped or (place / MANIFEST_NAME).is_file()


def list_bundles() -> list[Bundle]:
    """The readable bundles of the search folders; hashes are not checked."""
    return [item.bundle for item in scan_bundles() if item.bundle is not None]
