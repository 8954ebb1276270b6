"""Runs inside a Blender with a window: a clip in the sequencer, the add-on's panel beside it.

Arguments after ``--``: the repository, a Python that has it, a clip, a folder. Says where the panel
is and what happens as ``WORD {json}`` lines; the clicks come from outside.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import bpy

root, python, clip, folder = sys.argv[sys.argv.index("--") + 1 :]
sys.path.insert(0, root)

from tests.blender_window import shim  # noqa: E402

shim.install()
addon = shim.register()

from blender_addon import compat, runtime  # noqa: E402
from blender_addon.jobs import runner  # noqa: E402
from blender_addon.panels import places, status  # noqa: E402

bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False
drawn: list[float] = []


def say(word: str, **facts: Any) -> None:
    print(word, json.dumps(facts), flush=True)


def area() -> Any:
    screen = bpy.context.window_manager.windows[0].screen
    return max(screen.areas, key=lambda area: area.width * area.height)


def only_our_tab() -> None:
    """This Blender cannot be told which tab of the side bar is in front."""
    for kind in bpy.types.Panel.__subclasses__():
        if (
            getattr(kind, "bl_space_type", "") == "SEQUENCE_EDITOR"
            and getattr(kind, "bl_region_type", "") == "UI"
            and getattr(kind, "bl_category", "") != places.CATEGORY
            and hasattr(kind, "is_registered")
            and kind.is_registered
        ):
            bpy.utils.unregister_class(kind)


def prepare() -> None:
    # The preferences of an add-on that is enabled are not there in one that is only registered.
    runtime.bundled = lambda: runtime.Runtime(Path(python), None, "the tests' own")
    scene = bpy.context.window_manager.windows[0].scene
    scene.render.fps, scene.frame_end = 24, 144
    strips = (scene.sequence_editor or scene.sequence_editor_create()).strips
    movie = strips.new_movie(name="demo", filepath=clip, channel=1, frame_start=1)
    scene.sequence_editor.active_strip = movie
    scene.omniaudio.use_steps, scene.omniaudio.steps = True, 40
    scene.frame_set(96)
    only_our_tab()
    area().type = "SEQUENCE_EDITOR"
    space = area().spaces.active
    space.view_type = "SEQUENCER_PREVIEW"
    space.show_region_ui = True
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    draw = status.draw

    def counted(*given: Any) -> None:
        drawn.append(time.monotonic())
        draw(*given)

    status.draw = counted


def place() -> dict[str, int]:
    """The panel's region in pixels from the window's top left."""
    window = bpy.context.window_manager.windows[0]
    region = next(region for region in area().regions if region.type == "UI")
    return {
        "left": region.x,
        "top": window.height - region.y - region.height,
        "width": region.width,
        "height": region.height,
    }


def view_all() -> None:
    window = bpy.context.window_manager.windows[0]
    region = next(region for region in area().regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area(), region=region):
        bpy.ops.sequencer.view_all()


stage = "NEW"


def watch() -> float | None:
    try:
        return _watch()
    except Exception:
        traceback.print_exc()
        say("FAILED")
        return None


def _watch() -> float | None:
    global stage
    scene = bpy.context.window_manager.windows[0].scene
    task = runner.of_scene(scene)
    if stage == "NEW":
        prepare()
        stage = "PREPARED"
        return 1.0
    if stage == "PREPARED":
        view_all()
        stage = "READY"
        return 1.0
    if stage == "READY":
        stage = "WAITING"
        say("READY", **place())
    if stage == "WAITING" and task is not None:
        stage = "RUNNING"
        drawn.clear()
        runner.ticks.clear()
        say("STARTED")
    if stage == "RUNNING" and task.fraction is not None and task.fraction > 0.4:
        stage = "HALF"
        say("HALF", text=status.bar_text(task), times=status.times(task))
    if stage in ("RUNNING", "HALF") and not task.running:
        gaps = [after - before for before, after in itertools.pairwise(drawn)]
        stage = "OVER"
        say(
            "OVER",
            state=task.state,
            message=task.message,
            seconds=task.seconds,
            strips={
                strip.name: [
                    strip.type,
                    strip.mute,
                    compat.left_handle(strip),
                    compat.right_handle(strip),
                ]
                for strip in compat.all_strips(scene)
            },
            longest_gap=max(gaps),
            draws=len(drawn),
            ticks=len(runner.ticks),
            p95_tick=sorted(runner.ticks)[int(0.95 * len(runner.ticks))],
            longest_tick=max(runner.ticks),
            worker=runner.worker_pid,
        )
    return 0.05


bpy.app.timers.register(watch, first_interval=1.0)
