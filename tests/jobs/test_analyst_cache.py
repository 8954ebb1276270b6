"""What is kept between two questions: found again, remade when damaged, bounded, whole."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from omniaudio_studio.errors import Cancelled, MissingFileError, OutputError
from omniaudio_studio.jobs.analysis import cache
from omniaudio_studio.jobs.analysis.cache import cached, file_identity, folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"a clip")
    return path


class Maker:
    """Writes 200 kB and counts."""

    def __init__(self, text: bytes = b"x") -> None:
        self.count = 0
        self.text = text

    def __call__(self, file: Path) -> dict[str, Any]:
        self.count += 1
        file.write_bytes(self.text * 200_000)
        return {"number": self.count}


def test_made_once_found_again(clip: Path, home: Path) -> None:
    make = Maker()
    file, facts = cached("field", clip, ".npz", make)
    assert facts == {"number": 1}
    assert file.parent == home
    assert cached("field", clip, ".npz", make) == (file, {"number": 1})
    assert make.count == 1


def test_other_parameters_tasks_and_files_are_other_answers(clip: Path, tmp_path: Path) -> None:
    make = Maker()
    other = tmp_path / "other.mp4"
    other.write_bytes(b"a clip")
    os.utime(other, ns=(clip.stat().st_atime_ns, clip.stat().st_mtime_ns))
    made = {
        cached("thumbnail", clip, ".jpg", make, width=320)[0],
        cached("thumbnail", clip, ".jpg", make, width=640)[0],
        cached("shots", clip, ".jpg", make, width=640)[0],
        cached("shots", other, ".jpg", make, width=640)[0],
    }
    assert len(made) == make.count == 4


def test_a_file_that_changed_is_looked_at_again(clip: Path) -> None:
    make = Maker()
    cached("field", clip, ".npz", make)
    clip.write_bytes(b"another")
    assert cached("field", clip, ".npz", make)[1] == {"number": 2}
    status = clip.stat()
    os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert cached("field", clip, ".npz", make)[1] == {"number": 3}


def test_a_file_that_changes_meanwhile_is_not_remembered(clip: Path) -> None:
    make = Maker()

    def slow(file: Path) -> dict[str, Any]:
        clip.write_bytes(b"written to while it is read")
        return make(file)

    _, facts = cached("field", clip, ".npz", slow)
    assert facts == {"number": 1}
    clip.write_bytes(b"a clip")
    assert cached("field", clip, ".npz", make)[1] == {"number": 2}


@pytest.mark.parametrize("place", [0, 100_000, 199_999])
def test_a_damaged_answer_is_made_again(clip: Path, place: int) -> None:
    make = Maker()
    file, _ = cached("field", clip, ".npz", make)
    data = bytearray(file.read_bytes())
    data[place] ^= 0xFF
    file.write_bytes(data)
    assert cached("field", clip, ".npz", make)[1] == {"number": 2}
    assert file.read_bytes() == b"x" * 200_000


def test_a_cut_off_answer_and_broken_or_missing_notes_too(clip: Path) -> None:
    make = Maker()
    file, _ = cached("field", clip, ".npz", make)
    with file.open("r+b") as stream:
        stream.truncate(1000)
    assert cached("field", clip, ".npz", make)[1] == {"number": 2}
    notes = file.with_suffix(".json")
    for text in ('{"seal": ', "[]", '{"seal": [1, "a"], "facts": 3}', ""):
        notes.write_text(text, encoding="utf-8")
        before = make.count
        assert cached("field", clip, ".npz", make)[1] == {"number": before + 1}
    file.unlink()
    assert cached("field", clip, ".npz", make)[1] == {"number": make.count}
    assert file.exists()


@pytest.mark.parametrize("error", [Cancelled("no"), RuntimeError("broken"), KeyboardInterrupt()])
def test_what_was_not_finished_leaves_nothing(clip: Path, home: Path, error: BaseException) -> None:
    def fail(file: Path) -> dict[str, Any]:
        file.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)):
        cached("field", clip, ".npz", fail)
    assert list(home.iterdir()) == []


def test_a_full_disk_is_one_line(clip: Path, home: Path) -> None:
    def fail(file: Path) -> dict[str, Any]:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="the disk is full; free some space") as caught:
        cached("field", clip, ".npz", fail)
    assert "\n" not in str(caught.value)
    assert list(home.iterdir()) == []


def test_a_cache_folder_that_cannot_be_is_one_line(clip: Path, home: Path) -> None:
    home.parent.parent.mkdir(parents=True)
    home.parent.write_text("a file in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot use the cache folder"):
        cached("field", clip, ".npz", Maker())


def test_files_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no such file: .*gone\.mp4"):
        file_identity(tmp_path / "gone.mp4")
    with pytest.raises(MissingFileError, match="cannot look at"):
        file_identity(tmp_path / ("n" * 300))
    with pytest.raises(MissingFileError, match="cannot look at"):
        file_identity(Path("nul\0byte"))


def test_the_folder_stays_below_its_limit_and_what_is_used_stays(
    clip: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 700_000)
    make = Maker()
    past = time.time() - 100

    def age(file: Path, seconds: float) -> None:
        for path in (file, file.with_suffix(".json")):
            os.utime(path, (past + seconds, past + seconds))

    files = [cached("field", clip, ".npz", make, part=part)[0] for part in range(3)]
    for place, file in enumerate(files):
        age(file, place)
    cached("field", clip, ".npz", make, part=0)  # used again: the second is the oldest now
    cached("field", clip, ".npz", make, part=3)
    assert sum(path.stat().st_size for path in home.iterdir()) <= 700_000
    assert files[0].exists()
    assert not files[1].exists()


def test_what_a_killed_process_left_goes_after_a_while(home: Path, clip: Path) -> None:
    home.mkdir(parents=True)
    fresh, stale = home / ".field-1-aa.part.npz", home / ".field-2-bb.part.npz"
    for path in (fresh, stale):
        path.write_bytes(b"half")
    hour = time.time() - 2 * 3600
    os.utime(stale, (hour, hour))
    cached("field", clip, ".npz", Maker())
    assert fresh.exists()  # perhaps somebody writes it
    assert not stale.exists()


def test_notes_are_plain_json(clip: Path) -> None:
    file, _ = cached("field", clip, ".npz", Maker())
    held = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert held["facts"] == {"number": 1}
    assert held["seal"][0] == 200_000
