"""The bundle that ships: whole, small, and marked as what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.command_line import names, omniaudio
from tests.support.material import material

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models" / "starter"
MAX_BYTES = 40_000_000

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="models/starter is not in this tree")


def test_it_is_whole_small_and_marked_as_a_demonstration() -> None:
    assert omniaudio("models", "verify", "starter").code == 0
    info = json.loads(omniaudio("models", "info", "starter", "--json").out)
    assert info["demonstration"] is True
    assert info["sample_rate"] == 48000
    assert info["licence"]["id"]
    assert info["provenance"]["data"]
    assert info["provenance"]["command"]
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= MAX_BYTES
    assert (FOLDER / "README.md").stat().st_size > 500


def test_a_real_clip_in_several_windows(tmp_path: Path) -> None:
    clip = material("clips/ricoh_360_mono_40s.mp4")
    duration = json.loads(omniaudio("probe", clip, "--json").out)["duration"]
    ran = omniaudio("generate", clip, "-o", tmp_path / "out.wav", "--device", "cpu", "--json")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert soundfile.info(tmp_path / "out.wav").frames == round(duration * 48000)
    assert result["realtime"] > 0
    sound = soundfile.read(tmp_path / "out.wav", dtype="float32")[0]
    assert 1e-4 < np.sqrt(np.mean(sound[:, 0] ** 2)) < 1.0


def test_seeds_and_sidecars_hold_for_real_graphs(small_clip: Path, tmp_path: Path) -> None:
    sounds = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        target = tmp_path / f"{name}.wav"
        ran = omniaudio("generate", small_clip, "-o", target, "--device", "cpu", "--seed", seed)
        assert ran.code == 0, ran.err
        sounds.append(target.read_bytes())
    assert sounds[0] == sounds[1]
    assert sounds[0] != sounds[2]
    ran = omniaudio("generate", "--from", tmp_path / "c.json", "-o", tmp_path / "d.wav")
    assert ran.code == 0, ran.err
    assert (tmp_path / "d.wav").read_bytes() == sounds[2]


def test_the_demo_needs_no_options(tmp_path: Path) -> None:
    ran = omniaudio("demo", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert names(tmp_path / "omniaudio-demo") == {
        "demo.wav", "demo.json", "demo.overlay.mp4", "demo.png",
    }  # fmt: skip
    assert "demonstration model" in ran.out
