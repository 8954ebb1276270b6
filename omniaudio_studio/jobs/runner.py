"""Works off a queue: one worker per device, one job per worker. Standard library only.

The host calls :meth:`QueueRunner.step` again and again and hears what happened. Whatever is killed
meanwhile, the host included, the next runner finds out what became of the jobs that ran.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OmniAudioError, OptionError, OutputError, WorkerError
from omniaudio_studio.jobs import protocol
from omniaudio_studio.jobs.estimate import History, JobProgress
from omniaudio_studio.jobs.lane import Hiring, Lane
from omniaudio_studio.jobs.processes import Lease, same_process
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.queue import Job, JobQueue, JobState
from omniaudio_studio.jobs.queued_request import device_of, model_of
from omniaudio_studio.jobs.recovery import settle

MAX_DEATHS = 2  # of workers under one job; then it fails
CANCEL_SECONDS = 0.5  # for a worker to stop by itself; then it is killed
ORPHAN_SECONDS = 5.0  # for workers of a dead runner to end by themselves
CLOSE_SECONDS = 3.0
_MANY_LANES_SECONDS = 0.02

Happening = dict[str, Any]
_ENDS = ("done", "failed", "cancelled", "again")

# What ONNX Runtime calls the devices that a request names.
_DEVICES = {
    "CPUExecutionProvider": "cpu",
    "CUDAExecutionProvider": "cuda",
    "DmlExecutionProvider": "directml",
    "CoreMLExecutionProvider": "coreml",
}


class QueueRunner:
    """The one that works off a queue; a second one on the same file is refused.

    Parameters
    ----------
    queue
        What to work off. Others may change it meanwhile.
    python, environment, low_priority
        For the workers; see `WorkerClient`.
    log_folder
        Where the workers' own words go, a file per device.

    Raises
    ------
    WorkerError
        If another process works off this queue.

    Attributes
    ----------
    progress
        How far the running jobs are, by id.
    problem
        Why nothing is begun although jobs wait, None where all is well: workers that cannot be
        started (`resume` tries again), or a queue file that cannot be written.
    recovered
        Whether it is known what became of the jobs that another runner left running; nothing is
        begun before.
    """

    def __init__(
        self,
        queue: JobQueue,
        *,
        python: str | os.PathLike[str] | None = None,
        log_folder: Path,
        low_priority: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.queue = queue
        self.progress: dict[int, JobProgress] = {}
        self._hiring = Hiring(
            None if python is None else os.fspath(python),
            log_folder,
            low_priority,
            dict(environment or {}),
        )
        path = queue.path
        self._lease = Lease(path.with_name(f"{path.name}-lock"), f"the queue {path}")
        self._lanes: dict[str, Lane] = {}
        self._auto: str | None = None  # the device that "auto" turned out to be
        self._stuck: str | None = None  # workers cannot be started
        self._storage: str | None = None  # the queue file cannot be written
        self._unwritten: list[Callable[[], Any]] = []
        self.recovered = False
        self._created = time.monotonic()
        self._closed = False
        self._read: tuple[int, list[Job]] = (-1, [])
        self._said: str | None = None
        try:
            self._history = History(queue.speeds())
        except BaseException:
            self._lease.release()
            raise

    def __enter__(self) -> QueueRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def problem(self) -> str | None:
        """See the class."""
        return self._storage or self._stuck

    @property
    def busy(self) -> bool:
        """Whether a job is in hand, or something is still to be noted."""
        return bool(self._unwritten) or any(lane.job for lane in self._lanes.values())

    def resume(self) -> None:
        """Try again after a problem."""
        self._stuck = None
        for lane in self._lanes.values():
            lane.early_deaths, lane.not_before = 0, 0.0

    def step(self, timeout: float = 0.1) -> list[Happening]:
        """Begin what can begin, hear the workers, note what has come of it.

        Parameters
        ----------
        timeout
            Seconds to wait for a worker's next word, or to sleep where none has a job.

        Returns
        -------
        list of dict
            What happened, in order, each with ``event`` and (but for "problem" and "worker")
            ``id``: "begun", "started", "progress", "preview", "done" (with ``result``), "failed"
            (``error``, ``kind``), "cancelled", "again" (``reason``), "problem" (``message``, None
            when it is over), "worker" (``message``: one has died).
        """
        if self._closed:
            raise WorkerError("the queue's runner is closed; make a new one")
        happened: list[Happening] = []
        self._write()
        self._act(happened)
        happened += self._listen(timeout)
        if any(event["event"] in _ENDS for event in happened):
            self._act(happened)  # the next one, without a pause
        now = time.monotonic()
        self.progress = {
            lane.job.id: lane.clock.progress(now)
            for lane in self._lanes.values()
            if lane.job is not None and lane.clock is not None
        }
        if self.problem != self._said:
            self._said = self.problem
            happened.append({"event": "problem", "message": self.problem})
        return happened

    def cancel(self, job: int) -> None:
        """Cancel a job; the next steps see it stop."""
        self.queue.cancel([job])

    def unload(self) -> None:
        """Free the memory of models; the next job loads its own again."""
        for lane in self._lanes.values():
            lane.unload()

    def total(self) -> tuple[float, float | None]:
        """How far the present round is (0 to 1), and the seconds left (None while unknown).

        Jobs that are held, failed or cancelled don't count.
        """
        jobs = [job for job in self.jobs() if job.round == self.queue.round]
        lengths = [job.seconds for job in jobs if job.seconds is not None]
        mean = sum(lengths) / len(lengths) if lengths else None
        done = whole = 0.0
        left: dict[str, float] = {}
        known = True
        for job in jobs:
            if job.state not in (JobState.QUEUED, JobState.RUNNING, JobState.DONE):
                continue
            seconds = mean if job.seconds is None else job.seconds
            # Models are loaded once, so in a total they are left out.
            expected = self._history.expected(job.request, seconds, warm=True)
            whole += expected.whole
            lane = self._device_of(job)
            if job.state is JobState.DONE:
                done += expected.whole
            elif job.state is JobState.RUNNING:
                progress = self.progress.get(job.id, JobProgress("starting", 0.0, None))
                done += expected.whole * progress.fraction
                eta = progress.eta
                if eta is None and expected.measured:
                    eta = expected.whole * (1 - progress.fraction)
                known = known and eta is not None
                left[lane] = left.get(lane, 0.0) + (eta or 0.0)
            else:
                known = known and expected.measured
                left[lane] = left.get(lane, 0.0) + expected.whole
        fraction = done / whole if whole > 0 else float(bool(jobs))
        # Devices work side by side.
        return min(1.0, fraction), max(left.values(), default=0.0) if known else None

    def estimate(self, job: Job) -> float | None:
        """Seconds that a waiting job should take; None without any experience."""
        expected = self._history.expected(job.request, job.seconds, warm=True)
        return expected.whole if expected.measured else None

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Stop the workers; what ran waits again in its place."""
        if self._closed:
            return
        self._closed = True
        for lane in self._lanes.values():
            lane.close(timeout)
            if lane.job is not None:
                with suppress(OutputError):
                    self._settle(lane.job, died=False)
                lane.over()
        self._write()
        self.progress = {}
        self._lease.release()

    def jobs(self) -> list[Job]:
        """Every job of the queue, by order, read when there is something new."""
        revision = self.queue.revision
        if revision != self._read[0]:
            self._read = (revision, self.queue.jobs())
        return self._read[1]

    def _act(self, happened: list[Happening]) -> None:
        """Recover, stop what was cancelled, begin what can begin."""
        try:
            if not self.recovered:
                happened += self._recover()
            if self.recovered:
                self._stop_cancelled(happened)
                happened += self._begin_jobs()
        except OutputError as error:
            self._storage = str(error)

    # -- beginning --------------------------------------------------------------------------------

    def _recover(self) -> list[Happening]:
        """Find out what became of the jobs of a runner that is dead."""
        jobs = self.queue.in_state(JobState.RUNNING)
        orphans = [pid for job in jobs if job.worker and (pid := same_process(job.worker))]
        if orphans and time.monotonic() - self._created < ORPHAN_SECONDS:
            return []  # they notice that they are alone, and clean up
        for pid in orphans:
            with suppress(OSError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        happened = [self._settle(job, died=False) for job in jobs]
        self.recovered = True
        return happened

    def _begin_jobs(self) -> list[Happening]:
        happened: list[Happening] = []
        if self._unwritten or self._stuck or self.queue.paused:
            return happened
        now = time.monotonic()
        for job in self.queue.next_queued():
            lane = self._lane_for(job)
            if lane is None or lane.job is not None or now < lane.not_before:
                continue
            try:
                worker = lane.start()
            except (WorkerError, OSError) as error:
                self._stuck = str(error)
                break
            if not self.queue.begin(job.id, worker):
                continue
            begun = self.queue.get(job.id) or job
            warm = lane.is_warm_for(job.request)
            try:
                expected = self._history.expected(job.request, job.seconds, warm=warm)
                lane.hand_over(begun, expected)
            except OptionError as error:
                happened.append(self._fail(begun, str(error), type(error).__name__))
                continue
            except WorkerError as error:
                self._stuck = str(error)
                self._put_back(job)
                break
            happened.append({"event": "begun", "id": job.id})
        return happened

    def _lane_for(self, job: Job) -> Lane | None:
        """The worker for a job's device; None while it must wait for another lane.

        As long as it is not known which device "auto" is, it may be any.
        """
        device = self._device_of(job)
        unknown = self._auto is None
        for other in self._lanes.values():
            clash = unknown and "auto" in (device, other.device) and device != other.device
            if clash and other.job is not None:
                return None
        if device not in self._lanes:
            self._lanes[device] = Lane(device, self._hiring)
        return self._lanes[device]

    def _device_of(self, job: Job) -> str:
        device = device_of(job.request)
        return (self._auto or device) if device == "auto" else device

    def _learn_auto(self, lane: Lane, provider: str) -> None:
        device = _DEVICES.get(provider)
        if lane.device != "auto" or device is None:
            return
        self._auto = device
        old = self._lanes.pop(device, None)
        if old is not None:  # idle, as long as this one ran
            old.close(0.0)
        del self._lanes["auto"]
        lane.device = device
        self._lanes[device] = lane

    def _learn_length(self, lane: Lane, job: Job, seconds: float | None) -> None:
        """Where nobody said how long a clip is, the first report does."""
        if job.seconds is None and seconds:
            length = job.request.start + seconds
            lane.job = replace(job, clip_seconds=length)
            self._note(lambda: self.queue.note(job.id, clip_seconds=length))

    def _stop_cancelled(self, happened: list[Happening]) -> None:
        running = [lane for lane in self._lanes.values() if lane.job is not None]
        if not running:
            return
        stopping = {job.id for job in self.queue.in_state(JobState.RUNNING) if job.stopping}
        for lane in running:
            assert lane.job is not None
            if lane.job.id not in stopping:
                continue
            if lane.cancelled_at is None:
                lane.cancel()
            elif time.monotonic() - lane.cancelled_at > CANCEL_SECONDS:
                # A library that does not let go, as while a model is read.
                job = lane.job
                lane.close(0.0)
                lane.over()
                happened.append(self._settle(job, died=False, cancelled=True))

    # -- hearing ----------------------------------------------------------------------------------

    def _listen(self, timeout: float) -> list[Happening]:
        happened: list[Happening] = []
        lanes = list(self._lanes.values())
        working = [lane for lane in lanes if lane.job is not None]
        if not working and timeout > 0:
            time.sleep(timeout)
        wait = timeout if len(working) == 1 else min(timeout, _MANY_LANES_SECONDS)
        for lane in lanes:
            try:
                events = lane.poll(wait if lane in working else 0.0)
            except WorkerError as error:  # another version of the program
                self._stuck = str(error)
                lane.close(0.0)
                events = []
                if lane.job is not None:
                    happened.append(self._settle(lane.job, died=False))
                    lane.over()
            for event in events:
                happened += self._heard(lane, event)
        return happened

    def _heard(self, lane: Lane, event: Event) -> list[Happening]:
        data = event.data
        if event.kind == protocol.DIED:
            return [{"event": "worker", "message": data["message"]}]
        if event.kind == protocol.READY and lane.job is not None:
            # The client may have started another one meanwhile.
            job, mark = lane.job.id, lane.mark()
            self._note(lambda: self.queue.note(job, worker=mark))
        if not lane.is_mine(event):
            return []
        job_, clock = lane.job, lane.clock
        assert job_ is not None
        assert clock is not None
        now = time.monotonic()
        if event.kind == protocol.STARTED:
            folder = Path(data["temporary"])
            self._note(lambda: self.queue.note(job_.id, temporary=folder))
            lane.warm = model_of(job_.request) or lane.warm
            return [{"event": "started", "id": job_.id}]
        if event.kind == protocol.PROGRESS:
            clock.heard(data["stage"], data["done"], data["total"], data["eta"], now)
            self._learn_length(lane, job_, clock.seconds)
            return [{"event": "progress", "id": job_.id}]
        if event.kind == protocol.PREVIEW:
            return [{"event": "preview", "id": job_.id, **data}]
        if not event.final:
            return []
        stopping = lane.cancelled_at is not None
        charged = lane.charged
        lane.over()
        if event.kind == protocol.DONE:
            self._learn_auto(lane, data["result"].get("provider", ""))
            measured = clock.measured(now)
            if measured is not None:
                speed = self._history.learn(measured)
                self._note(lambda: self.queue.keep_speed(speed))
            return [self._done(job_, data["result"])]
        if event.kind == protocol.CANCELLED and stopping and not data:  # else the worker died
            self._note(lambda: self.queue.end(job_.id, JobState.CANCELLED))
            return [{"event": "cancelled", "id": job_.id}]
        if event.kind == protocol.ERROR and data["kind"] != "WorkerDied":
            return [self._fail(job_, data["message"], data["kind"])]
        # The worker died, or was told to end by somebody else.
        if lane.hopeless:
            self._stuck = f"workers end before they are ready: {data.get('message', '')}"
        return [
            self._settle(job_, died=charged, cancelled=stopping, reason=data.get("message", ""))
        ]

    def _settle(
        self, job: Job, *, died: bool, cancelled: bool = False, reason: str = ""
    ) -> Happening:
        """Note what an interrupted job came to: done, to be done again, cancelled or failed."""
        current = self._looked_up(job)
        try:
            result = settle(job.request, current.temporary, current.started)
        except OutputError as error:
            return self._fail(job, str(error), type(error).__name__)
        if result is not None:
            return self._done(job, result)
        if cancelled or current.stopping:
            self._note(lambda: self.queue.end(job.id, JobState.CANCELLED))
            return {"event": "cancelled", "id": job.id}
        if died and current.deaths + 1 >= MAX_DEATHS:
            message = f"its worker died {MAX_DEATHS} times: {reason}"
            return self._fail(job, message, "WorkerDied")
        self._put_back(job, died=died)
        return {"event": "again", "id": job.id, "reason": reason}

    def _looked_up(self, job: Job) -> Job:
        try:
            return self.queue.get(job.id) or job
        except OutputError:
            return job

    def _done(self, job: Job, result: dict[str, Any]) -> Happening:
        self._note(lambda: self.queue.end(job.id, JobState.DONE, result=result))
        return {"event": "done", "id": job.id, "result": result}

    def _fail(self, job: Job, message: str, kind: str) -> Happening:
        self._note(lambda: self.queue.end(job.id, JobState.FAILED, error=message, error_kind=kind))
        return {"event": "failed", "id": job.id, "error": message, "kind": kind}

    def _put_back(self, job: Job, *, died: bool = False) -> None:
        self._note(lambda: self.queue.put_back(job.id, died=died))

    # -- noting -----------------------------------------------------------------------------------

    def _note(self, write: Callable[[], Any]) -> None:
        """Write to the queue; what a full disk refuses is kept in mind and tried again."""
        self._unwritten.append(write)
        self._write()

    def _write(self) -> None:
        while self._unwritten:
            try:
                self._unwritten[0]()
            except OmniAudioError as error:
                self._storage = str(error)
                return
            self._unwritten.pop(0)
        self._storage = None
