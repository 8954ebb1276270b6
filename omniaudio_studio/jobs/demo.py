"""The demonstration: a sample clip that ships with the program, through the starter bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import MissingFileError, OutputExistsError
from omniaudio_studio.jobs.outputs import take_files
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.result import RunResult
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import KIND
from omniaudio_studio.jobs.staging import made_folder

SAMPLE_CLIP = Path(__file__).resolve().parent.parent / "assets" / "demo.mp4"


@dataclass(frozen=True)
class DemoResult:
    """Where the demonstration is, what it was made from, and how it went."""

    folder: Path
    clip: Path
    run: RunResult

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"folder": str(self.folder), "clip": str(self.clip), **self.run.as_dict()}


def make_demo(
    folder: Path,
    *,
    bundle: str = "starter",
    device: str = "auto",
    clip: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
) -> DemoResult:
    """Write ``demo.wav``, ``demo.json``, ``demo.overlay.mp4`` and ``demo.png`` into a folder.

    An earlier demonstration there is replaced; files of the same names that are none are not.

    Parameters
    ----------
    folder
        Made where it is missing.
    clip
        The sample clip by default.

    Raises
    ------
    OmniAudioError
        As for `run_request`; nothing is left behind.
    """
    clip = SAMPLE_CLIP if clip is None else clip
    if not clip.is_file():
        raise MissingFileError(f"the sample clip {clip} is missing; install the program again")
    request = GenerateRequest(
        clip=clip,
        output=folder / "demo.wav",
        bundle=bundle,
        device=device,
        deliverables=("wav", "overlay", "plot"),
        overwrite=True,
    )
    files = take_files(request)[0]
    present = [path for path in files.all() if path.exists()]
    if present and not _is_sidecar(files.sidecar):
        raise OutputExistsError(
            f"{present[0]} exists and is no earlier demonstration; choose another folder"
        )
    with made_folder(folder):
        run = run_request(request, progress=progress, cancel=cancel)
    return DemoResult(folder=folder.resolve(), clip=clip, run=run)


def _is_sidecar(path: Path) -> bool:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("kind") == KIND
