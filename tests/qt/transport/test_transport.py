"""The transport bar on a real player: buttons, keys, time, sources, filters, device."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from qt_app.models.player import Player
from qt_app.sound.source import SoundSource
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.playing import connect_player
from qt_app.widgets.transport import NO_DEVICE, TransportBar

CTRL = Qt.KeyboardModifier.ControlModifier


class Window(QWidget):
    """The bar with a stage, a button and a field, as a main window has them."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self.bar = TransportBar(player)
        self.stage = QWidget()
        self.stage.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.stage.setMinimumHeight(40)
        self.button = QPushButton("Other")
        self.field = QLineEdit()
        layout = QVBoxLayout(self)
        for widget in (self.stage, self.bar, self.button, self.field):
            layout.addWidget(widget)
        self.bar.add_stage(self.stage)


@pytest.fixture
def window(qtbot: QtBot, player: Player, sources: list[SoundSource]) -> Window:
    player.load(sources, 10.0, {"one": -20.0, "two": -23.0, "camera": -20.0})
    window = Window(player)
    qtbot.addWidget(window)
    window.resize(860, 220)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.stage.setFocus()
    return window


def press(qtbot: QtBot, key: Qt.Key | str, modifier: Qt.KeyboardModifier | None = None) -> None:
    """To whatever has the focus, as the window system does."""
    target = QApplication.focusWidget()
    assert target is not None
    qtbot.keyClick(target, key, modifier or Qt.KeyboardModifier.NoModifier)


def test_keys_play_wherever_the_focus_is(window: Window, player: Player, qtbot: QtBot) -> None:
    press(qtbot, Qt.Key.Key_Space)
    assert player.playing
    assert window.bar.play.accessibleName() == "Pause"
    press(qtbot, Qt.Key.Key_Space)
    assert not player.playing
    player.seek(2.0)
    window.bar.set_frame_rate(25.0)
    press(qtbot, ".")
    assert player.position == pytest.approx(2.04, abs=1e-6)
    press(qtbot, ",")
    press(qtbot, ",")
    assert player.position == pytest.approx(1.96, abs=1e-6)
    press(qtbot, Qt.Key.Key_End, CTRL)
    assert player.position == pytest.approx(10.0)
    press(qtbot, Qt.Key.Key_Home, CTRL)
    assert player.position == 0.0
    press(qtbot, "l")
    assert player.loop == (0.0, 10.0)
    assert window.bar.loop.isChecked()
    press(qtbot, "l")
    assert player.loop is None
    for key, wanted in (("3", "camera"), ("2", "two"), ("9", "two"), ("1", "one")):
        press(qtbot, key)
        assert player.selected == wanted
    press(qtbot, "a")
    assert player.selected == "two"


def test_keys_leave_alone_what_needs_them(window: Window, player: Player, qtbot: QtBot) -> None:
    window.button.setFocus()
    with qtbot.waitSignal(window.button.clicked):
        press(qtbot, Qt.Key.Key_Space)
    assert not player.playing
    window.field.setFocus()
    for key in ("1", "2", " ", ",", "l", "a"):
        press(qtbot, key)
    assert window.field.text() == "12 ,la"
    assert (player.selected, player.playing, player.loop) == ("one", False, None)


def test_tab_swaps_sounds_on_a_stage_and_moves_the_focus_elsewhere(
    window: Window, player: Player, qtbot: QtBot
) -> None:
    player.select("camera")
    press(qtbot, Qt.Key.Key_Tab)
    assert player.selected == "one"
    press(qtbot, Qt.Key.Key_Tab)
    assert player.selected == "camera"
    assert window.stage.hasFocus()
    press(qtbot, Qt.Key.Key_Tab, Qt.KeyboardModifier.ShiftModifier)
    assert not window.stage.hasFocus()
    window.button.setFocus()
    press(qtbot, Qt.Key.Key_Tab)
    assert window.field.hasFocus()
    assert player.selected == "camera"


def test_every_control_is_reached_with_tab_and_has_a_name(window: Window, qtbot: QtBot) -> None:
    bar = window.bar
    window.field.setFocus()
    seen = set()
    for _ in range(40):
        widget = QApplication.focusWidget()
        assert widget is not None
        if bar.isAncestorOf(widget):
            assert widget.accessibleName(), widget
            seen.add(widget)
        press(qtbot, Qt.Key.Key_Tab, Qt.KeyboardModifier.ShiftModifier)
    assert {bar.play, bar.stop, bar.loop, bar.time, bar.volume, bar.hrtf, bar.device} <= seen
    assert seen & set(bar.sources.buttons)


def test_buttons_do_what_they_say(window: Window, player: Player, qtbot: QtBot) -> None:
    bar, left = window.bar, Qt.MouseButton.LeftButton
    qtbot.mouseClick(bar.play, left)
    assert player.playing
    assert window.stage.hasFocus()  # Space still plays
    qtbot.waitUntil(lambda: player.position > 0.1, timeout=15_000)
    qtbot.mouseClick(bar.forward, left)
    assert not player.playing
    qtbot.mouseClick(bar.to_end, left)
    assert player.position == pytest.approx(10.0)
    qtbot.mouseClick(bar.stop, left)
    assert player.position == 0.0
    qtbot.mouseClick(bar.sources.buttons[1], left)
    assert player.selected == "two"
    assert [button.isChecked() for button in bar.sources.buttons] == [False, True, False]
    assert "−3.0 dB" in bar.sources.buttons[0].toolTip()


