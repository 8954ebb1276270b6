"""The queue's panel: order by drag, progress, and everything that can be asked of a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    Qt,
    QTimer,
    pyqtSignal,
)
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QProgressBar,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from omniaudio_studio.jobs.queue import JobState
from omniaudio_studio.jobs.queued_request import result_wavs
from qt_app.icons import icon
from qt_app.models.queue import LEFT, NAME, PROGRESS, STATE, QueueModel, Role
from qt_app.models.queue_texts import total_text
from qt_app.widgets.progress_delegate import ProgressDelegate, RowDelegate
from qt_app.widgets.reveal import reveal

BAR_STEPS = 1000
REFRESH_MILLISECONDS = 30


class QueuePanel(QWidget):
    """Shows a :class:`QueueModel` and asks it for things.

    Attributes
    ----------
    open_take
        Path of a finished job's first take, as text: double click, or Enter.
    """

    open_take = pyqtSignal(str)

    def __init__(self, model: QueueModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.setAccessibleName("Queue")
        self.view = self._make_view()
        self.bar = QProgressBar()
        self.bar.setRange(0, BAR_STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the whole queue")
        self.total = QLabel()
        self.total.setAccessibleName("What is left of the queue")
        self.problem = QLabel()
        self.problem.setAccessibleName("Problem of the queue")
        self.problem.setWordWrap(True)
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._make_actions()

        above = QHBoxLayout()
        above.addWidget(self._button(self.pause_action))
        above.addWidget(self.bar, 1)
        above.addWidget(self.total)
        below = QHBoxLayout()
        for action in self._job_actions:
            below.addWidget(self._button(action))
        below.addStretch(1)
        below.addWidget(self._button(self.clear_action))
        layout = QVBoxLayout(self)
        layout.addLayout(above)
        layout.addWidget(self.problem)
        layout.addWidget(self.view, 1)
        layout.addLayout(below)

        self._followed: int | None = None  # the job that was last seen to begin
        # Many changes in a row are one to the eye.
        self._stale = QTimer(self)
        self._stale.setSingleShot(True)
        self._stale.setInterval(REFRESH_MILLISECONDS)
        self._stale.timeout.connect(self._refresh)
        model.totals_changed.connect(lambda *_: self._refresh_soon())
        model.paused_changed.connect(lambda _: self._refresh_soon())
        model.problem_changed.connect(self._show_problem)
        model.dataChanged.connect(lambda *_: self._refresh_soon())
        model.rowsInserted.connect(lambda *_: self._refresh_soon())
        model.rowsRemoved.connect(lambda *_: self._refresh_soon())
        model.layoutChanged.connect(lambda *_: self._refresh_soon())
        self._selection.selectionChanged.connect(lambda *_: self._show_possible())
        self._show_problem(model.problem)
        self._refresh()

    def chosen(self) -> list[int]:
        """Ids of the chosen jobs, by order."""
        rows = sorted(index.row() for index in self._selection.selectedRows())
        return [self.model.index(row, NAME).data(Role.ID) for row in rows]

    def choose(self, ids: list[int]) -> None:
        """Choose jobs by their ids."""
        selection = QItemSelection()
        for job in ids:
            row = self.model.row_of(job)
            if row is not None:
                selection.select(self.model.index(row, NAME), self.model.index(row, LEFT))
        self._selection.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    # -- making -----------------------------------------------------------------------------------

    def _make_view(self) -> QTreeView:
        view = QTreeView()
        view.setModel(self.model)
        view.setAccessibleName("Jobs")
        view.setAccessibleDescription("Drag rows, or press Alt and an arrow, to change the order")
        view.setRootIsDecorated(False)
        view.setUniformRowHeights(True)
        view.setAllColumnsShowFocus(True)
        view.setAlternatingRowColors(True)
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        view.setDragDropOverwriteMode(False)
        view.setDropIndicatorShown(True)
        view.setItemDelegate(RowDelegate(view))
        view.setItemDelegateForColumn(PROGRESS, ProgressDelegate(view))
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._show_menu)
        view.doubleClicked.connect(self._open)
        header = view.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(STATE, QHeaderView.ResizeMode.Stretch)
        unit = view.fontMetrics().averageCharWidth()
        for column, characters in ((NAME, 30), (PROGRESS, 20), (LEFT, 12)):
            header.resizeSection(column, characters * unit)
        selection = view.selectionModel()
        assert selection is not None
        self._selection = selection
        return view

    def _make_actions(self) -> None:
        model = self.model

        def made(
            text: str, name: str, keys: str | list[str], tip: str, do: Callable[[], object]
        ) -> QAction:
            action = QAction(icon(name), text, self)
            shortcuts = [keys] if isinstance(keys, str) else keys
            action.setShortcuts([QKeySequence(key) for key in shortcuts])
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.setToolTip(f"{tip} ({shortcuts[0]})" if shortcuts[0] else tip)
            action.triggered.connect(lambda _: do())
            self.addAction(action)
            return action

        self.pause_action = made(
            "Pause",
            "pause",
            "Ctrl+P",
            "Begin no further clip; the one that is being worked on is finished",
            lambda: model.pause(not self._stopped()),
        )
        self.hold_action = made(
            "Hold", "hold", "H", "Skip these until they are released", self._hold_or_release
        )
        self.cancel_action = made(
            "Cancel", "cancel", "Ctrl+Backspace", "Stop these", lambda: model.cancel(self.chosen())
        )
        self.retry_action = made(
            "Retry", "retry", "Ctrl+R", "Try these again", lambda: model.retry(self.chosen())
        )
        self.up_action = made(
            "Move up", "up", "Alt+Up", "Earlier", lambda: model.move_by(self.chosen(), -1)
        )
        self.down_action = made(
            "Move down", "down", "Alt+Down", "Later", lambda: model.move_by(self.chosen(), 1)
        )
        self.remove_action = made(
            "Remove",
            "remove",
            "Del",
            "Take these out of the queue; files stay",
            lambda: model.remove(self.chosen()),
        )
        self.clear_action = made(
            "Clear finished",
            "check",
            "Ctrl+Del",
            "Take out all that is done, failed or cancelled; files stay",
            model.clear_finished,
        )
        self.open_action = made(
            "Open take", "play", ["Return", "Enter"], "Listen to it", self._open_chosen
        )
        self.reveal_action = made(
            "Show in folder", "folder", "", "Show what was made in its folder", self._reveal
        )
        self._job_actions = [
            self.hold_action,
            self.cancel_action,
            self.retry_action,
            self.up_action,
            self.down_action,
            self.remove_action,
        ]

    def _button(self, action: QAction) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(action)
        button.setAccessibleName(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        # A toggled action changes its words.
        action.changed.connect(lambda: button.setAccessibleName(action.text()))
        return button

    # -- asking -----------------------------------------------------------------------------------

    def _hold_or_release(self) -> None:
        chosen = self.chosen()
        if self.model.can(chosen).hold:
            self.model.hold(chosen)
        else:
            self.model.release(chosen)

    def _open_chosen(self) -> None:
        self._open(self._selection.currentIndex())

    def _open(self, index: QModelIndex) -> None:
        job = index.data(Role.JOB)
        if job is not None and job.state is JobState.DONE and job.result is not None:
            self.open_take.emit(str(result_wavs(job.result)[0]))

    def _reveal(self) -> None:
        if (result := self._result()) is not None:
            files = list(result.get("files", {}).values())
            reveal(Path(files[0]) if files else result_wavs(result)[0], self)

    def _result(self) -> dict[str, Any] | None:
        """What came of the first of the chosen jobs."""
        job = next(map(self.model.job, self.chosen()), None)
        return None if job is None else job.result

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction(self.open_action)
        menu.addAction(self.reveal_action)
        menu.addSeparator()
        menu.addActions(self._job_actions)
        menu.addSeparator()
        menu.addAction(self.clear_action)
        viewport = self.view.viewport()
        assert viewport is not None
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(viewport.mapToGlobal(at))

    # -- showing ----------------------------------------------------------------------------------

    def _refresh_soon(self) -> None:
        if not self._stale.isActive():
            self._stale.start()

    def _refresh(self) -> None:
        self._show_possible()
        self._show_totals()
        self._follow()

    def _follow(self) -> None:
        """Bring a job that has begun into sight, unless someone is busy with the list."""
        begun = next((job.id for job in self.model.jobs() if job.state is JobState.RUNNING), None)
        if begun == self._followed:
            return
        self._followed = begun
        row = None if begun is None else self.model.row_of(begun)
        if row is not None and not self.view.hasFocus():
            self.view.scrollTo(self.model.index(row, NAME))

    def _show_possible(self) -> None:
        chosen = self.chosen()
        can = self.model.can(chosen)
        self.hold_action.setEnabled(can.hold or can.release)
        self.hold_action.setText("Release" if can.release and not can.hold else "Hold")
        self.cancel_action.setEnabled(can.cancel)
        self.retry_action.setEnabled(can.retry)
        self.up_action.setEnabled(bool(chosen))
        self.down_action.setEnabled(bool(chosen))
        self.remove_action.setEnabled(can.remove)
        finished = self.model.count(JobState.DONE, JobState.FAILED, JobState.CANCELLED)
        self.clear_action.setEnabled(finished > 0)
        current = self._selection.currentIndex()
        self.open_action.setEnabled(current.data(Role.STATE) is JobState.DONE)
        self.reveal_action.setEnabled(self._result() is not None)

    def _show_totals(self) -> None:
        fraction, eta = self.model.totals
        waiting = self.model.count(JobState.QUEUED, JobState.RUNNING)
        held = self.model.count(JobState.HELD)
        text = total_text(fraction, eta, waiting, self.model.paused, held)
        self.bar.setValue(round(BAR_STEPS * fraction) if waiting else 0)
        self.bar.setAccessibleDescription(text)
        self.total.setText(text)
        words = "Go on" if self._stopped() else "Pause"
        if words != self.pause_action.text():
            self.pause_action.setText(words)
            self.pause_action.setIcon(icon("play" if self._stopped() else "pause"))

    def _stopped(self) -> bool:
        return self.model.paused or self.model.problem is not None

    def _show_problem(self, problem: str | None) -> None:
        self.problem.setText(problem or "")
        self.problem.setVisible(bool(problem))
        self._show_totals()
