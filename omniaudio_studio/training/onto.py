"""A trained spatializer added to a bundle that exists: its other graphs stay as they are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from omniaudio_studio.bundles.manifest import Manifest, load_manifest, write_manifest
from omniaudio_studio.bundles.paths import inside, sha256_of
from omniaudio_studio.errors import BundleError, OutputError, OutputExistsError
from omniaudio_studio.files import reason
from omniaudio_studio.training.export import (
    GraphCheck,
    Spatializing,
    spatializer_part,
    write_graph,
)

FILE = "spatializer.onnx"


def add_spatializer(
    spatializing: Spatializing,
    bundle: Path,
    out: Path,
    *,
    data: Sequence[str] = (),
    command: str = "",
    half: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, list[GraphCheck]]:
    """Copy a bundle with its documents and add the graph `spatializer`, or replace it.

    Parameters
    ----------
    bundle
        Folder of the bundle, unpacked.
    out
        New or empty folder; or ``bundle`` itself, which then gets the graph.
    data, command
        Added to the provenance: what the spatializer was trained on, and by which command.
    half
        Store weights in 16 bits.

    Raises
    ------
    BundleError
        If a file of the bundle was altered, the spatializer was trained on another bundle's vision,
        or the graph does not agree with torch.
    OutputExistsError, OutputError
        If ``out`` holds something else, or cannot be written.
    """
    manifest = load_manifest(bundle)
    _check_files(bundle, manifest)
    _check_vision(spatializing, bundle, manifest)
    itself = out.exists() and out.resolve() == bundle.resolve()
    if not itself and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputExistsError(f"{out} already exists and is not empty; choose another folder")
    # Nothing of `out` is touched before the graph is known to be right.
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / FILE
        checks = write_graph(spatializer_part(spatializing.network), graph, half=half, say=say)
        try:
            if not itself:
                shutil.copytree(
                    bundle, out, ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True
                )
            shutil.copyfile(graph, out / FILE)
        except (OSError, shutil.Error) as error:
            detail = reason(error) if isinstance(error, OSError) else str(error)
            raise OutputError(f"cannot write {out}: {detail}") from error
    entry = manifest.to_dict()
    provenance = entry["provenance"]
    provenance["data"] = [*provenance["data"], *(x for x in data if x not in provenance["data"])]
    provenance["command"] = "; ".join(x for x in (provenance["command"], command) if x)
    entry["graphs"] = {**entry["graphs"], "spatializer": FILE}
    entry["spatializer"] = spatializing.note.section()
    return write_manifest(out, entry), checks


def _check_files(bundle: Path, manifest: Manifest) -> None:
    """Hashes are written anew: what was altered must not be signed by it."""
    for name, entry in manifest.files.items():
        path = inside(bundle, name, str(bundle), f"files.{name}")
        if name != FILE and sha256_of(path) != entry.sha256:
            raise BundleError(f"{bundle}: {name} was altered; get the bundle again")


def _check_vision(spatializing: Spatializing, bundle: Path, manifest: Manifest) -> None:
    """The features that the network was trained on must be those of the bundle."""
    note = spatializing.note
    view = next((item for item in manifest.views if item.name == note.view), None)
    digest = ""
    if view is not None and view.graph is not None:
        path = inside(bundle, manifest.graphs[view.graph], str(bundle), f"graphs.{view.graph}")
        digest = sha256_of(path)
    if digest != note.sha256:
        whose = f"the bundle {note.bundle!r}" if note.bundle else "the run itself"
        raise BundleError(
            f"the spatializer was trained on the vision of {whose}, which is not that of the "
            f"bundle {manifest.name!r} in {bundle}; train it with --bundle {bundle}"
        )
