"""A model bundle on this machine: its manifest and where its files are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.bundles.manifest import MANIFEST_NAME, Manifest, load_manifest
from omniaudio_studio.bundles.paths import inside
from omniaudio_studio.bundles.verify import verify_bundle
from omniaudio_studio.errors import BundleError


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Parameters
    ----------
    path
        What the user named: a folder or a zip.
    folder
        Where its files are (the cache, for a zip).
    manifest
        Its `bundle.json`, checked.
    """

    path: Path
    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Name from the manifest."""
        return self.manifest.name

    @property
    def sha256(self) -> str:
        """Identity of the whole: hash of the manifest's file, which holds every other hash."""
        return hashlib.sha256((self.folder / MANIFEST_NAME).read_bytes()).hexdigest()

    def verify(self) -> None:
        """Check all files against the manifest; raises BundleError."""
        verify_bundle(self.folder, self.manifest)

    def graph(self, key: str) -> Path:
        """Path of a graph's ONNX file.

        Raises
        ------
        BundleError
            If the bundle has no such graph, or its file is missing or leaves the folder.
        """
        name = self.manifest.graphs.get(key)
        if name is None:
            raise BundleError(
                f"the bundle {self.name!r} has no graph {key!r}; "
                f"it has {', '.join(sorted(self.manifest.graphs))}"
            )
        path = inside(self.folder, name, str(self.path), f"graphs.{key}")
        if not path.is_file():
            raise BundleError(f"{self.path}: the graph {key!r} ({name}) is missing")
        return path


def load_bundle(path: str | Path, *, verify: bool = True, cache: Path | None = None) -> Bundle:
    """Open a bundle by its path.

    Parameters
    ----------
    path
        A folder, a zip, or a `bundle.json`.
    verify
        Check the hashes of all files too.
    cache
        Where zips are unpacked; the user's cache folder by default.

    Raises
    ------
    MissingFileError, BundleError
        If nothing is there, or it is not a whole and unaltered bundle.
    """
    path = Path(path)
    manifest = load_manifest(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        from omniaudio_studio.bundles.archive import unpack

        folder = unpack(path, cache)
    else:
        path = folder = path if path.is_dir() else path.parent
    bundle = Bundle(path=path, folder=folder, manifest=manifest)
    if verify:
        bundle.verify()
    return bundle
