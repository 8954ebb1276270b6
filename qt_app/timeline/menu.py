"""What can be done with the range, the shots and the view, as a menu."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QWidget

from qt_app.timeline.model import TimelineModel

Span = Callable[[float, float], None]


def timeline_menu(
    parent: QWidget,
    model: TimelineModel,
    time: float,
    *,
    reroll: Span,
    limit: Span,
    edit: Callable[[int], None],
) -> QMenu:
    """The context menu at a time of the clip.

    Parameters
    ----------
    parent, model
        Whose menu.
    time
        Where it was asked for, seconds.
    reroll, limit
        Called with the range's start and end.
    edit
        Called with the index of a shot.
    """
    menu = QMenu(parent)
    span, index = model.range, model.shot_at(time)
    start, end = span or (0.0, 0.0)

    def add(text: str, act: Callable[[], object], enabled: bool = True, key: str = "") -> QAction:
        action = QAction(text + (f"\t{key}" if key else ""), menu)
        action.triggered.connect(lambda _checked=False: act())
        action.setEnabled(enabled)
        menu.addAction(action)
        return action

    add("Generate again from here to there", lambda: reroll(start, end), span is not None)
    add("Generate only this range", lambda: limit(start, end), span is not None)
    menu.addSeparator()
    add("Select this shot as the range", lambda: model.set_range(*model.shot_span(index)))
    add("Start the range at the playhead", model.mark_in, key="I")
    add("End the range at the playhead", model.mark_out, key="O")
    loop = add("Repeat the range", lambda: model.set_loop(not model.loop), key="L")
    loop.setCheckable(True)
    loop.setChecked(model.loop)
    add("Clear the range", model.clear_range, span is not None, "Esc")
    menu.addSeparator()
    add("CFG and seed of this shot…", lambda: edit(index), key="E")
    add("Cut here", lambda: model.add_cut(time))
    add("Cut at the playhead", model.add_cut, key="S")
    several = len(model.shots) > 1
    add("Remove this shot", lambda: model.remove_shot(index), several, "Del")
    add(
        "Merge with the next shot",
        lambda: model.merge_shot(index),
        index + 1 < len(model.shots),
        "M",
    )
    count = len(model.suggestions)
    add(
        "Cut where the picture does" if count != 1 else "Cut where the picture does (1 place)",
        model.use_suggestions,
        count > 0,
    )
    if count > 1:
        menu.actions()[-1].setText(f"Cut where the picture does ({count} places)")
    add("Remove all shots", model.clear_shots, several)
    menu.addSeparator()
    stack = model.undo_stack
    add(
        f"Undo: {stack.undoText()}" if stack.canUndo() else "Undo",
        stack.undo,
        stack.canUndo(),
        "Ctrl+Z",
    )
    add(
        f"Redo: {stack.redoText()}" if stack.canRedo() else "Redo",
        stack.redo,
        stack.canRedo(),
        "Ctrl+Y",
    )
    menu.addSeparator()
    add("Zoom to the range", model.zoom_to_range, span is not None, "Z")
    add("Show the whole clip", model.zoom_to_fit, key="F")
    return menu
