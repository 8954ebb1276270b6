"""The extension as users get it: installed, at work with its own wheels, taken away again.

Blender is started anew for each step, in a folder of its own and without this repository on its
path. ``OMNIAUDIO_EXTENSION_ZIP`` names the zip for this platform; ``make check-blender`` builds it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import soundfile

from omniaudio_studio import __version__
from omniaudio_studio.jobs.client import WorkerClient
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.questions import Questions
from omniaudio_studio.jobs.request import GenerateRequest

ADDON = Path(__file__).resolve().parents[2] / "blender_addon"
TOOL = "scripts/addons_core/bl_pkg/cli/blender_ext.py"  # Blender's own, in its own folder
MODULE = "bl_ext.user_default.omniaudio_studio"

# Blender runs steps, and tells after each which add-ons are enabled and which files were loaded.
BEGIN = "import json, sys, bpy; from pathlib import Path; told = []"
TELL = """
told.append({
    "addons": [addon.module for addon in bpy.context.preferences.addons],
    "files": {
        name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())
    },
})
"""
END = "Path(sys.argv[1]).write_text(json.dumps(told))"
INSTALL = """
bpy.ops.extensions.package_install_files(
    repo="user_default", filepath=sys.argv[2], enable_on_install=True
)
bpy.ops.wm.save_userpref()
"""
NEXT_START = "bpy.ops.wm.read_userpref()"
UNINSTALL = """
repositories = [repository.module for repository in bpy.context.preferences.extensions.repos]
bpy.ops.extensions.package_uninstall(
    repo_index=repositories.index("user_default"), pkg_id="omniaudio_studio"
)
bpy.ops.wm.save_userpref()
"""


@dataclass(frozen=True)
class Told:
    """What Blender told after a step."""

    addons: list[str]
    files: dict[str, str | None]


@dataclass(frozen=True)
class Installed:
    """Blender's folder for one user, with the extension in it."""

    folder: Path
    told: Told

    @property
    def packages(self) -> Path:
        """Where Blender unpacks the wheels of extensions."""
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "extensions" / ".local" / "lib" / python / "site-packages"


def blender(folder: Path, steps: list[str], *arguments: object) -> list[Told]:
    """Start Blender for the user whose folder this is, and hear what it tells after each step."""
    answer = folder / "told.json"
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder)}
    environment.pop("PYTHONPATH", None)
    code = "\n".join([BEGIN, *(step + TELL for step in steps), END])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(answer), *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [Told(**step) for step in json.loads(answer.read_text())]
    answer.unlink()
    return told


def tool(*arguments: object) -> str:
    """Run Blender's tool for extensions; returns what it says."""
    command = [sys.executable, Path(bpy.utils.resource_path("LOCAL"), TOOL), *arguments]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def extension() -> Path:
    """The zip for this platform."""
    name = os.environ.get("OMNIAUDIO_EXTENSION_ZIP")
    if not name:
        pytest.skip("OMNIAUDIO_EXTENSION_ZIP is not set: make check-blender builds it")
    return Path(name)


