"""Preferences: typed, kept, and proof against what others write into the file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from qt_app.models.preferences import Preferences
from qt_app.tracking.tracker import OscTracker
from qt_app.widgets.preferences_dialog import PreferencesDialog

OTHERS = {
    "theme": "dark",
    "energy_opacity": 0.25,
    "geometry": b"\x00\x01geometry\xff",
    "window_state": b"state",
    "output_folder": Path("/some where/ä"),
    "last_folder": Path("/last"),
    "hrtf": Path("/me.sofa"),
    "sound_device": "USB headphones",
    "volume": -6.5,
    "tracking": True,
    "tracking_host": "0.0.0.0",
    "tracking_port": 9001,
    "tracking_flips": (True, False, True),
    "sending": True,
    "sending_host": "studio.local",
    "sending_port": 7001,
    "sending_style": "head",
    "daw": True,
    "daw_port": 8001,
    "worker_python": Path("/usr/bin/python3"),
    "worker_low_priority": False,
}


def test_every_preference_is_kept(tmp_path: Path) -> None:
    first = Preferences(tmp_path)
    assert set(first.names()) == set(OTHERS)
    for name, value in OTHERS.items():
        assert getattr(first, name) != value, "the default is another"
        setattr(first, name, value)
        assert getattr(first, name) == value
    assert first.save()
    second = Preferences(tmp_path)
    assert {name: getattr(second, name) for name in second.names()} == OTHERS


def test_head_tracking_is_off_and_local_by_default(tmp_path: Path) -> None:
    fresh = Preferences(tmp_path)
    assert not fresh.tracking and not fresh.sending and not fresh.daw
    assert fresh.tracking_host == fresh.sending_host == "127.0.0.1"


def test_a_change_is_announced_once(tmp_path: Path) -> None:
    preferences = Preferences(tmp_path)
    told: list[str] = []
    preferences.changed.connect(told.append)
    preferences.theme = "dark"
    preferences.theme = "dark"
    preferences.volume = 0.0  # as it is
    assert told == ["theme"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theme", "purple"),
        ("volume", 99.0),
        ("volume", float("nan")),
        ("tracking_port", 0),
        ("tracking_port", 65_536),
        ("sending_host", "two words"),
        ("sending_host", ""),
        ("sending_style", "other"),
        ("energy_opacity", -1),
        ("output_folder", Path("a\0b")),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, name: str, value: object) -> None:
    preferences = Preferences(tmp_path)
    before = getattr(preferences, name)
    with pytest.raises(ValueError):
        setattr(preferences, name, value)
    assert getattr(preferences, name) == before


def test_nonsense_in_the_file_is_passed_over(tmp_path: Path) -> None:
    lines = [
        "[look]",
        "theme=purple",
        "energy=lots",
        "[tracking]",
        "in=perhaps",
        "port=nine",
        "flips=xyz",
        "out-port=7005",
        "[sound]",
        "volume=1e9",
    ]
    (tmp_path / "preferences.ini").write_text("\n".join(lines))
    held = Preferences(tmp_path)
    assert (held.theme, held.tracking, held.tracking_port) == ("system", False, 9000)
    assert held.tracking_flips == (False, False, False)
    assert (held.volume, held.energy_opacity) == (0.0, 0.6)
    assert held.sending_port == 7005, "what makes sense counts"


def test_a_file_that_is_no_settings_file(tmp_path: Path) -> None:
    (tmp_path / "preferences.ini").write_bytes(bytes(range(256)) * 40)
    assert Preferences(tmp_path).theme == "system"


def test_a_folder_that_cannot_be_written_loses_nothing_else(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    preferences = Preferences(blocked)
    preferences.theme = "dark"
    assert not preferences.save()
    assert preferences.theme == "dark", "for as long as the app runs"
    assert stat.S_ISREG(blocked.stat().st_mode)


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> PreferencesDialog:
    made = PreferencesDialog(Preferences(tmp_path), OscTracker(), ["Built-in", "USB"])
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def find(dialog: QWidget, kind: type, name: str) -> QWidget:
    return next(one for one in dialog.findChildren(kind) if one.accessibleName() == name)


def test_a_choice_counts_at_once(qtbot: QtBot, dialog: PreferencesDialog) -> None:
    preferences = dialog._preferences
    combo = find(dialog, QComboBox, "Colours")
    assert isinstance(combo, QComboBox)
    combo.setFocus()
    combo.setCurrentIndex(combo.findData("dark"))
    combo.activated.emit(combo.currentIndex())
    assert preferences.theme == "dark"
    preferences.theme = "light"
    assert combo.currentData() == "light", "and what changes elsewhere is shown"


def test_a_device_that_is_gone_stays_chosen(dialog: PreferencesDialog) -> None:
    dialog._preferences.sound_device = "USB"
    dialog.set_sound_devices(["Built-in"])
    assert dialog._device.currentText() == "USB (not connected)"
    dialog.set_sound_devices(["Built-in", "USB"])
    assert dialog._device.currentText() == "USB"


def test_a_path_can_be_given_up(qtbot: QtBot, dialog: PreferencesDialog) -> None:
    dialog.show_page("Listening")
    dialog._preferences.hrtf = Path("/me.sofa")
    field = find(dialog, QLineEdit, "Personal HRTF")
    assert isinstance(field, QLineEdit) and field.text() == "/me.sofa"
    clear = next(
        one
        for one in dialog.findChildren(QAbstractButton)
        if one.accessibleName().startswith("Personal HRTF: go back")
    )
    clear.click()
    assert dialog._preferences.hrtf is None and field.text() == ""


def test_a_port_that_is_taken_is_told_where_it_is_set(
    qtbot: QtBot, dialog: PreferencesDialog
) -> None:
    dialog.show_page("Head tracking")
    page = dialog.tracking_page
    with qtbot.waitSignal(page._tracker.problem):
        assert not page._tracker.start(1 << 20)
    assert "expected a port" in page._status.text().lower()


def test_every_field_has_a_name(dialog: PreferencesDialog) -> None:
    for row in range(dialog.pages):
        dialog.show_page(row)
        for kind in (QComboBox, QLineEdit):
            for field in dialog.findChildren(kind):
                if field.isVisible() and not isinstance(field.parent(), QComboBox):
                    inside = field.objectName() == "qt_spinbox_lineedit"
                    assert inside or field.accessibleName(), field
        for button in dialog.findChildren(QAbstractButton):
            if button.isVisible() and button.width() > 0:
                assert button.accessibleName() or button.text() or button.toolTip(), button
