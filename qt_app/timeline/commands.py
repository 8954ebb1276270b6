"""Steps of editing that can be taken back."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QUndoCommand

from qt_app.timeline.shots import Shots


class ShotsCommand(QUndoCommand):
    """From one tuple of shots to another; both are kept, so taking back is exact."""

    def __init__(self, text: str, before: Shots, after: Shots, show: Callable[[Shots], None]):
        super().__init__(text)
        self._before, self._after, self._show = before, after, show

    def undo(self) -> None:
        self._show(self._before)

    def redo(self) -> None:
        self._show(self._after)
