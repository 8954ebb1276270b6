"""Presets: kept, renamed, deleted, sent to others; a damaged file is not lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from pytestqt.qtbot import QtBot

from omniaudio_studio.errors import MissingFileError, OptionError
from qt_app.models.presets import BUILT_IN, PRESET_FIELDS, Preset, Presets
from qt_app.models.settings import ClipSettings
from tests.qt.library.support import told
from tests.qt.library.test_settings import settings_strategy


def reopened(qtbot: QtBot, folder: Path) -> Presets:
    made = Presets(folder)
    made.told = []  # type: ignore[attr-defined]
    made.notice.connect(made.told.append)  # type: ignore[attr-defined]
    with qtbot.waitSignal(made.loaded, timeout=5000):
        pass
    return made


@given(settings_strategy)
def test_presets_survive_json(settings: ClipSettings) -> None:
    preset = Preset("Mine", {name: getattr(settings, name) for name in PRESET_FIELDS})
    again = Preset.from_dict(json.loads(json.dumps(preset.as_dict(), allow_nan=False)))
    assert again.name == "Mine" and dict(again.values) == dict(preset.values)
    assert again.matches(settings)


def test_built_in_presets_are_valid_and_change_what_they_say() -> None:
    for preset in BUILT_IN:
        ClipSettings().changed(**preset.values)
    named = {preset.name: preset.values for preset in BUILT_IN}
    assert named["Draft"]["steps"] == 8 and named["Careful"]["steps"] == 48
    assert named["Standard"] == {"cfg": None, "steps": None}


def test_saved_presets_are_there_again(qtbot: QtBot, presets: Presets, tmp_path: Path) -> None:
    presets.save("  Night shots ", ClipSettings(cfg=2.5, steps=12, seed=5, yaw=30.0))
    presets.close()
    again = reopened(qtbot, tmp_path / "app")
    preset = again.find("night SHOTS")
    assert preset is not None and not preset.builtin
    assert preset.values["cfg"] == 2.5 and preset.values["steps"] == 12
    assert not {"seed", "yaw", "start", "shots", "projection"} & preset.values.keys()
    again.close()


def test_what_is_saved_before_the_file_is_read_loses_nothing(
    qtbot: QtBot, presets: Presets, tmp_path: Path
) -> None:
    presets.save("First", ClipSettings(steps=3))
    presets.close()
    quick = Presets(tmp_path / "app")
    quick.save("Second", ClipSettings(steps=4))
    with qtbot.waitSignal(quick.loaded, timeout=5000):
        pass
    quick.close()
    again = reopened(qtbot, tmp_path / "app")
    assert {"First", "Second"} <= {preset.name for preset in again.presets}
    again.close()


def test_names_are_kept_apart(presets: Presets) -> None:
    presets.save("One", ClipSettings(steps=3))
    presets.save("one", ClipSettings(steps=4))  # the same, said otherwise: replaced
    assert [p.values["steps"] for p in presets.presets if not p.builtin] == [4]
    presets.save("Two", ClipSettings())
    with pytest.raises(OptionError, match="already"):
        presets.rename("Two", "ONE")
    presets.rename("Two", "TWO")
    assert presets.find("two").name == "TWO"  # type: ignore[union-attr]
    for name in ("", "   ", "x" * 61, "a\nb"):
        with pytest.raises(OptionError, match="1 to 60"):
            presets.save(name, ClipSettings())
    for action in (
        lambda: presets.save("draft", ClipSettings()),
        lambda: presets.rename("Draft", "Rough"),
        lambda: presets.delete("Draft"),
    ):
        with pytest.raises(OptionError, match="comes with the program"):
            action()
    presets.delete("TWO")
    assert presets.find("Two") is None
    with pytest.raises(OptionError, match="no preset"):
        presets.delete("Two")


def test_presets_travel_in_a_file(presets: Presets, tmp_path: Path) -> None:
    presets.save("Mine", ClipSettings(steps=3))
    file = tmp_path / "mine.json"
    presets.export(["Mine"], file)
    assert presets.take_in(file) == ["Mine"]  # it is here already
    presets.save("Mine", ClipSettings(steps=9))
    assert presets.take_in(file) == ["Mine 2"]
    assert presets.find("Mine 2").values["steps"] == 3  # type: ignore[union-attr]
    assert presets.find("Mine").values["steps"] == 9  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "not JSON"),
        ("{}", "holds no presets"),
        ('{"kind": "omniaudio-presets", "schema_version": 9}', "schema version 9"),
        ('{"kind": "omniaudio-presets", "schema_version": 1, "presets": 3}', "must be a list"),
        (
            '{"kind": "omniaudio-presets", "schema_version": 1, "presets": '
            '[{"name": "A", "values": {"steps": 3}}, {"name": "B", "values": {"steps": 0}}]}',
            "preset 'B': steps must be",
        ),
        (
            '{"kind": "omniaudio-presets", "schema_version": 1, "presets": '
            '[{"name": "A", "values": {"seed": 3}}]}',
            "cannot hold 'seed'",
        ),
    ],
)
def test_files_that_are_none_change_nothing(
    presets: Presets, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(OptionError, match=said):
        presets.take_in(file)
    assert presets.presets == BUILT_IN
    with pytest.raises(MissingFileError):
        presets.take_in(tmp_path / "none.json")


def test_a_damaged_file_is_kept_aside(qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "presets.json").write_text("{ half of it")
    presets = reopened(qtbot, folder)
    assert presets.presets == BUILT_IN
    kept = folder / "presets.json.bad"
    assert kept.read_text() == "{ half of it"
    assert "cannot be read" in told(presets)[0] and str(kept) in told(presets)[0]
    presets.save("New", ClipSettings())
    presets.close()
    assert (folder / "presets.json").exists() and kept.exists()


def test_the_preset_that_settings_are_as(presets: Presets) -> None:
    assert presets.matching(ClipSettings()).name == "Standard"  # type: ignore[union-attr]
    assert presets.matching(ClipSettings(steps=8)).name == "Draft"  # type: ignore[union-attr]
    assert presets.matching(ClipSettings(steps=9)) is None
    presets.save("Nine", ClipSettings(steps=9))
    assert presets.matching(ClipSettings(steps=9, seed=4)).name == "Nine"  # type: ignore[union-attr]
