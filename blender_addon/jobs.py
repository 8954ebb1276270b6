"""Long work beside Blender: tasks whose steps wait for the worker and the analyst.

A task is a generator. It yields what it waits for (`Ask`, `Work`, `Pause`) and is sent the result;
everything it does itself runs on the main thread, in a timer's tick, and must be short. In a script
or in the background, where no timer ticks, `Runner.wait` turns the same wheel.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from omniaudio_studio.errors import Cancelled, OmniAudioError, WorkerError
from omniaudio_studio.jobs import protocol
from omniaudio_studio.jobs.client import WorkerClient

from . import compat, questions, runtime

TICK_SECONDS = 0.1
REDRAW_SECONDS = 0.25  # the elapsed time and the estimate go on without any event
LET_GO_SECONDS = 0.7  # for the worker to drop a job; then it is ended by force
MOST_CRASHES = 3  # in a row
IDLE_SECONDS = 300.0  # then the model's memory is freed
CLOSE_SECONDS = 1.0
KEPT_TICKS = 4096

ADVICE = (
    f"the worker ended unasked {MOST_CRASHES} times in a row; test the runtime in the add-on's "
    "preferences, look at its log, then press Try Again"
)


@dataclass(frozen=True)
class Ask:
    """Wait for the analyst's answer to a question."""

    task: str
    parameters: dict[str, Any]
    stage: str


@dataclass(frozen=True)
class Work:
    """Wait for the worker to do a request; the result is that of its ``done`` event.

    ``label`` is put before the names of the worker's stages.
    """

    request: Any
    label: str = ""


@dataclass(frozen=True)
class Pause:
    """Let Blender go on: what follows is done in the next tick."""


Steps = Generator[Ask | Work | Pause, Any, str]
RUNNING, DONE, FAILED, CANCELLED = "RUNNING", "DONE", "FAILED", "CANCELLED"


