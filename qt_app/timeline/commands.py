"""Steps of editing that can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from PyQt6.QtGui import QUndoCommand

T = TypeVar("T")


class Change(QUndoCommand, Generic[T]):
    """From one value to another; both are kept, so taking back is exact."""

    def __init__(self, text: str, before: T, after: T, show: Callable[[T], None]) -> None:
        super().__init__(text)
        self._before, self._after, self._show = before, after, show

    def undo(self) -> None:
        self._show(self._before)

    def redo(self) -> None:
        self._show(self._after)
