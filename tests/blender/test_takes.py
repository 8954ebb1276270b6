"""Takes in a scene: chosen, cut, moved elsewhere, recalled, finished before a cancel."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.blender.conftest import add_movie, strips


def test_a_take_is_chosen_removed_and_its_settings_taken_over(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import takes

    settings = scene.omniaudio
    settings.bundle, settings.seed = str(tiny_bundle), 5
    settings.use_steps, settings.steps = True, 3
    blender.ops.omniaudio.generate()
    settings.seed, settings.use_steps = 6, False
    blender.ops.omniaudio.generate()
    first, second = takes.all_of(scene)
    assert takes.current(scene) == second
    blender.ops.omniaudio.choose_take(key=first.key)
    assert takes.current(scene).key == first.key
    assert not strips(scene)["demo-take1.binaural"].mute
    assert strips(scene)["demo-take2.binaural"].mute
    blender.ops.omniaudio.use_take_settings(key=first.key)
    assert (settings.seed, settings.use_steps, settings.steps) == (5, True, 3)
    blender.ops.omniaudio.remove_take(key=first.key)
    assert sorted(strips(scene)) == ["demo", "demo-take2", "demo-take2.binaural"]
    assert (saved / "demo-take1.wav").is_file()
    assert "demo-take1.wav" not in blender.data.sounds


def test_takes_go_with_the_file_to_another_folder(
    blender: Any, scene: Any, movie: Any, saved: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    from blender_addon import takes

    scene.omniaudio.bundle, scene.omniaudio.seed = str(tiny_bundle), 21
    blender.ops.omniaudio.generate()
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    blender.ops.wm.save_as_mainfile(filepath=str(elsewhere / "moved.blend"))
    scene = blender.context.scene
    take = takes.current(scene)
    assert take.wav == saved / "demo-take1.wav"
    scene.omniaudio.seed = 0
    blender.ops.omniaudio.use_take_settings(key=take.key)
    assert scene.omniaudio.seed == 21
    done = blender.ops.omniaudio.deliver(filepath=str(elsewhere / "out.wav"), files={"overlay"})
    assert done == {"FINISHED"}


def test_names_that_are_no_numbers(
    blender: Any, scene: Any, clips: Callable[..., Path], saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import takes

    clip = saved / "Raum 20m² №3.mp4"
    clip.write_bytes(clips(2.0, 24.0).read_bytes())
    add_movie(scene, clip, 1)
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.omniaudio.generate()
    assert takes.current(scene).wav.name == "Raum 20m² №3-take1.wav"


def test_a_take_that_was_cut_is_its_pieces(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import takes

    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.omniaudio.generate()
    field = strips(scene)["demo-take1"]
    right = field.split(frame=60, split_method="SOFT")
    piece = takes.of_strip(scene, right)
    assert (piece.first_frame, piece.last_frame) == (60, 153)
    scene.sequence_editor.active_strip = right
    blender.ops.omniaudio.deliver(filepath=str(saved / "out.wav"))
    whole, _ = soundfile.read(saved / "demo-take1.wav", dtype="float32")
    part, _ = soundfile.read(saved / "out.wav", dtype="float32")
    np.testing.assert_array_equal(part, whole[50 * 2000 :])
    blender.ops.omniaudio.remove_take(key=piece.key)
    assert list(strips(scene)) == ["demo"]


def test_one_take_is_heard_also_after_the_movie_was_cut(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.omniaudio.generate()
    movie.split(frame=60, split_method="SOFT")
    scene.sequence_editor.active_strip = movie
    blender.ops.omniaudio.generate()
    heard = [name for name, strip in strips(scene).items() if "binaural" in name and not strip.mute]
    assert heard == ["demo-take2.binaural"]


def test_all_settings_of_a_take_come_back(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    settings = scene.omniaudio
    settings.bundle, settings.range, settings.rate = str(tiny_bundle), "FRAMES", "44100"
    settings.first_frame, settings.last_frame = 34, 81
    settings.subtype, settings.yaw, settings.mix = "pcm24", 0.5, 0.0
    scene.frame_current = 58
    blender.ops.omniaudio.add_shot()
    settings.shots[0].use_seed, settings.shots[0].seed = True, 5
    blender.ops.omniaudio.generate()
    blender.ops.omniaudio.remove_shot(which="ALL")
    settings.range, settings.rate, settings.subtype, settings.yaw = "CLIP", "48000", "float32", 0.0
    blender.ops.omniaudio.use_take_settings(key=settings.active_take)
    assert (settings.range, settings.first_frame, settings.last_frame) == ("FRAMES", 34, 81)
    assert (settings.rate, settings.subtype) == ("44100", "pcm24")
    assert settings.yaw == pytest.approx(0.5, abs=1e-5)
    (shot,) = settings.shots
    assert (shot.start, shot.use_seed, shot.seed, shot.use_cfg) == (58, True, 5, False)


def test_settings_of_pictures_and_mixes_come_back(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import delivery, takes

    settings = scene.omniaudio
    settings.bundle, settings.place_method = str(tiny_bundle), "given"
    item = blender.data.objects.new("singer", None)
    scene.collection.objects.link(item)
    item.omniaudio.carries_sound, item.omniaudio.is_hint = True, True
    settings.width, settings.max_sources, settings.recording = 0.6, 2, movie.filepath
    settings.subtype = "pcm24"
    blender.ops.omniaudio.place_own_sound()
    placed = settings.active_take
    settings.mix, settings.bed, settings.duck = 0.5, "PLACED", 6.0
    settings.front_view, settings.front_azimuth = "ANGLE", 1.0
    settings.projection, settings.hfov = "flat", 1.5
    settings.camera_azimuth, settings.camera_elevation = 2.0, -0.5
    blender.ops.omniaudio.generate()
    generated = settings.active_take
    # A delivery shows the flat picture where its camera looked.
    shown = delivery.request(
        scene,
        takes.current(scene),
        saved / "out.wav",
        deliverables=("wav", "overlay"),
        follow_camera=False,
    )
    assert (shown.projection, shown.hfov) == ("flat", pytest.approx(math.degrees(1.5)))

    kept = ("place_method", "width", "max_sources", "recording", "subtype", "mix", "bed", "duck")
    kept += ("front_view", "front_azimuth", "projection", "hfov", "camera_azimuth")
    kept += ("camera_elevation", "bundle")
    before = {name: getattr(settings, name) for name in kept}
    for name in kept:
        settings.property_unset(name)
    blender.ops.omniaudio.use_take_settings(key=generated)
    assert settings.mix_field == "demo-placed"
    assert settings.projection == "flat"
    blender.ops.omniaudio.use_take_settings(key=placed)
    assert settings.projection == "auto"
    assert Path(settings.recording) == Path(blender.path.abspath(movie.filepath)).resolve()
    before |= {"projection": "auto", "recording": settings.recording}
    for name in kept:
        value = getattr(settings, name)
        expected = before[name]
        if isinstance(expected, float):
            assert value == pytest.approx(expected, abs=1e-5), name
        else:
            assert value == expected, name


def test_takes_that_are_finished_stay_when_a_later_one_is_cancelled(
    blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import generation, questions
    from blender_addon.jobs import runner

    blender.ops.ed.undo_push(message="before")
    scene.omniaudio.bundle, scene.omniaudio.takes = str(tiny_bundle), 30
    plan = generation.plan(scene, movie)
    task = runner.start("test", scene, generation.steps(plan), generation.outputs(plan))
    while "demo-take1.binaural" not in strips(scene) or not task.job:
        runner.tick()
        questions.poll()
    runner.cancel(task)
    runner.wait(task)
    assert task.state == "CANCELLED"
    made = {name for name in strips(scene) if name != "demo"}
    wavs = {path.stem for path in saved.glob("*.wav")}
    assert made == wavs
    assert {"demo-take1", "demo-take1.binaural"} <= made
    blender.ops.ed.undo()
    blender.ops.ed.redo()
    assert "demo-take1" in strips(blender.context.scene)
