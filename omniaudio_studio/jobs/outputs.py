"""Where the files of a request go. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES, ordered
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

AnyRequest = GenerateRequest | DeliverRequest | SpatializeRequest
SingleRequest = DeliverRequest | SpatializeRequest
"""Those that make one WAV, with what lies beside it."""


@dataclass(frozen=True)
class TakeFiles:
    """Where one take's files go; those of a delivery or a placed recording are named alike.

    Parameters
    ----------
    wav, sidecar
        The sound field, and what tells how to make it again.
    beside
        Where each other deliverable may lie: one of the places, in the order of the table.
    writes_wav
        False where the field is there already, and only more is made of it.
    in_place
        Whether that lies beside the field, whose sidecar is told of it.
    """

    wav: Path
    sidecar: Path
    beside: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    writes_wav: bool = True
    in_place: bool = False

    def all(self) -> tuple[Path, ...]:
        """Every place in which something may be written."""
        wav = (self.wav,) if self.writes_wav else ()
        return (*wav, self.sidecar, *(path for paths in self.beside.values() for path in paths))

    def folders(self) -> frozenset[Path]:
        """Those of the places that are folders."""
        return frozenset(
            path
            for name, paths in self.beside.items()
            if DELIVERABLES[name].folder
            for path in paths
        )


def sidecar_path(wav: Path) -> Path:
    """Where the sidecar of an output lies."""
    return wav.with_suffix(".json")


def take_files(request: GenerateRequest) -> list[TakeFiles]:
    """The files that a request makes, take by take.

    Take 1 is OUT.wav, take 2 OUT-take2.wav and so on, each with its sidecar ``<stem>.json`` and
    what else was asked for, as ``<stem>`` with the ending that `jobs.deliverables` has for it.
    """
    return [
        _files(request.take_output(index), request.deliverables) for index in range(request.takes)
    ]


def single_files(request: SingleRequest) -> TakeFiles:
    """The files of a request that makes one WAV, named as a take's."""
    files = _files(request.output, request.deliverables)
    return replace(files, in_place=_adds(request))


def all_outputs(request: AnyRequest) -> list[Path]:
    """Every place in which a request may write, of every take."""
    if not isinstance(request, GenerateRequest):
        return list(single_files(request).all())
    return [path for files in take_files(request) for path in files.all()]


def claimed_outputs(request: AnyRequest) -> list[Path]:
    """Every place in which a request may write and nothing else may meanwhile.

    The sidecar of a field that more is made of is not among them: others may add to it too.
    """
    shared = single_files(request).sidecar if _adds(request) else None
    return [path for path in all_outputs(request) if path != shared]


def _adds(request: AnyRequest) -> TypeGuard[DeliverRequest]:
    return isinstance(request, DeliverRequest) and request.in_place


def next_output(
    folder: Path,
    stem: str,
    request: GenerateRequest | SpatializeRequest,
    taken: Callable[[Path], bool],
) -> Path:
    """``<folder>/<stem>-take1.wav``, with the first number of which nothing is there or taken.

    Looks at every file that the request would make: WAV, sidecar and whatever else of each take.

    Parameters
    ----------
    taken
        True for a path that something else is going to write.
    """
    number = 0
    while True:
        number += 1
        output = folder / f"{stem}-take{number}.wav"
        files = all_outputs(replace(request, output=output))
        if not any(taken(path) or os.path.lexists(path) for path in files):
            return output


def _files(wav: Path, deliverables: tuple[str, ...]) -> TakeFiles:
    return TakeFiles(
        wav=wav,
        sidecar=sidecar_path(wav),
        beside={
            name: DELIVERABLES[name].paths(wav) for name in ordered(deliverables) if name != "wav"
        },
        writes_wav="wav" in deliverables,
    )
