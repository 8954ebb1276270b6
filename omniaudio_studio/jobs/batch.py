"""Many clips, one folder of results, and a queue in it that survives a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MissingFileError, OptionError, OutputError
from omniaudio_studio.files import check_output, is_there, reason
from omniaudio_studio.jobs.deliverables import made_of
from omniaudio_studio.jobs.outputs import all_outputs
from omniaudio_studio.jobs.queue import Job, JobQueue, JobState, absolute
from omniaudio_studio.jobs.request import GenerateRequest

QUEUE_NAME = ".omniaudio-batch.sqlite"
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm")

Finish = Callable[[GenerateRequest], GenerateRequest]


def find_clips(paths: Sequence[Path]) -> list[Path]:
    """The clips that files and folders stand for, each once.

    Folders are searched for videos with all that is in them, but for hidden files and what was
    made by this program.

    Raises
    ------
    MissingFileError
        If a path is not there, or a folder holds no video.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not is_there(path):
            raise MissingFileError(f"no such file or folder: {path}; check the path")
        if not path.is_dir():
            found[path.absolute()] = None
            continue
        inside = sorted(file.absolute() for file in path.rglob("*") if _is_clip(file, path))
        if not inside:
            raise MissingFileError(
                f"the folder {path} holds no video ({', '.join(VIDEO_SUFFIXES)}); name the files"
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def _is_clip(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    name = file.name.lower()
    return not hidden and name.endswith(VIDEO_SUFFIXES) and made_of(name) is None


def queue_path(folder: Path) -> Path:
    """Where the queue of a folder of results lies."""
    return folder / QUEUE_NAME


def open_queue(folder: Path) -> JobQueue:
    """The folder's queue; folder and queue are made where they are missing.

    Raises
    ------
    OutputError
        If that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {reason(error)}") from error
    return JobQueue(queue_path(folder))


def begin(
    queue: JobQueue,
    clips: Sequence[Path],
    folder: Path,
    values: Mapping[str, Any],
    finish: Finish | None = None,
) -> None:
    """Fill a queue that has nothing left to do; what it did before is forgotten.

    Parameters
    ----------
    clips
        From :func:`find_clips`.
    values
        Fields of the requests.
    finish
        Makes the last changes to a request, as finding its shots; called only once it is sure that
        the outputs can be written.

    Raises
    ------
    OptionError
        If something is left to do, or a value is not valid.
    OutputExistsError
        If an output is there already and is not to be replaced.
    """
    left = queue.in_state(JobState.QUEUED, JobState.HELD, JobState.RUNNING)
    if left:
        raise OptionError(
            f"{folder} has an unfinished batch ({_clips(len(left))} left); go on with it by: "
            f"omniaudio batch --out {folder} --resume"
        )
    requests = list(_requests(clips, folder, values, taken=set()))
    finished = _finished(requests, finish)
    queue.clear_finished()
    queue.add(finished)
    queue.paused = False


def resume(
    queue: JobQueue,
    clips: Sequence[Path],
    folder: Path,
    values: Mapping[str, Any],
    finish: Finish | None = None,
) -> None:
    """Ask again for what failed or was stopped; clips that are new to the queue are added.

    Raises
    ------
    OptionError
        If a clip is in the queue with other options, or there is nothing at all.
    """
    jobs = queue.jobs()
    if not jobs and not clips:
        raise OptionError(f"{folder} has no batch to go on with; name the clips")
    known = {job.request.clip: job for job in jobs}
    for clip in clips:
        if clip in known:
            _check_same(known[clip], values)
    taken = {str(path).casefold() for job in jobs for path in all_outputs(job.request)}
    fresh = [clip for clip in clips if clip not in known]
    requests = _finished(list(_requests(fresh, folder, values, taken)), finish)
    again = (JobState.FAILED, JobState.CANCELLED)
    queue.retry(job.id for job in jobs if job.state in again)
    queue.release(job.id for job in jobs if job.state is JobState.HELD)
    if requests:
        queue.add(requests)
    queue.paused = False


def _finished(requests: list[GenerateRequest], finish: Finish | None) -> list[GenerateRequest]:
    for request in requests:
        for path in all_outputs(request):
            check_output(path, overwrite=request.overwrite)
    return requests if finish is None else [finish(request) for request in requests]


def _requests(
    clips: Sequence[Path], folder: Path, values: Mapping[str, Any], taken: set[str]
) -> Iterator[GenerateRequest]:
    """A request for each clip, with names that differ; ``taken`` (folded paths) grows."""
    for clip in clips:
        for name in _names(clip):
            request = GenerateRequest(clip, folder / f"{name}.wav", **values).validate()
            outputs = {str(path).casefold() for path in all_outputs(absolute(request))}
            if not outputs & taken:
                taken |= outputs
                yield request
                break


def _names(clip: Path) -> Iterator[str]:
    yield clip.stem
    yield f"{clip.parent.name}-{clip.stem}"
    number = 2
    while True:
        yield f"{clip.stem}-{number}"
        number += 1


def _check_same(job: Job, values: Mapping[str, Any]) -> None:
    """Refuse other options for a clip that is in the queue already."""
    if not isinstance(job.request, GenerateRequest):
        raise OptionError(
            f"{job.label} is in the queue for something else than generating; choose another folder"
        )
    wanted = absolute(GenerateRequest(job.request.clip, job.request.output, **values).validate())
    # Shots may have been found for it, which is no option that differs.
    have = replace(job.request, segments=())
    if have == wanted:
        return
    there, here = have.as_dict(), wanted.as_dict()
    name = next(name for name in here if here[name] != there[name])

    def said(value: Any) -> str:
        return "the default" if value is None else str(value)

    raise OptionError(
        f"{job.request.clip.name} is in the batch with {said(there[name])} for "
        f"{name.replace('_', ' ')}, not {said(here[name])}; leave the options as they were, or "
        "choose another folder"
    )


def _clips(count: int) -> str:
    return "1 clip" if count == 1 else f"{count} clips"
