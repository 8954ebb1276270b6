"""The takes of the chosen clip: listen, star, keep, generate a part again, take settings over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QGuiApplication, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qt_app import icons
from qt_app.models.takes import Take, TakeRole, TakesModel
from qt_app.widgets.labels import heading, secondary
from qt_app.widgets.reveal import reveal
from qt_app.widgets.take_delegate import TakeDelegate


class TakesPanel(QWidget):
    """Shows a TakesModel and acts on the take that is current in it.

    Signals
    -------
    listen(object)
        A Take was double-clicked, or Enter pressed on it: play it.
    reroll_requested(object)
        A part of this Take is to be generated again; the range is the timeline's.
    grid_requested()
        Several takes are wanted: ask for seeds and CFG values.
    deliver_requested(object)
        More files of this Take are wanted: ask which.
    take_over(object)
        The directions of this Take are to become sources of the clip.
    use_settings(dict)
        Values for the clip's settings, from a take.
    notice(str)
        Something that was done, to be told in passing.
    """

    listen = pyqtSignal(object)
    reroll_requested = pyqtSignal(object)
    grid_requested = pyqtSignal()
    deliver_requested = pyqtSignal(object)
    take_over = pyqtSignal(object)
    use_settings = pyqtSignal(dict)
    notice = pyqtSignal(str)

    def __init__(self, model: TakesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._count = secondary()
        self._empty = QLabel()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setMargin(24)
        self.list = QListView()
        self.list.setModel(model)
        self.list.setAccessibleName("Takes")
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.delegate = TakeDelegate(self.list)
        self.list.setItemDelegate(self.delegate)
        self._make_actions()
        self._lay_out()
        self._connect()
        self._follow()

    def _make_actions(self) -> None:
        def action(
            name: str, icon: str, tip: str, run: Callable[[Take], None], key: str = ""
        ) -> QAction:
            made = QAction(icons.icon(icon), name, self)
            made.setToolTip(f"{tip} ({key})" if key else tip)
            if key:
                made.setShortcut(QKeySequence(key))
                made.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            made.triggered.connect(lambda: self._with_current(run))
            self.addAction(made)
            return made

        model = self.model
        self.listen_action = action(
            "Listen", "play", "Listen to this take from where the playhead is", self.listen.emit
        )
        self.star_action = action(
            "Star", "star", "Star this take", lambda take: model.star(take, not take.starred), "S"
        )
        self.keep_action = action(
            "Keep",
            "keep",
            'Keep this take: "Remove the others" leaves it',
            lambda take: model.keep(take, not take.kept),
            "K",
        )
        self.reroll_action = action(
            "Generate again from here to there",
            "retry",
            "Generate the range that is selected on the timeline again and keep the rest",
            self.reroll_requested.emit,
            "R",
        )
        self.settings_action = action(
            "Use its settings",
            "import",
            "Take this take's bundle, CFG, seed, range and shots over into the clip's settings",
            lambda take: self.use_settings.emit(take.settings()),
        )
        self.take_over_action = action(
            "Take over the found directions",
            "source",
            "Make sources of where this take's sounds were put, to be edited",
            self.take_over.emit,
        )
        self.deliver_action = action(
            "Deliver...",
            "export",
            "Make files for players, video sites and audio workstations of this take",
            self.deliver_requested.emit,
            "D",
        )
        self.copy_action = action(
            "Copy the command that makes it again",
            "copy",
            "Copy the command line that makes this take again",
            self._copy,
            "Ctrl+Shift+C",
        )
        self.reveal_action = action(
            "Show in folder",
            "folder",
            "Show the file in its folder",
            lambda take: reveal(take.wav, self),
        )
        self.remove_action = action(
            "Remove this take...",
            "remove",
            "Move this take to the trash",
            lambda take: self._ask_remove([take]),
            "Delete",
        )
        self.others_action = QAction(icons.icon("remove"), "Remove the others...", self)
        self.others_action.setToolTip(
            "Move every other take to the trash, but never a starred or kept one"
        )
        self.others_action.triggered.connect(self._remove_others)
        self.grid_action = QAction(icons.icon("grid"), "Several takes...", self)
        self.grid_action.setToolTip("Generate takes with several seeds and CFG values in one go")
        self.grid_action.triggered.connect(self.grid_requested)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(10, 6, 6, 2)
        head.addWidget(heading("Takes"))
        head.addWidget(self._count, 1)
        head.addWidget(self._button(self.grid_action, text=True))
        stack = QWidget()
        self._stack = QStackedLayout(stack)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        again = QPushButton(icons.icon("retry"), "Again from here to there")
        again.setToolTip(self.reroll_action.toolTip())
        again.setAccessibleName(self.reroll_action.text())
        again.clicked.connect(self.reroll_action.trigger)
        again.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._again = again
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 2, 6, 6)
        foot.setSpacing(2)
        foot.addWidget(again, 1)
        foot.addSpacing(4)
        for action in (
            self.star_action,
            self.keep_action,
            self.settings_action,
            self.take_over_action,
            self.deliver_action,
            self.copy_action,
            self.reveal_action,
        ):
            foot.addWidget(self._button(action))
        more = self._button(None)
        more.setIcon(icons.icon("more"))
        more.setToolTip("More for this take")
        more.setAccessibleName("More for this take")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._menu = self._make_menu(more)
        more.setMenu(self._menu)
        foot.addWidget(more)
        self._more = more
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(stack, 1)
        column.addLayout(foot)

    def _button(self, action: QAction | None, text: bool = False) -> QToolButton:
        button = QToolButton()
        button.setAutoRaise(True)
        button.setIconSize(QSize(18, 18))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if action is not None:
            button.setDefaultAction(action)
            button.setAccessibleName(action.text())
            if text:
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return button

    def _make_menu(self, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        menu.addAction(self.listen_action)
        menu.addAction(self.star_action)
        menu.addAction(self.keep_action)
        menu.addSeparator()
        menu.addAction(self.reroll_action)
        menu.addAction(self.settings_action)
        menu.addAction(self.take_over_action)
        menu.addSeparator()
        menu.addAction(self.deliver_action)
        menu.addAction(self.copy_action)
        menu.addAction(self.reveal_action)
        menu.addSeparator()
        menu.addAction(self.remove_action)
        menu.addAction(self.others_action)
        return menu

    def _connect(self) -> None:
        self.model.changed.connect(self._follow)
        self.model.modelReset.connect(self._follow)
        self.model.current_changed.connect(self._follow)
        self.delegate.star_clicked.connect(lambda take: self.model.star(take, not take.starred))
        self.delegate.keep_clicked.connect(lambda take: self.model.keep(take, not take.kept))
        self.list.activated.connect(self._activate)
        self.list.customContextMenuRequested.connect(self._popup)
        selection = self.list.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(self._choose)

    # What follows what

    def _choose(self, index: QModelIndex) -> None:
        take = index.data(TakeRole.TAKE)
        if isinstance(take, Take):
            self.model.set_current(take.wav)

    def _follow(self, *_: object) -> None:
        """Show what the model says."""
        takes, current = self.model.takes(), self.model.current
        selection = self.list.selectionModel()
        row = self.model.row(None if current is None else current.wav)
        if selection is not None and selection.currentIndex().row() != row:
            selection.setCurrentIndex(
                self.model.index(row), QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
            if row >= 0:
                self.list.scrollTo(self.model.index(row))
        number = len(takes)
        self._count.setText("" if number == 0 else f"{number}")
        self._count.setAccessibleName(f"{number} takes")
        self._empty.setText(
            "Choose a clip to see its takes"
            if self.model.clip is None
            else "No takes yet\n\nGenerate spatial audio, and what comes of it is listed here."
        )
        self._stack.setCurrentIndex(0 if takes else 1)
        self._enable(takes, current)

    def _enable(self, takes: Sequence[Take], current: Take | None) -> None:
        usable = current is not None and current.usable
        generated = usable and current is not None and not current.placed
        self.listen_action.setEnabled(usable)
        self.deliver_action.setEnabled(usable)
        self.reroll_action.setEnabled(generated)
        self._again.setEnabled(generated)
        self.take_over_action.setEnabled(current is not None and bool(current.sources))
        for action in (
            self.star_action,
            self.keep_action,
            self.settings_action,
            self.copy_action,
            self.reveal_action,
        ):
            action.setEnabled(current is not None)
        self._more.setEnabled(current is not None)
        starred = current is not None and current.starred
        kept = current is not None and current.kept
        self.star_action.setIcon(
            icons.icon("star-filled", "star") if starred else icons.icon("star")
        )
        self.star_action.setText("Take the star away" if starred else "Star")
        self.keep_action.setIcon(icons.icon("keep", "keep" if kept else None))
        self.keep_action.setText("Keep no longer" if kept else "Keep")
        self.remove_action.setEnabled(current is not None and not current.protected)
        self.others_action.setEnabled(bool(self._others()))
        self.grid_action.setEnabled(self.model.clip is not None)

    def _with_current(self, run: Callable[[Take], None]) -> None:
        if (take := self.model.current) is not None:
            run(take)

    def _activate(self, index: QModelIndex) -> None:
        take = index.data(TakeRole.TAKE)
        if isinstance(take, Take) and take.usable:
            self.model.set_current(take.wav)
            self.listen.emit(take)

    def _popup(self, spot: QPoint) -> None:
        viewport = self.list.viewport()
        if self.list.indexAt(spot).isValid() and viewport is not None:
            self._menu.popup(viewport.mapToGlobal(spot))

    def _copy(self, take: Take) -> None:
        if (board := QGuiApplication.clipboard()) is not None:
            board.setText(take.command())
            self.notice.emit(f"The command that makes {take.title} again is in the clipboard")

    # Removing, asked first

    def _others(self) -> list[Take]:
        current = self.model.current
        return [
            take
            for take in self.model.removable()
            if current is None or take.sidecar != current.sidecar
        ]

    def _remove_others(self) -> None:
        self._ask_remove(self._others())

    def _ask_remove(self, takes: Sequence[Take]) -> None:
        takes = [take for take in takes if not take.protected]
        if not takes:
            return
        one = len(takes) == 1
        ask = QMessageBox(self)
        ask.setWindowModality(Qt.WindowModality.WindowModal)
        ask.setIcon(QMessageBox.Icon.Question)
        ask.setWindowTitle("Remove takes")
        ask.setText(
            f"Move {takes[0].title} to the trash?"
            if one
            else f"Move {len(takes)} takes to the trash?"
        )
        ask.setInformativeText(
            "Its sound and the files beside it go there; they can be brought back from it."
            if one
            else "Starred and kept takes and the selected one stay. What goes can be brought back "
            "from the trash."
        )
        move = ask.addButton("Move to trash", QMessageBox.ButtonRole.DestructiveRole)
        ask.addButton(QMessageBox.StandardButton.Cancel)
        ask.setDefaultButton(QMessageBox.StandardButton.Cancel)
        ask.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def answered() -> None:
            if ask.clickedButton() is move:
                self.model.remove(takes)

        ask.finished.connect(answered)
        ask.open()
