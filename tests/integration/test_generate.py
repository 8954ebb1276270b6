"""Whole paths through the command line: length, seeds, ranges, sidecars, memory, shots."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.command_line import environment, names, omniaudio
from tests.support.material import material
from tests.support.small_clip import make_small_clip

REAL_CLIP = "clips/ricoh_360_mono_40s.mp4"


def generate(*arguments: str | Path) -> dict:
    ran = omniaudio("generate", *arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_real_clip_of_several_windows(tiny_bundle: Path, tmp_path: Path) -> None:
    """Length to the sample, same seed to the bit, another seed another sound."""
    clip = material(REAL_CLIP)
    info = json.loads(omniaudio("probe", clip, "--json").out)
    sounds = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        target = tmp_path / f"{name}.wav"
        result = generate(clip, "-o", target, "--bundle", tiny_bundle, "--seed", seed)
        assert soundfile.info(target).frames == round(info["duration"] * 48000)
        assert result["realtime"] > 1
        sounds.append(target.read_bytes())
    assert sounds[0] == sounds[1]
    assert sounds[0] != sounds[2]


def test_a_range_of_a_real_clip(tiny_bundle: Path, tmp_path: Path) -> None:
    clip = material(REAL_CLIP)
    target = tmp_path / "part.wav"
    generate(clip, "-o", target, "--bundle", tiny_bundle, "--start", "10", "--duration", "7.5")
    assert soundfile.info(target).frames == 360_000


def test_from_a_sidecar_in_another_folder(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    generate(
        small_clip, "-o", first / "out.wav", "--bundle", tiny_bundle, "--seed", str(2**64 - 1),
        "--cfg", "1.5", "--yaw", "-45", "--takes", "2", "--start", "0.25",
    )  # fmt: skip
    result = generate("--from", first / "out-take2.json", "-o", second / "again.wav", "--overlay")
    assert (second / "again.wav").read_bytes() == (first / "out-take2.wav").read_bytes()
    assert result["warnings"] == []
    assert names(second) == {"again.wav", "again.json", "again.overlay.mp4"}
    # The new sidecar reproduces it as well.
    generate("--from", second / "again.json", "-o", second / "third.wav")
    assert (second / "third.wav").read_bytes() == (second / "again.wav").read_bytes()


def test_people_are_told_what_was_made_and_by_what(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.wav"
    ran = omniaudio(
        "generate", small_clip, "-o", target, "--bundle", tiny_bundle, "--device", "cpu"
    )
    assert ran.code == 0, ran.err
    assert str(target) in ran.out
    assert "CPUExecutionProvider: asked for" in ran.out
    assert "demonstration model" in ran.out
    assert "times real time" in ran.out
    assert len(ran.err.splitlines()) <= 3


def cut_clip(path: Path) -> Path:
    """Two shots that differ in everything; the cut is at 2 s."""
    from omniaudio_studio.media.video import VideoWriter

    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 90, (64, 128, 3)), rng.integers(150, 255, (64, 128, 3))]
    with VideoWriter(path, 128, 64, 15) as writer:
        for index in range(60):
            writer.write_frame(np.roll(pictures[index // 30], index, axis=1).astype(np.uint8))
    return path


def test_shots_are_found_and_kept_in_the_sidecar(tiny_bundle: Path, tmp_path: Path) -> None:
    clip = cut_clip(tmp_path / "cut.mp4")
    generate(clip, "-o", tmp_path / "a.wav", "--bundle", tiny_bundle, "--shots", "auto")
    segments = json.loads((tmp_path / "a.json").read_text())["request"]["segments"]
    assert [segment["start"] for segment in segments] == pytest.approx([0.0, 2.0], abs=0.1)
    generate("--from", tmp_path / "a.json", "-o", tmp_path / "b.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_shots_from_a_file_have_their_own_seed(
    small_clip: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    sounds = []
    for name, seed in (("a", 1), ("b", 2)):
        shots = tmp_path / f"{name}.json"
        shots.write_text(json.dumps([{"start": 0}, {"start": 1.0, "seed": seed, "cfg": 1.0}]))
        target = tmp_path / f"{name}-out.wav"
        generate(small_clip, "-o", target, "--bundle", tiny_bundle, "--shots", shots)
        sounds.append(soundfile.read(target, dtype="float32")[0])
    np.testing.assert_array_equal(sounds[0][:46000], sounds[1][:46000])
    assert np.any(sounds[0][50000:] != sounds[1][50000:])


MEASURED = """
import sys
from omniaudio_studio.cli.app import run
assert run(sys.argv[1:]) == 0
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def peak_memory(*arguments: str | Path) -> int:
    """Kilobytes that a command took at most; ru_maxrss would count its parent's as well."""
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout.splitlines()[-1])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory from /proc")
def test_memory_does_not_grow_with_the_clip(tiny_bundle: Path, tmp_path: Path) -> None:
    """Ten times the length and more, at most half as much memory again."""
    peaks = []
    for name, seconds in (("short", 40.0), ("long", 420.0)):
        clip = make_small_clip(
            tmp_path / f"{name}.mp4", seconds=seconds, fps=2.0, width=64, height=32
        )
        peaks.append(
            peak_memory(
                "generate", clip, "-o", tmp_path / f"{name}.wav", "--bundle", tiny_bundle,
                "--steps", "1", "--mix", "0.5", "--loudness", "-23", "--rate", "44100",
                "--feature-rate", "2",
            )
        )  # fmt: skip
        assert soundfile.info(tmp_path / f"{name}.wav").duration == pytest.approx(seconds)
    assert peaks[1] < 1.5 * peaks[0], peaks
