"""The library in a real window, with files looked at by the real analyst."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PyQt6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PyQt6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from qt_app.models.analysis import Analysis
from qt_app.models.clip import NOT_360
from qt_app.models.library import Library
from qt_app.widgets.library_panel import LibraryPanel
from tests.qt.library.support import make_flat_clip

WAIT = 60_000  # the analyst's process starts on a busy machine


@pytest.fixture
def analysis(qtbot: QtBot) -> Iterator[Analysis]:
    made = Analysis()
    yield made
    made.close()


@pytest.fixture
def panel(
    qtbot: QtBot, analysis: Analysis, open_library: Callable[..., Library]
) -> Iterator[LibraryPanel]:
    made = LibraryPanel(open_library(analysis=analysis))
    qtbot.addWidget(made)
    made.resize(320, 480)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close_threads()


def drop(target: QWidget, place: QPoint, paths: Sequence[Path]) -> bool:
    """Drop files as a file manager does: enter, move, drop. Returns whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    enter = QDragEnterEvent(place, actions, data, buttons, keys)
    QApplication.sendEvent(target, enter)
    move = QDragMoveEvent(place, actions, data, buttons, keys)
    QApplication.sendEvent(target, move)
    event = QDropEvent(QPointF(place), actions, data, buttons, keys, QEvent.Type.Drop)
    QApplication.sendEvent(target, event)
    return enter.isAccepted() and event.isAccepted()


def rows(panel: LibraryPanel) -> list[str]:
    model = panel.view.model()
    assert model is not None
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_a_folder_dropped_on_the_empty_window_becomes_clips_with_pictures(
    qtbot: QtBot, panel: LibraryPanel, analysis: Analysis, clips: list[Path]
) -> None:
    library = panel._library
    assert panel.pages.currentWidget() is panel.invitation
    assert drop(panel, QPoint(100, 200), [clips[0].parent])
    qtbot.waitUntil(lambda: len(library.clips) == 3, timeout=WAIT)
    assert rows(panel) == ["beach2.mp4", "beach10.mp4", "city.mp4"]
    assert panel.pages.currentWidget() is panel.view and panel.count.text() == "3"
    assert library.selected == [library.clips[0].id]  # the first one is chosen
    qtbot.waitUntil(lambda: all(clip.thumbnail for clip in library.clips), timeout=WAIT)
    for clip in library.clips:
        assert clip.ready and clip.thumbnail is not None and clip.thumbnail.exists()
    qtbot.waitUntil(lambda: len(panel.view.delegate._thumbnails) == 3, timeout=WAIT)
    shown = panel.view.grab().toImage()
    spot = panel.view.visualRect(library.index(0)).center()
    colours = {
        shown.pixelColor(x, spot.y()).name() for x in range(int(110 * shown.devicePixelRatio()))
    }
    assert len(colours) > 5  # a picture, not a plain box


def test_files_dropped_between_rows_go_there(
    qtbot: QtBot, panel: LibraryPanel, clips: list[Path], small_clip: Path, tmp_path: Path
) -> None:
    library = panel._library
    library.add(clips)
    qtbot.waitUntil(lambda: len(library.clips) == 3, timeout=WAIT)
    new = Path(shutil.copy(small_clip, tmp_path / "between.mp4"))
    viewport = panel.view.viewport()
    assert viewport is not None
    below = panel.view.visualRect(library.index(1)).topLeft() + QPoint(40, 1)
    assert drop(viewport, below, [new])
    qtbot.waitUntil(lambda: len(library.clips) == 4, timeout=WAIT)
    assert rows(panel) == ["beach2.mp4", "between.mp4", "beach10.mp4", "city.mp4"]


