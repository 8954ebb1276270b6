"""Other processes: whether one is still there, and a lock that only one holds.

Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from omniaudio_studio.errors import OutputError, WorkerError

_LOCKED_BYTE = 1 << 30  # far behind the text: Windows keeps others from reading what is locked


def process_mark(pid: int) -> str | None:
    """A text that tells a process from all others, also from a later one with the same number.

    None where there is no such process, or the system does not tell (Windows).
    """
    if sys.platform.startswith("linux"):
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        # proc(5): the name is in parentheses and may hold anything; state is field 3, start 22.
        fields = text.rpartition(")")[2].split()
        if len(fields) < 20 or fields[0] in "ZX":
            return None
        return f"{pid}:{fields[19]}:{boot}"
    if os.name == "nt":
        return None
    try:
        result = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    state, _, started = result.stdout.strip().partition(" ")
    return f"{pid}:{started.strip()}" if started and not state.startswith("Z") else None


def same_process(mark: str) -> int | None:
    """The number of the process that had this mark, while it lives."""
    number = mark.partition(":")[0]
    if not number.isdigit() or process_mark(int(number)) != mark:
        return None
    return int(number)


class Lease:
    """A lock file: whoever holds it is the only one, and a dead process holds nothing.

    Parameters
    ----------
    path
        Made where it is missing; it stays, and names the process that held it last.
    what
        What is held, for the message.

    Raises
    ------
    WorkerError
        If another process holds it.
    OutputError
        If the file cannot be written.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        try:
            file = path.open("a+b")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            _lock(file)
        except OSError:
            file.seek(0)
            holder = file.read(20).decode("ascii", "replace").strip()
            file.close()
            who = f" (process {holder})" if holder.isdigit() else ""
            raise WorkerError(
                f"{what} is being worked off by another OmniAudio Studio{who}; close that one, or "
                "wait until it is through"
            ) from None
        self._file: IO[bytes] | None = file
        with suppress(OSError):  # a full disk: the lock holds without a name
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode("ascii"))
            file.flush()

    def release(self) -> None:
        """Let the next one have it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
