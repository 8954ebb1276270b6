"""The command for render farms, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.blender.conftest import ROOT, main_python

# What `blender -b FILE --command omniaudio ...` does, for Blender as a Python module.
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import bpy, addon_utils
addon_utils.enable("blender_addon", default_set=True)
preferences = bpy.context.preferences.addons["blender_addon"].preferences
preferences.runtime, preferences.environment = "ENVIRONMENT", sys.argv[2]
bpy.ops.wm.open_mainfile(filepath=sys.argv[3])
from blender_addon import command
code = command.run(sys.argv[4:])
addon_utils.disable("blender_addon")
sys.exit(code)
"""


@pytest.fixture
def file(blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path) -> Path:
    """A saved scene with a clip."""
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.wm.save_mainfile()
    return Path(blender.data.filepath)


def start(file: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(ROOT), main_python(), str(file), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(file: Path, *arguments: object) -> tuple[int, list[str]]:
    """Exit code, and our lines on stderr."""
    process = start(file, *arguments)
    _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors, errors
    return process.returncode, [line for line in errors.splitlines() if "omniaudio" in line]


def test_generate_deliver_and_save(file: Path, saved: Path, blender: Any) -> None:
    code, lines = run(file, "generate", "--seed", 9, "--steps", 3, "--save")
    assert code == 0, lines
    assert any("sampling" in line or "decoding" in line for line in lines)
    assert "demo-take1.wav in" in lines[-1]
    assert soundfile.info(saved / "demo-take1.wav").frames == 6 * 48_000
    code, lines = run(file, "deliver", "-o", saved / "out.wav", "--binaural")
    assert code == 0, lines
    assert soundfile.info(saved / "out.binaural.wav").channels == 2
    code, lines = run(file, "deliver", "-o", saved / "out.wav")
    assert code == 2
    assert "already exists" in lines[-1]
    blender.ops.wm.open_mainfile(filepath=str(file))
    scene = blender.context.scene
    assert (scene.omniaudio.seed, scene.omniaudio.steps) == (9, 3)
    assert "demo-take1" in [strip.name for strip in scene.sequence_editor.strips_all]


def test_spatialize_and_save(file: Path, saved: Path, blender: Any) -> None:
    scene = blender.context.scene
    item = blender.data.objects.new("singer", None)
    scene.collection.objects.link(item)
    item.omniaudio.carries_sound, item.location = True, (0.0, 2.0, 0.0)
    scene.camera = blender.data.objects.new("eye", blender.data.cameras.new("eye"))
    scene.collection.objects.link(scene.camera)
    blender.ops.wm.save_mainfile()
    code, lines = run(file, "spatialize", "--method", "given", "--width", "0.5", "--save")
    assert code == 0, lines
    assert "demo-placed.wav in" in lines[-1] and "1 source" in lines[-1]
    blender.ops.wm.open_mainfile(filepath=str(file))
    scene = blender.context.scene
    assert (scene.omniaudio.place_method, scene.omniaudio.width) == ("given", 0.5)
    assert "demo-placed" in [strip.name for strip in scene.sequence_editor.strips_all]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "--bundle", "nothing"], "nothing"),
        (["generate", "--scene", "nowhere"], "no scene 'nowhere'"),
        (["generate", "--strip", "nothing"], "no movie strip 'nothing'"),
        (["deliver", "--follow-camera"], "--follow-camera is about what is made for headphones"),
        (["deliver", "--all-scenes", "-o", "x.wav"], "-o names one file"),
        (["generate", "--all-scenes", "--scene", "Scene"], "not both"),
        (["generate", "--seed", "-1"], "--seed must be from 0"),
        (["generate", "--folder", "/no/such/folder"], "is not there"),
        (["spatialize", "--method", "given"], "no object of the scene carries"),
        (["spatialize", "--max-sources", "4"], "--max-sources must be from 1 to 3"),
        (["spatialize", "--audio", "/no/such.wav"], "the recording is missing"),
        (["deliver"], "has no take"),
        (["deliver", "--take", "x"], "has no take x"),
        (["sing"], "invalid choice"),
    ],
)
def test_one_line_and_exit_code_2(
    file: Path, capfd: Any, blender: Any, arguments: list[str], words: str
) -> None:
    from blender_addon import command

    assert command.run(arguments) == 2
    assert words in capfd.readouterr().err


def test_all_scenes_have_their_turn(
    file: Path, saved: Path, blender: Any, tiny_bundle: Path
) -> None:
    """The first has no clip, the second another frame rate, the third is as it should be."""
    from tests.blender.conftest import DEMO, add_movie

    good = blender.context.scene
    good.name = "C"
    blender.data.scenes.new("A")
    wrong = blender.data.scenes.new("B")
    wrong.render.fps = 25
    wrong.omniaudio.bundle = str(tiny_bundle)
    add_movie(wrong, DEMO, 1)
    blender.ops.wm.save_mainfile()
    code, lines = run(file, "generate", "--all-scenes")
    assert code == 2
    said = "\n".join(lines)
    assert "A: no movie strip is active" in said
    assert "would not keep in step" in said
    assert (saved / "demo-take1.wav").is_file()


def test_a_signal_cancels_and_leaves_nothing(file: Path, saved: Path, slow_bundle: Path) -> None:
    process = start(file, "generate", "--bundle", slow_bundle)
    assert process.stderr is not None
    for line in process.stderr:
        if ": frames" in line or ": sampling" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    assert process.wait(30) == 130, rest
    assert "cancelled" in rest
    assert [path.name for path in saved.iterdir() if "take" in path.name] == []


def test_blender_knows_the_command(blender: Any) -> None:
    from blender_addon import command

    assert command._handle is not None
