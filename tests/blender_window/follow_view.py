"""Runs inside a Blender with a window: listens to a take with the view, and does what users do.

Arguments after ``--``: the repository, a Python that has it, the take's field, and its sound for
headphones. Says what happens as ``WORD {json}`` lines.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from mathutils import Euler

root, python, field, headphones = sys.argv[sys.argv.index("--") + 1 :]
sys.path.insert(0, root)
sys.executable = python  # the analyst runs in it

from tests.blender_window import shim  # noqa: E402

shim.install()
shim.register()

from blender_addon.preview import control  # noqa: E402

FPS = 24
LONGEST = 60.0  # seconds to wait for anything


def say(word: str, **facts: Any) -> None:
    print(word, json.dumps(facts), flush=True)


def window() -> Any:
    return bpy.context.window_manager.windows[0]


def rotation(yaw: float) -> Any:
    """Looks at the horizon, ``yaw`` degrees left of +X."""
    return Euler((math.radians(90), 0.0, math.radians(yaw - 90))).to_quaternion()


def look(yaw: float) -> None:
    for area in window().screen.areas:
        if area.type == "VIEW_3D":
            region = area.spaces.active.region_3d
            region.view_perspective = "PERSP"
            area.spaces.active.shading.type = "WIREFRAME"
            region.view_rotation = rotation(yaw)


def draw_little() -> None:
    """Without a GPU, drawing a large viewport leaves no time for anything else."""
    for area in window().screen.areas:
        area.type = {"VIEW_3D": "TEXT_EDITOR", "OUTLINER": "VIEW_3D"}.get(area.type, area.type)
    for name in dir(window().screen):
        if name.startswith("use_play_"):
            setattr(window().screen, name, False)


def scene_with_take() -> None:
    scene = window().scene
    scene.render.fps, scene.frame_end, scene.sync_mode = FPS, 10 * FPS, "AUDIO_SYNC"
    strips = (scene.sequence_editor or scene.sequence_editor_create()).strips
    scene.use_audio = True  # in 3.4 this means the opposite, which is put right where it matters
    for name, path, role in (("field", field, "FOA"), ("headphones", headphones, "BINAURAL")):
        strip = strips.new_sound(name, path, 1 if role == "FOA" else 2, 1)
        strip.omniaudio.role, strip.omniaudio.take, strip.omniaudio.clip = role, "one", "clip"
        strip.mute = role == "FOA"


def strip() -> Any:
    return window().scene.sequence_editor.strips["headphones"]


def play(frame: int | None = None) -> None:
    """Start or stop playing, as the space bar does."""
    if frame is not None:
        window().scene.frame_set(frame)
        if "animation_playback_pre" not in control._HANDLERS:  # Blender 3.4 has no such event
            control._playing_begins(window().scene)
    with bpy.context.temp_override(window=window()):
        bpy.ops.screen.animation_play()


def in_step() -> float:
    """Seconds by which the sound is ahead of the frame."""
    live = control.preview.live
    return live.streams.position - (window().scene.frame_current - 1) / FPS


def until(done: Any) -> Iterator[float]:
    end = time.monotonic() + LONGEST
    while not done():
        if time.monotonic() > end:
            raise TimeoutError
        yield 0.02


def offs(seconds: float, found: list[float]) -> Iterator[float]:
    """Wait, and note at each frame how far the sound is off."""
    end, seen = time.monotonic() + seconds, None
    while time.monotonic() < end:
        if (frame := window().scene.frame_current) != seen:
            seen = frame
            found.append(in_step())
        yield 0.002


def story() -> Iterator[float]:
    yield 0.5
    draw_little()
    scene_with_take()
    look(0.0)
    with bpy.context.temp_override(window=window()):
        bpy.ops.omniaudio.preview_start()
    say("STARTED", running=control.preview.running, muted=strip().mute)
    yield from until(lambda: control.preview.live is not None)
    say("LIVE", muted=strip().mute)
    yield 0.3

    control.preview.ticks.clear()
    off: list[float] = []
    play(1)
    yield from offs(1.0, off)
    look(90.0)
    yield from offs(1.0, off)
    play()
    say("PLAYED", off=off[2:], frame=window().scene.frame_current)
    yield 0.4

    scene = window().scene
    scene.use_audio_scrub = True
    scene.frame_set(97)  # four seconds in
    yield 0.5
    scene.use_audio_scrub = False
    scene.frame_set(2)
    yield 0.3

    scene.omniaudio.preview_from = "CAMERA"
    scene.camera.rotation_mode = "QUATERNION"
    for frame, yaw in ((1, -90.0), (240, -90.0)):
        scene.camera.rotation_quaternion = rotation(yaw)
        scene.camera.keyframe_insert("rotation_quaternion", frame=frame)
    play(1 + 2 * FPS)
    yield 1.0
    window().scene.frame_current = 1 + 6 * FPS  # as a click into the time line while it plays
    yield 0.7
    play()
    ticks = sorted(control.preview.ticks)
    say("TICKS", count=len(ticks), p95=ticks[int(0.95 * len(ticks))], most=ticks[-1])
    yield 0.3

    with bpy.context.temp_override(window=window()):
        bpy.ops.ed.undo_push(message="while it sounds")
        window().scene.frame_end = 99
        bpy.ops.ed.undo_push(message="another end")
        bpy.ops.ed.undo()
    yield 0.5
    say("UNDONE", live=control.preview.live is not None, end=window().scene.frame_end)

    saved = Path(field).with_name("live.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(saved), copy=True)
    with bpy.data.libraries.load(str(saved)) as (there, here):
        here.scenes = there.scenes
    say(
        "SAVED",
        muted=strip().mute,
        saved=here.scenes[0].sequence_editor.strips["headphones"].mute,
    )
    control.preview.stop()
    say("STOPPED", muted=strip().mute)
    window().scene.use_audio = bpy.app.version >= (4, 0, 0)
    look(0.0)
    play(1)
    yield from until(lambda: window().scene.frame_current > FPS)
    play()
    yield 0.3

    with bpy.context.temp_override(window=window()):
        bpy.ops.omniaudio.preview_start()
    yield from until(lambda: control.preview.live is not None)
    strips = window().scene.sequence_editor.strips
    strips.remove(strips["field"])
    yield 0.6
    say(
        "REMOVED",
        running=control.preview.running,
        message=control.preview.message,
        muted=strip().mute,
    )
    say("DONE")


steps = story()


def turn_the_wheel() -> float | None:
    try:
        return next(steps)
    except StopIteration:
        pass
    except Exception:
        traceback.print_exc()
    control.preview.stop()
    from blender_addon import jobs

    jobs.close_all()
    sys.stdout.flush()
    os._exit(0)  # Debian's Blender may take its sound server down with it while it ends


bpy.app.timers.register(turn_the_wheel, first_interval=0.5)
