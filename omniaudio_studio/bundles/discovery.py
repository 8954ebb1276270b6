"""Which bundles there are, and where they are looked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.bundles.manifest import MANIFEST_NAME
from omniaudio_studio.errors import MissingFileError, OmniAudioError

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
    import platformdirs

    package = Path(__file__).resolve().parent.parent
    folders = [Path(part) for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    folders.append(user_folder(platformdirs.user_data_dir("omniaudio-studio", appauthor=False)))
    folders.append(package / "_models")
    if (package.parent / "pyproject.toml").is_file():
        folders.append(package.parent / "models")
    return folders


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
    looks_like_path = (
        isinstance(name_or_path, Path) or path.name != text or path.suffix.lower() == ".zip"
    )
    if looks_like_path or (path / MANIFEST_NAME).is_file():
        return load_bundle(path, verify=verify)
    folders = search_folders()
    for folder in folders:
        for candidate in (folder / text, folder / f"{text}.zip"):
            if (candidate / MANIFEST_NAME).is_file() or candidate.is_file():
                return load_bundle(candidate, verify=verify)
        # A folder of $OMNIAUDIO_BUNDLES may be a bundle itself.
        if folder.name == text and (folder / MANIFEST_NAME).is_file():
            return load_bundle(folder, verify=verify)
    known = list_bundles()
    for bundle in known:
        if bundle.name == text:
            return load_bundle(bundle.path, verify=verify)
    names = ", ".join(sorted({bundle.name for bundle in known})) or "none"
    raise MissingFileError(
        f"no model bundle named {text!r}; known: {names}; "
        f"give a path, or add its folder to {ENVIRONMENT}"
    )


def scan_bundles() -> list[Found]:
    """Everything in the search folders that looks like a bundle; hashes are not checked.

    Broken ones are in the list with their problem. Of several with one name, the first is the one
    that :func:`find_bundle` opens.
    """
    found: list[Found] = []
    seen: set[Path] = set()
    for folder in search_folders():
        if not folder.is_dir():
            continue
        candidates = [folder, *sorted(folder.iterdir())]
        for candidate in candidates:
            is_bundle = (candidate / MANIFEST_NAME).is_file() or (
                candidate.is_file() and candidate.suffix.lower() == ".zip"
            )
            if not is_bundle or candidate.resolve() in seen:
                continue
            seen.add(candidate.resolve())
            try:
                found.append(Found(candidate, load_bundle(candidate, verify=False)))
            except OmniAudioError as error:
                found.append(Found(candidate, None, str(error)))
    return found


def list_bundles() -> list[Bundle]:
    """The readable bundles of the search folders; hashes are not checked."""
    return [item.bundle for item in scan_bundles() if item.bundle is not None]
