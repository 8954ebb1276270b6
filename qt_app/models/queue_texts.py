"""What the queue's rows say, in a user's words."""

from __future__ import annotations

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.estimate import JobProgress
from omniaudio_studio.jobs.queue import Job, JobState
from omniaudio_studio.jobs.queued_request import QueuedRequest, subject_of, take_count
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from qt_app.models.take_words import METHOD_WORDS

_STAGES = {
    "starting": "starting",
    "loading": "loading the model",
    "frames": "looking at the picture",
    "picture": "looking for what sounds",
    "sound": "placing the sound",
    "sampling": "making sound",
    "decoding": "writing sound",
    "finishing": "finishing",
}

_STATES = {
    JobState.QUEUED: "Waiting",
    JobState.HELD: "On hold",
    JobState.RUNNING: "Working",
    JobState.DONE: "Done",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}


def name_text(job: Job) -> str:
    """What is made: the take's name, with the clip's where that does not say it."""
    request = job.request
    name = request.output.name
    if take_count(request) > 1:
        name += f" and {take_count(request) - 1} more"
    if isinstance(request, DeliverRequest):
        beside = [name for name in request.deliverables if name != "wav"]
        name = f"{request.output.stem} as {', '.join(beside)}" if beside else name
    subject = subject_of(request)
    if request.output.stem.startswith(subject.stem):
        return name
    return f"{subject.name}: {name}"


def state_text(job: Job, progress: JobProgress | None) -> str:
    """What a job is doing; a failed one says why."""
    if job.state is JobState.RUNNING:
        if job.stopping:
            return "Stopping"
        if progress is not None:
            return f"Working: {_stage_text(progress.stage)}"
    if job.state is JobState.FAILED and job.error:
        return f"Failed: {job.error}"
    if job.state is JobState.DONE and job.result is not None:
        notes = ["demonstration model"] if job.result.get("demonstration") else []
        if not job.result.get("commercial", True):
            notes.append("no commercial use")
        # What could not be made names itself first.
        notes += [problem.split(":")[0] for problem in job.result.get("problems", ())]
        return f"Done ({', '.join(notes)})" if notes else _STATES[job.state]
    if job.state is JobState.QUEUED and job.deaths:
        return "Waiting again: its worker died"
    return _STATES[job.state]


def _stage_text(stage: str) -> str:
    if stage in DELIVERABLES:
        return f"making {stage}"
    return _STAGES.get(stage, stage)


def progress_text(fraction: float | None) -> str:
    """Whole percent."""
    return "" if fraction is None else f"{100 * fraction:.0f} %"


def time_text(seconds: float | None) -> str:
    """A time left, no finer than it is known: 8 s, 3 min, 1 h 20 min."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def total_text(
    fraction: float, eta: float | None, waiting: int, paused: bool, held: int = 0
) -> str:
    """The line beside the bar of the whole.

    Parameters
    ----------
    waiting
        Jobs that wait or run.
    held
        Jobs on hold.
    """
    if not waiting:
        return f"{held} on hold" if held else "Nothing waits"
    jobs = "1 clip" if waiting == 1 else f"{waiting} clips"
    parts = [f"{100 * fraction:.0f} %", f"{jobs} to go"]
    if eta is not None:
        parts.append(f"about {time_text(eta)} left")
    if paused:
        parts.append("paused")
    return ", ".join(parts)


def tooltip(job: Job) -> str:
    """Where it goes, what was asked for, and what became of it."""
    request = job.request
    lines = [f"{subject_of(request)} to {request.output}"]
    lines.append(", ".join(_values(request)))
    if job.error:
        lines.append(job.error)
    if job.result is not None:
        provider = job.result.get("provider")
        where = "" if provider is None else f" on {provider}"
        lines.append(f"made in {job.result['seconds']:.1f} s{where}")
        lines += [*job.result["warnings"], *job.result.get("problems", ())]
    return "\n".join(lines)


def _values(request: QueuedRequest) -> list[str]:
    """What was asked for."""
    if isinstance(request, DeliverRequest):
        return [DELIVERABLES[name].label for name in request.deliverables]
    if isinstance(request, SpatializeRequest):
        sound = "its own sound" if request.audio is None else request.audio.name
        return [f"{sound}, placed", METHOD_WORDS[request.method].lower()]
    values = [f"bundle {request.bundle}", f"seed {request.seed}"]
    if request.cfg is not None:
        values.append(f"CFG {request.cfg:g}")
    if request.steps is not None:
        values.append(f"{request.steps} steps")
    if request.sampler == "reflow":
        values.append("fast")
    if request.takes > 1:
        values.append(f"{request.takes} takes")
    return values
