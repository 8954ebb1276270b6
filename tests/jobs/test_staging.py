"""Outputs appear together or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from omniaudio_studio.errors import MissingFileError, OptionError, OutputError, OutputExistsError
from omniaudio_studio.jobs.staging import (
    Staging,
    check_distinct,
    finish,
    remove_all,
    require_file,
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_nothing_is_there_before_the_commit_and_all_of_it_afterwards(tmp_path: Path) -> None:
    finals = [tmp_path / "a.wav", tmp_path / "a.json"]
    with Staging(finals) as staging:
        for final in finals:
            staging.path(final).write_text(final.name)
        staging.extra("a.wav").write_text("not an output")
        assert names(tmp_path) == {staging.folder.name}
        staging.commit()
    assert names(tmp_path) == {"a.wav", "a.json"}
    assert finals[1].read_text() == "a.json"


def test_an_error_leaves_nothing_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    final = tmp_path / "a.wav"
    final.write_text("old")
    with pytest.raises(RuntimeError), Staging([final], overwrite=True) as staging:
        staging.path(final).write_text("new")
        raise RuntimeError
    assert names(tmp_path) == {"a.wav"}
    assert final.read_text() == "old"


def test_what_exists_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(OutputExistsError), Staging([tmp_path / "a.wav", tmp_path / "a.json"]):
        pytest.fail("entered")
    assert names(tmp_path) == {"a.json"}


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    final = tmp_path / "a.wav"
    with pytest.raises(OutputExistsError, match="meanwhile"), Staging([final]) as staging:
        staging.path(final).write_text("new")
        final.write_text("someone else's")
        staging.commit()
    assert final.read_text() == "someone else's"


def test_a_commit_that_fails_half_way_puts_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, fresh = tmp_path / "old.wav", tmp_path / "fresh.wav"
    old.write_text("old")
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target == fresh:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    with (
        pytest.raises(OutputError, match="disk is full"),
        Staging([old, fresh], overwrite=True) as staging,
    ):
        staging.path(old).write_text("new")
        staging.path(fresh).write_text("new")
        monkeypatch.setattr(Path, "replace", failing)
        staging.commit()
    assert names(tmp_path) == {"old.wav"}
    assert old.read_text() == "old"


def test_a_system_error_names_the_users_file(tmp_path: Path) -> None:
    final = tmp_path / "a.wav"
    with pytest.raises(OutputError) as caught, Staging([final]) as staging:
        raise OutputError(f"cannot write {staging.path(final)}: the disk is full")
    assert str(caught.value) == f"cannot write {final}: the disk is full"


def test_a_forgotten_output_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nothing was written"), Staging([tmp_path / "a"]) as one:
        one.commit()
    assert names(tmp_path) == set()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="/proc is Linux's")
def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    with pytest.raises(OutputError), Staging([Path("/proc/out.wav")]):
        pytest.fail("entered")
    with pytest.raises(OutputError, match="does not exist"), Staging([tmp_path / "no" / "a.wav"]):
        pytest.fail("entered")


def test_the_last_resort_takes_every_folder_away(tmp_path: Path) -> None:
    staging = Staging([tmp_path / "a.wav"]).__enter__()
    staging.path(tmp_path / "a.wav").write_text("half")
    remove_all()
    assert names(tmp_path) == set()
    staging.__exit__(None, None, None)
    assert names(tmp_path) == set()


def test_outputs_must_differ_from_inputs_and_from_one_another(tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    clip.write_text("clip")
    (tmp_path / "link.wav").symlink_to(clip)
    for outputs in ([clip], [tmp_path / "link.wav"], [tmp_path / "." / "clip.wav"]):
        with pytest.raises(OptionError, match="also an input"):
            check_distinct(outputs, [clip])
    with pytest.raises(OptionError, match="one file"):
        check_distinct([tmp_path / "A.wav", tmp_path / "a.wav"], [])
    check_distinct([tmp_path / "out.wav"], [clip])


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        require_file(tmp_path / "no.mp4", "the clip")
    with pytest.raises(MissingFileError, match="is a folder"):
        require_file(tmp_path, "the clip")


def stopped_after(monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """Let the process "die" before the move number ``moves`` (from 0)."""
    replace, seen = Path.replace, [0]

    def dying(self: Path, target: Path) -> Path:
        seen[0] += 1
        if seen[0] > moves:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)


@pytest.mark.parametrize("moves", range(7))
def test_a_commit_killed_anywhere_is_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    finals = [tmp_path / name for name in ("a.wav", "a.json", "a-take2.wav")]
    finals[0].write_text("old")
    finals[2].write_text("old")
    staging = Staging(finals, overwrite=True).__enter__()
    first = staging.folder
    for final in finals:
        staging.path(final).write_text("new")
    with monkeypatch.context() as patch:
        # The clean-up after the failure does not run either: it is a kill.
        patch.setattr("omniaudio_studio.jobs.staging._put_back", _die)
        stopped_after(patch, moves)
        if moves < 5:
            with pytest.raises((KeyboardInterrupt, _KilledError)):
                staging.commit()
        else:
            staging.commit()
    assert finish(first, finals)
    assert [final.read_text() for final in finals] == ["new"] * 3
    assert names(tmp_path) == {"a.wav", "a.json", "a-take2.wav"}
    # What is finished can be finished again.
    assert not finish(first, finals)
    assert [final.read_text() for final in finals] == ["new"] * 3


class _KilledError(Exception):
    pass


def _die(*_: object) -> None:
    raise _KilledError


@pytest.mark.parametrize("moves", range(1, 4))
def test_undoing_a_commit_killed_anywhere_still_leads_to_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    finals = [tmp_path / name for name in ("a.wav", "a.json", "a.png")]
    finals[0].write_text("old")
    staging = Staging(finals, overwrite=True).__enter__()
    for final in finals:
        staging.path(final).write_text("new")
    replace, undone = Path.replace, [0]

    def failing(self: Path, target: Path) -> Path:
        if target == finals[2]:
            raise OSError(errno.EIO, "Input/output error")
        if self in finals and target.parent.name.endswith(".whole"):
            undone[0] += 1
            if undone[0] >= moves:
                raise _KilledError
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        with pytest.raises((_KilledError, OSError)):
            staging.commit()
    if staging.folder.name.endswith(".whole"):
        assert finish(staging.folder, finals)
        assert [final.read_text() for final in finals] == ["new"] * 3
    else:
        assert not finish(staging.folder, finals)
        assert names(tmp_path) == {"a.wav"}
        assert finals[0].read_text() == "old"
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_a_half_written_folder_is_thrown_away(tmp_path: Path) -> None:
    finals = [tmp_path / "a.wav", tmp_path / "a.json"]
    staging = Staging(finals).__enter__()
    staging.path(finals[0]).write_text("half")
    assert not finish(staging.folder, finals)
    assert names(tmp_path) == set()


def test_outputs_are_on_the_disk_before_they_count_as_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a power cut would find: nothing is renamed before its content is safe.
    seen: list[str] = []
    fsync, rename, replace = os.fsync, Path.rename, Path.replace
    paths: dict[int, str] = {}
    open_ = os.open

    def opened(path: Path, *rest: int) -> int:
        descriptor = open_(path, *rest)
        paths[descriptor] = Path(path).name
        return descriptor

    def synced(descriptor: int) -> None:
        seen.append(f"sync {paths[descriptor]}")
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        seen.append(f"rename {target.suffix}")
        return rename(self, target)

    def replaced(self: Path, target: Path) -> Path:
        seen.append(f"move {target.name}")
        return replace(self, target)

    finals = [tmp_path / "a.wav", tmp_path / "a.json"]
    with Staging(finals) as staging:
        for final in finals:
            staging.path(final).write_text("new")
        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Path, "rename", renamed)
        monkeypatch.setattr(Path, "replace", replaced)
        staging.commit()
    folder = f"sync {tmp_path.name}"
    assert [one for one in seen if one != folder] == [
        "sync a.wav", "sync a.json", "rename .whole", "move a.wav", "move a.json",
    ]  # fmt: skip
    if os.name != "nt":
        assert seen[3:] == [folder, "move a.wav", "move a.json", folder]
