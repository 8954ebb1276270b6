"""Questions about clips, models and devices, answered by a process of its own.

`ask` from the main thread; answers arrive in a timer's tick, on the main thread too.
"""

from __future__ import annotations

import time
from typing import Any

import bpy

from omniaudio_studio.errors import OmniAudioError, WorkerError
from omniaudio_studio.jobs.questions import Done, Failed, Progress, Questions

from . import compat, runtime

TICK_SECONDS = 0.1
BLOCKING_SECONDS = 0.02

_questions: Questions | None = None


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
    global _questions
    if _questions is None:
        chosen = runtime.chosen()
        _questions = Questions(
            python=chosen.python,
            package_path=chosen.package_path,
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
    until = time.monotonic() + timeout
    while not answers and not problems:
        if time.monotonic() > until:
            cancel(ticket)
            raise WorkerError(f"the question {task} was not answered within {timeout:g} s")
        poll()
        time.sleep(BLOCKING_SECONDS)
    if problems:
        raise OmniAudioError(problems[0])
    return answers[0]


def poll() -> None:
    """Hear what was answered; the timer does this."""
    if _questions is not None:
        _questions.poll()


def close() -> None:
    """End the process; nobody is called any more. The next question starts another."""
    global _questions
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _questions is not None:
        _questions.close()
        _questions = None


def close_idle() -> None:
    """End the process where nobody waits for an answer of it."""
    if _questions is not None and not _questions.pending:
        close()


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
