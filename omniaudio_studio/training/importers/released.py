"""The whole import: weights found or downloaded, converted, checked, and put in place."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.errors import BundleError, OutputError, OutputExistsError
from omniaudio_studio.files import mark_temporary, reason, remove_temporary
from omniaudio_studio.training.export import GraphCheck
from omniaudio_studio.training.importers.checkpoint import load_released
from omniaudio_studio.training.importers.config import ReleasedSetup, read_setup
from omniaudio_studio.training.importers.convert import convert, graph_bytes, published
from omniaudio_studio.training.importers.hub import (
    CHECKPOINT,
    TOWER,
    Download,
    Repository,
    download,
    find_checkpoint,
    find_tower,
    require_hub,
    require_space,
    what_to_download,
)
from omniaudio_studio.training.importers.tower import load_tower, read_tower_config
from omniaudio_studio.training.networks.clip import ImageTower, TowerConfig
from omniaudio_studio.training.networks.oobleck import Oobleck
from omniaudio_studio.training.networks.released_dit import ReleasedConditioner, ReleasedDiT

Say = Callable[[str], None]
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ImportOrder:
    """What is wanted of an import.

    Attributes
    ----------
    out
        Folder of the bundle.
    name
        The bundle's own.
    precision
        "fp32", "fp16" or "int8", see `convert.convert`.
    vision
        False for a bundle that takes given features.
    command
        Noted in the manifest.
    overwrite
        Replace what is at ``out``.
    """

    out: Path
    name: str
    precision: str
    vision: bool = True
    command: str = ""
    overwrite: bool = False


@dataclass(frozen=True)
class Imported:
    """What an import made, and how many values of the checkpoint are never executed."""

    path: Path
    manifest: Manifest
    checks: list[GraphCheck]
    unused: int


def repositories(vision: bool) -> tuple[Repository, ...]:
    """What an import is made of."""
    return (CHECKPOINT, TOWER) if vision else (CHECKPOINT,)


def missing(downloads: Path, vision: bool) -> list[Download]:
    """What has to be downloaded into ``downloads``; nothing is.

    Raises
    ------
    OmniAudioError
        If the hub cannot be reached or refuses, or its library is not installed.
    """
    require_hub()
    return what_to_download(repositories(vision), downloads)


def import_downloaded(
    items: list[Download],
    downloads: Path,
    order: ImportOrder,
    say: Say,
    advance: Advance,
) -> Imported:
    """Download ``items`` into ``downloads``, import, and remove the downloads.

    Interrupted, the downloads stay and go on the next time.

    Raises
    ------
    OmniAudioError
        One line; nothing is at ``order.out`` then that was not there before.
    """
    out = order.out
    check_place(out, order.overwrite)
    size = sum(item.bytes for item in items)
    require_space(downloads, size, "the download")
    bundle = _size_of(ReleasedSetup(), TowerConfig() if order.vision else None, order.precision)
    require_space(out, bundle + (size if _one_disk(out, downloads) else 0), "the import")
    downloads.mkdir(parents=True, exist_ok=True)
    download(items, downloads, say)
    imported = import_released(downloads, order, say, advance)
    shutil.rmtree(downloads, ignore_errors=True)
    return imported


def import_released(folder: Path, order: ImportOrder, say: Say, advance: Advance) -> Imported:
    """Convert the weights in ``folder`` into a bundle.

    Parameters
    ----------
    folder
        Laid out as the hub's; a `config.json` beside the checkpoint stands above the released
        sizes.
    advance
        Told the graph that is worked on, how many are done, and of how many.

    Raises
    ------
    OmniAudioError
        One line; nothing is at ``order.out`` then that was not there before.
    """
    check_place(order.out, order.overwrite)
    checkpoint = find_checkpoint(folder)
    config = checkpoint.parent / "config.json"
    setup = read_setup(config) if config.is_file() else ReleasedSetup()
    place = find_tower(folder) if order.vision else None
    tower_config = None if place is None else read_tower_config(place / "config.json")
    require_space(order.out, _size_of(setup, tower_config, order.precision), "the bundle")
    released = load_released(checkpoint, setup)
    say(f"{released.unused / 1e6:.1f} million values of the checkpoint are never used: left out")
    tower = None if place is None else load_tower(place)
    _check_fits(released.setup, tower)
    with _staged(order.out, order.overwrite) as staging:
        manifest, checks = convert(
            released,
            tower,
            staging,
            description=published(tower, order.name, order.command),
            precision=order.precision,
            say=say,
            advance=advance,
        )
    return Imported(order.out, manifest, checks, released.unused)


def check_place(out: Path, overwrite: bool) -> None:
    """Refuse a place that is taken (OutputExistsError), or no folder can be (OutputError)."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"cannot write {out}: it is a file; give a folder")
    if out.exists() and any(out.iterdir()) and not overwrite:
        raise OutputExistsError(f"{out} already exists; choose another folder or add --overwrite")


def _check_fits(setup: ReleasedSetup, tower: ImageTower | None) -> None:
    if tower is not None and tower.config.embedding != setup.dit.features:
        raise BundleError(
            f"the vision tower gives {tower.config.embedding} numbers for a picture, and the "
            f"checkpoint takes {setup.dit.features}; take the tower that it was trained with"
        )


@contextmanager
def _staged(out: Path, overwrite: bool) -> Iterator[Path]:
    """A hidden folder beside ``out`` that becomes it at the end, whole; what a killed import left
    there is removed first."""
    staging = out.parent / f".{out.name}.importing"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_temporary(staging)
        mark_temporary(staging)
        staging.mkdir()
    except OSError as error:
        raise OutputError(f"cannot write into {out.parent}: {reason(error)}") from error
    try:
        yield staging
        if out.exists():
            check_place(out, overwrite)
            shutil.rmtree(out)
        staging.rename(out)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {out}: {reason(error)}") from error
    finally:
        remove_temporary(staging)


def _size_of(setup: ReleasedSetup, tower: TowerConfig | None, precision: str) -> int:
    """Bytes of all graphs, from the sizes of networks that are never made."""
    with torch.device("meta"):
        modules: list[nn.Module] = [
            ReleasedDiT(setup.dit),
            ReleasedConditioner(setup.dit),
            Oobleck(setup.vae),
        ]
        if tower is not None:
            modules.append(ImageTower(tower))
    return sum(graph_bytes(module, precision) for module in modules)


def _one_disk(first: Path, second: Path) -> bool:
    def device(path: Path) -> int:
        while not path.exists():
            path = path.parent
        return path.stat().st_dev

    return device(first) == device(second)
