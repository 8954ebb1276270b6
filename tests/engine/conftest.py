"""A tiny bundle and small clips, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.media.probe import ClipInfo, probe
from tests.support.small_clip import make_small_clip
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("engine") / "tiny"))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    """Seven seconds at 10 frames a second: several windows of the tiny bundle."""
    return probe(make_small_clip(Path(tmp_path_factory.mktemp("clips")) / "clip.mp4", seconds=7.0))