@dataclass(eq=False)
class Task:
    """One piece of work for a scene.

    Attributes
    ----------
    title
        What it is, for people.
    scene_uid, scene_name
        For `compat.scene_of`.
    outputs
        Files that it is going to write: no other task takes these names.
    state
        "RUNNING", "DONE", "FAILED" or "CANCELLED".
    message
        What became of it, in one line.
    stage, fraction, eta
        What is done now, how much of it (0 to 1), and the seconds that are left; None while
        unknown.
    error
        What ended it, where it failed.
    """

    title: str
    scene_uid: int
    scene_name: str
    outputs: frozenset[Path] = frozenset()
    state: str = RUNNING
    message: str = ""
    stage: str = "starting"
    label: str = ""
    fraction: float | None = None
    eta: float | None = None
    error: Exception | None = None
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    cancelled_at: float | None = None
    steps: Steps | None = None
    job: str | None = None
    ticket: int | None = None
    ready: tuple[Any, Exception | None] | None = (None, None)

    @property
    def running(self) -> bool:
        """Whether it is not over."""
        return self.state == RUNNING

    @property
    def seconds(self) -> float:
        """Since it began, until it ended."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def exit_code(self) -> int:
        """0 for done, 130 for cancelled, else what the error says."""
        if self.state == DONE:
            return 0
        if self.state == CANCELLED:
            return Cancelled.exit_code
        return getattr(self.error, "exit_code", 70)


class Runner:
    """Runs tasks, one request at a time, and tells of them."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.crashes = 0
        self.ticks: deque[float] = deque(maxlen=KEPT_TICKS)  # seconds each
        self._client: WorkerClient | None = None
        self._runtime: runtime.Runtime | None = None  # what the client runs in
        self._waiting = False
        self._drawn = 0.0
        self._busy_at = time.monotonic()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id; None while none was started."""
        return None if self._client is None else self._client.pid

    @property
    def log(self) -> Path | None:
        """Where the worker's own words are; None while none was started."""
        return None if self._client is None else self._client.log

    @property
    def blocked(self) -> bool:
        """Whether the worker ended unasked too often to be started again."""
        return self.crashes >= MOST_CRASHES

    def of_scene(self, scene: Any) -> Task | None:
        """The last task of a scene."""
        uid = compat.session_uid(scene)
        for task in reversed(self.tasks):
            if task.scene_uid == uid and (uid or task.scene_name == scene.name):
                return task
        return None

    def is_busy(self, scene: Any) -> bool:
        """Whether a task of a scene is not over."""
        task = self.of_scene(scene)
        return task is not None and task.running

    def running(self) -> list[Task]:
        """Tasks that are not over."""
        return [task for task in self.tasks if task.running]

    def start(
        self, title: str, scene: Any, steps: Steps, outputs: frozenset[Path] = frozenset()
    ) -> Task:
        """Take on a task; its first step is done in the next tick.

        Raises
        ------
        WorkerError
            If the worker ended unasked too often.
        """
        if self.blocked:
            raise WorkerError(ADVICE)
        task = Task(title, compat.session_uid(scene), scene.name, outputs, steps=steps)
        kept = [other for other in self.tasks if other.running or other.scene_uid != task.scene_uid]
        self.tasks = [*kept, task]
        if not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)
        return task

    def cancel(self, task: Task) -> None:
        """Stop a task; nothing is left of what it was writing. It is over within a second."""
        if not task.running or task.cancelled_at is not None:
            return
        task.cancelled_at = time.monotonic()
        task.stage = "cancelling"
        if task.job is not None and self._client is not None:
            self._client.cancel(task.job)
            return
        if task.ticket is not None:
            questions.cancel(task.ticket)
        self._over(task, CANCELLED, "cancelled")

    def cancel_all(self) -> None:
        """Stop everything."""
        for task in self.running():
            self.cancel(task)

    def try_again(self) -> None:
        """Allow the worker to be started again."""
        self.crashes = 0
        self._close_client()

    def unload(self) -> None:
        """Free the memory of the model; the next request loads it again."""
        if self._client is not None:
            self._client.unload()

    def wait(self, task: Task) -> None:
        """Block until a task is over: for operators that are called by scripts."""
        self._waiting = True
        try:
            while task.running:
                self.tick()
                questions.poll()
                time.sleep(0.02)
        finally:
            self._waiting = False

    def undo_push(self, message: str) -> None:
        """A step for Ctrl+Z, where no operator that waits makes one itself."""
        if not self._waiting:
            compat.undo_push(message)

    def close(self) -> None:
        """End the worker and everything with it; the next task starts another."""
        self.cancel_all()
        for task in self.running():
            self._over(task, CANCELLED, "cancelled")
        self._close_client()
        if bpy.app.timers.is_registered(_tick):
            bpy.app.timers.unregister(_tick)

    def tick(self) -> float | None:
        """Hear of everything and go on where something waited for has come.

        Returns
        -------
        float or None
            Seconds to the next tick; None where none is needed.
        """
        begun = time.perf_counter()
        changed = self._hear()
        for task in self.running():
            changed |= self._advance(task)
        now = time.monotonic()
        active = bool(self.running())
        if active:
            self._busy_at = now
        elif self._client is not None and now - self._busy_at > IDLE_SECONDS:
            self.unload()
            questions.close_idle()
            self._busy_at = float("inf")
        if changed or (active and now - self._drawn > REDRAW_SECONDS):
            self._drawn = now
            compat.redraw()
        self.ticks.append(time.perf_counter() - begun)
        if active:
            return TICK_SECONDS
        if self._client is None or self._busy_at == float("inf"):
            return None
        return 1.0  # looks from time to time whether the memory can be freed

    def _hear(self) -> bool:
        if self._client is None:
            return False
        try:
            events = self._client.poll()
        except OmniAudioError as error:  # another version answers
            self._close_client()
            for task in self.running():
                if task.job is not None:
                    self._go_on(task, None, error)
            return True
        for event in events:
            about = next((task for task in self.running() if task.job == event.job), None)
            if about is not None and event.job is not None:
                self._heard(about, event)
        self._insist()
        return bool(events)

    def _heard(self, task: Task, event: protocol.Event) -> None:
        if event.kind == protocol.PROGRESS:
            if task.cancelled_at is None:
                task.stage = task.label + str(event.data["stage"])
                total = event.data["total"] or 0
                task.fraction = min(event.data["done"] / total, 1.0) if total else None
                task.eta = event.data["eta"]
        elif event.kind == protocol.DONE:
            self.crashes = 0
            self._go_on(task, event.data["result"], None)
        elif event.kind == protocol.CANCELLED:
            self.crashes = 0
            self._over(task, CANCELLED, "cancelled")
        elif event.kind == protocol.ERROR:
            died = event.data.get("kind") == "WorkerDied"
            self.crashes = self.crashes + 1 if died else 0
            error: OmniAudioError = WorkerError(str(event.data["message"]))
            if not died:
                error = OmniAudioError(str(event.data["message"]))
                error.exit_code = int(event.data.get("exit_code", 70))
            if died and self.blocked:
                error = WorkerError(f"{event.data['message']}; {ADVICE}")
            self._go_on(task, None, error)

    def _insist(self) -> None:
        """End a worker by force that does not drop a cancelled job."""
        now = time.monotonic()
        for task in self.running():
            late = task.cancelled_at is not None and now - task.cancelled_at > LET_GO_SECONDS
            if late and task.job is not None and self._client is not None:
                self._client.kill()
                self._over(task, CANCELLED, "cancelled")

    def _go_on(self, task: Task, value: Any, error: Exception | None) -> None:
        task.job = task.ticket = None
        task.fraction = task.eta = None
        task.ready = (value, error)

    def _advance(self, task: Task) -> bool:
        if task.ready is None or task.steps is None:
            return False
        (value, error), task.ready = task.ready, None
        if task.cancelled_at is not None:
            self._over(task, CANCELLED, "cancelled")
            return True
        try:
            wanted = task.steps.send(value) if error is None else task.steps.throw(error)
            self._begin(task, wanted)
        except StopIteration as end:
            self._over(task, DONE, str(end.value or "done"))
        except OmniAudioError as problem:
            self._fail(task, problem, str(problem))
        except Exception as problem:
            # A fault of ours must end neither the timer nor Blender; the console has the rest.
            traceback.print_exc()
            self._fail(task, problem, f"unexpected {type(problem).__name__}: {problem}")
        return True

    def _begin(self, task: Task, wanted: Ask | Work | Pause) -> None:
        if isinstance(wanted, Pause):
            task.ready = (None, None)
        elif isinstance(wanted, Ask):
            task.stage = wanted.stage
            task.ticket = questions.ask(
                wanted.task,
                lambda answer: self._go_on(task, answer, None),
                lambda line: self._go_on(task, None, OmniAudioError(line)),
                progress=lambda part: setattr(task, "fraction", part),
                **wanted.parameters,
            )
        else:
            task.stage = "waiting" if self._client is not None and self._client.busy else "starting"
            task.label = wanted.label
            task.job = self._worker().submit(wanted.request)

    def _worker(self) -> WorkerClient:
        chosen = runtime.chosen()
        if self._client is not None and chosen != self._runtime and not self._client.busy:
            self._close_client()
        if self._client is None:
            self._runtime = chosen
            self._client = WorkerClient(
                chosen.python,
                log=runtime.log_file("worker"),
                package_path=chosen.package_path,
                environment=chosen.environment,
                low_priority=True,
            )
        return self._client

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close(CLOSE_SECONDS)
            self._client = None

    def _fail(self, task: Task, error: Exception, line: str) -> None:
        task.error = error
        self._over(task, FAILED, " ".join(line.split()))

    def _over(self, task: Task, state: str, message: str) -> None:
        task.state, task.message, task.ended = state, message, time.monotonic()
        task.job = task.ticket = task.ready = task.fraction = task.eta = None
        steps, task.steps = task.steps, None
        if steps is not None:
            with contextlib.suppress(Exception):
                steps.close()


runner = Runner()


def _tick() -> float | None:
    return runner.tick()


@persistent
def _loaded(*_: Any) -> None:
    """Another file was opened: what is made for scenes of the one before is not wanted."""
    for task in runner.running():
        if compat.scene_of(task.scene_uid, task.scene_name) is None:
            runner.cancel(task)


def close_all() -> None:
    """End every process of ours; at exit too, where Blender may not unregister anything."""
    with contextlib.suppress(Exception):
        runner.close()
    with contextlib.suppress(Exception):
        questions.close()


def register() -> None:
    bpy.app.handlers.load_post.append(_loaded)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_loaded)
    close_all()
