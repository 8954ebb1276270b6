"""The settings panel on a real window: one clip, several clips, models, presets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QInputDialog,
    QMessageBox,
    QPushButton,
    QSlider,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.request import MAX_SEED, Segment
from qt_app.models.catalogue import Catalogue
from qt_app.models.library import Library
from qt_app.models.presets import Presets
from qt_app.models.settings import ClipSettings
from qt_app.widgets.settings_panel import SettingsPanel
from qt_app.widgets.sound_fields import OFF
from tests.qt.library.support import Answers

BUNDLES: list[dict[str, Any]] = [
    {
        "name": "starter",
        "title": "Starter",
        "path": "/models/starter",
        "demonstration": True,
        "licence": {"id": "CC-BY-4.0", "name": "CC BY 4.0", "commercial": True, "notice": "x"},
        "sampler": {"cfg": 4.0, "steps": 24},
        "problem": None,
    },
    {
        "name": "large",
        "title": "Large",
        "path": "/models/large",
        "demonstration": False,
        "licence": {
            "id": "CC-BY-NC-4.0",
            "name": "CC BY-NC 4.0",
            "commercial": False,
            "notice": "for research only",
        },
        "sampler": {"cfg": 2.5, "steps": 40},
        "reflow": {"graph": "dit_few", "steps": 6, "cfg": [1.0, 9.0]},
        "problem": None,
    },
    {
        "name": "half",
        "title": "half",
        "path": "/models/half",
        "problem": "/models/half/bundle.json: licence: expected an object, found nothing",
    },
    {"name": "large", "title": "Large, older", "path": "/old/large", "problem": None},
]


@pytest.fixture
def catalogue(answers: Answers) -> Catalogue:
    made = Catalogue(answers)
    made._bundles(BUNDLES)
    return made


@pytest.fixture
def panel(
    qtbot: QtBot, added: Library, presets: Presets, catalogue: Catalogue
) -> Iterator[SettingsPanel]:
    made = SettingsPanel(added, presets, catalogue)
    qtbot.addWidget(made)
    made.resize(made.minimumWidth(), 900)
    made.show()
    qtbot.waitExposed(made)
    added.set_selected([added.clips[0].id])
    qtbot.wait(20)
    yield made


def choose(qtbot: QtBot, combo: QComboBox, text: str) -> None:
    at = combo.findText(text)
    assert at >= 0, [combo.itemText(i) for i in range(combo.count())]
    combo.setCurrentIndex(at)
    combo.activated.emit(at)
    qtbot.wait(20)


def give(qtbot: QtBot, field: Any, text: str) -> None:
    field.setFocus()
    field.lineEdit().selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Delete)
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.wait(20)


def first(panel: SettingsPanel) -> ClipSettings:
    return panel._library.clips[0].settings


def test_every_number_reaches_the_settings(qtbot: QtBot, panel: SettingsPanel) -> None:
    form: Any = panel.form
    form.advanced.set_folded(False)
    for name, text, value in (
        ("cfg", "3.25", 3.25),
        ("steps", "30", 30),
        ("takes", "4", 4),
        ("start", "0:00:00.500", 0.5),
        ("duration", "1.25", 1.25),
        ("yaw", "-45", -45.0),
        ("loudness", "-18 LUFS", -18.0),
        ("feature_rate", "8", 8.0),
        ("rate", "96000", 96_000),
    ):
        give(qtbot, getattr(form, name).edit, text)
        assert getattr(first(panel), name) == value, name
    for name in ("cfg", "steps", "duration", "loudness", "feature_rate"):
        give(qtbot, getattr(form, name).edit, "")
        assert getattr(first(panel), name) is None, name
    assert panel._library.clips[1].settings == ClipSettings()


def test_few_steps_are_offered_with_a_model_that_has_them(
    qtbot: QtBot, panel: SettingsPanel
) -> None:
    form = panel.form
    assert not form.sampler.isVisible()
    choose(qtbot, form.bundle.combo, "Large")
    assert form.sampler.isVisible()
    assert form.steps.edit.lineEdit().placeholderText() == "own (40)"
    choose(qtbot, form.sampler.combo, "Fast: few steps")
    assert first(panel).sampler == "reflow"
    assert first(panel).request(Path("a.mp4"), Path("a.wav")).sampler == "reflow"
    assert form.steps.edit.lineEdit().placeholderText() == "own (6)"
    # What was chosen can be left again, whatever the model is.
    choose(qtbot, form.bundle.combo, "Starter (demonstration)")
    assert form.sampler.isVisible()
    choose(qtbot, form.sampler.combo, "Careful")
    assert first(panel).sampler == "euler" and not form.sampler.isVisible()


def test_a_wrong_value_is_told_beside_its_field_and_not_kept(
    qtbot: QtBot, panel: SettingsPanel
) -> None:
    form = panel.form
    give(qtbot, form.takes.edit, "100")
    assert first(panel).takes == 1
    message = form.takes.row.message
    assert message.isVisible() and "from 1 to 99, found 100" in message.text()
    assert not form.steps.row.message.isVisible()
    give(qtbot, form.takes.edit, "9")
    assert first(panel).takes == 9 and not message.isVisible()
    give(qtbot, form.start.edit, "5")
    assert form.start.row.message.text() == "The clip is 2.000 s long: start before its end."


def test_every_choice_and_switch_reaches_the_settings(qtbot: QtBot, panel: SettingsPanel) -> None:
    form = panel.form
    form.advanced.set_folded(False)
    choose(qtbot, form.subtype.combo, "24 bit")
    choose(qtbot, form.device.combo, "CPU")
    choose(qtbot, form.stereo.combo, "Top and bottom")
    choose(qtbot, form.projection.combo, "Cube map")
    settings = first(panel)
    assert (settings.subtype, settings.device) == ("pcm24", "cpu")
    assert (settings.stereo, settings.projection) == ("top-bottom", "cubemap")
    boxes = form.deliverables.boxes
    for name, box in reversed(boxes.items()):
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
        assert name in first(panel).beside
        assert DELIVERABLES[name].description in box.toolTip()
    assert first(panel).beside == tuple(boxes)  # in the table's order
    panel._library.undo_stack.undo()
    qtbot.wait(20)
    assert not boxes["fuma"].isChecked() and boxes["plot"].isChecked()


def test_dice_and_lock(qtbot: QtBot, panel: SettingsPanel) -> None:
    form, left = panel.form, Qt.MouseButton.LeftButton
    assert not first(panel).seed_locked and form.seed.row.note.text() == "A new seed for every run."
    qtbot.mouseClick(form.seed.dice, left)
    qtbot.wait(20)
    rolled = first(panel).seed
    assert 0 < rolled <= MAX_SEED and first(panel).seed_locked
    assert form.seed.edit.lineEdit().text() == str(rolled) and form.seed.lock.isChecked()  # type: ignore[union-attr]
    qtbot.mouseClick(form.seed.dice, left)
    assert first(panel).seed != rolled
    qtbot.mouseClick(form.seed.lock, left)
    qtbot.wait(20)
    assert not first(panel).seed_locked and form.seed.lock.accessibleName() == "Seed unlocked"
    give(qtbot, form.seed.edit, str(MAX_SEED))  # who types a seed means it
    assert first(panel).seed == MAX_SEED and first(panel).seed_locked
    panel._library.undo_stack.undo()
    assert not first(panel).seed_locked


def test_the_dice_give_each_clip_its_own(qtbot: QtBot, panel: SettingsPanel) -> None:
    library = panel._library
    library.set_selected([clip.id for clip in library.clips])
    qtbot.wait(20)
    qtbot.mouseClick(panel.form.seed.dice, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    assert len({clip.settings.seed for clip in library.clips}) == 3
    assert library.undo_stack.count() == 1 and panel.form.seed.edit.is_several
    assert panel.form.seed.edit.lineEdit().placeholderText() == "several values"  # type: ignore[union-attr]


def test_several_clips_show_several_values(qtbot: QtBot, panel: SettingsPanel) -> None:
    library, form = panel._library, panel.form
    ids = [clip.id for clip in library.clips]
    library.change(
        ids[:1],
        cfg=3.0,
        steps=9,
        bundle="large",
        mix=0.5,
        beside=("overlay",),
        use_shots=True,
        shots=(Segment(0.0), Segment(1.0, cfg=2.0)),
        subtype="pcm24",
        output_folder=Path("/takes"),
        seed_locked=True,
    )
    library.set_selected(ids)
    qtbot.wait(20)
    assert panel.title.text() == "3 clips" and "all of them" in panel.subtitle.text()
    assert form.cfg.edit.is_several and form.steps.edit.is_several
    assert not form.takes.edit.is_several and form.takes.edit.value == 1
    for combo in (form.bundle.combo, form.subtype.combo, form.folder.combo, form.mix.combo):
        assert combo.currentIndex() == -1 and combo.placeholderText() == "several values"
    partly = Qt.CheckState.PartiallyChecked
    assert form.deliverables.boxes["overlay"].checkState() == partly
    assert form.shots.box.checkState() == partly and form.shots.row.note.text() == "0 to 2 shots."
    assert form.seed.row.note.text() == "Locked for some of these clips."
    assert library.undo_stack.count() == 1  # showing changes nothing
    box = form.deliverables.boxes["overlay"]
    library.change(ids[1:2], beside=("adm",))
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    give(qtbot, form.steps.edit, "16")
    wanted = [clip.settings.beside for clip in library.clips]
    assert wanted == [("overlay",), ("adm", "overlay"), ("overlay",)]  # what else each had stays
    assert all(clip.settings.steps == 16 for clip in library.clips)
    assert [clip.settings.cfg for clip in library.clips] == [3.0, None, None]
    qtbot.mouseClick(form.cfg.own, Qt.MouseButton.LeftButton)
    assert [clip.settings.cfg for clip in library.clips] == [None] * 3


def test_the_slider_and_the_models_own_cfg(qtbot: QtBot, panel: SettingsPanel) -> None:
    form = panel.form
    assert form.cfg.edit.lineEdit().placeholderText() == "own (4)"  # type: ignore[union-attr]
    assert form.cfg.slider.value() == 40 and not form.cfg.own.isEnabled()
    form.cfg.slider.setFocus()
    qtbot.keyClick(form.cfg.slider, Qt.Key.Key_Right)
    qtbot.wait(20)
    assert first(panel).cfg == 4.5 and form.cfg.own.isEnabled()
    give(qtbot, form.cfg.edit, "60")  # more than the slider has
    assert first(panel).cfg == 60.0 and form.cfg.slider.value() == form.cfg.slider.maximum()
    qtbot.mouseClick(form.cfg.own, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    assert first(panel).cfg is None
    choose(qtbot, form.bundle.combo, "Large")
    assert first(panel).bundle == "large"
    assert form.cfg.edit.lineEdit().placeholderText() == "own (2.5)"  # type: ignore[union-attr]
    assert form.steps.edit.lineEdit().placeholderText() == "own (40)"  # type: ignore[union-attr]


def test_what_a_model_is_and_may_be_used_for(qtbot: QtBot, panel: SettingsPanel) -> None:
    field = panel.form.bundle
    assert field.combo.currentText() == "Starter (demonstration)"
    assert field.demonstration.isVisible() and field.demonstration.text() == "Demonstration"
    assert not field.no_commerce.isVisible() and field.licence.text() == "Licence: CC BY 4.0."
    choose(qtbot, field.combo, "Large")
    assert not field.demonstration.isVisible() and field.no_commerce.isVisible()
    assert field.no_commerce.text() == "No commercial use"
    assert field.licence.text() == "Licence: CC BY-NC 4.0. For research only."
    at = field.combo.findText("half: broken")
    item = field.combo.model().item(at)  # type: ignore[union-attr]
    assert not item.isEnabled()
    assert field.broken.isVisible()
    assert field.broken.text() == (
        "half cannot be used. Licence: expected an object, found nothing."
    )
    choose(qtbot, field.combo, "Large, older")  # a name that is taken: by its path
    assert first(panel).bundle == "/old/large"


def test_a_model_that_is_not_here_is_told(
    qtbot: QtBot, panel: SettingsPanel, catalogue: Catalogue
) -> None:
    library, field = panel._library, panel.form.bundle
    library.change([library.clips[0].id], bundle="sold-out")
    qtbot.wait(20)
    assert field.combo.currentText() == "sold-out"
    assert "no model 'sold-out'" in field.row.message.text()
    library.change([library.clips[0].id], bundle="half")
    qtbot.wait(20)
    assert field.row.message.text() == "Licence: expected an object, found nothing."
    catalogue._no_bundles("the analyst ended")
    assert "The analyst ended." in field.broken.text()


def test_devices_say_whether_they_are_here(
    qtbot: QtBot, panel: SettingsPanel, catalogue: Catalogue
) -> None:
    rows = [
        {"device": "cpu", "available": True, "why": "works everywhere"},
        {"device": "cuda", "available": False, "why": "no NVIDIA driver was found"},
    ]
    catalogue._devices({"providers": rows, "reason": "no GPU here"})
    combo = panel.form.device.combo
    texts = [combo.itemText(at) for at in range(combo.count())]
    assert texts[:3] == ["Automatic", "CPU", "NVIDIA GPU (CUDA): not here"]
    assert combo.itemData(2, Qt.ItemDataRole.ToolTipRole) == "no NVIDIA driver was found"
    assert combo.currentText() == "Automatic"


def test_the_cameras_sound(qtbot: QtBot, panel: SettingsPanel) -> None:
    field = panel.form.mix
    assert field.combo.currentData() == OFF and not field.decibels.isVisible()
    choose(qtbot, field.combo, "On, in dB")
    assert 20 * math.log10(first(panel).mix) == pytest.approx(-12.0)
    assert field.decibels.isVisible() and field.decibels.lineEdit().text() == "-12 dB"  # type: ignore[union-attr]
    give(qtbot, field.decibels, "-6")
    assert first(panel).mix == pytest.approx(0.5012, abs=1e-4)
    qtbot.keyClick(field.decibels, Qt.Key.Key_Up)
    qtbot.wait(20)
    assert 20 * math.log10(first(panel).mix) == pytest.approx(-5.0, abs=1e-6)
    choose(qtbot, field.combo, "On, as a factor")
    assert field.factor.isVisible() and not field.decibels.isVisible()
    give(qtbot, field.factor, "0.25")
    assert first(panel).mix == 0.25
    give(qtbot, field.factor, "11")
    assert first(panel).mix == 0.25 and field.row.message.text() == "At most 20 dB, a factor of 10."
    choose(qtbot, field.combo, "Off")
    assert first(panel).mix == 0.0


def test_presets_are_applied_saved_renamed_and_deleted(
    qtbot: QtBot,
    panel: SettingsPanel,
    presets: Presets,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    library, bar = panel._library, panel.form.presets
    library.set_selected([clip.id for clip in library.clips])
    qtbot.wait(20)
    assert bar.combo.currentText() == "Standard"
    choose(qtbot, bar.combo, "Draft")
    assert [clip.settings.steps for clip in library.clips] == [8] * 3
    assert library.undo_stack.count() == 1 and bar.combo.currentText() == "Draft"
    give(qtbot, panel.form.cfg.edit, "2")
    give(qtbot, panel.form.steps.edit, "11")
    assert bar.combo.currentIndex() == -1 and bar.combo.placeholderText() == "own settings"

    names = iter(("Draft", "Quick one", "Quicker"))
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: (next(names), True))
    bar.ask_and_save()
    assert "comes with the program" in bar.row.message.text()
    bar.ask_and_save()
    assert not bar.row.message.isVisible() and bar.combo.currentText() == "Quick one"
    bar.ask_and_rename()
    assert bar.combo.currentText() == "Quicker"
    file = tmp_path / "shared"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    bar.ask_and_export()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    bar.ask_and_delete()
    assert presets.find("Quicker") is None and not bar.delete_action.isEnabled()  # type: ignore[union-attr]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file) + ".json", ""))
    bar.ask_and_import()
    assert bar.combo.currentText() == "Quicker"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "none"), ""))
    bar.ask_and_import()
    assert "Cannot read" in bar.row.message.text()


def test_the_output_folder(
    qtbot: QtBot, panel: SettingsPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = panel.form.folder
    assert field.combo.currentText() == "Beside the clip"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    choose(qtbot, field.combo, "Choose a folder...")
    assert first(panel).output_folder == tmp_path
    assert field.combo.currentText() == str(tmp_path)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    choose(qtbot, field.combo, "Choose a folder...")  # thought better of it
    assert first(panel).output_folder == tmp_path and field.combo.currentText() == str(tmp_path)
    choose(qtbot, field.combo, "Beside the clip")
    assert first(panel).output_folder is None
    panel.set_usual_folder(Path("/takes"))
    assert field.combo.currentText() == "takes (as preferred)"


def test_shots_are_found_on_request(qtbot: QtBot, panel: SettingsPanel, answers: Answers) -> None:
    field = panel.form.shots
    wanted: list[list[int]] = []
    panel.shots_wanted.connect(wanted.append)
    qtbot.mouseClick(field.button, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    assert wanted == [[panel._library.clips[0].id]] and field.button.text() == "Stop (0 %)"
    panel._library.shots._went_on(panel._library.clips[0].id, 0.4)
    qtbot.wait(20)
    assert field.button.text() == "Stop (40 %)"
    answers.answer("shots")
    qtbot.wait(20)
    assert field.button.text() == "F&ind shots" and field.row.note.text() == "1 shot."
    qtbot.mouseClick(field.button, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    qtbot.mouseClick(field.button, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    assert answers.cancelled and field.button.text() == "F&ind shots"


def test_the_front_is_taken_from_the_view(qtbot: QtBot, panel: SettingsPanel) -> None:
    button = panel.form.front_button
    assert not button.isVisible()
    panel.set_front_source(lambda: 33.333)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert first(panel).yaw == 33.33


def test_without_a_clip_there_is_a_hint(
    qtbot: QtBot, panel: SettingsPanel, answers: Answers
) -> None:
    library = panel._library
    library.remove([clip.id for clip in library.clips])
    qtbot.wait(20)
    assert panel.hint.isVisible() and not panel.scroller.isVisible()
    library.undo_stack.undo()
    qtbot.wait(20)
    assert not panel.hint.isVisible() and panel.scroller.isVisible()


def controls(panel: SettingsPanel) -> list[QWidget]:
    kinds = (QAbstractSpinBox, QComboBox, QCheckBox, QPushButton, QToolButton, QSlider)
    found = [widget for kind in kinds for widget in panel.findChildren(kind)]
    return [widget for widget in found if widget.isVisible()]


def test_all_is_reached_by_key_in_the_order_of_the_eye(qtbot: QtBot, panel: SettingsPanel) -> None:
    panel.form.advanced.set_folded(False)
    panel.activateWindow()
    panel.form.presets.combo.setFocus()
    qtbot.waitUntil(panel.form.presets.combo.hasFocus, timeout=5000)
    heights, met = [], []
    for _ in range(80):
        widget = QApplication.focusWidget()
        assert widget is not None
        if widget in met:
            break
        met.append(widget)
        heights.append(widget.mapTo(panel.form, widget.rect().center()).y())
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert all(after >= before - 4 for before, after in pairwise(heights))
    unreached = [w for w in controls(panel) if w.isEnabled() and w not in met]
    assert unreached == []


def test_all_controls_have_names_and_fit(qtbot: QtBot, panel: SettingsPanel) -> None:
    panel.form.advanced.set_folded(False)
    panel.set_front_source(lambda: 0.0)
    qtbot.wait(20)
    for widget in controls(panel):
        words = widget.accessibleName() or getattr(widget, "text", str)()
        assert words, widget
    panel.resize(panel.minimumWidth(), 240)
    qtbot.wait(20)
    assert panel.minimumWidth() <= 360
    viewport = panel.scroller.viewport()
    bar = panel.scroller.verticalScrollBar()
    assert viewport is not None and bar is not None
    assert panel.form.width() <= viewport.width()  # nothing is cut off at the right
    assert bar.maximum() > 0  # and the rest can be scrolled to
    panel.form.subtype.combo.setFocus()
    panel.scroller.ensureWidgetVisible(panel.form.subtype.combo)
    place = panel.form.subtype.combo.mapTo(viewport, panel.form.subtype.combo.rect().center())
    assert viewport.rect().contains(place)


def test_changes_elsewhere_are_shown(
    qtbot: QtBot, panel: SettingsPanel, open_library: Callable[..., Library]
) -> None:
    library = panel._library
    library.change([library.clips[0].id], cfg=7.0)
    qtbot.wait(20)
    assert panel.form.cfg.edit.value == 7.0
    library.undo_stack.undo()
    qtbot.wait(20)
    assert panel.form.cfg.edit.value is None
    library.set_seeds({library.clips[0].id: 4242})
    qtbot.wait(20)
    assert panel.form.seed.edit.value == 4242
