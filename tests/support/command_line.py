"""The program as a user runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "omniaudio_studio"]


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def error_lines(self) -> list[str]:
        """Lines of the program's own voice on stderr."""
        return [line for line in self.err.splitlines() if line.startswith("omniaudio: ")]


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, without a terminal's width or a user's settings."""
    return {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **changes}


def omniaudio(
    *arguments: str | Path,
    cwd: Path | None = None,
    before: Callable[[], Any] | None = None,
    **changes: str,
) -> Ran:
    """Run ``omniaudio ARGUMENTS`` to its end.

    Parameters
    ----------
    before
        Called in the new process before the program starts (POSIX).
    **changes
        Environment variables.
    """
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=240,
        preexec_fn=before,
    )
    return Ran(result.returncode, result.stdout, result.stderr)


def names(folder: Path) -> set[str]:
    """Everything in a folder, hidden files too."""
    return {path.name for path in folder.iterdir()}
