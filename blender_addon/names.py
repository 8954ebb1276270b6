"""Names for files that nothing has, and that no running task is going to use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.outputs import all_outputs, next_output
from omniaudio_studio.jobs.request import GenerateRequest

from .jobs import runner


def free_takes(
    folder: Path, request: GenerateRequest, count: int, *, objects: bool
) -> tuple[GenerateRequest, ...]:
    """A request for each of ``count`` takes, each with its seed and its file in a folder.

    Parameters
    ----------
    objects
        Whether each take gets a second field, with objects in it (`objects_file`).
    """
    taken = _taken()

    def used(path: Path) -> bool:
        if path in taken:
            return True
        return objects and path.suffix == ".wav" and not _is_free(objects_file(path), taken)

    requests = []
    for index in range(count):
        output = next_output(folder, request.clip.stem, request, used)
        taken.add(output)
        requests.append(replace(request.for_take(index), output=output))
    return tuple(requests)


def free_beside(field: Path, suffix: str) -> Path:
    """``<stem><suffix>.wav`` beside a field, with the first number that is free."""
    taken, number = _taken(), 1
    path = field.with_name(f"{field.stem}{suffix}.wav")
    while not _is_free(path, taken):
        number += 1
        path = field.with_name(f"{field.stem}{suffix}{number}.wav")
    return path


def objects_file(wav: Path) -> Path:
    """Where the field of a take lies once the scene's objects are in it."""
    return wav.with_name(f"{wav.stem}-objects{wav.suffix}")


def _taken() -> set[Path]:
    return {path for task in runner.running() for path in task.outputs}


def _is_free(path: Path, taken: set[Path]) -> bool:
    """Whether neither a delivery to this path nor anything beside it is there."""
    files = all_outputs(DeliverRequest(field=path, output=path, deliverables=tuple(DELIVERABLES)))
    return path not in taken and not any(file.exists() for file in files)
