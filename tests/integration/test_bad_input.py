"""Bad input: one clear line, exit code 2, nothing left behind, existing files untouched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip
from tests.support.command_line import names, omniaudio
from tests.support.tiny_bundle import make_tiny_bundle


@dataclass
class Desk:
    """A clip, a bundle, and a folder of outputs that holds one file already."""

    clip: Path
    bundle: Path
    work: Path
    out: Path

    def refuse(self, *arguments: str | Path, said: str, clip: Path | None = None) -> str:
        """Generate, with and without an output in place; returns the one line."""
        line = ""
        for existing in (False, True):
            target = self.out / "out.wav"
            if existing:
                target.write_text("precious")
            before = names(self.out)
            ran = omniaudio(
                "generate", clip or self.clip, "-o", target, "--bundle", self.bundle, "--overwrite",
                *arguments, cwd=self.work,
            )  # fmt: skip
            assert ran.code == 2, ran.err
            assert ran.out == ""
            assert len(ran.error_lines) == 1, ran.err
            assert "Traceback" not in ran.err
            line = ran.error_lines[0]
            assert said in line
            assert names(self.out) == before
            if existing:
                assert target.read_text() == "precious"
        return line


@pytest.fixture
def desk(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> Desk:
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    return Desk(small_clip, tiny_bundle, tmp_path / "work", tmp_path / "out")


def test_no_such_file(desk: Desk) -> None:
    desk.refuse(clip=desk.work / "absent.mp4", said="absent.mp4")


def test_names_that_the_system_refuses_to_look_at(desk: Desk) -> None:
    long = "n" * 300
    desk.refuse(clip=desk.work / f"{long}.mp4", said="too long")
    desk.refuse("--bundle", long, said="too long")
    for arguments in (
        ["generate", desk.clip, "-o", desk.out / f"{long}.wav", "--bundle", desk.bundle],
        ["probe", f"{long}.mp4"],
        ["measure", f"{long}.wav"],
        ["models", "info", long],
    ):
        ran = omniaudio(*arguments)
        assert ran.code == 2, ran.err
        assert len(ran.error_lines) == 1
        assert "too long" in ran.error_lines[0]
    assert names(desk.out) == {"out.wav"}


def test_a_folder_as_the_clip(desk: Desk) -> None:
    desk.refuse(clip=desk.work, said="is a folder")


def test_a_text_file_named_mp4(desk: Desk) -> None:
    clip = desk.work / "text.mp4"
    clip.write_text("This is not a film.\n" * 100)
    desk.refuse(clip=clip, said="text.mp4")


def test_an_empty_file(desk: Desk) -> None:
    clip = desk.work / "empty.mp4"
    clip.touch()
    desk.refuse(clip=clip, said="empty.mp4")


def test_audio_only(desk: Desk) -> None:
    from omniaudio_studio.media.wav import write_wav

    clip = desk.work / "sound.wav"
    write_wav(clip, np.zeros((2, 48000), np.float32), 48000)
    desk.refuse(clip=clip, said="sound.wav")


def truncated(source: Path, target: Path, keep: float) -> Path:
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * keep)])
    return target


def test_a_truncated_clip_of_which_less_than_a_second_decodes(desk: Desk) -> None:
    whole = make_clip(
        desk.work / "whole.mkv", [Fraction(k, 30) for k in range(90)], size=(256, 128)
    )
    clip = truncated(whole, desk.work / "cut.mkv", 0.15)
    desk.refuse(clip=clip, said="cut.mkv")


def test_a_truncated_clip_of_which_more_decodes_is_used_with_a_warning(desk: Desk) -> None:
    whole = make_clip(
        desk.work / "whole.mkv", [Fraction(k, 30) for k in range(120)], size=(256, 128)
    )
    clip = truncated(whole, desk.work / "cut.mkv", 0.6)
    target = desk.out / "out.wav"
    ran = omniaudio("generate", clip, "-o", target, "--bundle", desk.bundle, "--json")
    assert ran.code == 0, ran.err
    assert "warning: " in ran.err
    result = json.loads(ran.out)
    assert result["warnings"]
    assert 1.0 < result["duration"] < 4.0
    assert json.loads((desk.out / "out.json").read_text())["warnings"] == result["warnings"]


def test_a_flat_clip_says_how_to_declare_it(desk: Desk) -> None:
    clip = make_clip(desk.work / "flat.mp4", [Fraction(k, 30) for k in range(60)], size=(256, 144))
    line = desk.refuse(clip=clip, said="--projection")
    assert "flat.mp4" in line
    # Declared, it is used.
    ran = omniaudio(
        "generate", clip, "-o", desk.out / "declared.wav", "--bundle", desk.bundle,
        "--projection", "equirectangular",
    )  # fmt: skip
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cfg", "nan"], "found nan"),
        (["--cfg", "inf"], "found inf"),
        (["--cfg", "-inf"], "found -inf"),
        (["--steps", "-4"], "found -4"),
        (["--start", "7"], "starts at 7 s"),
        (["--start", "1.5", "--duration", "1"], "ends at 2.5"),
        (["--duration", "-1"], "found -1"),
        (["--rate", "1"], "8000"),
        (["--seed", "18446744073709551616"], "2^64 - 1"),
        (["--shots", "absent.json"], "absent.json"),
        (["--feature-rate", "nan"], "found nan"),
    ],
)
def test_options_out_of_range(desk: Desk, arguments: list[str], said: str) -> None:
    desk.refuse(*arguments, said=said)


def altered(desk: Desk, change: Callable[[Path], None]) -> None:
    """Give the desk a bundle of its own with something wrong in it."""
    folder = make_tiny_bundle(desk.work / "bundle")
    change(folder)
    desk.bundle = folder


def edit_manifest(folder: Path, **changes: object) -> None:
    file = folder / "bundle.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_bundle_with_a_wrong_hash(desk: Desk) -> None:
    def change(folder: Path) -> None:
        data = bytearray((folder / "dit.onnx").read_bytes())
        data[-1] ^= 1
        (folder / "dit.onnx").write_bytes(data)

    altered(desk, change)
    desk.refuse(said="dit.onnx")
    ran = omniaudio("models", "verify", desk.bundle)
    assert ran.code == 2
    assert "dit.onnx" in ran.error_lines[0]


def test_a_bundle_with_a_missing_graph(desk: Desk) -> None:
    altered(desk, lambda folder: (folder / "vision.onnx").unlink())
    desk.refuse(said="vision.onnx")


def test_a_bundle_with_a_path_that_leaves_its_folder(desk: Desk) -> None:
    def change(folder: Path) -> None:
        shutil.move(folder / "dit.onnx", folder.parent / "dit.onnx")
        graphs = json.loads((folder / "bundle.json").read_text())["graphs"]
        edit_manifest(folder, graphs={**graphs, "dit": "../dit.onnx"})

    altered(desk, change)
    desk.refuse(said="../dit.onnx")


def test_a_bundle_of_an_unknown_schema(desk: Desk) -> None:
    altered(desk, lambda folder: edit_manifest(folder, schema=99))
    desk.refuse(said="99")


def test_a_bundle_that_is_nowhere(desk: Desk) -> None:
    desk.bundle = desk.work / "nowhere"
    desk.refuse(said="nowhere")


def test_an_output_folder_that_is_missing(desk: Desk) -> None:
    ran = omniaudio(
        "generate", desk.clip, "-o", desk.out / "no" / "out.wav", "--bundle", desk.bundle
    )
    assert ran.code == 2
    assert "does not exist" in ran.error_lines[0]
    assert names(desk.out) == set()


def test_an_unwritable_folder(desk: Desk) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        folder = Path("/proc/self")  # takes no file, not even root's
        if not folder.is_dir():
            pytest.skip("root may write everywhere here")
    else:
        folder = desk.out
        folder.chmod(0o500)
    try:
        ran = omniaudio("generate", desk.clip, "-o", folder / "out.wav", "--bundle", desk.bundle)
    finally:
        if folder == desk.out:
            folder.chmod(0o700)
    assert ran.code == 2
    assert len(ran.error_lines) == 1
    assert str(folder) in ran.error_lines[0]
    assert names(desk.out) == set()


def test_an_existing_output_is_refused_without_overwrite(desk: Desk) -> None:
    for name in ("out.wav", "out.json", "out.overlay.mp4"):
        (desk.out / name).write_text("precious")
        ran = omniaudio(
            "generate", desk.clip, "-o", desk.out / "out.wav", "--bundle", desk.bundle, "--overlay"
        )
        assert ran.code == 2
        assert name in ran.error_lines[0]
        assert "--overwrite" in ran.error_lines[0]
        assert names(desk.out) == {name}
        assert (desk.out / name).read_text() == "precious"
        (desk.out / name).unlink()


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
@pytest.mark.parametrize("limit", [1000, 200_000])
def test_a_file_that_may_not_grow(desk: Desk, limit: int) -> None:
    """A size limit makes every write fail in the middle of the file, as a full disk does."""
    import resource

    target = desk.out / "out.wav"
    target.write_text("precious")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ran = omniaudio(
        "generate", desk.clip, "-o", target, "--bundle", desk.bundle, "--overwrite", before=limited
    )
    assert ran.code == 2, ran.err
    assert len(ran.error_lines) == 1
    assert str(target) in ran.error_lines[0]
    assert names(desk.out) == {"out.wav"}
    assert target.read_text() == "precious"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("more", [[], ["--overlay"], ["--loudness", "-23"], ["--rate", "44100"]])
def test_a_full_disk(desk: Desk, small_disk: Path, more: list[str]) -> None:
    target = small_disk / "out.wav"
    target.write_text("precious")
    ran = omniaudio(
        "generate", desk.clip, "-o", target, "--bundle", desk.bundle, "--overwrite", *more
    )
    assert ran.code == 2, ran.err
    assert len(ran.error_lines) == 1
    assert "disk is full" in ran.error_lines[0]
    assert str(target) in ran.error_lines[0]
    assert names(small_disk) == {"out.wav"}
    assert target.read_text() == "precious"


def test_a_disk_that_fills_up_at_the_overlay(desk: Desk, small_disk: Path) -> None:
    """The sound fits (8 kHz, a quarter of a megabyte), the rest of the disk is taken: what was
    generated is kept, and what could not be made beside it is named."""
    (small_disk / "ballast").write_bytes(bytes(1024 * 1024 - 280_000))
    ran = omniaudio(
        "generate", desk.clip, "-o", small_disk / "out.wav", "--bundle", desk.bundle,
        "--rate", "8000", "--overlay", "--plot",
    )  # fmt: skip
    assert ran.code == 2, ran.err
    assert len(ran.error_lines) == 1
    assert "overlay was not written" in ran.error_lines[0]
    assert "disk is full" in ran.error_lines[0]
    assert names(small_disk) == {"ballast", "out.wav", "out.json"}
    sidecar = json.loads((small_disk / "out.json").read_text(encoding="utf-8"))
    assert sidecar["files"] == []


def test_a_disk_too_small_for_the_video(desk: Desk, small_disk: Path) -> None:
    """More is made of a take: what fits is there, whole, and told of."""
    field = desk.out / "field.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, 12_000))
    write_wav(field, noise.astype(np.float32), 48_000)
    ran = omniaudio(
        "deliver", field, "-o", small_disk / "out.wav", "--clip", desk.clip,
        "--as", "mov", "--as", "adm",
    )  # fmt: skip
    assert ran.code == 2, ran.err
    assert len(ran.error_lines) == 1
    assert "mov was not written" in ran.error_lines[0]
    assert f"{small_disk / 'out.360.mov'}" in ran.error_lines[0]
    assert "disk is full" in ran.error_lines[0]
    assert names(small_disk) == {"out.wav", "out.json", "out.adm.wav"}
    again = omniaudio("deliver", small_disk / "out.wav", "--as", "mov", "--clip", desk.clip)
    assert again.code == 2
    assert names(small_disk) == {"out.wav", "out.json", "out.adm.wav"}
