"""The queue's panel, as a real window: clicks, keys, drags, double clicks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.queue import JobState
from omniaudio_studio.jobs.request import GenerateRequest
from qt_app import theme
from qt_app.models.queue import LEFT, NAME, PROGRESS, QueueModel
from qt_app.widgets.queue_panel import REFRESH_MILLISECONDS, QueuePanel
from tests.qt.queue.conftest import MakeRequests, fill_paused, order, states, wait_for

LEFT_BUTTON = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot: QtBot, model: QueueModel) -> QueuePanel:
    one = QueuePanel(model)
    one.resize(900, 420)
    qtbot.addWidget(one)
    one.show()
    qtbot.waitExposed(one)
    one.activateWindow()
    return one


def button(panel: QueuePanel, name: str) -> QToolButton:
    (found,) = [one for one in panel.findChildren(QToolButton) if one.accessibleName() == name]
    return found


def ready(panel: QueuePanel, name: str) -> bool:
    """Whether there is such a button, and it can be pressed."""
    buttons = panel.findChildren(QToolButton)
    return any(one.accessibleName() == name and one.isEnabled() for one in buttons)


def click_row(qtbot: QtBot, panel: QueuePanel, row: int, **how: object) -> QPoint:
    rect = panel.view.visualRect(panel.model.index(row, NAME))
    qtbot.mouseClick(panel.view.viewport(), LEFT_BUTTON, pos=rect.center(), **how)
    return rect.center()


def test_buttons_do_what_they_say(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    def press(name: str) -> None:
        wait_for(qtbot, lambda: ready(panel, name))
        qtbot.mouseClick(button(panel, name), LEFT_BUTTON)

    fill_paused(qtbot, model, requests(4))
    wait_for(qtbot, lambda: "4 clips to go" in panel.total.text())
    assert "paused" in panel.total.text()
    assert not button(panel, "Hold").isEnabled()
    click_row(qtbot, panel, 3)
    press("Move up")
    wait_for(qtbot, lambda: order(model) == ["0", "1", "3", "2"])
    assert panel.chosen() == [4]
    press("Move down")
    wait_for(qtbot, lambda: order(model) == ["0", "1", "2", "3"])
    press("Hold")
    wait_for(qtbot, lambda: states(model)[3] is JobState.HELD)
    press("Release")
    wait_for(qtbot, lambda: states(model)[3] is JobState.QUEUED)
    click_row(qtbot, panel, 2, modifier=Qt.KeyboardModifier.ControlModifier)
    assert panel.chosen() == [3, 4]
    press("Cancel")
    wait_for(qtbot, lambda: states(model)[2:] == [JobState.CANCELLED] * 2)
    click_row(qtbot, panel, 2)
    press("Retry")
    wait_for(qtbot, lambda: states(model)[2] is JobState.QUEUED)
    click_row(qtbot, panel, 0)
    press("Remove")
    wait_for(qtbot, lambda: order(model) == ["1", "2", "3"])
    press("Go on")
    wait_for(qtbot, lambda: states(model)[:2] == [JobState.DONE] * 2)
    wait_for(qtbot, lambda: panel.total.text() == "Nothing waits")
    wait_for(qtbot, lambda: ready(panel, "Pause"))
    press("Clear finished")
    wait_for(qtbot, lambda: not model.jobs())
    wait_for(qtbot, lambda: not ready(panel, "Clear finished"))


def test_the_job_that_is_worked_on_is_in_sight(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    panel.resize(900, 180)
    fill_paused(qtbot, model, requests(8))
    viewport = panel.view.viewport()
    assert viewport is not None
    last = panel.view.visualRect(model.index(7, NAME))
    assert not viewport.rect().contains(last.center())
    panel.setFocus()
    panel.pause_action.trigger()
    wait_for(qtbot, lambda: states(model)[7] in (JobState.RUNNING, JobState.DONE))
    wait_for(
        qtbot,
        lambda: viewport.rect().contains(panel.view.visualRect(model.index(7, NAME)).center()),
    )


def test_every_deed_has_a_key(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    key, control, alt = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier

    def press(which: Qt.Key, modifier: Qt.KeyboardModifier | None = None) -> None:
        qtbot.wait(2 * REFRESH_MILLISECONDS)  # what can be done follows what has been done
        qtbot.keyClick(panel.view, which, modifier or Qt.KeyboardModifier.NoModifier)

    fill_paused(qtbot, model, requests(3))
    panel.view.setFocus()
    press(key.Key_End)
    assert panel.chosen() == [3]
    press(key.Key_Up, alt)
    wait_for(qtbot, lambda: order(model) == ["0", "2", "1"])
    press(key.Key_Down, alt)
    wait_for(qtbot, lambda: order(model) == ["0", "1", "2"])
    press(key.Key_H)
    wait_for(qtbot, lambda: states(model)[2] is JobState.HELD)
    press(key.Key_H)
    wait_for(qtbot, lambda: states(model)[2] is JobState.QUEUED)
    press(key.Key_Backspace, control)
    wait_for(qtbot, lambda: states(model)[2] is JobState.CANCELLED)
    press(key.Key_R, control)
    wait_for(qtbot, lambda: states(model)[2] is JobState.QUEUED)
    press(key.Key_Delete)
    wait_for(qtbot, lambda: order(model) == ["0", "1"])
    press(key.Key_P, control)
    wait_for(qtbot, lambda: states(model) == [JobState.DONE] * 2)
    press(key.Key_Home)
    with qtbot.waitSignal(panel.open_take) as opened:
        press(key.Key_Return)
    assert Path(opened.args[0]).name == "0.wav"
    press(key.Key_Delete, control)
    wait_for(qtbot, lambda: not model.jobs())


def test_a_double_click_opens_the_take_of_a_finished_job_only(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    opened: list[str] = []
    panel.open_take.connect(opened.append)
    wanted = requests(2)
    fill_paused(qtbot, model, wanted)
    model.hold([2])
    model.resume()
    wait_for(qtbot, lambda: states(model) == [JobState.DONE, JobState.HELD])
    for row in (1, 0):
        at = click_row(qtbot, panel, row)
        qtbot.mouseDClick(panel.view.viewport(), LEFT_BUTTON, pos=at)
    assert opened == [str(wanted[0].output)]


def drag(qtbot: QtBot, panel: QueuePanel, begin: QPoint, end: QPoint) -> None:
    """Drag with the screen's own mouse, as a hand does."""
    viewport = panel.view.viewport()
    assert viewport is not None
    first, last = viewport.mapToGlobal(begin), viewport.mapToGlobal(end)
    words = [
        "xdotool",
        "mousemove",
        str(first.x()),
        str(first.y()),
        "sleep",
        "0.1",
        "mousedown",
        "1",
    ]
    for step in range(1, 11):
        at = first + (last - first) * step / 10
        words += ["sleep", "0.04", "mousemove", str(at.x()), str(at.y())]
    words += ["sleep", "0.1", "mouseup", "1"]
    hand = subprocess.Popen(words)
    qtbot.waitUntil(lambda: hand.poll() is not None, timeout=20_000)
    assert hand.returncode == 0


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool moves the mouse")
def test_rows_dragged_elsewhere_change_the_order(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    ids = fill_paused(qtbot, model, requests(5))

    def rect(row: int) -> QRect:
        return panel.view.visualRect(model.index(row, NAME))

    panel.choose([ids[3], ids[4]])
    drag(qtbot, panel, rect(4).center(), QPoint(rect(1).center().x(), rect(1).top()))
    wait_for(qtbot, lambda: order(model) == ["0", "3", "4", "1", "2"])
    # The chosen ones are still chosen, where they are now.
    assert panel.chosen() == [ids[3], ids[4]]
    assert [index.row() for index in panel.view.selectionModel().selectedRows()] == [1, 2]
    drag(qtbot, panel, rect(0).center(), rect(4).center() + QPoint(0, 3 * rect(4).height()))
    wait_for(qtbot, lambda: order(model) == ["3", "4", "1", "2", "0"])


def test_progress_shows_in_the_row_and_in_the_total(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    widest: list[int] = []
    panel.bar.valueChanged.connect(widest.append)
    wanted = [replace(one, takes=4, steps=300) for one in requests(3)]
    model.add(wanted, clip_seconds=2.0)
    wait_for(qtbot, lambda: JobState.RUNNING in states(model))
    wait_for(qtbot, lambda: any(0 < value < panel.bar.maximum() for value in widest))
    cell = panel.view.visualRect(model.index(0, PROGRESS))
    accent = panel.palette().highlight().color()

    def filled() -> int:
        image = panel.view.viewport().grab(cell).toImage()
        middle = image.height() // 2
        return sum(
            image.pixelColor(x, middle).lightness() != panel.palette().base().color().lightness()
            for x in range(image.width())
        )

    assert accent.isValid()
    wait_for(qtbot, lambda: states(model)[0] is JobState.DONE)
    assert filled() > cell.width() * 0.8
    waiting = panel.view.visualRect(model.index(2, LEFT))
    assert waiting.isValid()
    wait_for(qtbot, lambda: states(model) == [JobState.DONE] * 3)


def test_a_problem_is_shown_and_a_click_tries_again(
    qtbot: QtBot, tmp_path: Path, requests: MakeRequests
) -> None:
    python = tmp_path / "python"
    model = QueueModel(tmp_path / "q.sqlite", log_folder=tmp_path / "logs", python=str(python))
    panel = QueuePanel(model)
    qtbot.addWidget(panel)
    panel.show()
    try:
        assert not panel.problem.isVisible()
        model.add(requests(1))
        wait_for(qtbot, lambda: panel.problem.isVisible())
        assert "cannot start" in panel.problem.text()
        assert states(model) == [JobState.QUEUED]
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        wait_for(qtbot, lambda: ready(panel, "Go on"))
        qtbot.mouseClick(button(panel, "Go on"), LEFT_BUTTON)
        wait_for(qtbot, lambda: states(model) == [JobState.DONE])
        assert not panel.problem.isVisible()
    finally:
        model.close()


def test_everything_has_a_name_a_tip_and_can_be_reached_by_tab(
    qtbot: QtBot, panel: QueuePanel, model: QueueModel, requests: MakeRequests
) -> None:
    fill_paused(qtbot, model, requests(2))
    panel.choose([1, 2])
    buttons = panel.findChildren(QToolButton)
    assert len(buttons) == 8
    for one in buttons:
        assert one.accessibleName()
        assert one.toolTip()
        assert one.focusPolicy() & Qt.FocusPolicy.TabFocus
    for widget in (panel, panel.view, panel.bar, panel.total, panel.problem):
        assert widget.accessibleName()
    wait_for(qtbot, lambda: "paused" in panel.bar.accessibleDescription())


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_is_readable_in_light_and_dark(
    qtbot: QtBot,
    panel: QueuePanel,
    model: QueueModel,
    requests: MakeRequests,
    slow_request: GenerateRequest,
    mode: theme.Mode,
) -> None:
    theme.apply(QApplication.instance(), mode)
    fill_paused(qtbot, model, [slow_request, *requests(2)])
    image = panel.grab().toImage()
    base = panel.palette().base().color()
    text = panel.palette().text().color()
    assert (base.lightness() < 128) == (mode == "dark")
    row = panel.view.visualRect(model.index(1, NAME)).translated(
        panel.view.viewport().mapTo(panel, QPoint(0, 0))
    )
    shades = [
        image.pixelColor(x, y).lightness()
        for x in range(row.left(), row.left() + 80)
        for y in range(row.top(), row.bottom())
    ]
    assert max(shades) - min(shades) > abs(base.lightness() - text.lightness()) * 0.6
