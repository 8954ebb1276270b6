"""Is a bundle complete, unaltered and within its folder?"""

from __future__ import annotations

from pathlib import Path

from omniaudio_studio.bundles.manifest import Manifest, listable_files
from omniaudio_studio.bundles.paths import PICKLE_SUFFIXES, inside, sha256_of
from omniaudio_studio.errors import BundleError

ONNX_SUFFIX = ".onnx"
AGAIN = "get the bundle again"


def verify_bundle(folder: Path, manifest: Manifest) -> None:
    """Check every file of an unpacked bundle against its manifest.

    Parameters
    ----------
    folder
        The folder with `bundle.json`.
    manifest
        As loaded from it.

    Raises
    ------
    BundleError
        For a missing or altered file, a file that nothing lists, a graph that is no ONNX file, a
        link that leaves the folder, or a pickled file.
    """
    source = str(folder)
    for key, name in manifest.graphs.items():
        if not name.lower().endswith(ONNX_SUFFIX):
            raise BundleError(
                f"{source}: graphs.{key}: expected an .onnx file, found {name!r}; "
                "export the model again"
            )
        if not inside(folder, name, source, f"graphs.{key}").is_file():
            raise BundleError(f"{source}: the graph {key!r} ({name}) is missing; {AGAIN}")
    for name, entry in manifest.files.items():
        path = inside(folder, name, source, f"files.{name}")
        if not path.is_file():
            raise BundleError(f"{source}: {name} is missing; {AGAIN}")
        size = path.stat().st_size
        if size != entry.bytes:
            raise BundleError(
                f"{source}: {name}: expected {entry.bytes} bytes, found {size}; {AGAIN}"
            )
        try:
            digest = sha256_of(path)
        except OSError as error:
            raise BundleError(f"{source}: cannot read {name}: {error.strerror}") from error
        if digest != entry.sha256:
            raise BundleError(
                f"{source}: {name} was altered: expected sha256 {entry.sha256[:12]}..., found "
                f"{digest[:12]}...; {AGAIN}"
            )
    for name in listable_files(folder):
        if name not in manifest.files:
            pickled = Path(name).suffix.lower() in PICKLE_SUFFIXES
            kind = "pickled code, which is never loaded" if pickled else "not in its manifest"
            raise BundleError(f"{source}: {name} is {kind}; remove it or {AGAIN}")
