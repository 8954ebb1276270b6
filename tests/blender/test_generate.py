"""From a click to strips in the scene, with the starter bundle."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.blender.conftest import DEMO, add_movie, in_main, strips

RATE = 48_000


def test_a_take_end_to_end_saved_and_loaded_again(
    blender: Any, scene: Any, movie: Any, saved: Path
) -> None:
    from blender_addon import compat, takes

    compat.set_handles(movie, 15, 147)
    settings = scene.omniaudio
    settings.seed, settings.use_cfg, settings.cfg = 7, True, 5.3
    assert blender.ops.omniaudio.generate() == {"FINISHED"}

    sound, rate = soundfile.read(saved / "demo-take1.wav", dtype="float32")
    assert (rate, sound.shape) == (RATE, (6 * RATE, 4))
    assert np.abs(sound[:, 1:]).max() > 0
    ears, rate = soundfile.read(saved / "demo-take1.binaural.wav")
    assert (rate, ears.shape) == (RATE, (6 * RATE, 2))
    sidecar = json.loads((saved / "demo-take1.json").read_text())
    assert sidecar["request"]["cfg"] == 5.3
    assert sidecar["request"]["seed"] == 7
    blender.ops.wm.save_mainfile()
    blender.ops.wm.open_mainfile(filepath=blender.data.filepath)

    scene = blender.context.scene
    assert scene.omniaudio.seed == 7
    found = strips(scene)
    field, binaural = found["demo-take1"], found["demo-take1.binaural"]
    for strip in (field, binaural):
        assert compat.content_start(strip) == 10
        assert compat.left_handle(strip) == 15
        assert compat.right_handle(strip) == 147
    assert field.mute and not binaural.mute
    assert len({strip.channel for strip in found.values()}) == len(found) == 3
    mine = field.omniaudio
    assert (mine.role, mine.seed, mine.bundle) == ("FOA", "7", "Starter")
    assert mine.cfg == pytest.approx(5.3)
    assert mine.steps == sidecar["resolved"]["steps"]
    assert takes.request_of(field).cfg == 5.3
    assert Path(blender.path.abspath(field.sound.filepath)) == saved / "demo-take1.wav"
    take = takes.current(scene)
    assert take is not None
    assert (take.foa_strip, take.binaural_strip) == ("demo-take1", "demo-take1.binaural")


def test_a_second_run_is_a_new_take_and_the_same_seed_the_same_sound(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.omniaudio.generate()
    before = {path.name: path.stat().st_mtime_ns for path in saved.iterdir()}
    blender.ops.omniaudio.generate()
    scene.omniaudio.seed = 8
    blender.ops.omniaudio.generate()
    for name, time in before.items():
        assert (saved / name).stat().st_mtime_ns == time
    digests = [
        hashlib.sha256((saved / f"demo-take{number}.wav").read_bytes()).hexdigest()
        for number in (1, 2, 3)
    ]
    assert digests[0] == digests[1] != digests[2]
    heard = [name for name, strip in strips(scene).items() if not strip.mute]
    assert sorted(heard) == ["demo", "demo-take3.binaural"]
    assert len(strips(scene)) == 7


def test_several_takes_have_seeds_of_their_own(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    settings = scene.omniaudio
    settings.bundle, settings.seed, settings.takes = str(tiny_bundle), 40, 3
    blender.ops.omniaudio.generate()
    seeds = [
        json.loads((saved / f"demo-take{number}.json").read_text())["request"]["seed"]
        for number in (1, 2, 3)
    ]
    assert seeds == [40, 41, 42]


def test_undo_takes_the_strips_away_and_leaves_the_files(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.ed.undo_push(message="before")
    blender.ops.omniaudio.generate()
    assert len(strips(scene)) == 3
    blender.ops.ed.undo_push(message="after")  # in a window an operator does this itself
    blender.ops.ed.undo()
    assert list(strips(blender.context.scene)) == ["demo"]
    assert (saved / "demo-take1.wav").is_file()
    blender.ops.ed.redo()
    assert "demo-take1" in strips(blender.context.scene)


def test_shots_have_their_own_cfg_and_seed(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    settings = scene.omniaudio
    settings.bundle = str(tiny_bundle)
    for frame in (58, 5, 106):
        scene.frame_current = frame
        blender.ops.omniaudio.add_shot()
    assert [shot.start for shot in settings.shots] == [5, 58, 106]
    settings.shots[1].use_cfg, settings.shots[1].cfg = True, 2.5
    settings.shots[2].use_seed, settings.shots[2].seed = True, 99
    blender.ops.omniaudio.generate()
    request = json.loads((saved / "demo-take1.json").read_text())["request"]
    assert request["segments"] == [
        {"start": 0.0, "cfg": None, "seed": None},
        {"start": 2.0, "cfg": 2.5, "seed": None},
        {"start": 4.0, "cfg": None, "seed": 99},
    ]


def test_every_scene_keeps_its_own_settings(blender: Any, scene: Any, saved: Path) -> None:
    other = blender.data.scenes.new("other")
    scene.omniaudio.seed, other.omniaudio.seed = 1, 2
    scene.omniaudio.use_cfg, scene.omniaudio.cfg = True, 3.0
    blender.ops.wm.save_mainfile()
    blender.ops.wm.open_mainfile(filepath=blender.data.filepath)
    first, second = blender.data.scenes["Scene"].omniaudio, blender.data.scenes["other"].omniaudio
    assert (first.seed, first.use_cfg, first.cfg) == (1, True, 3.0)
    assert (second.seed, second.use_cfg) == (2, False)


@pytest.mark.parametrize(
    ("range_", "start", "samples", "frames"),
    [
        ("CLIP", 0.0, 6 * RATE, (10, 15, 147)),
        ("STRIP", 5 / 24, 132 * 2000, (15, 15, 147)),
        ("PREVIEW", 2.0, 24 * 2000, (58, 58, 82)),
        ("FRAMES", 0.0, 48 * 2000, (10, 15, 58)),
    ],
)
def test_ranges(
    blender: Any,
    scene: Any,
    movie: Any,
    saved: Path,
    tiny_bundle: Path,
    range_: str,
    start: float,
    samples: int,
    frames: tuple[int, int, int],
) -> None:
    from blender_addon import compat

    compat.set_handles(movie, 15, 147)
    settings = scene.omniaudio
    settings.bundle, settings.range = str(tiny_bundle), range_
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 58, 81
    settings.first_frame, settings.last_frame = 1, 57
    blender.ops.omniaudio.generate()
    info = soundfile.info(saved / "demo-take1.wav")
    assert info.frames == samples
    request = json.loads((saved / "demo-take1.json").read_text())["request"]
    assert request["start"] == pytest.approx(start, abs=1e-9)
    strip = strips(scene)["demo-take1"]
    place = (compat.content_start(strip), compat.left_handle(strip), compat.right_handle(strip))
    assert place == frames


@pytest.mark.parametrize("trimmed", [False, True])
def test_the_field_sounds_with_the_picture_to_the_sample(
    blender: Any,
    scene: Any,
    saved: Path,
    clips: Callable[..., Path],
    tiny_bundle: Path,
    tmp_path: Path,
    trimmed: bool,
) -> None:
    """Blender's own mix of the field, unmuted, against the file that was written."""
    from blender_addon import compat

    movie = add_movie(scene, clips(2.0, 24.0), 37)
    if trimmed:
        compat.set_handles(movie, 44, 79)
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.omniaudio.generate()
    name = f"{Path(movie.filepath).stem}-take1"
    written, _ = soundfile.read(saved / f"{name}.wav", dtype="float32")
    # W alone, so that no fold-down of channels comes between.
    alone = tmp_path / "w.wav"
    soundfile.write(alone, written[:, 0], RATE, subtype="FLOAT")
    for strip in list(scene.sequence_editor.strips_all):
        strip.mute = True
    field = strips(scene)[name]
    field.sound.filepath = str(alone)
    field.mute = False
    scene.frame_start, scene.frame_end = 1, 100
    scene.render.ffmpeg.audio_channels = "MONO"
    scene.render.ffmpeg.audio_mixrate = RATE
    mixed = tmp_path / "mix.wav"
    blender.ops.sound.mixdown(
        filepath=str(mixed), container="WAV", codec="PCM", format="F32", check_existing=False
    )
    heard, _ = soundfile.read(mixed, dtype="float32", always_2d=True)
    heard = heard[:, 0]
    left, right = compat.left_handle(field), compat.right_handle(field)
    first, last = (left - 1) * 2000, (right - 1) * 2000
    part = written[(left - 37) * 2000 : (right - 37) * 2000, 0]
    assert np.abs(part).max() > 0
    # Blender fades a sound in from nothing over its first sample, and plays mono at -3 dB.
    np.testing.assert_allclose(heard[first + 1 : last], part[1:] * np.sqrt(0.5), atol=1e-5)
    assert not heard[: first - 1].any()
    assert not heard[last + 1 :].any()


