"""Messages in the window, and About this device."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from omniaudio_studio import errors as core
from qt_app.widgets import errors
from qt_app.widgets.about_device import AboutDevice
from qt_app.widgets.errors import NoticeBar, advise
from qt_app.widgets.labels import Badge

DEVICE = {
    "providers": [
        {"name": "CUDAExecutionProvider", "available": True, "taken": False, "why": "no driver"},
        {"name": "CPUExecutionProvider", "available": True, "taken": True, "why": "always there"},
        {"name": "DmlExecutionProvider", "available": False, "taken": False, "why": None},
    ],
    "chosen": "CPUExecutionProvider",
    "reason": "no GPU can be used",
    "versions": {"python": "3.11", "torch": None},
}
BUNDLES = [
    {
        "name": "big",
        "title": "Big model",
        "path": "/models/big",
        "demonstration": True,
        "licence": {"id": "CC-BY-NC-4.0", "name": "CC BY-NC 4.0", "commercial": False},
        "problem": "dit.onnx is missing",
    }
]


@pytest.fixture
def bar(qtbot: QtBot) -> NoticeBar:
    window = QWidget()
    window.setLayout(QVBoxLayout())
    made = NoticeBar()
    field = QLineEdit()
    layout = window.layout()
    assert layout is not None
    layout.addWidget(made)
    layout.addWidget(field)
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    with qtbot.waitActive(window):
        window.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus, timeout=3000)
    made.window_ = window  # type: ignore[attr-defined]  # keeps it alive
    return made


def test_nothing_to_say_takes_no_room(bar: NoticeBar) -> None:
    assert not bar.isVisible() and bar.count == 0 and bar.text == ""


def test_a_message_leaves_the_focus_where_it_is(bar: NoticeBar) -> None:
    field = bar.window().findChild(QLineEdit)  # type: ignore[union-attr]
    assert field is not None and field.hasFocus()
    bar.report("cannot write /x: the disk is full; free some space", "OutputError", "Traceback")
    assert bar.isVisible() and field.hasFocus()
    assert bar.text == "The disk is full"
    assert "/x" in bar._text.text() and "Retry" in bar._text.text()


def test_details_are_folded_until_asked_for(qtbot: QtBot, bar: NoticeBar) -> None:
    bar.fault("ValueError: boo", "Traceback\n  line 3")
    assert not bar._details.isVisible() and "boo" not in bar._text.text()
    bar._unfold.setFocus()
    QTest.keyClick(bar._unfold, Qt.Key.Key_Space)
    assert bar._details.isVisible() and "line 3" in bar._details.toPlainText()
    bar.post("Another", "warning")
    assert not bar._details.isVisible() and not bar._unfold.isVisible()


def test_messages_stack_and_are_counted(qtbot: QtBot, bar: NoticeBar) -> None:
    for text in ("One", "Two", "Three"):
        bar.post(text, "error")
    assert bar.count == 3 and bar.text == "Three" and bar._place.text() == "1 of 3"
    bar._next.click()
    assert bar.text == "Two" and bar._place.text() == "2 of 3"
    bar.post("One", "error")
    assert bar.count == 3 and bar.text == "One" and "×2" in bar._title.text()
    bar._all.click()
    assert bar.count == 0 and not bar.isVisible()


def test_they_are_dismissed_by_keyboard(qtbot: QtBot, bar: NoticeBar) -> None:
    bar.post("One", "error")
    bar.post("Two", "error")
    bar._dismiss.setFocus()
    QTest.keyClick(bar._dismiss, Qt.Key.Key_Escape)
    assert bar.count == 1 and bar.text == "One"
    assert bar._dismiss.hasFocus(), "the next one can go the same way"
    QTest.keyClick(bar._dismiss, Qt.Key.Key_Escape)
    assert not bar.isVisible()


def test_an_action(qtbot: QtBot, bar: NoticeBar) -> None:
    done: list[int] = []
    bar.post("Gone", "warning", action="Choose another", run=lambda: done.append(1))
    assert bar._action.isVisible() and bar._action.text() == "Choose another"
    bar._action.click()
    assert done == [1] and bar.count == 0


def test_good_news_passes_trouble_stays(
    qtbot: QtBot, bar: NoticeBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "PASSING_MS", 40)
    bar.post("Trouble", "error")
    bar.post("Done", "good")
    qtbot.waitUntil(lambda: bar.count == 1, timeout=2000)
    assert bar.text == "Trouble"
    qtbot.wait(120)
    assert bar.count == 1


def test_a_flood_has_an_end(bar: NoticeBar) -> None:
    for number in range(200):
        bar.post(f"Message {number}", "error")
    assert bar.count == errors.MAX_NOTICES and bar.text == "Message 199"


def test_every_error_of_the_core_has_a_title(bar: NoticeBar) -> None:
    kinds = [
        one
        for one in vars(core).values()
        if isinstance(one, type) and issubclass(one, core.OmniAudioError)
    ]
    for kind in kinds:
        if kind in (core.OmniAudioError, core.Cancelled):
            continue
        advice = advise("something; do that", kind.__name__)
        assert advice.title != "Something; do that", kind.__name__
        assert advice.text == "Something; do that"
    assert advise("what is\nthis", "Unknown").title == "What is this"


def test_everything_in_the_bar_has_a_name(bar: NoticeBar) -> None:
    bar.fault("x", "y")
    bar.post("z", "error", action="Do", run=lambda: None)
    for button in bar.findChildren(QAbstractButton):
        assert button.accessibleName() or button.text() or not button.isVisible(), button
    assert bar._title.accessibleName() == "Problem: z"


def test_about_this_device_waits_then_shows(qtbot: QtBot, tmp_path: Path) -> None:
    about = AboutDevice(tmp_path)
    qtbot.addWidget(about)
    about.show()
    about.set_device(DEVICE)
    about.set_bundles(BUNDLES)

    def words() -> list[str]:
        return [one._text for one in about.findChildren(Badge) if one.isVisibleTo(about)]

    qtbot.waitUntil(lambda: len(words()) == 6, timeout=2000)
    assert words()[:3] == ["In use", "Available", "Not here"]
    assert words()[3:] == ["Demonstration", "No commercial use", "Cannot be used"]
    text = about.text()
    for part in ("no GPU can be used", "no driver", "dit.onnx is missing", "python 3.11", "logs"):
        assert part in text
    assert "torch" not in text
    named = " ".join(child.accessibleName() for child in about.findChildren(QWidget))
    assert "CUDAExecutionProvider: Available. no driver" in named


def test_about_this_device_copies_and_asks(qtbot: QtBot) -> None:
    about = AboutDevice()
    qtbot.addWidget(about)
    about.set_device(DEVICE)
    buttons = {one.text(): one for one in about.findChildren(QAbstractButton)}
    with qtbot.waitSignal(about.unload_requested):
        buttons["Unload models"].click()
    with qtbot.waitSignal(about.refresh_requested):
        buttons["Look again"].click()
    buttons["Copy"].click()
    board = QGuiApplication.clipboard()
    assert board is not None and "CUDAExecutionProvider" in board.text()


def test_about_this_device_says_when_it_cannot_be_found_out(qtbot: QtBot) -> None:
    about = AboutDevice()
    qtbot.addWidget(about)
    about.set_failure("the analyst did not answer")
    assert "did not answer" in about.text()
    about.set_device(DEVICE)
    assert "did not answer" not in about.text()
