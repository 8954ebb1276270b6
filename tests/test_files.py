"""Outputs that appear whole or not at all, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from omniaudio_studio.errors import MissingFileError, OutputError, OutputExistsError
from omniaudio_studio.files import check_output, is_there, remove_all_temporary, written_whole


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_output_appears_when_it_is_whole(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.png") as temporary:
        temporary.write_text("whole")
        assert temporary.suffix == ".png"
        assert names(tmp_path) == {temporary.name}
    assert names(tmp_path) == {"a.png"}
    assert (tmp_path / "a.png").read_text() == "whole"


def test_an_error_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_text("old")
    with pytest.raises(RuntimeError), written_whole(target, overwrite=True) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    empty = pytest.raises(OutputError, match="nothing was written")
    with empty, written_whole(target, overwrite=True):
        pass
    with pytest.raises(OutputExistsError), written_whole(target):
        pytest.fail("entered")
    assert names(tmp_path) == {"a.png"}
    assert target.read_text() == "old"


def test_the_last_resort_takes_away_what_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(OutputError), written_whole(tmp_path / "a.png") as temporary:
        temporary.write_text("half")
        remove_all_temporary()
        assert names(tmp_path) == set()
    assert names(tmp_path) == set()


def test_what_the_system_does_not_let_be_looked_at(tmp_path: Path) -> None:
    long = tmp_path / ("n" * 300)
    with pytest.raises(MissingFileError, match="too long"):
        is_there(long)
    with pytest.raises(OutputError, match="too long"):
        check_output(long)
    with pytest.raises(OutputError, match="too long"):
        check_output(long / "a.png")
