"""The sample clip that ships is a 360 clip, small, and shows what its notes say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import omniaudio_studio
from omniaudio_studio.datasets.demo import SECONDS, demo_scene, main
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import probe

ASSETS = Path(omniaudio_studio.__file__).parent / "assets"


def test_the_clip_is_a_small_360_clip_with_plain_sound():
    path = ASSETS / "demo.mp4"
    assert path.stat().st_size < 400_000
    info = probe(path)
    assert (info.width, info.height) == (1024, 512)
    assert info.projection == "equirectangular" and info.projection_source == "metadata"
    assert info.duration == pytest.approx(SECONDS, abs=0.01)
    assert info.audio is not None
    assert info.audio.channels == 1 and not info.audio.ambisonic
    notes = (ASSETS / "demo.md").read_text()
    for part in ("Noto Emoji", "Apache-2.0", "procedural.py"):
        assert part in notes


def test_the_things_are_where_the_scene_has_them():
    """What differs from the meadow (the median over time) is at the helicopter's track."""
    info = probe(ASSETS / "demo.mp4")
    scene = demo_scene(MaterialLibrary())
    helicopter = scene.sources[1]
    frames = {t: read_frame(info, t).astype(float) for t in (0.05, 1.5, 3.0, 4.5, 5.9)}
    meadow = np.median(np.stack(list(frames.values())), axis=0)
    for t, frame in frames.items():
        moved = np.abs(frame - meadow).sum(axis=2) > 60
        moved[:, 280:420] = False  # the dog, which grows and shrinks
        rows, columns = np.nonzero(moved)
        azimuth, elevation = helicopter.direction(t)
        assert columns.mean() == pytest.approx((np.pi - azimuth) / (2 * np.pi) * 1024, abs=18)
        assert rows.mean() == pytest.approx((np.pi / 2 - elevation) / np.pi * 512, abs=30)


def test_missing_material_is_one_line_and_leaves_nothing(tmp_path, capsys):
    code = main([str(tmp_path / "demo.mp4"), "--sprites", str(tmp_path / "s")])
    assert code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
