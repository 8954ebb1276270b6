"""The library: clips dropped in, chosen, put in order, and helped where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QPoint, Qt, pyqtSignal
from PyQt6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
)
from PyQt6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import PROJECTIONS, STEREO_LAYOUTS
from qt_app.icons import icon
from qt_app.models.clip import MISSING, NOT_360, UNREADABLE, Clip
from qt_app.models.clip_files import VIDEO_SUFFIXES
from qt_app.models.library import Library
from qt_app.models.library_rows import PROJECTION_NAMES, STEREO_NAMES, local_paths
from qt_app.models.settings import sentence
from qt_app.widgets.clip_view import ClipView
from qt_app.widgets.form import ToneLabel, tool_button
from qt_app.widgets.library_parts import Invitation, TroubleBar
from qt_app.widgets.reveal import reveal

VIDEOS = f"Videos ({' '.join(f'*{suffix} *{suffix.upper()}' for suffix in VIDEO_SUFFIXES)})"
ALL_FILES = "All files (*)"


class LibraryPanel(QWidget):
    """The clips, with all that can be done to them as files.

    Parameters
    ----------
    library
        Shown and called.
    """

    generate_wanted = pyqtSignal(list)  # ids

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self.setAccessibleName("Library")
        self.setAcceptDrops(True)
        self.title = QLabel("Clips")
        font = self.title.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.title.setFont(font)
        self.count = ToneLabel("secondary")
        self.count.setWordWrap(False)
        self.add_button = tool_button("add", "Add clips (Ctrl+O)")
        self.add_button.setShortcut(QKeySequence(QKeySequence.StandardKey.Open))
        self.folder_button = tool_button("folder", "Add a folder of clips")
        self.remove_button = tool_button("remove", "Remove the selected clips from the list (Del)")
        self.add_button.clicked.connect(self.ask_for_clips)
        self.folder_button.clicked.connect(self.ask_for_folder)
        self.remove_button.clicked.connect(self.remove_selected)
        self.view = ClipView(library)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._show_menu)
        self.view.removal_wanted.connect(self.remove_selected)
        self.invitation = Invitation()
        self.invitation.clips.clicked.connect(self.ask_for_clips)
        self.invitation.folder.clicked.connect(self.ask_for_folder)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.invitation)
        self.pages.addWidget(self.view)
        self.trouble = TroubleBar()
        self.trouble.button.clicked.connect(self._help_current)
        self._lay_out()
        for signal in (library.rowsInserted, library.rowsRemoved, library.modelReset):
            signal.connect(self._show_count)
        library.searching_changed.connect(self._show_count)
        library.selection_changed.connect(self._show_trouble)
        library.current_changed.connect(self._show_trouble)
        library.clip_changed.connect(self._clip_changed)
        self._searching = False
        library.searching_changed.connect(self._set_searching)
        self._show_count()
        self._show_trouble()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 8, 8, 4)
        head.setSpacing(6)
        head.addWidget(self.title)
        head.addWidget(self.count)
        head.addStretch(1)
        for button in (self.add_button, self.folder_button, self.remove_button):
            head.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.trouble)
        self.setMinimumWidth(220)

    # Showing ---------------------------------------------------------------------------------

    def _set_searching(self, searching: bool) -> None:
        self._searching = searching
        self._show_count()

    def _show_count(self) -> None:
        number = len(self._library.clips)
        self.pages.setCurrentWidget(self.view if number else self.invitation)
        self.count.setText("Looking for clips..." if self._searching else str(number or ""))
        self.remove_button.setEnabled(bool(self._library.selected))

    def _clip_changed(self, number: int) -> None:
        current = self._library.current
        if current is not None and current.id == number:
            self._show_trouble()

    def _show_trouble(self) -> None:
        self.remove_button.setEnabled(bool(self._library.selected))
        current = self._library.current
        self.trouble.show_clip(current)

    def close_threads(self) -> None:
        """Read no more pictures: the window is closing."""
        self.view.delegate.close()

    # Actions ---------------------------------------------------------------------------------

    def ask_for_clips(self) -> None:
        """Choose files to add."""
        names, _ = QFileDialog.getOpenFileNames(self, "Add clips", "", f"{VIDEOS};;{ALL_FILES}")
        self._library.add(names)

    def ask_for_folder(self) -> None:
        """Choose a folder to add."""
        name = QFileDialog.getExistingDirectory(self, "Add a folder of clips")
        if name:
            self._library.add([name])

    def remove_selected(self) -> None:
        """Take the selected clips out of the list; their files stay."""
        self._library.remove(self.view.ids())

    def ask_where(self, clip: Clip) -> None:
        """Choose where a moved clip is now."""
        start = str(clip.path.parent if clip.path.parent.is_dir() else "")
        name, _ = QFileDialog.getOpenFileName(
            self, f"Locate {clip.name}", start, f"{VIDEOS};;{ALL_FILES}"
        )
        if name:
            self._library.locate(clip.id, Path(name))

    def _help_current(self) -> None:
        clip = self._library.current
        if clip is None:
            return
        if clip.problem_kind == MISSING:
            self.ask_where(clip)
        elif clip.problem_kind == UNREADABLE:
            self._library.look_again([clip.id])
        elif clip.problem_kind == NOT_360:
            menu = QMenu(self)
            self._fill_projections(menu, self._ids_with(clip))
            corner = self.trouble.button.mapToGlobal(self.trouble.button.rect().bottomLeft())
            menu.exec(corner)

    def _ids_with(self, clip: Clip) -> list[int]:
        selected = self._library.selected
        return selected if clip.id in selected else [clip.id]

    def _declare(self, ids: Sequence[int], **values: str) -> None:
        try:
            self._library.change(ids, label="declared projection", **values)
        except OptionError as error:
            self._library.notice.emit(sentence(str(error)))

    def _fill_projections(self, menu: QMenu, ids: Sequence[int]) -> None:
        clips = [self._library.clip(number) for number in ids]
        for name, group, known, words in (
            ("projection", PROJECTIONS, {c.settings.projection for c in clips}, PROJECTION_NAMES),
            ("stereo", STEREO_LAYOUTS, {c.settings.stereo for c in clips}, STEREO_NAMES),
        ):
            menu.addSection("Projection" if name == "projection" else "Stereo layout")
            for value in group:
                action = menu.addAction(words[value][:1].upper() + words[value][1:])
                assert action is not None
                action.setCheckable(True)
                action.setChecked(known == {value})
                action.triggered.connect(
                    lambda _=False, field=name, to=value: self._declare(ids, **{field: to})
                )

    def menu_for(self, ids: Sequence[int]) -> QMenu:
        """What can be done with these clips."""
        menu = QMenu(self)
        clips = [self._library.clip(number) for number in ids]
        one = clips[0] if len(clips) == 1 else None

        def entry(
            text: str, action: Callable[[], object], name: str | None = None, on: bool = True
        ) -> None:
            made = menu.addAction(text)
            assert made is not None
            if name is not None:
                made.setIcon(icon(name))
            made.setEnabled(on)
            made.triggered.connect(lambda _=False: action())

        if clips:
            ready = any(clip.ready for clip in clips)
            entry(
                "Generate spatial audio",
                lambda: self.generate_wanted.emit(list(ids)),
                "generate",
                ready,
            )
            entry("Find shots", lambda: self._library.shots.find(ids), "search", ready)
            menu.addSeparator()
            if one is not None and one.missing:
                entry("Locate...", lambda: self.ask_where(one), "search")
            shape = menu.addMenu("Declare projection")
            assert shape is not None
            self._fill_projections(shape, ids)
            entry("Look at the file again", lambda: self._library.look_again(ids), "retry")
            if one is not None:
                entry("Show in folder", lambda: reveal(one.path, self), "folder", not one.missing)
            menu.addSeparator()
            entry("Remove from the list", partial(self._library.remove, ids), "remove")
            menu.addSeparator()
        entry("Add clips...", self.ask_for_clips, "add")
        entry("Add a folder...", self.ask_for_folder)
        return menu

    def _show_menu(self, point: QPoint) -> None:
        viewport = self.view.viewport()
        if viewport is not None:
            self.menu_for(self.view.ids()).exec(viewport.mapToGlobal(point))

    # Drops outside the rows ------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Files and folders of this machine are welcome anywhere on the panel."""
        mime = None if event is None else event.mimeData()
        if event is not None and mime is not None and local_paths(mime):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.invitation.set_dragging(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent | None) -> None:
        """They went on."""
        self.invitation.set_dragging(False)

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add them at the end."""
        self.invitation.set_dragging(False)
        mime = None if event is None else event.mimeData()
        if event is not None and mime is not None and (paths := local_paths(mime)):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._library.add(paths)