@pytest.fixture(scope="module")
def installed(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The extension, installed and enabled for a user who had nothing."""
    folder = tmp_path_factory.mktemp("blender user")
    (told,) = blender(folder, [INSTALL], extension)
    return Installed(folder, told)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Blender's own Python has: NumPy, and none of the packages of these tests."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    numpy = Path(np.__file__).parent
    for part in (numpy, numpy.with_name("numpy.libs")):
        if part.exists():
            (packages / part.name).symlink_to(part)
    return folder / "bin" / "python"


@pytest.fixture
def worker(installed: Installed, bare_python: Path) -> Iterator[WorkerClient]:
    """The worker that the wheels bring, with nothing else to import than NumPy."""
    with WorkerClient(bare_python, package_path=installed.packages) as client:
        yield client


def finished(client: WorkerClient, request: GenerateRequest) -> Event:
    event = client.wait(client.submit(request), timeout=120)
    # The log tells what went wrong there.
    assert event.kind != "error" or event.data["exit_code"] == 2, client.log.read_text()
    return event


def test_the_manifest_is_valid_as_it_stands() -> None:
    assert "Success" in tool("validate", ADDON)


def test_the_manifest_has_the_version_of_the_package() -> None:
    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text("utf-8"))
    assert manifest["version"] == __version__


def test_the_zip_is_valid_for_this_blender(extension: Path) -> None:
    assert "Success" in tool("validate", extension)


def test_the_zip_holds_wheels_for_both_pythons_and_never_numpy(extension: Path) -> None:
    with zipfile.ZipFile(extension) as archive:
        names = archive.namelist()
    wheels = [name.removeprefix("wheels/") for name in names if name.endswith(".whl")]
    for tag in ("cp311-cp311", "cp313-cp313"):
        assert any(wheel.startswith("onnxruntime-") and tag in wheel for wheel in wheels)
    assert f"omniaudio_studio-{__version__}-py3-none-any.whl" in wheels
    assert not [wheel for wheel in wheels if wheel.startswith(("numpy", "onnxruntime_gpu"))]
    assert "LICENSE" in names
    assert not [name for name in names if "__pycache__" in name]


def test_it_is_enabled_and_runs_on_what_its_wheels_brought(installed: Installed) -> None:
    assert MODULE in installed.told.addons
    core = installed.told.files["omniaudio_studio"]
    assert core is not None and Path(core).is_relative_to(installed.packages)
    assert not list(installed.packages.glob("numpy*"))


def test_no_model_or_media_library_is_loaded_by_blender(installed: Installed) -> None:
    libraries = {"onnxruntime", "torch", "av", "cv2", "soundfile", "soxr", "scenedetect"}
    assert not libraries & installed.told.files.keys()
    # They are there to be loaded: what is not would not be found missing either.
    assert all((installed.packages / name).is_dir() for name in ("onnxruntime", "av", "cv2"))


def test_its_worker_generates_the_sample_clip(
    installed: Installed, worker: WorkerClient, tmp_path: Path
) -> None:
    clip = installed.packages / "omniaudio_studio" / "assets" / "demo.mp4"
    request = GenerateRequest(clip=clip, output=tmp_path / "field.wav", bundle="starter", steps=6)
    event = finished(worker, request)
    assert event.kind == "done", event.data
    sound, rate = soundfile.read(tmp_path / "field.wav")
    assert (rate, sound.shape) == (48_000, (6 * 48_000, 4))  # the clip's 6 s
    assert np.isfinite(sound).all() and np.abs(sound).max(axis=0).min() > 1e-4


def test_a_plot_is_refused_in_one_line(
    installed: Installed, worker: WorkerClient, tmp_path: Path
) -> None:
    """Matplotlib is left out of the wheels, and told before any work."""
    clip = installed.packages / "omniaudio_studio" / "assets" / "demo.mp4"
    request = GenerateRequest(clip=clip, output=tmp_path / "a.wav", deliverables=("wav", "plot"))
    event = finished(worker, request)
    assert (event.kind, event.data["kind"]) == ("error", "MissingDependencyError")
    assert "leave the plot out" in event.data["message"]
    assert not list(tmp_path.iterdir())


def test_its_analyst_answers_what_the_add_on_asks(installed: Installed, bare_python: Path) -> None:
    clip = str(installed.packages / "omniaudio_studio" / "assets" / "demo.mp4")
    asked: dict[str, dict[str, Any]] = {
        "probe": {"path": clip},
        "shots": {"path": clip},
        "bundles": {},
        "device": {"device": "auto"},
    }
    answers: dict[str, Any] = {}
    failures: list[str] = []
    questions = Questions(python=bare_python, package_path=installed.packages)
    try:
        for task, parameters in asked.items():
            questions.ask(
                task,
                lambda answer, task=task: answers.update({task: answer}),
                failures.append,
                **parameters,
            )
        until = time.monotonic() + 120
        while questions.pending and time.monotonic() < until:
            questions.poll()
            time.sleep(0.02)
    finally:
        questions.close()
    assert failures == []
    assert answers["probe"]["duration"] == 6.0
    assert answers["shots"]["starts"] == [0.0]
    assert [bundle["name"] for bundle in answers["bundles"]] == ["starter"]
    assert answers["device"]["device"] == "cpu"


def test_the_next_start_has_it_and_uninstalling_leaves_nothing(installed: Installed) -> None:
    later, gone = blender(installed.folder, [NEXT_START, UNINSTALL])
    assert MODULE in later.addons
    core = later.files["omniaudio_studio"]
    assert core is not None and Path(core).is_relative_to(installed.packages)
    assert MODULE not in gone.addons
    assert not [name for name in gone.files if name.startswith(MODULE)]
    left = [path for path in installed.folder.rglob("*") if path.is_file()]
    # Blender's own preferences and its list of what is compatible; Python's caches of modules that
    # Blender has taken away.
    left = [path for path in left if path.parent.name != "__pycache__"]
    assert {path.name for path in left} <= {"userpref.blend", "compat.dat"}
