"""The takes panel in a real window: mouse, keys, questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, Qt, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QApplication, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from qt_app.models.settings import ClipSettings
from qt_app.models.takes import TakesModel
from qt_app.widgets.take_grid import TakeGridDialog
from qt_app.widgets.takes_panel import TakesPanel
from tests.qt.takes.conftest import Made


@pytest.fixture
def panel(qtbot: QtBot, made: Made, tmp_path: Path) -> Iterator[TakesPanel]:
    model = TakesModel(tmp_path / "data")
    shown = TakesPanel(model)
    qtbot.addWidget(shown)
    shown.resize(420, 420)
    shown.show()
    with qtbot.waitActive(shown):
        shown.activateWindow()
    model.show(made.clip, [made.takes[0].parent])
    qtbot.waitUntil(lambda: len(model.takes()) == 3, timeout=3000)
    yield shown
    model.close()


def click(panel: TakesPanel, row: int, x_from_right: int | None = None) -> None:
    """Click a row, or a mark in it by its distance from the right edge."""
    rect = panel.list.visualRect(panel.model.index(row))
    spot = rect.center()
    if x_from_right is not None:
        spot = QPoint(rect.right() - x_from_right, rect.top() + 18)
    viewport = panel.list.viewport()
    assert viewport is not None
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=spot)


def answer(qtbot: QtBot, button: str) -> QMessageBox:
    """Press a button of the question that is open."""
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    box = QApplication.activeModalWidget()
    assert isinstance(box, QMessageBox)
    found = next(one for one in box.buttons() if one.text().replace("&", "") == button)
    assert isinstance(found, QAbstractButton)
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)
    return box


def test_a_click_chooses_and_a_double_click_plays(qtbot: QtBot, panel: TakesPanel) -> None:
    click(panel, 1)
    assert panel.model.current == panel.model.takes()[1]
    with qtbot.waitSignal(panel.listen) as told:
        QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert told.args == [panel.model.takes()[1]]


def test_the_list_shows_what_was_chosen_elsewhere(panel: TakesPanel, made: Made) -> None:
    panel.model.set_current(made.takes[2])
    assert panel.list.currentIndex().row() == 2
    panel.model.set_current(None)
    assert not panel.list.currentIndex().isValid()
    assert not panel.reroll_action.isEnabled()


def test_marks_by_mouse(panel: TakesPanel) -> None:
    click(panel, 0, x_from_right=43)
    assert panel.model.takes()[0].starred and not panel.model.takes()[0].kept
    click(panel, 0, x_from_right=17)
    assert panel.model.takes()[0].kept
    assert panel.model.current is None, "a click on a mark chooses nothing"
    click(panel, 0, x_from_right=43)
    assert not panel.model.takes()[0].starred


def test_marks_by_keyboard(qtbot: QtBot, panel: TakesPanel) -> None:
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: panel.model.current is not None)
    QTest.keyClick(panel.list, Qt.Key.Key_S)
    QTest.keyClick(panel.list, Qt.Key.Key_K)
    current = panel.model.current
    assert current is not None and current.starred and current.kept
    assert panel.star_action.text() == "Take the star away"
    assert not panel.remove_action.isEnabled()


def test_the_command_goes_to_the_clipboard(qtbot: QtBot, panel: TakesPanel, made: Made) -> None:
    click(panel, 0)
    with qtbot.waitSignal(panel.notice):
        panel.copy_action.trigger()
    board = QGuiApplication.clipboard()
    assert board is not None
    assert board.text().startswith("omniaudio generate --from")
    assert made.takes[0].with_suffix(".json").name in board.text()


def test_settings_are_handed_over(qtbot: QtBot, panel: TakesPanel) -> None:
    click(panel, 2)
    with qtbot.waitSignal(panel.use_settings) as told:
        panel.settings_action.trigger()
    settings = ClipSettings().changed(**told.args[0])
    assert (settings.seed, settings.cfg, settings.use_shots) == (7, 2.0, True)


def test_a_part_again_is_asked_for_with_its_take(qtbot: QtBot, panel: TakesPanel) -> None:
    click(panel, 1)
    panel.list.setFocus()
    with qtbot.waitSignal(panel.reroll_requested) as told:
        QTest.keyClick(panel.list, Qt.Key.Key_R)
    assert told.args == [panel.model.takes()[1]]


def test_removing_the_others_is_asked_first(qtbot: QtBot, panel: TakesPanel, made: Made) -> None:
    panel.model.star(panel.model.takes()[0])
    click(panel, 1)
    QTimer.singleShot(0, panel.others_action.trigger)
    box = answer(qtbot, "Cancel")
    assert box.text() == f"Move {made.takes[2].stem} to the trash?"
    assert all(wav.exists() for wav in made.takes)
    QTimer.singleShot(0, panel.others_action.trigger)
    with qtbot.waitSignal(panel.model.removed, timeout=5000):
        answer(qtbot, "Move to trash")
    assert [wav.exists() for wav in made.takes] == [True, True, False]
    assert not panel.others_action.isEnabled(), "nothing else is to remove"


def test_the_question_stops_nothing(qtbot: QtBot, panel: TakesPanel) -> None:
    click(panel, 1)
    QTimer.singleShot(0, panel.remove_action.trigger)
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(10)
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    qtbot.waitUntil(lambda: len(ticks) > 5, timeout=2000)
    answer(qtbot, "Cancel")


def test_an_empty_list_says_what_to_do(qtbot: QtBot, tmp_path: Path) -> None:
    model = TakesModel(tmp_path / "data")
    panel = TakesPanel(model)
    qtbot.addWidget(panel)
    panel.show()
    assert panel._empty.isVisible() and "Choose a clip" in panel._empty.text()
    assert not panel.grid_action.isEnabled()
    model.show(tmp_path / "clip.mp4")
    panel._follow()
    assert "No takes yet" in panel._empty.text()
    model.close()


def test_everything_has_a_name_and_can_be_reached_by_keyboard(panel: TakesPanel) -> None:
    for button in panel.findChildren(QAbstractButton):
        if button.isVisible():
            assert button.accessibleName() or button.text(), button
            assert button.toolTip(), button.accessibleName()
            assert button.focusPolicy() & Qt.FocusPolicy.TabFocus, button.accessibleName()
    assert panel.list.accessibleName() == "Takes"
    spoken = panel.model.data(panel.model.index(0), Qt.ItemDataRole.AccessibleTextRole)
    assert "seed 5" in spoken and "Demonstration" in spoken


def test_a_grid_of_takes(qtbot: QtBot) -> None:
    dialog = TakeGridDialog(ClipSettings(seed=3, seed_locked=True, mix=0.25), default_cfg=5.0)
    qtbot.addWidget(dialog)
    dialog.show()
    assert [(one.seed, one.cfg) for one in dialog.chosen()] == [(s, 5.0) for s in (3, 4, 5, 6)]
    dialog._seeds.setText("1-2")
    dialog._cfgs.setText("3, 7")
    assert len(dialog.chosen()) == 4 and all(one.mix == 0.25 for one in dialog.chosen())
    item = dialog._table.item(1, 0)
    assert item is not None
    item.setCheckState(Qt.CheckState.Unchecked)
    assert [(one.seed, one.cfg) for one in dialog.chosen()] == [(1, 3.0), (2, 3.0), (2, 7.0)]
    assert dialog._go.text() == "Generate 3 takes"
    dialog._cfgs.setText("much")
    assert not dialog._go.isEnabled() and "CFG" in dialog._note.text()
    dialog._cfgs.setText("")
    assert {one.cfg for one in dialog.chosen()} == {None}
    before = dialog._seeds.text()
    qtbot.mouseClick(dialog._dice, Qt.MouseButton.LeftButton)
    assert dialog._seeds.text() != before and len(dialog.chosen()) == 2
    go = next(one for one in dialog.findChildren(QPushButton) if "Generate" in one.text())
    with qtbot.waitSignal(dialog.accepted):
        qtbot.mouseClick(go, Qt.MouseButton.LeftButton)


def test_return_in_the_grid_generates(qtbot: QtBot) -> None:
    dialog = TakeGridDialog(ClipSettings(seed=3), default_cfg=5.0)
    qtbot.addWidget(dialog)
    dialog.show()
    for field in (dialog._seeds, dialog._cfgs):
        field.setFocus()
        with qtbot.waitSignal(dialog.accepted):
            qtbot.keyClick(field, Qt.Key.Key_Return)
        dialog.show()
