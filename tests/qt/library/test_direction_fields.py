"""Fields about directions: nothing that is shown is ignored, what has no effect is not shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from qt_app.sources.source import ClipSource
from qt_app.widgets.settings_panel import SettingsPanel
from tests.qt.library.test_settings_panel import (  # noqa: F401 (fixtures)
    BUNDLES,
    catalogue,
    choose,
    first,
    give,
    panel,
)


def test_the_front_view(qtbot: QtBot, panel: SettingsPanel) -> None:  # noqa: F811
    field = panel.form.front
    assert field.combo.currentText() == "Straight ahead" and not field.edit.isVisible()
    choose(qtbot, field.combo, "Where sound is likely")
    assert first(panel).front == "auto"
    choose(qtbot, field.combo, "At an azimuth")
    assert field.edit.isVisible()
    give(qtbot, field.edit, "-30")
    assert first(panel).front == -30.0
    give(qtbot, field.edit, "400")
    assert first(panel).front == -30.0 and field.row.message.isVisible()
    choose(qtbot, field.combo, "Straight ahead")
    assert first(panel).front is None


def test_the_camera_s_sound_steps_the_field_back(
    qtbot: QtBot,
    panel: SettingsPanel,  # noqa: F811
) -> None:
    form = panel.form
    assert not form.bed.isVisible() and not form.duck.isVisible()
    choose(qtbot, form.mix.combo, "On, in dB")
    assert form.bed.isVisible() and form.duck.isVisible()
    give(qtbot, form.duck.edit, "9 dB")
    panel.set_placed([(Path("/takes/beach2-placed-take1.wav"), "Placed 1")])
    choose(qtbot, form.bed.combo, "Placed 1")
    settings = first(panel)
    assert (settings.duck, settings.mix_field) == (9.0, Path("/takes/beach2-placed-take1.wav"))
    request = settings.request(Path("a.mp4"), Path("a.wav"))
    assert (request.duck, request.mix_field) == (9.0, settings.mix_field)
    panel.set_placed([])  # the take is gone: the setting is still shown
    assert form.bed.combo.currentText() == "beach2-placed-take1.wav"
    choose(qtbot, form.mix.combo, "Off")
    assert not form.duck.isVisible()
    assert first(panel).request(Path("a.mp4"), Path("a.wav")).mix_field is None


def test_a_flat_clip_s_camera(qtbot: QtBot, panel: SettingsPanel) -> None:  # noqa: F811
    form = panel.form
    form.advanced.set_folded(False)
    qtbot.wait(20)
    assert not form.hfov.isVisible() and not form.camera.isVisible()
    choose(qtbot, form.projection.combo, "Flat")
    assert form.hfov.isVisible() and form.camera.isVisible()
    give(qtbot, form.hfov.edit, "75")
    give(qtbot, form.camera.azimuth, "-30")
    give(qtbot, form.camera.elevation, "10")
    for request in (
        first(panel).request(Path("a.mp4"), Path("a.wav")),
        first(panel).placing(Path("a.mp4"), Path("a.wav")),
    ):
        assert (request.projection, request.hfov, request.camera) == ("flat", 75.0, (-30.0, 10.0))
    give(qtbot, form.camera.elevation, "95")
    assert form.camera.row.message.isVisible()


def test_the_clip_s_own_sound(
    qtbot: QtBot,
    panel: SettingsPanel,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, library = panel.form, panel._library
    number = library.clips[0].id
    assert "double-click in the picture" in form.directions.row.note.text()
    assert form.directions.combo.findText("Found by the model") < 0
    assert form.max_sources.isVisible()
    library.change([number], sources=(ClipSource("dog", ((0.0, 90.0, 0.0, 1.0),)),))
    qtbot.wait(20)
    assert form.directions.row.note.text() == "1 source marked."
    assert not form.max_sources.isVisible()  # nothing is looked for
    choose(qtbot, form.directions.combo, "Found in the picture")
    give(qtbot, form.max_sources.edit, "2")
    give(qtbot, form.spread.edit, "0.75")
    monkeypatch.setattr(
        "qt_app.widgets.direction_fields.QFileDialog.getOpenFileName",
        lambda *_: ("/sounds/field.wav", ""),
    )
    choose(qtbot, form.recording.combo, "Choose a file...")
    request = first(panel).placing(Path("a.mp4"), Path("a.wav"))
    assert (request.method, request.max_sources, request.width) == ("automatic", 2, 0.75)
    assert request.audio == Path("/sounds/field.wav")
    choose(qtbot, form.recording.combo, "The clip's own sound")
    assert first(panel).recording is None


def test_a_model_that_finds_directions_is_offered(
    qtbot: QtBot,
    panel: SettingsPanel,  # noqa: F811
    catalogue: object,  # noqa: F811
) -> None:
    catalogue._bundles([{**BUNDLES[0], "spatializer": True}, *BUNDLES[1:]])  # type: ignore[attr-defined]
    qtbot.wait(20)
    choose(qtbot, panel.form.directions.combo, "Found by the model")
    assert first(panel).placing(Path("a.mp4"), Path("a.wav")).method == "learned"
    choose(qtbot, panel.form.bundle.combo, "Large")
    assert panel.form.directions.combo.currentText() == "Found by the model: not by this one"
