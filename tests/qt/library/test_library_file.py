"""The library on disk: kept, and never lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from qt_app.models.clip import Clip
from qt_app.models.library import Library
from qt_app.models.library_file import library_text, read_library
from tests.qt.library.support import Answers, told
from tests.qt.library.test_settings import settings_strategy, shots

paths = st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=20).map(
    lambda name: Path("/films") / f"{name}.mp4"
)


@given(st.lists(st.tuples(paths, settings_strategy, shots), max_size=5), st.integers(0, 2**40))
def test_a_library_survives_json(
    tmp_path_factory: pytest.TempPathFactory, rows: list, extra: int
) -> None:
    clips = [
        Clip(number, path, settings, suggested_shots=suggested, stamp=(extra, extra, extra))
        for number, (path, settings, suggested) in enumerate(rows, 1)
    ]
    file = tmp_path_factory.mktemp("library") / "library.json"
    text = library_text(clips, len(clips) or None, len(clips) + 1 + extra)
    file.write_text(text)
    found = read_library(file)
    assert found.notice is None and not found.protected
    assert found.next_id == len(clips) + 1 + extra
    assert found.current == (len(clips) or None)
    assert [(c.id, c.path, c.settings, c.suggested_shots) for c in found.clips] == [
        (c.id, c.path, c.settings, c.suggested_shots) for c in clips
    ]
    assert list(file.parent.iterdir()) == [file]  # nothing was put aside


def test_everything_is_there_again(
    qtbot: QtBot, added: Library, answers: Answers, open_library: Callable[..., Library]
) -> None:
    ids = [clip.id for clip in added.clips]
    added.change(ids[:1], cfg=2.5, seed=2**64 - 1, seed_locked=True, output_folder=Path("/takes"))
    added.move(ids[2:], 0)
    added.set_current(ids[1])
    added.remove(ids[:0])
    added.close()
    asked = answers.counts["probe"]
    again = open_library()
    assert [clip.id for clip in again.clips] == [ids[2], ids[0], ids[1]]
    assert again.clip(ids[0]).settings == added.clip(ids[0]).settings
    assert again.clip(ids[0]).info == added.clip(ids[0]).info
    assert again.current is again.clip(ids[1])
    qtbot.wait(100)
    assert answers.counts["probe"] == asked  # files that did not change are not looked at again


def test_ids_are_never_used_again(
    qtbot: QtBot, added: Library, clips: list[Path], open_library: Callable[..., Library]
) -> None:
    highest = max(clip.id for clip in added.clips)
    added.remove([highest])
    added.close()
    again = open_library()
    again.add([clips[2]])
    qtbot.waitUntil(lambda: len(again.clips) == 3, timeout=5000)
    assert again.clips[-1].id > highest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{ half",
        b"[]",
        b'{"kind": "other"}',
        b'{"kind": "omniaudio-library", "schema_version": 2, "clips": []}',
        b'{"kind": "omniaudio-library", "schema_version": 1}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_file_is_kept_aside(
    tmp_path: Path, content: bytes, qtbot: QtBot, open_library: Callable[..., Library]
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "library.json").write_bytes(content)
    (folder / "library.json.bad").write_text("an older one")
    library = open_library(folder)
    assert library.clips == []
    kept = folder / "library.json.2.bad"
    assert kept.read_bytes() == content
    assert (folder / "library.json.bad").read_text() == "an older one"
    assert "damaged" in told(library)[0] and str(kept) in told(library)[0]
    library.set_current(None)
    library._save_soon()
    assert library.flush()
    assert json.loads((folder / "library.json").read_text())["clips"] == []


def test_what_can_be_read_is_read(
    qtbot: QtBot, added: Library, tmp_path: Path, open_library: Callable[..., Library]
) -> None:
    added.close()
    file = tmp_path / "app" / "library.json"
    data = json.loads(file.read_text())
    data["clips"][0]["settings"]["cfg"] = 5000
    data["clips"][0]["settings"]["steps"] = 12
    data["clips"][1] = {"id": "x"}
    data["clips"].append(data["clips"][2])  # twice the same id
    damaged = json.dumps(data)
    file.write_text(damaged)
    again = open_library()
    assert [clip.name for clip in again.clips] == ["beach2.mp4", "city.mp4"]
    settings = again.clips[0].settings
    assert settings.cfg is None and settings.steps == 12
    assert (tmp_path / "app" / "library.json.bad").read_text() == damaged
    assert "2 could not be read, 1 had settings" in told(again)[0]


def test_a_file_that_cannot_be_put_aside_is_not_written_over(
    tmp_path: Path, open_library: Callable[..., Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    file = folder / "library.json"
    file.write_text("{ half")
    monkeypatch.setattr("qt_app.models.library_file.set_aside", lambda path: None)
    library = open_library(folder)
    library._save_soon()
    library.flush()
    library.close()
    assert file.read_text() == "{ half"
    assert "changes are not kept" in told(library)[0]


def test_a_disk_that_refuses_is_told_once(qtbot: QtBot, added: Library, tmp_path: Path) -> None:
    assert added.flush()
    file = tmp_path / "app" / "library.json"
    before = file.read_text()
    file.rename(file.with_suffix(".aside"))
    file.mkdir()  # nothing can be written there now
    number = added.clips[0].id
    for cfg in (1.0, 2.0):
        added.change([number], cfg=cfg)
        assert added.flush()
    assert len([line for line in told(added) if "is not kept" in line]) == 1
    file.rmdir()
    added.change([number], cfg=3.0)
    assert added.flush()
    assert json.loads(file.read_text())["clips"][0]["settings"]["cfg"] == 3.0
    assert json.loads(before)["clips"][0]["settings"]["cfg"] is None


def test_many_changes_are_written_once(qtbot: QtBot, added: Library, tmp_path: Path) -> None:
    added.flush()
    file = tmp_path / "app" / "library.json"
    stamp = file.stat().st_mtime_ns
    for step in range(50):
        added.change([added.clips[0].id], cfg=step / 10)
    assert file.stat().st_mtime_ns == stamp  # not yet
    qtbot.waitUntil(lambda: file.stat().st_mtime_ns != stamp, timeout=3000)
    assert json.loads(file.read_text())["clips"][0]["settings"]["cfg"] == 4.9
