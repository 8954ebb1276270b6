"""Keys that play, wherever the keyboard's focus is, and that leave alone what needs them."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QAbstractButton, QApplication, QComboBox, QWidget

SOURCE_KEYS = 9


class TransportKeys(QObject):
    """Shortcuts of a widget's window.

    Space stays a button's own key while a button has the focus. Tab goes on moving the focus, but
    on a *stage* (the picture, the timeline: see :meth:`add_stage`) it swaps two sources; Shift+Tab
    and Ctrl+Tab leave a stage.
    """

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._stages: list[QWidget] = []
        self._space: QShortcut | None = None
        self._tab: QShortcut | None = None
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)

    def add(self, key: str, act: Callable[[], object], repeats: bool = False) -> QShortcut:
        """A key that acts everywhere in the window."""
        shortcut = QShortcut(QKeySequence(key), self._owner)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.setAutoRepeat(repeats)
        shortcut.activated.connect(act)
        return shortcut

    def add_space(self, act: Callable[[], object]) -> None:
        """Space, unless a button has the focus."""
        self._space = self.add("Space", act)

    def add_tab(self, act: Callable[[], object]) -> None:
        """Tab, on a stage only."""
        self._tab = self.add("Tab", act)
        self._tab.setEnabled(False)

    def add_stage(self, widget: QWidget) -> None:
        """On this widget (and in it) Tab swaps sources."""
        self._stages.append(widget)
        widget.destroyed.connect(lambda *_: self._forget(widget))
        self._focus_changed(None, QApplication.focusWidget())

    def _forget(self, widget: QWidget) -> None:
        self._stages = [stage for stage in self._stages if stage is not widget]

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        if self._space is not None:
            self._space.setEnabled(not isinstance(now, QAbstractButton | QComboBox))
        if self._tab is not None:
            self._tab.setEnabled(
                now is not None
                and any(stage is now or stage.isAncestorOf(now) for stage in self._stages)
            )
