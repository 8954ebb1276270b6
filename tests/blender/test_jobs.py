"""Work beside Blender: progress, cancelling, crashes, and what is left when Blender ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.blender.conftest import ROOT, main_python


@pytest.fixture
def start(scene: Any, movie: Any, saved: Path) -> Callable[[Path], Any]:
    """Starts generating with a bundle, as the button does in a window; returns the task."""
    from blender_addon import generation
    from blender_addon.jobs import runner

    def begin(bundle: Path) -> Any:
        scene.omniaudio.bundle = str(bundle)
        plan = generation.plan(scene, movie)
        return runner.start("test", scene, generation.steps(plan), generation.outputs(plan))

    return begin


@pytest.fixture
def fresh_worker(blender: Any) -> Iterator[Any]:
    """The runner, its worker ended before and after."""
    from blender_addon.jobs import runner

    runner.close()
    yield runner
    runner.close()


def turn(runner: Any, until: Callable[[], bool], seconds: float = 60.0) -> None:
    """What Blender's timers do in a window."""
    from blender_addon import questions

    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, [(task.stage, task.message) for task in runner.tasks]
        runner.tick()
        questions.poll()
        time.sleep(0.02)


def computing(task: Any) -> bool:
    """Whether the worker has begun: the slow graph's first step takes ten seconds and more."""
    assert task.running, task.message
    return task.stage in ("frames", "sampling")


