"""``omniaudio batch``: many clips through a queue that a kill does not lose."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniaudio_studio.cli import request_options as options
from omniaudio_studio.cli.output import PLAIN_SECONDS, note, print_json, seconds_text
from omniaudio_studio.cli.running import run_cancellable
from omniaudio_studio.errors import Cancelled, OptionError, WorkerError
from omniaudio_studio.jobs.request import GenerateRequest

if TYPE_CHECKING:
    from rich.progress import TaskID

    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.queue import Job, JobQueue
    from omniaudio_studio.jobs.runner import QueueRunner

STEP_SECONDS = 0.1
STOP_SECONDS = 0.6  # for the worker to stop by itself after Ctrl-C
PATIENCE_SECONDS = 15.0  # with a problem that keeps everything from going on


def batch(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES...", help="360 videos, and folders to search for them."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the results; made if missing."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with DIR's batch; try again what failed in it."),
    ] = False,
    bundle: options.Bundle = None,
    seed: options.Seed = None,
    cfg: options.Cfg = None,
    steps: options.Steps = None,
    sampler: options.Sampler = None,
    start: options.Start = None,
    duration: options.Duration = None,
    shots: Annotated[
        str | None,
        typer.Option(metavar="auto", help="Start afresh at cuts, found in each clip beforehand."),
    ] = None,
    projection: options.Projection = None,
    stereo: options.Stereo = None,
    hfov: options.Hfov = None,
    camera: options.Camera = None,
    front: options.Front = None,
    rate: options.Rate = None,
    subtype: options.Subtype = None,
    yaw: options.Yaw = None,
    mix: options.Mix = None,
    mix_field: options.MixField = None,
    duck: options.Duck = None,
    hint: options.HintList = None,
    hints: options.HintFile = None,
    loudness: options.Loudness = None,
    takes: options.Takes = None,
    device: options.Device = None,
    low_memory: options.LowMemory = False,
    feature_rate: options.FeatureRate = None,
    wanted: options.As = None,
    binaural: options.Binaural = False,
    overlay: options.Overlay = False,
    plot: options.Plot = False,
    no_provenance: options.NoProvenance = False,
    overwrite: options.Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="The results as JSON.")] = False,
) -> None:
    """Generate spatial sound for many clips: DIR/NAME.wav for each, with its sidecar.

    The queue lies in DIR. Stop it, or let it be killed, at any moment: --resume goes on where it
    was, makes nothing twice and loses nothing. The exit code is 1 where a clip failed.
    """
    values = options.given(
        bundle=bundle,
        seed=seed,
        cfg=cfg,
        steps=steps,
        sampler=sampler,
        start=start,
        duration=duration,
        projection=projection,
        stereo=stereo,
        hfov=hfov,
        camera=camera,
        front=front,
        rate=rate,
        subtype=subtype,
        yaw=yaw,
        mix=mix,
        mix_field=mix_field,
        duck=duck,
        hints=options.hints(hint, hints),
        loudness=loudness,
        takes=takes,
        device=device,
        low_memory=low_memory or None,
        feature_rate=feature_rate,
        wanted=wanted,
        binaural=binaural,
        overlay=overlay,
        plot=plot,
        no_provenance=no_provenance,
    )
    if overwrite:
        values["overwrite"] = True
    if out is None:
        raise OptionError("expected a folder for the results: omniaudio batch FILES... --out DIR")
    if shots not in (None, "auto"):
        raise OptionError(f"--shots of a batch must be auto, found {shots!r}; see generate")
    if not files:
        if not resume:
            raise OptionError("expected clips or folders: omniaudio batch FILES... --out DIR")
        if values or shots:
            name = next(iter(values), "shots").replace("_", "-")
            raise OptionError(f"--{name} is for new clips: name some, or leave it out")

    import platformdirs

    from omniaudio_studio.jobs.batch import begin, find_clips, open_queue, queue_path
    from omniaudio_studio.jobs.batch import resume as go_on
    from omniaudio_studio.jobs.runner import QueueRunner

    clips = find_clips(files or [])
    if not clips and not queue_path(out).exists():
        raise OptionError(f"{out} has no batch to go on with; name the clips")
    GenerateRequest(Path("clip.mp4"), Path("out.wav"), **values).validate()
    logs = Path(platformdirs.user_log_dir("omniaudio-studio", appauthor=False)) / "batch"

    def with_cuts(request: GenerateRequest) -> GenerateRequest:
        def work(cancel: CancelToken) -> GenerateRequest:
            from omniaudio_studio.jobs.run import with_shots

            return with_shots(request, "auto", cancel)

        note(f"{request.clip.name}: looking for cuts")
        return run_cancellable(work)

    with (
        open_queue(out) as queue,
        QueueRunner(queue, log_folder=logs, low_priority=False) as runner,
    ):
        # What a dead batch left is looked at before anything is added.
        until = time.monotonic() + PATIENCE_SECONDS
        while not runner.recovered:
            runner.step(STEP_SECONDS)
            if runner.problem is not None and time.monotonic() > until:
                raise WorkerError(f"{runner.problem}; put it right and go on with --resume")
        fill = go_on if resume else begin
        fill(queue, clips, out, values, with_cuts if shots else None)
        with BatchReport(queue, quiet=as_json) as report:
            stopped = _work_off(queue, runner, report)
        jobs = queue.jobs()
    _tell(jobs, out, as_json=as_json, stopped=stopped)


def _work_off(queue: JobQueue, runner: QueueRunner, report: BatchReport) -> bool:
    """Step until nothing waits or runs; whether it was stopped by a signal."""
    from omniaudio_studio.jobs.queue import JobState

    signals: list[int] = []

    def heard(number: int, frame: FrameType | None) -> None:
        signals.append(number)  # nothing else is safe here: locks may be held

    kinds = [signal.SIGINT, signal.SIGTERM]
    before = {kind: signal.signal(kind, heard) for kind in kinds}
    troubled: float | None = None
    try:
        while not signals:
            for event in runner.step(STEP_SECONDS):
                report.hear(event)
            report.show(runner)
            if not runner.busy and not queue.in_state(JobState.QUEUED, JobState.RUNNING):
                return False
            now = time.monotonic()
            if runner.problem is None:
                troubled = None
            elif troubled is None:
                troubled = now
            elif now - troubled > PATIENCE_SECONDS or not runner.busy:
                raise WorkerError(f"{runner.problem}; put it right and go on with --resume")
        runner.close(STOP_SECONDS)
        return True
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _tell(jobs: list[Job], folder: Path, *, as_json: bool, stopped: bool) -> None:
    """The summary, and the exit code."""
    from omniaudio_studio.jobs.queue import JobState

    done = sum(job.state is JobState.DONE for job in jobs)
    failed = [job for job in jobs if job.state in (JobState.FAILED, JobState.CANCELLED)]
    if as_json:
        print_json(
            {
                "folder": folder,
                "done": done,
                "failed": len(failed),
                "left": len(jobs) - done - len(failed),
                "clips": [
                    {
                        "clip": job.request.clip,
                        "output": job.request.output,
                        "state": job.state.value,
                        "error": job.error,
                        "result": job.result,
                    }
                    for job in jobs
                ],
            }
        )
    else:
        print(f"{done} of {len(jobs)} clips done in {folder}")
        if any(job.result is not None and job.result["demonstration"] for job in jobs):
            print("made with a demonstration model: not the quality to expect of a large one")
        if any(job.result is not None and not job.result.get("commercial", True) for job in jobs):
            print("the model's licence forbids commercial use of this sound")
    if stopped:
        raise Cancelled(f"stopped; go on with: omniaudio batch --out {folder} --resume")
    if failed:
        note(f"{len(failed)} failed; try again with: omniaudio batch --out {folder} --resume")
    lacking = [job for job in jobs if job.result is not None and job.result.get("problems")]
    if lacking:
        names = ", ".join(job.label for job in lacking)
        note(f"not all was made beside {names}; try again with: omniaudio deliver WAV --as NAME")
    if failed or lacking:
        raise typer.Exit(1)


class BatchReport:
    """A line per clip as it ends, and a bar for it while it runs. A context manager."""

    def __init__(self, queue: JobQueue, *, quiet: bool) -> None:
        self._queue, self._quiet = queue, quiet
        self._bars: Any = None
        self._tasks: dict[int, TaskID] = {}
        self._whole: TaskID | None = None
        self._said = 0.0

    def __enter__(self) -> BatchReport:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
            self._whole = self._bars.add_task("all clips", total=1.0, left="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def hear(self, event: dict[str, Any]) -> None:
        """Take in what happened."""
        kind = event["event"]
        if kind == "worker":
            note(event["message"])
            return
        if kind == "problem":
            if event["message"]:
                note(event["message"])
            return
        if kind not in ("done", "failed", "cancelled", "again"):
            return
        task = self._tasks.pop(event["id"], None)
        if task is not None and self._bars is not None:
            self._bars.remove_task(task)
        job = self._queue.get(event["id"])
        if job is None:
            return
        if kind == "done":
            self._done(job, event["result"])
        elif kind == "failed":
            note(f"{job.label}: {event['error']}")
        elif kind == "again":
            note(f"{job.label}: interrupted; it is begun again")

    def show(self, runner: QueueRunner) -> None:
        """Move the bars, or say now and then how far it is."""
        fraction, eta = runner.total()
        if self._bars is None:
            now = time.monotonic()
            if now - self._said >= PLAIN_SECONDS and runner.progress:
                self._said = now
                running = ", ".join(self._label(job) for job in runner.progress)
                note(f"{running}: {100 * fraction:.0f} % of all{_left(eta)}")
            return
        assert self._whole is not None
        self._bars.update(self._whole, completed=fraction, left=_left(eta)[2:])
        for job, progress in runner.progress.items():
            if job not in self._tasks:
                self._tasks[job] = self._bars.add_task(self._label(job), total=1.0, left="")
            self._bars.update(
                self._tasks[job], completed=progress.fraction, left=_left(progress.eta)[2:]
            )

    def _done(self, job: Job, result: dict[str, Any]) -> None:
        for warning in result["warnings"]:
            note(f"{job.label}: warning: {warning}")
        for problem in result.get("problems", ()):
            note(f"{job.label}: {problem}")
        if self._quiet:
            return
        made = f"{seconds_text(result['duration'])} in {seconds_text(result['seconds'])}"
        line = f"{job.label}: {result['takes'][0]['wav']}  {made}"
        if self._bars is not None and sys.stdout.isatty():
            self._bars.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def _label(self, job: int) -> str:
        found = self._queue.get(job)
        return "" if found is None else found.label


def _left(eta: float | None) -> str:
    return "" if eta is None else f", {seconds_text(max(eta, 0.0))} left"