def test_another_frame_rate_is_refused_and_can_be_mended(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    scene.omniaudio.bundle = str(tiny_bundle)
    scene.render.fps = 30
    with pytest.raises(RuntimeError, match="would not keep in step"):
        blender.ops.omniaudio.generate()
    assert not list(saved.glob("*.wav"))
    assert blender.ops.omniaudio.match_fps() == {"FINISHED"}
    assert blender.ops.omniaudio.generate() == {"FINISHED"}


def test_a_movie_that_keeps_its_own_speed_in_another_frame_rate(
    blender: Any, scene: Any, saved: Path, tiny_bundle: Path
) -> None:
    """ "Adjust Playback Rate", as the Add menu sets it: 6 s are 180 frames of 30 fps."""
    from blender_addon import compat

    if blender.app.version >= (5, 0):
        pytest.skip("this Blender cannot add a strip by its menu without a window")
    scene.render.fps = 30
    scene.sequence_editor_create()
    window = blender.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    with blender.context.temp_override(window=window, area=area, region=area.regions[-1]):
        blender.ops.sequencer.movie_strip_add(
            filepath=str(DEMO),
            frame_start=10,
            channel=1,
            adjust_playback_rate=True,
            use_framerate=False,
            sound=False,
        )
    (movie,) = scene.sequence_editor.strips_all
    scene.sequence_editor.active_strip = movie
    assert compat.content_duration(movie) == 180
    compat.set_handles(movie, 40, 100)
    settings = scene.omniaudio
    settings.bundle, settings.range = str(tiny_bundle), "STRIP"
    assert blender.ops.omniaudio.generate() == {"FINISHED"}
    request = json.loads((saved / "demo-take1.json").read_text())["request"]
    assert request["start"] == pytest.approx(1.0)
    assert soundfile.info(saved / "demo-take1.wav").frames == 2 * RATE
    strip = strips(scene)["demo-take1"]
    assert (compat.content_start(strip), compat.right_handle(strip)) == (40, 100)


def test_the_scene_that_the_sequencer_shows_is_meant(
    blender: Any, scene: Any, saved: Path, tiny_bundle: Path
) -> None:
    """5.0 and later let a workspace edit another scene than the one in its viewports."""
    if blender.app.version < (5, 0):
        pytest.skip("this Blender's sequencer shows the window's scene")
    edit = blender.data.scenes.new("edit")
    edit.render.fps = 24
    add_movie(edit, DEMO, 10)
    edit.omniaudio.bundle = str(tiny_bundle)
    blender.context.workspace.sequencer_scene = edit
    window = blender.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    with blender.context.temp_override(window=window, area=area, region=area.regions[-1]):
        assert blender.ops.omniaudio.generate() == {"FINISHED"}
    assert "demo-take1" in strips(edit)
    assert not strips(scene)


def test_an_unsaved_file_asks_for_a_folder(
    blender: Any, scene: Any, movie: Any, tmp_path: Path, tiny_bundle: Path
) -> None:
    scene.omniaudio.bundle = str(tiny_bundle)
    with pytest.raises(RuntimeError, match=r"not been saved.*choose a folder"):
        blender.ops.omniaudio.generate()
    folder = tmp_path / "chosen"
    folder.mkdir()
    assert blender.ops.omniaudio.generate(directory=str(folder)) == {"FINISHED"}
    assert (folder / "demo-take1.wav").is_file()
    assert scene.omniaudio.folder


def test_a_strip_that_was_moved_meanwhile_is_followed(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import compat, generation
    from blender_addon.jobs import runner

    scene.omniaudio.bundle = str(tiny_bundle)
    plan = generation.plan(scene, movie)
    task = runner.start("test", scene, generation.steps(plan), generation.outputs(plan))
    setattr(movie, "content_start" if hasattr(movie, "content_start") else "frame_start", 50)
    movie.name = "another name"
    scene.name = "another scene"
    runner.wait(task)
    assert task.state == "DONE", task.message
    assert compat.content_start(strips(scene)["demo-take1"]) == 50


def test_a_scene_that_is_gone_is_told_of(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import generation
    from blender_addon.jobs import runner

    scene.omniaudio.bundle = str(tiny_bundle)
    plan = generation.plan(scene, movie)
    task = runner.start("test", scene, generation.steps(plan), generation.outputs(plan))
    blender.data.scenes.new("left")
    blender.data.scenes.remove(scene)
    runner.wait(task)
    assert task.state == "FAILED"
    assert "is gone" in task.message


def test_a_movie_in_a_meta_gets_its_sound_there(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    scene.omniaudio.bundle = str(tiny_bundle)
    meta = scene.sequence_editor.strips.new_meta(name="meta", channel=3, frame_start=10)
    movie.move_to_meta(meta)
    scene.sequence_editor.active_strip = movie
    blender.ops.omniaudio.generate()
    assert sorted(strip.name for strip in meta.strips) == [
        "demo",
        "demo-take1",
        "demo-take1.binaural",
    ]


def test_shots_are_found_beside_blender(blender: Any, scene: Any, saved: Path) -> None:
    """A clip of two halves that show other things."""
    path = saved / "cut.mp4"
    in_main(
        "import sys; from pathlib import Path; import numpy as np;"
        "from omniaudio_studio.media.video import VideoWriter\n"
        "rng = np.random.default_rng(3)\n"
        "shown = [rng.integers(0, 255, (64, 128, 3), dtype=np.uint8) for _ in range(2)]\n"
        "with VideoWriter(Path(sys.argv[1]), 128, 64, 24) as writer:\n"
        "    for k in range(96): writer.write_frame(shown[k // 48] // (1 + k // 48))",
        path,
    )
    add_movie(scene, path, 10)
    scene.omniaudio.shots.add().start = 3
    assert blender.ops.omniaudio.find_shots() == {"FINISHED"}
    assert [shot.start for shot in scene.omniaudio.shots] == [10, 58]


def test_shots_from_markers_keep_their_values(blender: Any, scene: Any) -> None:
    shots = scene.omniaudio.shots
    for frame in (30, 10, 30):
        scene.timeline_markers.new("cut", frame=frame)
    shots.add().start = 10
    shots[0].use_seed, shots[0].seed = True, 77
    shots.add().start = 20
    blender.ops.omniaudio.shots_from_markers()
    assert [(shot.start, shot.seed, shot.use_seed) for shot in shots] == [
        (10, 77, True),
        (30, 0, False),
    ]
    blender.ops.omniaudio.remove_shot(which="ALL")
    assert not shots


def test_the_dice_roll_another_seed(blender: Any, scene: Any) -> None:
    seeds = set()
    for _ in range(5):
        blender.ops.omniaudio.roll_seed()
        seeds.add(scene.omniaudio.seed)
    assert len(seeds) == 5


def test_no_library_of_ours_is_in_blenders_process(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bpy, addon_utils;"
        "before = set(sys.modules); assert addon_utils.enable('blender_addon') is not None;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'onnxruntime', 'torch', 'av', 'cv2', 'soundfile', 'soxr', 'scipy',"
        "'matplotlib', 'platformdirs', 'PyQt6', 'typer', 'rich'}));"
        "addon_utils.disable('blender_addon')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "[]" in done.stdout.splitlines(), done.stdout