def test_the_time_runs_and_can_be_typed(window: Window, player: Player, qtbot: QtBot) -> None:
    time = window.bar.time
    assert window.bar.duration.text() == "/ 0:00:10.000"
    qtbot.mouseClick(time, Qt.MouseButton.LeftButton)
    time.selectAll()
    qtbot.keyClicks(time, "0:04,25")
    player.seek(1.0)  # what the player says does not disturb typing
    assert time.text() == "0:04,25"
    qtbot.keyClick(time, Qt.Key.Key_Return)
    assert player.position == 4.25
    assert time.text() == "0:00:04.250"
    qtbot.keyClicks(time, "nonsense")
    qtbot.keyClick(time, Qt.Key.Key_Return)
    assert (player.position, time.text()) == (4.25, "0:00:04.250")
    qtbot.keyClicks(time, "99:00")
    qtbot.keyClick(time, Qt.Key.Key_Return)
    assert player.position == 10.0
    qtbot.keyClicks(time, "3")
    qtbot.keyClick(time, Qt.Key.Key_Escape)
    assert time.text() == "0:00:10.000"


def test_volume_is_said_in_decibels(window: Window, player: Player, qtbot: QtBot) -> None:
    bar = window.bar
    bar.volume.setFocus()
    qtbot.keyClick(bar.volume, Qt.Key.Key_Left)
    assert player.volume == -1.0
    assert bar.volume_text.text() == "−1.0 dB"
    player.set_volume(-13.5)
    assert bar.volume.value() == -27
    assert bar.volume.accessibleDescription() == "−13.5 dB"


def test_repeating_follows_the_range(window: Window, player: Player) -> None:
    bar = window.bar
    told: list[bool] = []
    bar.loop_toggled.connect(told.append)
    bar.set_range((2.0, 3.0))
    assert player.loop is None
    bar.loop.click()
    assert player.loop == (2.0, 3.0)
    bar.set_range((4.0, 6.0))
    assert player.loop == (4.0, 6.0)
    bar.set_range(None)
    assert player.loop == (0.0, 10.0)
    bar.loop.click()
    assert player.loop is None
    # A range too short to be heard as a loop: the button says that it is off.
    bar.set_range((2.0, 2.05))
    bar.loop.click()
    assert player.loop is None
    assert not bar.loop.isChecked()
    assert told == [True, False, False]


def actions(button: QWidget) -> dict[str, object]:
    menu = button.menu()  # type: ignore[attr-defined]
    menu.aboutToShow.emit()
    return {action.text(): action for action in menu.actions() if action.text()}


def test_filters_are_asked_for_and_remembered(window: Window, qtbot: QtBot) -> None:
    bar = window.bar
    asked: list[Path | None] = []
    bar.hrtf_requested.connect(asked.append)
    paths = [Path(f"/ears/person{k}.sofa") for k in range(7)]
    for path in paths:
        bar.choose_hrtf(path)
        assert "Reading" in bar.hrtf.toolTip()
        bar.show_hrtf(path)
        assert path.stem in bar.hrtf.toolTip()
    assert asked == paths
    assert bar.recent_hrtfs == tuple(reversed(paths[2:]))
    found = actions(bar.hrtf)
    assert list(found) == [
        "Default (KEMAR)", "person6", "person5", "person4", "person3", "person2",
        "Choose SOFA file…",
    ]  # fmt: skip
    assert found["person6"].isChecked()  # type: ignore[attr-defined]
    found["Default (KEMAR)"].trigger()  # type: ignore[attr-defined]
    assert asked[-1] is None
    assert "KEMAR" in bar.hrtf.toolTip()


def test_devices_are_listed_chosen_and_missed(window: Window, player: Player, qtbot: QtBot) -> None:
    bar = window.bar
    qtbot.waitUntil(lambda: bool(player.devices) and bool(player.output), timeout=15_000)
    assert not bar.warning.isVisible()
    found = actions(bar.device)
    name = player.devices[0]
    chosen: list[str | None] = []
    bar.device_chosen.connect(chosen.append)
    found[name.replace("&", "&&")].trigger()  # type: ignore[attr-defined]
    assert player.device == name
    assert chosen == [name]
    assert actions(bar.device)[name.replace("&", "&&")].isChecked()  # type: ignore[attr-defined]
    # A device that is not there: the message, and everything else goes on.
    with qtbot.waitSignal(
        player.device_changed, timeout=15_000, check_params_cb=lambda n: n is None
    ):
        player.set_device("No such device")
    assert bar.warning.isVisible()
    assert bar.warning_text.text() == NO_DEVICE
    assert "No device" in bar.device.toolTip()
    player.play()
    qtbot.waitUntil(lambda: player.position > 0.2, timeout=5000)


def test_without_a_clip_the_bar_waits(qtbot: QtBot, player: Player) -> None:
    bar = TransportBar(player)
    qtbot.addWidget(bar)
    bar.show()
    assert not bar.play.isEnabled()
    assert not bar.time.isEnabled()
    assert bar.no_sources.isVisible()
    assert not bar.sources.isVisible()
    assert bar.minimumSizeHint().width() < 720


def test_timeline_and_player_are_tied(window: Window, player: Player, qtbot: QtBot) -> None:
    model = TimelineModel()
    model.load(10.0)
    connect_player(model, player)
    model.scrub(4.0)
    assert player.position == 4.0
    player.play()
    qtbot.waitUntil(lambda: model.playhead > 4.2, timeout=15_000)
    player.pause()
    model.set_range(2.0, 3.0)
    assert player.loop is None
    model.set_loop(True)
    assert player.loop == (2.0, 3.0)
    model.set_range(5.0, 6.0)
    assert player.loop == (5.0, 6.0)
    player.set_loop(None)
    assert not model.loop
