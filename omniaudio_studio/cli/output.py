"""What verbs print: JSON for scripts on stdout, lines for people, progress on stderr."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import TaskID

ENGINE_STAGES = ("loading", "frames", "sampling", "decoding")
PLAIN_SECONDS = 10.0  # between two progress lines of one stage where there is no terminal


def print_json(data: Any) -> None:
    """Pure JSON on stdout. Numbers that JSON has no word for become null."""
    print(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str | int | None):
        return value
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, without importing NumPy
        return _plain(value.tolist())
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)


def print_pairs(pairs: Sequence[tuple[str, Any]]) -> None:
    """``name  value`` lines, aligned."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        print(f"{name:<{width}}  {value}")


def print_files(files: Mapping[str, Path]) -> None:
    """A line for each file that was made beside a WAV."""
    from omniaudio_studio.jobs.deliverables import DELIVERABLES

    for name, path in files.items():
        print(f"{path}  {DELIVERABLES[name].label}")


def refuse_problems(problems: Sequence[str]) -> None:
    """End with one line where something could not be made, after what was made has been shown.

    Raises
    ------
    OutputError
        That line.
    """
    from omniaudio_studio.errors import OutputError

    if problems:
        raise OutputError("; ".join(problems))


def note(message: str) -> None:
    """A line for people on stderr: warnings and remarks, never an answer."""
    print(message, file=sys.stderr, flush=True)


def seconds_text(seconds: float) -> str:
    """12.3 s, 2:05 min or 1:02:03 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d} h"


class ProgressReport:
    """Callable for ``progress=``: bars on a terminal, sparse lines elsewhere. A context manager.

    Takes anything with ``stage``, ``done``, ``total`` and ``eta`` (seconds, or None), and shows its
    ``detail`` where it has one.
    """

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, TaskID] = {}
        self._said_of = ""
        self._said = 0.0

    def __enter__(self) -> ProgressReport:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bars = Progress(
                TextColumn("{task.description:<12}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[stage]} {task.fields[left]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, progress: Any) -> None:
        """Show one report. The engine's stages share one count, and so one bar."""
        bar = "sound" if progress.stage in ENGINE_STAGES else progress.stage
        left = "" if progress.eta is None else f"{seconds_text(max(progress.eta, 0.0))} left"
        detail = getattr(progress, "detail", "")
        if self._bars is not None:
            if bar not in self._tasks:
                self._tasks[bar] = self._bars.add_task(bar, stage="", left=left)
            self._bars.update(
                self._tasks[bar],
                completed=progress.done,
                total=progress.total or None,
                stage=detail or ("" if bar == progress.stage else progress.stage),
                left=left,
            )
            return
        now = time.monotonic()
        if bar == self._said_of and now - self._said < PLAIN_SECONDS:
            return
        self._said_of, self._said = bar, now
        share = f" {100 * progress.done / progress.total:.0f} %" if progress.total else ""
        note(", ".join(part for part in (bar + share, detail, left) if part))
