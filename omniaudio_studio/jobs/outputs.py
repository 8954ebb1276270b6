"""Where the files of a request go. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

AnyRequest = GenerateRequest | DeliverRequest | SpatializeRequest
SingleRequest = DeliverRequest | SpatializeRequest
"""Those that make one WAV, with what lies beside it."""


@dataclass(frozen=True)
class TakeFiles:
    """Where one take's files go; those of a delivery or a placed recording are named alike."""

    wav: Path
    sidecar: Path
    binaural: Path | None
    overlay: Path | None
    plot: Path | None

    def all(self) -> tuple[Path, ...]:
        """Every file."""
        every = (self.wav, self.sidecar, self.binaural, self.overlay, self.plot)
        return tuple(path for path in every if path is not None)


def sidecar_path(wav: Path) -> Path:
    """Where the sidecar of an output lies."""
    return wav.with_suffix(".json")


def take_files(request: GenerateRequest) -> list[TakeFiles]:
    """The files that a request makes, take by take.

    Take 1 is OUT.wav, take 2 OUT-take2.wav and so on, each with its sidecar ``<stem>.json`` and,
    where asked for, ``<stem>.binaural.wav``, ``<stem>.overlay.mp4`` and ``<stem>.png``.
    """
    return [
        _files(request.take_output(index), request.deliverables) for index in range(request.takes)
    ]


def single_files(request: SingleRequest) -> TakeFiles:
    """The files of a request that makes one WAV, named as a take's."""
    return _files(request.output, request.deliverables)


def all_outputs(request: AnyRequest) -> list[Path]:
    """Every file that a request makes, of every take."""
    if not isinstance(request, GenerateRequest):
        return list(single_files(request).all())
    return [path for files in take_files(request) for path in files.all()]


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
    def wanted(name: str, path: Path) -> Path | None:
        return path if name in deliverables else None

    return TakeFiles(
        wav=wav,
        sidecar=sidecar_path(wav),
        binaural=wanted("binaural", wav.with_name(f"{wav.stem}.binaural.wav")),
        overlay=wanted("overlay", wav.with_name(f"{wav.stem}.overlay.mp4")),
        plot=wanted("plot", wav.with_suffix(".png")),
    )
