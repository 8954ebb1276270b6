"""The questions by name. Each answer is plain data; arrays and sounds lie in files of the cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import OptionError

# Question -> module in this folder with a function `answer(context, **parameters)`.
TASKS = {
    "probe": "clip",
    "thumbnail": "thumbnail",
    "shots": "shots",
    "field": "field",
    "sound": "sound",
    "bundles": "bundles",
    "device": "device",
    "hrtf": "hrtf",
    "listening": "listening",
}


@dataclass(frozen=True)
class Context:
    """What a task works with.

    Attributes
    ----------
    cancel
        Its ``check`` raises Cancelled once the answer is not wanted any more.
    progress
        Takes the part done, 0 to 1.
    """

    cancel: Cancel
    progress: Callable[[float], None]


def answer(task: str, context: Context, parameters: dict[str, Any]) -> Any:
    """The answer to a question.

    Raises
    ------
    OptionError
        If there is no such question, or it does not take these parameters.
    OmniAudioError
        One line: why there is no answer.
    """
    if task not in TASKS:
        raise OptionError(f"expected one of {', '.join(TASKS)}; found the task {task!r}")
    module = import_module(f"{__package__}.{TASKS[task]}")
    try:
        inspect.signature(module.answer).bind(context, **parameters)
    except TypeError as error:
        raise OptionError(f"the task {task} does not take these parameters: {error}") from error
    return module.answer(context, **parameters)
