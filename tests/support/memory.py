"""How much memory this process has held at most."""

from __future__ import annotations

from pathlib import Path


def peak_megabytes() -> float:
    """The high-water mark of this process, in MB (Linux).

    ru_maxrss begins with what the parent held: beside a large one every child looks alike.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the system tells no high-water mark")
