"""What the add-on costs Blender: enabling it, a take, its timer's ticks, cancelling.

    .blender/5.0/bin/python benchmarks/blender_addon.py [CLIP]     # after make test

Runs in Blender as a Python module; models run in ``.venv``. Without a clip, the demo's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402

CANCELS = 5


def timed(work: Any, *arguments: Any) -> float:
    """Milliseconds that a call takes."""
    begun = time.perf_counter()
    work(*arguments)
    return 1000 * (time.perf_counter() - begun)


def turn(runner: Any, until: Any) -> None:
    """What Blender's timers do in a window."""
    from blender_addon import questions

    while not until():
        runner.tick()
        questions.poll()
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", type=Path)
    clip = parser.parse_args().clip or ROOT / "omniaudio_studio" / "assets" / "demo.mp4"
    import addon_utils  # is there once Blender is

    enabled = timed(lambda: addon_utils.enable("blender_addon", default_set=True))
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    preferences.runtime, preferences.environment = "ENVIRONMENT", str(ROOT / ".venv")
    from blender_addon import clips, generation, questions
    from blender_addon.jobs import runner

    scene = bpy.context.scene
    strips = scene.sequence_editor_create().strips
    movie = strips.new_movie(name="clip", filepath=str(clip.resolve()), channel=1, frame_start=1)
    info = questions.wait_for("probe", path=str(clip.resolve()))
    clips.set_fps(scene, clips.rational(info["fps"]))
    with tempfile.TemporaryDirectory() as folder:
        scene.omniaudio.folder = folder

        def start() -> Any:
            plan = generation.plan(scene, movie)
            return runner.start("take", scene, generation.steps(plan), generation.outputs(plan))

        task = start()
        turn(runner, lambda: not task.running)
        ticks = sorted(1000 * tick for tick in runner.ticks)
        print(f"take: {task.seconds:.1f} s until it is in the scene: {task.message}")
        print(
            f"ticks: {len(ticks)}, 95 % below {ticks[int(0.95 * len(ticks))]:.1f} ms, "
            f"longest {ticks[-1]:.1f} ms"
        )
        scene.omniaudio.use_steps, scene.omniaudio.steps = True, 300
        cancelled = []
        for _ in range(CANCELS):
            stopped = start()
            turn(runner, lambda stopped=stopped: stopped.stage == "sampling")
            time.sleep(0.7)
            begun = time.perf_counter()
            runner.cancel(stopped)
            turn(runner, lambda stopped=stopped: not stopped.running)
            cancelled.append(1000 * (time.perf_counter() - begun))
        print(f"cancel: {statistics.median(cancelled):.0f} ms, at most {max(cancelled):.0f} ms")
        disabled = timed(addon_utils.disable, "blender_addon")
    print(f"enable: {enabled:.0f} ms; disable, with two processes to end: {disabled:.0f} ms")


if __name__ == "__main__":
    main()
