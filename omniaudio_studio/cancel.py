"""What stops long work, as every room sees it. Standard library only."""

from __future__ import annotations

from typing import Protocol


class Cancel(Protocol):
    """Whatever can stop the work; `engine.cancel.CancelToken` is one."""

    def check(self) -> None:
        """Raise `errors.Cancelled` when the work is no longer wanted."""
        ...
