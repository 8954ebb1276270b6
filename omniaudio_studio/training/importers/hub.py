"""Where released weights come from: a folder laid out as the hub's, or the hub itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.errors import (
    MissingDependencyError,
    MissingFileError,
    OmniAudioError,
    OutputError,
)
from omniaudio_studio.training.importers.tower import INDEX, SINGLE


@dataclass(frozen=True)
class Repository:
    """A repository of the hub: its name, the files of it that are needed, and its licence."""

    name: str
    files: tuple[str, ...]
    licence: str
    commercial: bool


CHECKPOINT = Repository("OmniAudio/OmniAudio360V2SA", ("model.ckpt",), "Apache-2.0", True)
TOWER = Repository(
    "facebook/metaclip-h14-fullcc2.5b", ("config.json", SINGLE), "CC-BY-NC-4.0", False
)
_WEIGHTS = ("model.ckpt", SINGLE)


@dataclass(frozen=True)
class Download:
    """A file that has to come from the hub; ``bytes`` as the hub says."""

    repository: Repository
    file: str
    bytes: int


def find_checkpoint(folder: Path) -> Path:
    """The checkpoint in a folder: in itself, or under the repository's name.

    Raises
    ------
    MissingFileError
        Naming what was looked for.
    """
    for place in _places(folder, CHECKPOINT):
        for name in _WEIGHTS:
            # A tower's folder has weights of that name too.
            if (place / name).is_file() and not _is_tower(place):
                return place / name
    raise MissingFileError(
        f"no checkpoint in {folder}: expected model.ckpt (or {SINGLE}) in it or in "
        f"{CHECKPOINT.name}/; name the folder that holds it"
    )


def find_tower(folder: Path) -> Path:
    """The folder of the vision tower: MissingFileError where there is none."""
    for place in _places(folder, TOWER):
        if _is_tower(place):
            return place
    raise MissingFileError(
        f"no vision tower in {folder}: expected {TOWER.name}/ with config.json and {SINGLE}; add "
        "it, or import the checkpoint alone with --without-vision"
    )


def _places(folder: Path, repository: Repository) -> Iterator[Path]:
    """Where a repository may lie in a folder: itself, by its name, or as the hub's own cache."""
    if not folder.is_dir():
        raise MissingFileError(f"no folder at {folder}; --from wants one laid out as the hub's")
    yield folder
    yield folder / repository.name
    yield folder / repository.name.rpartition("/")[2]
    cached = f"models--{repository.name.replace('/', '--')}"
    for root in (folder, folder / "hub"):
        snapshots = root / cached / "snapshots"
        if snapshots.is_dir():
            yield from sorted(snapshots.iterdir(), key=lambda path: -path.stat().st_mtime)


def _is_tower(place: Path) -> bool:
    config = place / "config.json"
    whole = (place / SINGLE).is_file() or (place / INDEX).is_file()
    return whole and config.is_file() and b"vision_config" in config.read_bytes()


def what_to_download(repositories: tuple[Repository, ...], folder: Path) -> list[Download]:
    """The files that are not in ``folder`` yet, with their sizes.

    Raises
    ------
    OmniAudioError
        If the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    found = []
    for repository in repositories:
        wanted = [
            name for name in repository.files if not (folder / repository.name / name).is_file()
        ]
        if not wanted:
            continue
        with _told(repository):
            info = HfApi().model_info(repository.name, files_metadata=True)
        sizes = {entry.rfilename: entry.size for entry in info.siblings or ()}
        for name in wanted:
            if name not in sizes:
                raise MissingFileError(
                    f"{repository.name} on the hub has no {name}; update OmniAudio Studio, or get "
                    "the files yourself and name their folder with --from"
                )
            found.append(Download(repository, name, sizes[name] or 0))
    return found


def download(items: list[Download], folder: Path, say: Callable[[str], None]) -> None:
    """Get files into ``folder``, laid out as the hub's; what was begun before goes on.

    Raises
    ------
    OmniAudioError
        If the hub cannot be reached, or refuses.
    """
    from huggingface_hub import hf_hub_download

    for item in items:
        say(f"downloading {item.repository.name}/{item.file} ({item.bytes / 1e9:.2f} GB)")
        with _told(item.repository):
            hf_hub_download(
                item.repository.name, item.file, local_dir=folder / item.repository.name
            )


@contextmanager
def _told(repository: Repository) -> Iterator[None]:
    """The hub's errors in one line each."""
    from huggingface_hub import errors

    name = repository.name
    instead = "get the files yourself and name their folder with --from"
    try:
        yield
    except OmniAudioError:
        raise
    except errors.GatedRepoError as error:
        raise MissingFileError(
            f"{name} is only given to those who asked for it (403): accept its terms on "
            f"https://huggingface.co/{name} and log in with `hf auth login`"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise MissingFileError(_unreached(error, instead)) from error
    except (errors.RepositoryNotFoundError, errors.EntryNotFoundError) as error:
        raise MissingFileError(f"{name} is not on the hub any more (404); {instead}") from error
    except errors.HfHubHTTPError as error:
        code = getattr(error.response, "status_code", "no")
        raise MissingFileError(
            f"the hub refuses {name} (answer {code}); try later, or {instead}"
        ) from error
    except Exception as error:  # what the network's own library raises is of many kinds
        if isinstance(error, OSError) and error.errno is not None:
            raise OutputError(
                f"cannot write the download of {name}: {error.strerror or error}"
            ) from error
        raise MissingFileError(_unreached(error, instead)) from error


def _unreached(error: Exception, instead: str) -> str:
    return f"the hub cannot be reached ({_first_line(error)}); try later, or {instead}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100].rstrip(".")


def require_space(folder: Path, needed: int, what: str) -> None:
    """Refuse before anything is written where the disk is too small (OutputError)."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OutputError(
            f"{what} needs {needed / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free; "
            "make room, or choose another folder"
        )


def require_hub() -> None:
    """MissingDependencyError where the hub's library is not installed."""
    import importlib.util

    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingDependencyError(
            "downloading needs huggingface_hub, which is not installed; "
            "pip install 'omniaudio-studio[train]'"
        )