def gone(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_cancelling_ends_a_graph_that_computes(
    fresh_worker: Any, start: Callable[[Path], Any], slow_bundle: Path, saved: Path
) -> None:
    task = start(slow_bundle)
    turn(fresh_worker, lambda: computing(task))
    time.sleep(1.0)  # from the frames into the graph
    begun = time.monotonic()
    fresh_worker.cancel(task)
    turn(fresh_worker, lambda: not task.running)
    assert task.state == "CANCELLED"
    # The worker is given 0.7 s and is then ended by force: a bound of the program, not the machine.
    assert time.monotonic() - begun < 5.0
    assert [path.name for path in saved.iterdir()] == ["scene ü.blend"]


def test_a_worker_that_does_not_let_go_is_ended(
    fresh_worker: Any,
    start: Callable[[Path], Any],
    slow_bundle: Path,
    tiny_bundle: Path,
    saved: Path,
) -> None:
    task = start(slow_bundle)
    turn(fresh_worker, lambda: computing(task))
    pid = fresh_worker.worker_pid
    os.kill(pid, signal.SIGSTOP)
    fresh_worker.cancel(task)
    turn(fresh_worker, lambda: not task.running)
    assert task.state == "CANCELLED"
    assert gone(pid)
    # Its end is heard of in a later tick, which tidies up after it.
    turn(fresh_worker, lambda: [path.name for path in saved.iterdir()] == ["scene ü.blend"])
    again = start(tiny_bundle)
    fresh_worker.wait(again)
    assert again.state == "DONE", again.message


def test_a_killed_worker_is_told_of_and_the_next_run_works(
    fresh_worker: Any,
    start: Callable[[Path], Any],
    slow_bundle: Path,
    tiny_bundle: Path,
    saved: Path,
    scene: Any,
) -> None:
    task = start(slow_bundle)
    turn(fresh_worker, lambda: computing(task))
    os.kill(fresh_worker.worker_pid, signal.SIGKILL)
    turn(fresh_worker, lambda: not task.running)
    assert task.state == "FAILED"
    assert "worker stopped (signal 9)" in task.message
    assert fresh_worker.of_scene(scene) is task  # the panel shows it, and the button
    assert [path.name for path in saved.iterdir()] == ["scene ü.blend"]
    again = start(tiny_bundle)
    fresh_worker.wait(again)
    assert again.state == "DONE", again.message
    assert fresh_worker.crashes == 0


def test_three_crashes_in_a_row_stop_with_advice(
    fresh_worker: Any,
    start: Callable[[Path], Any],
    slow_bundle: Path,
    tiny_bundle: Path,
    blender: Any,
) -> None:
    from omniaudio_studio.errors import WorkerError

    for crash in (1, 2, 3):
        task = start(slow_bundle)
        turn(fresh_worker, lambda task=task: computing(task))
        os.kill(fresh_worker.worker_pid, signal.SIGKILL)
        turn(fresh_worker, lambda task=task: not task.running)
        assert fresh_worker.crashes == crash
    assert "3 times in a row" in task.message
    assert fresh_worker.blocked
    with pytest.raises(WorkerError, match=r"test the runtime.*Try Again"):
        start(tiny_bundle)
    assert blender.ops.omniaudio.try_again() == {"FINISHED"}
    again = start(tiny_bundle)
    fresh_worker.wait(again)
    assert again.state == "DONE", again.message


def test_a_worker_that_cannot_start_is_told_of(
    fresh_worker: Any,
    start: Callable[[Path], Any],
    tiny_bundle: Path,
    tmp_path: Path,
    blender: Any,
) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 3\n")
    broken.chmod(0o755)
    preferences = blender.context.preferences.addons["blender_addon"].preferences
    preferences.environment = str(broken)
    try:
        task = start(tiny_bundle)
        fresh_worker.wait(task)
        assert task.state == "FAILED"
        assert "exit code 3" in task.message and "no such module" in task.message
    finally:
        preferences.environment = main_python()


def test_progress_is_told_and_no_tick_is_long(
    fresh_worker: Any, scene: Any, movie: Any, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real model: stages in order, a share that only grows, an estimate; and the ticks."""
    from blender_addon import compat, generation

    drawn: list[float] = []
    monkeypatch.setattr(compat, "redraw", lambda *_: drawn.append(time.monotonic()))
    plan = generation.plan(scene, movie)
    task = fresh_worker.start("test", scene, generation.steps(plan), generation.outputs(plan))
    seen: list[tuple[str, float | None, float | None]] = []
    ticks = []
    from blender_addon import questions

    while task.running:
        begun = time.thread_time()  # of this thread: the machine has other things to do too
        fresh_worker.tick()
        ticks.append(time.thread_time() - begun)
        questions.poll()
        seen.append((task.stage, task.fraction, task.eta))
        time.sleep(0.05)
    assert task.state == "DONE", task.message
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages[0] == "looking at the clip"
    assert [name for name in stages if name in ("frames", "sampling", "decoding")] != []
    shares = [share for stage, share, _ in seen if stage == "sampling" and share is not None]
    assert shares == sorted(shares) and shares[-1] > 0
    assert any(eta is not None for _, _, eta in seen)
    assert max(ticks) < 0.010, sorted(ticks)[-5:]
    # Twice a second and more, whatever the machine was doing: each tick comes with 0.1 s at most.
    assert len(drawn) >= 2 * task.seconds - 1


def test_a_cancelled_question_frees_the_panel_at_once(
    fresh_worker: Any, start: Callable[[Path], Any], tiny_bundle: Path, saved: Path
) -> None:
    task = start(tiny_bundle)
    fresh_worker.tick()
    assert task.stage == "looking at the clip"
    fresh_worker.cancel(task)
    assert task.state == "CANCELLED"
    assert [path.name for path in saved.iterdir()] == ["scene ü.blend"]


def test_opening_another_file_cancels(
    fresh_worker: Any, start: Callable[[Path], Any], slow_bundle: Path, blender: Any, saved: Path
) -> None:
    task = start(slow_bundle)
    turn(fresh_worker, lambda: computing(task))
    blender.ops.wm.read_homefile(use_empty=True)
    turn(fresh_worker, lambda: not task.running)
    assert task.state == "CANCELLED"
    assert [path.name for path in saved.iterdir()] == ["scene ü.blend"]


def test_two_scenes_generate_one_after_the_other(
    fresh_worker: Any, start: Callable[[Path], Any], tiny_bundle: Path, blender: Any, saved: Path
) -> None:
    from blender_addon import generation
    from tests.blender.conftest import DEMO, add_movie

    first = start(tiny_bundle)
    other = blender.data.scenes.new("other")
    strip = add_movie(other, DEMO, 100)
    other.omniaudio.bundle = str(tiny_bundle)
    other.omniaudio.folder = str(saved)
    plan = generation.plan(other, strip)
    second = fresh_worker.start("other", other, generation.steps(plan), generation.outputs(plan))
    turn(fresh_worker, lambda: not fresh_worker.running())
    assert (first.state, second.state) == ("DONE", "DONE"), (first.message, second.message)
    assert sorted(path.name for path in saved.glob("*take?.wav")) == [
        "demo-take1.wav",
        "demo-take2.wav",
    ]
    assert "demo-take2" in [strip.name for strip in other.sequence_editor.strips_all]
    assert fresh_worker.of_scene(other) is second


ENDING = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import bpy, addon_utils
addon_utils.enable("blender_addon", default_set=True)
preferences = bpy.context.preferences.addons["blender_addon"].preferences
preferences.runtime, preferences.environment = "ENVIRONMENT", sys.argv[2]
from blender_addon import generation, questions
from blender_addon.jobs import runner
scene = bpy.context.scene
scene.render.fps = 24
movie = scene.sequence_editor_create().strips.new_movie(
    name="demo", filepath=sys.argv[3], channel=1, frame_start=1)
scene.omniaudio.folder, scene.omniaudio.bundle = sys.argv[4], sys.argv[5]
plan = generation.plan(scene, movie)
task = runner.start("test", scene, generation.steps(plan), generation.outputs(plan))
while task.stage not in ("frames", "sampling"):
    assert task.running, task.message
    runner.tick()
    questions.poll()
    time.sleep(0.02)
print("PIDS", runner.worker_pid, questions._questions.pid, flush=True)
if sys.argv[6] == "wait":
    time.sleep(60)
if sys.argv[6] == "quit":
    bpy.ops.wm.quit_blender()
"""


@pytest.mark.parametrize("how", ["end", "quit", "wait"])
def test_blender_ends_and_no_process_is_left(
    how: str, slow_bundle: Path, tmp_path: Path, blender: Any
) -> None:
    """At its end, by its own command, and killed while it waits."""
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = [ROOT, main_python(), ROOT / "omniaudio_studio/assets/demo.mp4", folder]
    process = subprocess.Popen(
        [sys.executable, "-c", ENDING, *map(str, arguments), str(slow_bundle), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    pids: list[int] = []
    for line in process.stdout:
        if line.startswith("PIDS"):
            pids = [int(word) for word in line.split()[1:]]
            break
    assert len(pids) == 2
    if how == "wait":
        process.kill()
    process.wait(30)
    process.stdout.close()
    for pid in pids:
        assert gone(pid), pid
    assert not list(folder.iterdir())
