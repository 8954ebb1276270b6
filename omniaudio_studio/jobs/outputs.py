"""Where the files of a request go. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.jobs.request import GenerateRequest


@dataclass(frozen=True)
class TakeFiles:
    """Where one take's files go."""

    wav: Path
    sidecar: Path
    overlay: Path | None
    plot: Path | None

    def all(self) -> tuple[Path, ...]:
        """Every file."""
        every = (self.wav, self.sidecar, self.overlay, self.plot)
        return tuple(path for path in every if path is not None)


def sidecar_path(wav: Path) -> Path:
    """Where the sidecar of an output lies."""
    return wav.with_suffix(".json")


def take_files(request: GenerateRequest) -> list[TakeFiles]:
    """The files that a request makes, take by take.

    Take 1 is OUT.wav, take 2 OUT-take2.wav and so on, each with its sidecar ``<stem>.json`` and,
    where asked for, ``<stem>.overlay.mp4`` and ``<stem>.png``.
    """
    files = []
    for index in range(request.takes):
        wav = request.take_output(index)
        overlay = wav.with_name(f"{wav.stem}.overlay.mp4")
        plot = wav.with_suffix(".png")
        files.append(
            TakeFiles(
                wav,
                sidecar_path(wav),
                overlay if "overlay" in request.deliverables else None,
                plot if "plot" in request.deliverables else None,
            )
        )
    return files


def all_outputs(request: GenerateRequest) -> list[Path]:
    """Every file of every take."""
    return [path for files in take_files(request) for path in files.all()]
