"""Where things are kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import platformdirs
import pytest

from omniaudio_studio import places


def test_the_platforms_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(places.CACHE_VARIABLE, raising=False)
    cache = platformdirs.user_cache_dir("omniaudio-studio", appauthor=False)
    assert places.cache_folder("kind") == Path(cache) / "kind"


def test_a_host_names_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from omniaudio_studio.jobs.analysis import cache

    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path))
    assert places.cache_folder("kind") == tmp_path / "kind"
    assert cache.folder() == tmp_path / "analysis"


def test_blender_says_the_same_word() -> None:
    source = Path(__file__).parents[1] / "blender_addon" / "runtime.py"
    assert f'CACHE = "{places.CACHE_VARIABLE}"' in source.read_text(encoding="utf-8")


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    now = time.time()
    for age, name in enumerate(("new", "middle", "old")):
        (tmp_path / name).write_bytes(b"x" * 1000)
        os.utime(tmp_path / name, (now - age, now - age))

    def left() -> set[str]:
        return {path.name for path in tmp_path.iterdir()}

    places.trim_folder(tmp_path, 3000)
    assert left() == {"new", "middle", "old"}
    places.trim_folder(tmp_path, 2500)
    assert left() == {"new", "middle"}
    places.trim_folder(tmp_path, 1500, {tmp_path / "middle"})
    assert left() == {"middle"}