def test_links_of_the_web_are_not_taken(qtbot: QtBot, panel: LibraryPanel) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/a.mp4")])
    event = QDragEnterEvent(
        QPoint(50, 50),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event.ignore()
    QApplication.sendEvent(panel, event)
    assert not event.isAccepted()


def test_keys_choose_and_remove(qtbot: QtBot, panel: LibraryPanel, clips: list[Path]) -> None:
    library = panel._library
    library.add(clips)
    qtbot.waitUntil(lambda: len(library.clips) == 3, timeout=WAIT)
    ids = [clip.id for clip in library.clips]
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Down)
    assert library.current is library.clips[1] and library.selected == ids[1:2]
    qtbot.keyClick(panel.view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert library.selected == ids[1:] and library.current is library.clips[2]
    qtbot.keyClick(panel.view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert library.selected == ids
    qtbot.keyClick(panel.view, Qt.Key.Key_Home)
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    assert rows(panel) == ["beach10.mp4", "city.mp4"]
    assert library.current is not None and library.current.id == ids[1]
    assert library.selected == ids[1:2]
    library.undo_stack.undo()
    assert rows(panel) == ["beach2.mp4", "beach10.mp4", "city.mp4"]
    qtbot.keyClick(panel.view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(panel.remove_button, Qt.MouseButton.LeftButton)
    assert panel.pages.currentWidget() is panel.invitation
    assert library.current is None and library.selected == []


def test_the_library_chooses_in_the_view(
    qtbot: QtBot, panel: LibraryPanel, clips: list[Path]
) -> None:
    library = panel._library
    library.add(clips)
    qtbot.waitUntil(lambda: len(library.clips) == 3, timeout=WAIT)
    last = library.clips[2].id
    library.set_current(last)
    assert panel.view.currentIndex().row() == 2 and library.selected == [last]
    library.move([last], 0)
    assert panel.view.currentIndex().row() == 0 and panel.view.ids() == [last]


def test_a_flat_clip_is_declared_from_the_bar(
    qtbot: QtBot, panel: LibraryPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = panel._library
    library.add([make_flat_clip(tmp_path / "flat.mp4")])
    qtbot.waitUntil(lambda: bool(library.clips and library.clips[0].problem), timeout=WAIT)
    clip = library.clips[0]
    assert clip.problem_kind == NOT_360
    assert panel.trouble.isVisible() and "declare its projection" in panel.trouble.text.text()
    offered: list[str] = []

    def choose(menu: QMenu, *_: object) -> None:
        offered.extend(action.text() for action in menu.actions())
        next(a for a in menu.actions() if a.text() == "Equirectangular").trigger()

    monkeypatch.setattr(QMenu, "exec", choose)
    qtbot.mouseClick(panel.trouble.button, Qt.MouseButton.LeftButton)
    assert {"Cube map", "EAC", "Dual fisheye", "Top and bottom"} <= set(offered)
    assert "Flat" in offered
    qtbot.waitUntil(lambda: clip.ready, timeout=WAIT)
    assert clip.settings.projection == "equirectangular"
    assert not panel.trouble.isVisible()


def test_a_moved_clip_is_located_from_the_bar(
    qtbot: QtBot,
    panel: LibraryPanel,
    clips: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = panel._library
    library.add(clips[:1])
    qtbot.waitUntil(lambda: bool(library.clips and library.clips[0].ready), timeout=WAIT)
    now = tmp_path / "archive" / "beach2.mp4"
    now.parent.mkdir()
    shutil.move(clips[0], now)
    library.check_files()
    qtbot.waitUntil(panel.trouble.isVisible, timeout=WAIT)
    assert "no longer in" in panel.trouble.text.text()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(now), ""))
    qtbot.mouseClick(panel.trouble.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: library.clips[0].ready, timeout=WAIT)
    assert library.clips[0].path == now and not panel.trouble.isVisible()


def test_the_menu_offers_what_can_be_done(
    qtbot: QtBot, panel: LibraryPanel, clips: list[Path]
) -> None:
    library = panel._library
    library.add(clips)
    qtbot.waitUntil(
        lambda: len(library.clips) == 3 and all(c.ready for c in library.clips), timeout=WAIT
    )
    ids = [clip.id for clip in library.clips]

    def texts(wanted: list[int]) -> list[str]:
        return [a.text() for a in panel.menu_for(wanted).actions() if a.text()]

    assert texts([]) == ["Add clips...", "Add a folder..."]
    assert "Show in folder" in texts(ids[:1]) and "Show in folder" not in texts(ids)
    assert "Locate..." not in texts(ids[:1])
    wanted: list[list[int]] = []
    panel.generate_wanted.connect(wanted.append)
    menu = panel.menu_for(ids[1:])
    next(a for a in menu.actions() if a.text() == "Generate spatial audio").trigger()
    assert wanted == [ids[1:]]
    next(a for a in menu.actions() if a.text() == "Remove from the list").trigger()
    assert rows(panel) == ["beach2.mp4"]


def test_every_control_has_a_name(qtbot: QtBot, panel: LibraryPanel) -> None:
    for button in (panel.add_button, panel.folder_button, panel.remove_button):
        assert button.accessibleName() and button.toolTip()
    assert panel.view.accessibleName() == "Clips"
