"""What is made of a sound field that was just written, beside it: one walk over what is wanted.

What each deliverable is called lies in `jobs.deliverables`, what writes it in `jobs.writers`.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, MissingDependencyError, OmniAudioError
from omniaudio_studio.files import file_sha256, reason
from omniaudio_studio.jobs.outputs import TakeFiles
from omniaudio_studio.jobs.staging import Staging
from omniaudio_studio.jobs.writers import WRITERS, Made, Order, place_of


def check_companions(deliverables: Collection[str]) -> None:
    """Refuse, before any work is done, what this Python has no library for.

    Raises
    ------
    MissingDependencyError
        If a plot is wanted and there is no Matplotlib: the Blender extension comes without it.
    """
    if "plot" in deliverables and find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "plots need Matplotlib, which this Python does not have; leave the plot out, or use an "
            "environment that has all of OmniAudio Studio"
        )


@dataclass(frozen=True)
class Companions:
    """What was made beside a WAV.

    Parameters
    ----------
    files
        Where each deliverable lies in the end.
    entries
        The same for the sidecar: deliverable, name and SHA-256 of each file.
    problems
        A line for each deliverable that could not be made.
    warnings
        What is to be told of those that were.
    """

    files: Mapping[str, Path]
    entries: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def write_companions(files: TakeFiles, staging: Staging, order: Order) -> Companions:
    """Make everything that is wanted beside a WAV, in a staging folder.

    What cannot be made is told of, and the rest is made: a WAV that took long to generate is not
    lost to a full disk or a picture that fits no container.

    Raises
    ------
    Cancelled
        At once.
    """
    made: dict[str, Path] = {}
    problems: list[str] = []
    told: dict[str, Made] = {}
    for name, places in files.beside.items():
        try:
            _check(order.cancel)
            final = places[0] if len(places) == 1 else place_of(name, places, order)
            told[name] = WRITERS[name](order, staging.path(final), final)
            made[name] = final
        except Cancelled:
            raise
        except Exception as error:  # whatever it is, the WAV is worth more
            problems.append(f"{name} was not written: {_said(error, staging)}")
            for place in places:
                _remove(staging.path(place))
    return Companions(
        files=made,
        entries=tuple(
            {
                "deliverable": name,
                "name": part.relative_to(staging.folder).as_posix(),
                "sha256": found,
                **({"checks": list(told[name].checks)} if told[name].checks else {}),
            }
            for name, final in made.items()
            for part, found in _hashes(staging.path(final), order.cancel)
        ),
        problems=tuple(problems),
        warnings=tuple(f"{name}: {line}" for name in made for line in told[name].warnings),
    )


def _said(error: Exception, staging: Staging) -> str:
    if isinstance(error, OmniAudioError):
        return staging.told(error)
    if isinstance(error, OSError):
        return reason(error)
    told = " ".join(staging.told(error).split())
    return f"unexpected {type(error).__name__}: {told}; this is a fault of the program: report it"


def _check(cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _hashes(path: Path, cancel: CancelToken | None) -> Iterator[tuple[Path, str]]:
    """Each file of a deliverable, which may be a folder, and its SHA-256."""
    parts = sorted(path.rglob("*")) if path.is_dir() else [path]
    for part in parts:
        if part.is_file():
            yield part, file_sha256(part, cancel)
