"""Questions about clips, models and devices, answered by a process of its own.

`ask` from the main thread; answers arrive in a timer's tick, on the main thread too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError, WorkerError
from omniaudio_studio.jobs.questions import Done, Failed, Progress, Questions

from . import compat, runtime

TICK_SECONDS = 0.1
BLOCKING_SECONDS = 0.02

_questions: Questions | None = None
_runtime: runtime.Runtime | None = None  # what it runs in


def ask(
    task: str,
    done: Done,
    failed: Failed,
    progress: Progress | None = None,
    **parameters: Any,
) -> int:
    """Ask; later exactly one of ``done(answer)`` and ``failed(line)`` is called, never at once.

    Parameters
    ----------
    task, parameters
        As in `omniaudio_studio.jobs.analysis`.

    Returns
    -------
    int
        For `cancel`.

    Raises
    ------
    OptionError
        If the preferences name a runtime that is not there.
    """
    global _questions, _runtime
    chosen = runtime.chosen()
    if chosen != _runtime:
        close_idle()
    if _questions is None:
        _runtime = chosen
        _questions = Questions(
            python=chosen.python,
            package_path=chosen.package_path,
            environment=chosen.environment,
            log=runtime.log_file("analyst"),
        )
    ticket = _questions.ask(task, done, failed, progress=progress, **parameters)
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)
    return ticket


def cancel(ticket: int) -> None:
    """Take a question back: nobody is called."""
    if _questions is not None:
        _questions.cancel(ticket)


def wait_for(task: str, timeout: float = 60.0, **parameters: Any) -> Any:
    """Ask, and block until the answer is there: for scripts, never for the interface.

    Raises
    ------
    OmniAudioError
        Where there is no answer, in one line.
    """
    answers: list[Any] = []
    problems: list[str] = []
    ticket = ask(task, answers.append, problems.append, **parameters)
    if not wait_until(lambda: bool(answers or problems), timeout):
        cancel(ticket)
        raise WorkerError(f"the question {task} was not answered within {timeout:g} s")
    if problems:
        raise OmniAudioError(problems[0])
    return answers[0]


def wait_until(done: Callable[[], bool], timeout: float = 60.0) -> bool:
    """Block while answers arrive, until ``done``: for scripts. False after ``timeout`` seconds."""
    until = time.monotonic() + timeout
    while not done():
        if time.monotonic() > until:
            return False
        poll()
        time.sleep(BLOCKING_SECONDS)
    return True


def poll() -> None:
    """Hear what was answered; the timer does this."""
    if _questions is not None:
        _questions.poll()


def close() -> None:
    """End the process; nobody is called any more. The next question starts another."""
    if (ended := _let_go()) is not None:
        ended.close()


def close_idle() -> None:
    """End the process where nobody waits for an answer of it, without waiting for its end."""
    if _questions is not None and not _questions.pending and (ended := _let_go()) is not None:
        threading.Thread(target=ended.close, name="omniaudio-farewell", daemon=True).start()


def _let_go() -> Questions | None:
    global _questions
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    ended, _questions = _questions, None
    return ended


def _tick() -> float | None:
    if _questions is None:
        return None
    pending = _questions.pending
    _questions.poll()
    if _questions is None or not pending:  # an answer may have closed it
        return None
    if _questions.pending < pending:
        compat.redraw()
    return TICK_SECONDS
