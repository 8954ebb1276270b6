"""The demonstration, from the clone and from an installed wheel outside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import soundfile

from tests.support.command_line import environment, names, omniaudio

ROOT = Path(__file__).resolve().parents[2]
FILES = {"demo.wav", "demo.json", "demo.overlay.mp4", "demo.png"}


def test_the_demo_writes_its_folder_and_says_where(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    ran = omniaudio("demo", folder, "--bundle", tiny_bundle)
    assert ran.code == 0, ran.err
    assert names(folder) == FILES
    assert f"all of it is in {folder}" in ran.out
    assert "demonstration model" in ran.out
    sidecar = json.loads((folder / "demo.json").read_text())
    assert sidecar["clip"]["name"] == "demo.mp4"
    assert soundfile.info(folder / "demo.wav").channels == 4
    # Again: it replaces its own files.
    first = (folder / "demo.wav").read_bytes()
    again = omniaudio("demo", folder, "--bundle", tiny_bundle, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["folder"] == str(folder)
    assert (folder / "demo.wav").read_bytes() == first
    # And the sidecar makes it once more.
    back = omniaudio("generate", "--from", folder / "demo.json", "-o", tmp_path / "back.wav")
    assert back.code == 0, back.err
    assert (tmp_path / "back.wav").read_bytes() == first


def test_the_demo_replaces_nothing_that_is_not_its_own(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "demo.wav").write_text("my own")
    ran = omniaudio("demo", tmp_path, "--bundle", tiny_bundle)
    assert ran.code == 2
    assert "choose another folder" in ran.error_lines[0]
    assert names(tmp_path) == {"demo.wav"}
    assert (tmp_path / "demo.wav").read_text() == "my own"


def test_a_demo_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    ran = omniaudio("demo", tmp_path / "new", "--bundle", tmp_path / "absent")
    assert ran.code == 2
    assert names(tmp_path) == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel. No network is needed: the build back-end is here already."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_carries_the_sample_clip_the_models_and_no_torch(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
        metadata = next(name for name in inside if name.endswith("METADATA"))
        text = archive.read(metadata).decode()
    assert "omniaudio_studio/assets/demo.mp4" in inside
    for file in (ROOT / "models").rglob("*"):
        if file.is_file() and not file.name.startswith("."):
            assert (
                f"omniaudio_studio/_models/{file.relative_to(ROOT / 'models').as_posix()}" in inside
            )
    core = [
        line
        for line in text.splitlines()
        if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    assert not any(name in line for line in core for name in ("torch", "PyQt6", "bpy", "spaudiopy"))
    assert wheel.stat().st_size < 60e6


def test_an_installed_wheel_works_outside_the_clone(
    wheel: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Its own files alone: the packages it needs come from this environment."""
    place = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--target", str(place), str(wheel)],
        check=True,
    )  # fmt: skip
    bundle = "starter" if (ROOT / "models" / "starter").is_dir() else str(tiny_bundle)
    run = [sys.executable, "-P", "-m", "omniaudio_studio"]
    settings = {"env": environment(PYTHONPATH=str(place)), "cwd": tmp_path, "text": True}
    found = subprocess.run(
        [sys.executable, "-P", "-c", "import omniaudio_studio; print(omniaudio_studio.__file__)"],
        capture_output=True,
        check=True,
        **settings,
    )
    assert Path(found.stdout.strip()).is_relative_to(place)
    made = subprocess.run([*run, "demo", "--bundle", bundle], capture_output=True, **settings)
    assert made.returncode == 0, made.stderr
    assert names(tmp_path / "omniaudio-demo") == FILES
    script = place / "bin" / "omniaudio"
    assert script.is_file() or os.name == "nt"
