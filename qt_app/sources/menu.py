"""What can be done with a source, a keyframe, a hint, and in a direction of the picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt6.QtGui import QAction, QColor, QIcon, QPixmap
from PyQt6.QtWidgets import QFileDialog, QInputDialog, QMenu, QWidget

from qt_app import theme
from qt_app.sources.model import HINT, Picked, SourcesModel
from qt_app.sources.source import MAX_COLOURS

COLOUR_NAMES = ("Blue", "Orange", "Green", "Pink")
SOUND_FILES = "Recordings (*.wav *.flac *.ogg *.mp3 *.m4a *.aac *.mp4 *.mov *.mkv)"

Edit = Callable[[Picked], None]


def direction_menu(
    parent: QWidget,
    model: SourcesModel,
    azimuth: float,
    elevation: float,
    ahead: Callable[[], None],
) -> QMenu:
    """The menu of a place of the picture where no mark is; degrees."""
    menu = QMenu(parent)
    _add(menu, "Add a source here\tDouble click", partial(model.add_source, azimuth, elevation))
    _add(menu, "Add a hint here", partial(model.add_hint, azimuth, elevation))
    picked = model.picked
    if picked is not None:
        name = mark_name(model, picked)
        _add(
            menu,
            f"Put {name} here\tCtrl+click",
            partial(model.place, picked, azimuth, elevation),
        )
    menu.addSeparator()
    _add(menu, "Look ahead\tHome", ahead)
    return menu


def mark_menu(parent: QWidget, model: SourcesModel, picked: Picked, edit: Edit) -> QMenu:
    """The menu of a source, one of its keyframes, or a hint.

    Parameters
    ----------
    edit
        Opens the form for a keyframe or hint.
    """
    menu = QMenu(parent)
    if picked.kind == HINT:
        _add(menu, "Direction and strength…", partial(edit, picked))
        _add(menu, "Remove the hint\tDel", partial(model.remove_hint, picked.index))
        return menu
    index, source = picked.index, model.sources[picked.index]
    here = model.point_here(index) if picked.point is None else picked.point
    if here is not None:
        point = Picked(picked.kind, index, here)
        _add(menu, "Direction and gain…", partial(edit, point))
        _add(menu, "Remove this keyframe\tDel", partial(model.remove_point, index, here))
    add = partial(model.add_point, index, model.timeline.playhead)
    _add(menu, "Add a keyframe at the playhead", add)
    menu.addSeparator()
    _add(menu, "Rename…", partial(_rename, parent, model, index))
    colours = menu.addMenu("Colour")
    assert colours is not None
    for colour in range(MAX_COLOURS):
        action = _add(colours, COLOUR_NAMES[colour], partial(model.set_colour, index, colour))
        action.setIcon(_chip(theme.series(colour)))
        action.setCheckable(True)
        action.setChecked(colour == source.colour)
    _add(menu, "Give it a recording of its own…", partial(_choose_stem, parent, model, index))
    clear = _add(menu, "Let it share the clip's sound", partial(model.set_stem, index, None))
    clear.setEnabled(source.file is not None)
    menu.addSeparator()
    _add(menu, "Remove the source", partial(model.remove_source, index))
    _add(menu, "Remove all sources and hints", model.remove_all)
    return menu


def mark_name(model: SourcesModel, picked: Picked) -> str:
    """What a mark is called."""
    if picked.kind == HINT:
        return f"Hint {picked.index + 1}"
    return model.sources[picked.index].name


def _add(menu: QMenu, text: str, act: Callable[[], object]) -> QAction:
    action = QAction(text, menu)
    action.triggered.connect(lambda _checked=False: act())
    menu.addAction(action)
    return action


def _rename(parent: QWidget, model: SourcesModel, index: int) -> None:
    name, wanted = QInputDialog.getText(
        parent, "Rename the source", "Name", text=model.sources[index].name
    )
    if wanted:
        model.rename(index, name)


def _choose_stem(parent: QWidget, model: SourcesModel, index: int) -> None:
    old = model.sources[index].file
    chosen, _ = QFileDialog.getOpenFileName(
        parent,
        "A recording of this source alone; it begins at the playhead",
        "" if old is None else str(old),
        f"{SOUND_FILES};;All files (*)",
    )
    if chosen:
        model.set_stem(index, Path(chosen))


def _chip(colour: QColor) -> QIcon:
    picture = QPixmap(12, 12)
    picture.fill(colour)
    return QIcon(picture)
