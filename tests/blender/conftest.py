"""Blender, freshly started before each test, with the add-on enabled; models run elsewhere."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="Blender as a Python module is not installed here")

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "omniaudio_studio" / "assets" / "demo.mp4"  # 6 s, 24 fps
ADDON = "blender_addon"


def main_python() -> str:
    """The Python that has the whole project: it runs the models."""
    python = os.environ.get("OMNIAUDIO_TEST_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
    if not Path(python).is_file():
        pytest.skip("set OMNIAUDIO_TEST_PYTHON to a Python that has OmniAudio Studio")
    return python


def in_main(code: str, *arguments: object) -> str:
    """Run code in the main environment, with the repository on its path; returns what it says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [main_python(), "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def addon() -> Iterator[Any]:
    """The add-on, enabled once; it is disabled, as at Blender's end, when all tests are over."""
    import addon_utils

    sys.path.insert(0, str(ROOT))
    module = addon_utils.enable(ADDON, default_set=True)
    assert module is not None
    preferences = bpy.context.preferences.addons[ADDON].preferences
    preferences.runtime = "ENVIRONMENT"
    preferences.environment = main_python()
    yield module
    addon_utils.disable(ADDON, default_set=True)


@pytest.fixture
def blender(addon: Any) -> Iterator[Any]:
    """An empty file; what a test leaves running is stopped."""
    from blender_addon.jobs import runner

    bpy.ops.wm.read_homefile(use_empty=True)
    assert ADDON in bpy.context.preferences.addons
    yield bpy
    runner.cancel_all()
    for task in runner.running():
        runner.wait(task)
    runner.tasks.clear()
    runner.crashes = 0
    bpy.ops.wm.read_homefile(use_empty=True)


@pytest.fixture
def scene(blender: Any) -> Any:
    """A scene of 24 frames a second."""
    scene = blender.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    return scene


@pytest.fixture
def saved(blender: Any, tmp_path: Path) -> Path:
    """The folder of the .blend, which is saved in it."""
    folder = tmp_path / 'Täst "folder" it\'s'
    folder.mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(folder / "scene ü.blend"))
    return folder


@pytest.fixture
def movie(scene: Any) -> Any:
    """The demo clip as the active movie strip, from frame 10 on."""
    return add_movie(scene, DEMO, 10)


@pytest.fixture
def camera(blender: Any, scene: Any) -> Any:
    """An active camera at (0, 0, 1.6) that looks along +Y."""
    item = blender.data.objects.new("camera", blender.data.cameras.new("camera"))
    scene.collection.objects.link(item)
    item.location = (0.0, 0.0, 1.6)
    item.rotation_euler = (math.pi / 2, 0.0, 0.0)
    scene.camera = item
    return item


def add_movie(scene: Any, path: Path, frame: int, channel: int = 1) -> Any:
    """A movie strip, active."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strip = editor.strips.new_movie(
        name=path.stem, filepath=str(path), channel=channel, frame_start=frame
    )
    editor.active_strip = strip
    return strip


def strips(scene: Any) -> dict[str, Any]:
    """All strips by name, those inside metas too."""
    return {strip.name: strip for strip in scene.sequence_editor.strips_all}


def interpolate(block: Any, kind: str) -> None:
    """Give all keys of an object the same interpolation: "LINEAR" or "CONSTANT"."""
    action = block.animation_data.action
    for layer in action.layers:  # 5.0 has no list of all curves any more
        for strip in layer.strips:
            for bag in strip.channelbags:
                for curve in bag.fcurves:
                    for point in curve.keyframe_points:
                        point.interpolation = kind


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes short 360 clips: ``clips(seconds, fps)``."""
    folder = tmp_path_factory.mktemp("clips")

    def make(seconds: float = 2.0, fps: float = 24.0) -> Path:
        path = folder / f"clip {seconds:g}s {fps:g}fps.mp4"
        if not path.exists():
            in_main(
                "import sys; from pathlib import Path;"
                "from tests.support.small_clip import make_small_clip as make;"
                "make(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))",
                path,
                seconds,
                fps,
            )
        return path

    return make


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that answers at once."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    in_main(
        "import sys; from pathlib import Path;"
        "from tests.support.tiny_bundle import make_tiny_bundle as make; make(Path(sys.argv[1]))",
        folder,
    )
    return folder


@pytest.fixture(scope="session")
def slow_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose graph computes for many seconds."""
    folder = tmp_path_factory.mktemp("bundles") / "slow"
    in_main(
        "import sys; from pathlib import Path;"
        "from tests.support.slow_bundle import make_slow_bundle as make; make(Path(sys.argv[1]))",
        folder,
    )
    return folder
