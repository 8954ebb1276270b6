"""The plain fields of the settings panel: numbers and choices, for one or many clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from qt_app.models.settings import ClipSettings, problem_with
from qt_app.widgets.form import CalmComboBox, Row
from qt_app.widgets.number_edit import SEVERAL_TEXT, NumberEdit, Reading

OWN_TEXT = "model's own"


class SettingField(QWidget):
    """One or more settings of the chosen clips.

    ``edited`` carries new values; the field shows them once they come back through :meth:`show`.

    Parameters
    ----------
    names
        The settings that it is about.
    """

    edited = pyqtSignal(dict)

    def __init__(self, *names: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names = names
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """Show what these clips have; at least one."""
        raise NotImplementedError

    def show_problem(self, name: str, text: str) -> None:
        """Say what is wrong with a setting of this field."""
        raise NotImplementedError

    def _edit(self, name: str, value: Any) -> None:
        self.edited.emit({name: value})


def common(settings: Sequence[ClipSettings], name: str) -> tuple[bool, Any]:
    """Whether all have the same value, and that value."""
    first = getattr(settings[0], name)
    same = all(getattr(item, name) == first for item in settings)
    return same, first if same else None


class NumberField(SettingField):
    """A number.

    Parameters
    ----------
    optional
        What an empty field says ("model's own"); None where there has to be a number.
    """

    def __init__(
        self,
        name: str,
        title: str,
        reading: Reading,
        *,
        optional: str | None = None,
        base: float = 0.0,
        tip: str = "",
        check: Callable[[Any], str | None] | None = None,
    ) -> None:
        super().__init__(name)
        self._empty = optional or ""
        self.edit = NumberEdit(
            reading,
            check or (lambda value: problem_with(name, value)),
            optional=optional is not None,
        )
        self.edit.base = base
        self.row = Row(title, self.edit, tip=tip)
        self._column.addWidget(self.row)
        self.edit.problem.connect(self.row.show_problem)
        self.edit.committed.connect(lambda value: self._edit(name, value))

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """One value, or "several values"."""
        same, value = common(settings, self.names[0])
        if same:
            self.edit.show_value(value, self._empty)
        else:
            self.edit.show_several()

    def set_empty_text(self, text: str, base: float | None = None) -> None:
        """What an empty field says, and where its arrows start."""
        self._empty = text
        if base is not None:
            self.edit.base = base

    def show_problem(self, name: str, text: str) -> None:
        """Below the number."""
        self.row.show_problem(text)


class ChoiceField(SettingField):
    """One of some values.

    Parameters
    ----------
    choices
        (value, words) pairs.
    """

    def __init__(
        self, name: str, title: str, choices: Sequence[tuple[Any, str]], *, tip: str = ""
    ) -> None:
        super().__init__(name)
        self.combo = CalmComboBox()
        self.combo.setPlaceholderText(SEVERAL_TEXT)
        self.row = Row(title, self.combo, tip=tip)
        self._column.addWidget(self.row)
        self.set_choices(choices)
        self.combo.activated.connect(self._activated)

    def set_choices(self, choices: Sequence[tuple[Any, str]]) -> None:
        """Other choices; the shown one stays where it is among them."""
        value = self.combo.currentData()
        self.combo.clear()
        for choice, words in choices:
            self.combo.addItem(words, choice)
        self.combo.setCurrentIndex(self._index(value))

    def _index(self, value: Any) -> int:
        # findData compares loosely: 48000 and 48000.0 would be one.
        for index in range(self.combo.count()):
            if self.combo.itemData(index) == value:
                return index
        return -1

    def _activated(self, index: int) -> None:
        self._edit(self.names[0], self.combo.itemData(index))

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """One value, or "several values". A value that is not offered is added."""
        same, value = common(settings, self.names[0])
        self.row.show_problem("")
        if not same:
            self.combo.setCurrentIndex(-1)
            return
        index = self._index(value)
        if index < 0:
            self.combo.addItem(str(value), value)
            index = self.combo.count() - 1
        self.combo.setCurrentIndex(index)

    def show_problem(self, name: str, text: str) -> None:
        """Below the choices."""
        self.row.show_problem(text)


def show_switch(box: QCheckBox, value: bool | None) -> None:
    """On, off, or partly where None."""
    box.setTristate(value is None)
    if value is None:
        box.setCheckState(Qt.CheckState.PartiallyChecked)
    else:
        box.setChecked(value)


def beside(*widgets: QWidget, stretch: int = 0) -> QWidget:
    """Widgets in a line; the one at ``stretch`` takes the room."""
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(4)
    for position, widget in enumerate(widgets):
        line.addWidget(widget, 1 if position == stretch else 0)
    return holder
