"""Runs inside Blender: plays streams, faces elsewhere, turns; says what it does, one word a line.

Arguments after ``--``: the answer of the question "listening" for a noise, and for a sine.
"""

import importlib.util
import json
import math
import os
import sys
import time
from pathlib import Path
from types import ModuleType

PREVIEW = Path(__file__).resolve().parents[2] / "blender_addon" / "preview"
SECONDS = 0.8
TICK = 1 / 30


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PREVIEW / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


streams, orientation = load("streams"), load("orientation")


def view(yaw: float) -> list[list[float]]:
    """A camera that looks at the horizon, ``yaw`` radians left of +X."""
    front = (math.cos(yaw), math.sin(yaw), 0.0)
    left = (-math.sin(yaw), math.cos(yaw), 0.0)
    up = (0.0, 0.0, 1.0)
    return [[-left[axis], up[axis], -front[axis]] for axis in range(3)]


def face(player: "streams.Streams", yaw: float) -> None:
    player.turn(orientation.volumes(orientation.head(view(yaw)), player.channels))


noise, sine = (
    json.loads(Path(path).read_text(encoding="utf-8"))["streams"]
    for path in sys.argv[sys.argv.index("--") + 1 :]
)

player = streams.Streams(noise)
handles = len(player._all())
print("HANDLES", handles, flush=True)
for yaw, start in ((0.0, 1.0), (math.pi / 2, 3.0), (2.0, 5.0)):
    face(player, yaw)
    player.play(start)
    time.sleep(SECONDS)
    print("STEP", player.in_step, flush=True)
    player.pause()
    time.sleep(0.3)
player.stop()
print("ALIVE", player.alive, flush=True)

player = streams.Streams(sine)
face(player, 0.0)
player.play(0.0)
began = time.perf_counter()
while (gone := time.perf_counter() - began) < 2 * SECONDS:
    face(player, 2 * math.pi * gone / SECONDS)
    time.sleep(TICK)
player.stop()
print("DONE", flush=True)
os._exit(0)  # Debian's Blender may take its sound server down with it while it ends
