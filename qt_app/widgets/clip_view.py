"""The list of clips: selection both ways, order by drag, keys."""

from __future__ import annotations

from PyQt6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    Qt,
    QTimer,
    pyqtSignal,
)
from PyQt6.QtGui import QKeyEvent, QKeySequence
from PyQt6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from qt_app.models.clip import Clip
from qt_app.models.library import Library
from qt_app.models.library_rows import CLIP_ROLE, ID_ROLE
from qt_app.widgets.clip_delegate import ClipDelegate


class ClipView(QListView):
    """Shows a library; what is selected in it is selected in the library, and back."""

    removal_wanted = pyqtSignal()

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._following = False
        self._seen: dict[int, None] = {}
        self.setAccessibleName("Clips")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDropIndicatorShown(True)
        self.setModel(library)
        self.delegate = ClipDelegate(self)
        self.setItemDelegate(self.delegate)
        self._tell = QTimer(self)
        self._tell.setSingleShot(True)
        self._tell.timeout.connect(self._tell_seen)
        self.delegate.painted.connect(self._was_painted)
        library.current_changed.connect(self._follow_current)
        library.rowsRemoved.connect(self._after_removal)
        model = self.selectionModel()
        assert model is not None
        model.selectionChanged.connect(self._selected)
        model.currentChanged.connect(self._moved)
        self._follow_current(library.current)

    def ids(self) -> list[int]:
        """Ids of the selected clips, in the list's order."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        return [self._library.clips[row].id for row in rows]

    def _was_painted(self, number: int) -> None:
        # Painting asks nobody anything: it is told afterwards.
        self._seen[number] = None
        if not self._tell.isActive():
            self._tell.start(0)

    def _tell_seen(self) -> None:
        seen, self._seen = self._seen, {}
        for number in reversed(seen):  # the one asked last comes first: the topmost
            self._library.seen(number)

    def _selected(self, chosen: QItemSelection, left: QItemSelection) -> None:
        if not self._following:
            self._library.set_selected(self.ids())

    def _moved(self, now: QModelIndex, before: QModelIndex) -> None:
        if not self._following and now.isValid():
            self._library.set_current(now.data(ID_ROLE))

    def _follow_current(self, clip: Clip | None) -> None:
        index = QModelIndex() if clip is None else self._library.index_of(clip.id)
        if index == self.currentIndex() and (clip is None or self.selectedIndexes()):
            self._library.set_selected(self.ids())  # Qt may have gone ahead
            return
        model = self.selectionModel()
        assert model is not None
        self._following = True
        flag = QItemSelectionModel.SelectionFlag
        how = flag.NoUpdate if model.isSelected(index) else flag.ClearAndSelect
        model.setCurrentIndex(index, how)
        self._following = False
        self._library.set_selected(self.ids())
        if index.isValid():
            self.scrollTo(index)

    def _after_removal(self) -> None:
        """Qt goes on to a neighbour, but leaves it unselected."""
        index, model = self.currentIndex(), self.selectionModel()
        if model is not None and index.isValid() and not model.hasSelection():
            model.select(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Delete removes what is selected."""
        if event is not None and event.matches(QKeySequence.StandardKey.Delete):
            self.removal_wanted.emit()
            return
        super().keyPressEvent(event)

    def clip_at(self, index: QModelIndex) -> Clip | None:
        """The clip of a row."""
        clip = index.data(CLIP_ROLE)
        return clip if isinstance(clip, Clip) else None
