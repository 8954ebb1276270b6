"""Pythons that left word of themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import platformdirs
import pytest

from omniaudio_studio import __version__
from omniaudio_studio.jobs import environments


@pytest.fixture(autouse=True)
def _nothing_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "no-such-folder"))


def fake_python(folder: Path) -> Path:
    python = folder / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    return python


def test_the_data_folder_is_the_platforms() -> None:
    wanted = platformdirs.user_data_dir("omniaudio-studio", appauthor=False)
    assert environments.data_folder() == Path(wanted)


def test_the_last_one_to_leave_word_comes_first(tmp_path: Path) -> None:
    first, second = fake_python(tmp_path / "a"), fake_python(tmp_path / "b")
    environments.announce(first, tmp_path / "data")
    environments.announce(second, tmp_path / "data")
    assert environments.find(tmp_path / "data") == [second, first]
    environments.announce(first, tmp_path / "data")
    assert environments.find(tmp_path / "data") == [first, second]


def test_this_process_is_found_and_those_that_are_gone_are_not(tmp_path: Path) -> None:
    gone = fake_python(tmp_path / "gone")
    environments.announce(folder=tmp_path)
    environments.announce(gone, tmp_path)
    gone.unlink()
    assert environments.find(tmp_path) == [Path(sys.executable)]


def test_another_version_comes_last(tmp_path: Path) -> None:
    old, own = fake_python(tmp_path / "old"), fake_python(tmp_path / "own")
    entries = [
        {"python": str(old), "version": "0.0.1"},
        {"python": str(own), "version": __version__},
    ]
    (tmp_path / environments.NAME).write_text(json.dumps({"environments": entries}))
    assert environments.find(tmp_path) == [own, old]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"environments": [1]}', "\x00"])
def test_a_damaged_list_is_an_empty_one_and_mended(tmp_path: Path, text: str) -> None:
    (tmp_path / environments.NAME).write_text(text)
    assert environments.find(tmp_path) == []
    environments.announce(folder=tmp_path)
    assert environments.find(tmp_path) == [Path(sys.executable)]


def test_the_list_stays_short(tmp_path: Path) -> None:
    for number in range(20):
        environments.announce(fake_python(tmp_path / str(number)), tmp_path / "data")
    assert len(environments.find(tmp_path / "data")) == environments.MOST


def test_a_command_on_the_path_leads_to_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = fake_python(tmp_path / "venv")
    command = python.with_name("omniaudio")
    command.touch(mode=0o755)
    linked = tmp_path / "links"
    linked.mkdir()
    (linked / "omniaudio").symlink_to(command)
    monkeypatch.setenv("PATH", str(linked))
    assert environments.find(tmp_path / "data") == [python]


def test_python_of_a_folder_and_of_itself(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "venv")
    assert environments.python_of(tmp_path / "venv") == python
    assert environments.python_of(python) == python
    assert environments.python_of(tmp_path) is None
    assert environments.python_of(tmp_path / "nothing") is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environments.announce(folder=tmp_path / "file" / "data")
    assert environments.find(tmp_path / "file" / "data") == []
