"""Number fields: what may be typed, what is said, what is committed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.request import MAX_SEED
from qt_app.models.settings import problem_with
from qt_app.widgets.number_edit import (
    CLOCK,
    NumberEdit,
    Reading,
    clock_text,
    decimal,
    parse_clock,
    parse_number,
    parse_whole,
    whole,
)


def edit(qtbot: QtBot, name: str, reading: Reading, optional: bool = False) -> NumberEdit:
    made = NumberEdit(reading, lambda value: problem_with(name, value), optional=optional)
    made.said, made.kept = [], []  # type: ignore[attr-defined]
    made.problem.connect(made.said.append)  # type: ignore[attr-defined]
    made.committed.connect(made.kept.append)  # type: ignore[attr-defined]
    qtbot.addWidget(made)
    made.show()
    made.setFocus()
    return made


def type_over(qtbot: QtBot, field: Any, text: str) -> None:
    field.lineEdit().selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Delete)
    qtbot.keyClicks(field, text)


def test_seeds_are_of_64_bits(qtbot: QtBot) -> None:
    field: Any = edit(qtbot, "seed", whole(0, MAX_SEED))
    field.show_value(3)
    type_over(qtbot, field, str(MAX_SEED))
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept == [MAX_SEED] and field.value == MAX_SEED
    qtbot.keyClick(field, Qt.Key.Key_Up)
    assert field.kept == [MAX_SEED]  # the end
    qtbot.keyClick(field, Qt.Key.Key_Down)
    assert field.kept[-1] == MAX_SEED - 1
    type_over(qtbot, field, str(MAX_SEED + 1))
    assert "from 0 to 2^64 - 1" in field.said[-1]
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept[-1] == MAX_SEED - 1 and field.lineEdit().text() == str(MAX_SEED + 1)
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.lineEdit().text() == str(MAX_SEED - 1) and field.said[-1] == ""


def test_what_is_wrong_is_said_while_it_is_typed(qtbot: QtBot) -> None:
    field: Any = edit(qtbot, "cfg", decimal(0.0, 100.0, 0.5, 2), optional=True)
    field.show_value(None, "own (4)", 4.0)
    assert field.lineEdit().placeholderText() == "own (4)"
    type_over(qtbot, field, "200")
    assert field.said[-1] == "CFG must be a number from 0 to 100, found 200."
    type_over(qtbot, field, "2,5")
    assert field.said[-1] == "" and field.kept == []
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept == [2.5]
    type_over(qtbot, field, "four")
    assert field.said[-1] == "Give a number, not 'four'."
    type_over(qtbot, field, "")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept == [2.5, None]
    qtbot.keyClick(field, Qt.Key.Key_Up)  # from the model's own on
    assert field.kept[-1] == 4.5


def test_several_values_stay_until_one_is_given(qtbot: QtBot) -> None:
    field: Any = edit(qtbot, "steps", whole(1, 1000), optional=True)
    field.show_several()
    assert field.lineEdit().placeholderText() == "several values" and field.is_several
    qtbot.keyClick(field, Qt.Key.Key_Return)
    field.clearFocus()
    assert field.kept == []
    field.setFocus()
    qtbot.keyClicks(field, "12")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept == [12] and not field.is_several


def test_the_same_value_is_no_change(qtbot: QtBot) -> None:
    field: Any = edit(qtbot, "start", CLOCK)
    field.show_value(1.23456)  # more than is shown
    type_over(qtbot, field, "0:00:01.235")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept == [] and field.value == 1.23456
    type_over(qtbot, field, "1:02")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.kept == [62.0] and field.lineEdit().text() == "0:01:02.000"


def test_the_wheel_needs_the_focus(qtbot: QtBot) -> None:
    field: Any = edit(qtbot, "steps", whole(1, 1000))
    field.show_value(5)

    def turn() -> bool:
        place = QPointF(5, 5)
        event = QWheelEvent(
            place,
            field.mapToGlobal(place),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(field, event)
        return event.isAccepted()

    field.clearFocus()
    assert not turn() and field.kept == []
    field.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus, timeout=5000)
    turn()
    assert field.kept == [6]


def test_typing_is_not_disturbed(qtbot: QtBot) -> None:
    field: Any = edit(qtbot, "steps", whole(1, 1000), optional=True)
    field.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus, timeout=5000)
    field.show_value(5)
    type_over(qtbot, field, "123")
    field.show_value(5)  # something else about the clip has changed
    assert field.lineEdit().text() == "123"
    field.show_value(6)  # the value itself has
    assert field.lineEdit().text() == "6"
    field.show_several()
    qtbot.keyClicks(field, "7")
    field.show_several()
    assert field.lineEdit().text() == "7"
    field.clearFocus()
    assert field.kept == [7]


@given(st.integers(0, 360_000_000))
def test_times_survive_their_text(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_clock(clock_text(seconds)) == pytest.approx(seconds, abs=1e-6)
    assert clock_text(parse_clock(clock_text(seconds))) == clock_text(seconds)


def test_times_are_read_as_people_write_them() -> None:
    assert parse_clock("90") == 90 and parse_clock("1:30") == 90
    assert parse_clock("1:02:03,5") == 3723.5 and parse_clock(" 0.25 ") == 0.25
    assert clock_text(59.9996) == "0:01:00.000"
    for text in ("", "a", "1:75", "-3", "1::2", "1:2:3:4", "1.5:00", "1e9", "²"):
        with pytest.raises(ValueError):
            parse_clock(text)


def test_numbers_are_read_as_people_write_them() -> None:
    assert parse_number("−12 dB", "dB") == -12.0 and parse_number("3,5") == 3.5
    assert parse_number("-23 lufs", "LUFS") == -23.0 and parse_number("30°", "°") == 30.0
    assert parse_whole("18 446 744 073 709 551 615") == MAX_SEED
    for text in ("", "inf", "nan", "1 2", "dB"):
        with pytest.raises(ValueError):
            parse_number(text)
    for text in ("", "1.5", "0x10", "٣", "9" * 50):
        with pytest.raises(ValueError):
            parse_whole(text)
