"""The clip's own sound, placed: by objects of the scene, in the real worker, as a take."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import OptionError
from tests.blender.conftest import DEMO, add_movie, in_main, interpolate, strips
from tests.blender.test_sources import direction, key

RATE = 48_000


def add_carrier(blender: Any, scene: Any, place: tuple[float, float, float]) -> Any:
    """An object that the clip's own sound comes from; the scene's directions are its objects'."""
    item = blender.data.objects.new("singer", None)
    scene.collection.objects.link(item)
    item.location = place
    item.omniaudio.carries_sound = True
    scene.omniaudio.place_method = "given"
    return item


def add_pivot(blender: Any, scene: Any, item: Any) -> Any:
    """Turns an object about the camera."""
    pivot = blender.data.objects.new("pivot", None)
    scene.collection.objects.link(pivot)
    pivot.location.z = 1.6
    item.parent = pivot
    return pivot


def turn(pivot: Any, *keys: tuple[int, float]) -> None:
    """Frames and degrees."""
    for frame, degrees in keys:
        pivot.rotation_euler.z = math.radians(degrees)
        pivot.keyframe_insert("rotation_euler", frame=frame)
    interpolate(pivot, "LINEAR")


def followed(source: Any, times: np.ndarray) -> np.ndarray:
    """Azimuths in degrees at these times, as the core follows the points."""
    from omniaudio_studio.foa.directed import DirectedTrack

    points = np.array(source.points)
    points[:, 1:3] = np.radians(points[:, 1:3])
    y, _, x = DirectedTrack(points).weights(times)
    return np.degrees(np.unwrap(np.arctan2(y, x)))


def test_an_object_on_the_left_is_at_90_degrees(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    from blender_addon import spatializing

    add_carrier(blender, scene, (0.0, 5.0, 1.6))
    request = spatializing.plan(scene, movie).request
    assert (request.method, request.clip, request.audio) == ("given", DEMO, None)
    assert request.output == saved / "demo-placed.wav"
    (source,) = request.sources
    assert (source.name, source.file) == ("singer", None)
    assert [point[0] for point in source.points] == [0.0, 6.0]
    for _, azimuth, elevation, share in source.points:
        assert (azimuth, elevation) == (pytest.approx(90.0, abs=0.5), pytest.approx(0.0, abs=0.5))
        assert share == 1.0


def test_the_front_of_the_files_is_the_worlds_x(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    """Directions are the clip's own: the front of the files is at 30 degrees of it."""
    from blender_addon import spatializing

    add_carrier(blender, scene, (4.0, 0.0, 1.6 + 4.0))
    scene.omniaudio.yaw = math.radians(30)
    request = spatializing.plan(scene, movie).request
    assert request.yaw == 30.0
    assert request.sources[0].points[0][1:3] == pytest.approx((30.0, 45.0), abs=0.01)


def test_an_object_is_where_a_turned_world_shows_it(
    blender: Any, scene: Any, camera: Any, saved: Path, clips: Callable[..., Path]
) -> None:
    from blender_addon import spatializing
    from tests.blender.test_world import make_environment, mapping_of

    texture = make_environment(blender, scene)
    texture.image = blender.data.images.load(str(clips(2.0, 24.0)))
    texture.image_user.frame_start, texture.image_user.frame_duration = 1, 48
    mapping_of(scene).inputs["Rotation"].default_value = (0.0, 0.0, math.radians(90))
    add_carrier(blender, scene, (3.0, 0.0, 1.6))  # +X of the world, which shows azimuth 90
    for from_world in (True, False):
        scene.omniaudio.yaw_from_world = from_world
        request = spatializing.plan(scene, None).request
        assert request.yaw == pytest.approx(90.0 if from_world else 0.0)
        assert request.sources[0].points[0][1] == pytest.approx(90.0, abs=0.01)


def test_a_moving_objects_path_and_its_share(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    """Unevenly along a circle and past the back: fewer points than frames, within 0.5 degrees."""
    from blender_addon import spatializing

    item = add_carrier(blender, scene, (3.0, 0.0, 0.0))
    turn(add_pivot(blender, scene, item), (10, 0.0), (50, 20.0), (58, 100.0), (154, 280.0))
    for frame, share in ((10, 1.0), (154, 0.25)):
        item.omniaudio.share = share
        item.omniaudio.keyframe_insert("share", frame=frame)
    interpolate(item, "LINEAR")
    (source,) = spatializing.plan(scene, movie).request.sources
    assert len(source.points) < 30
    frames = np.linspace(10, 154, 400)
    expected = np.interp(frames, (10, 50, 58, 154), (0.0, 20.0, 100.0, 280.0))
    heard = followed(source, (frames - 10) / 24)
    assert np.abs(heard - expected).max() < 0.5
    shares = np.array(source.points)
    np.testing.assert_allclose(
        np.interp(3.0, shares[:, 0], shares[:, 3]), 1.0 - 0.75 / 2, atol=5e-3
    )


def test_times_are_the_clips_where_the_strip_is_moved_and_trimmed(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    from blender_addon import compat, spatializing

    compat.set_handles(movie, 34, 82)
    scene.omniaudio.range = "STRIP"
    item = add_carrier(blender, scene, (0.0, 2.0, 1.6))
    key(item, 57, (0.0, 2.0, 1.6))
    key(item, 58, (2.0, 0.0, 1.6))
    interpolate(item, "CONSTANT")
    plan = spatializing.plan(scene, movie)
    assert (plan.request.start, plan.end) == (1.0, 3.0)
    points = plan.request.sources[0].points
    assert (points[0][0], points[-1][0]) == (1.0, 3.0)
    at = {point[0]: point[1] for point in points}
    assert at[2.0] == pytest.approx(0.0, abs=0.01)  # frame 58 is two seconds into the clip
    assert at[47 / 24] == pytest.approx(90.0, abs=0.01)


def test_hidden_and_at_the_camera_the_share_goes(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    from blender_addon import spatializing

    near = add_carrier(blender, scene, (0.0, 0.05, 1.6))
    other = add_carrier(blender, scene, (0.0, 0.0, 1.6))
    hidden = add_carrier(blender, scene, (1.0, 0.0, 1.6))
    for frame, unseen in ((10, False), (82, True)):
        hidden.hide_render = unseen
        hidden.keyframe_insert("hide_render", frame=frame)
    interpolate(hidden, "CONSTANT")
    found = spatializing.plan(scene, movie).request.sources
    assert [source.name for source in found] == [near.name, other.name, hidden.name]
    assert found[0].points[0][1:] == pytest.approx((90.0, 0.0, 0.5), abs=1e-3)
    assert found[1].points[0][3] == 0.0
    shares = {round(point[0] * 24): point[3] for point in found[2].points}
    assert (shares[71], shares[72]) == (1.0, 0.0)


def test_what_cannot_be_placed_is_refused_at_once(
    blender: Any, scene: Any, movie: Any, saved: Path, tmp_path: Path
) -> None:
    from blender_addon import spatializing

    scene.omniaudio.place_method = "given"
    with pytest.raises(OptionError, match="no object of the scene carries"):
        spatializing.plan(scene, movie)
    item = add_carrier(blender, scene, (1.0, 0.0, 0.0))
    with pytest.raises(OptionError, match="the scene has none"):
        spatializing.plan(scene, movie)
    item.omniaudio.carries_sound = False
    scene.omniaudio.place_method = "automatic"
    scene.omniaudio.recording = str(tmp_path / "gone.wav")
    with pytest.raises(RuntimeError, match=r"recording is missing.*gone\.wav"):
        blender.ops.omniaudio.place_own_sound()


def test_own_sound_end_to_end(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    """A quarter turn in the clip's six seconds, from the left to the back; W is the recording."""
    from blender_addon import compat, takes

    item = add_carrier(blender, scene, (3.0, 0.0, 0.0))
    turn(add_pivot(blender, scene, item), (10, 90.0), (154, 180.0))
    compat.set_handles(movie, 15, 147)
    assert blender.ops.omniaudio.place_own_sound() == {"FINISHED"}

    field, rate = soundfile.read(saved / "demo-placed.wav", dtype="float32")
    assert (rate, field.shape) == (RATE, (6 * RATE, 4))
    decoded = saved / "decoded.npy"
    in_main(
        "import sys; import numpy as np; from pathlib import Path;"
        "from omniaudio_studio.media.audio import iter_audio;"
        "np.save(sys.argv[2], np.concatenate([*iter_audio(Path(sys.argv[1]))], axis=1))",
        DEMO,
        decoded,
    )
    sound = np.load(decoded)[0]
    np.testing.assert_array_equal(field[: sound.size, 0], sound[: len(field)])
    for second in (0.5, 2.0, 3.5, 5.5):
        middle = round(second * RATE)
        azimuth, elevation = direction(field[middle - 480 : middle + 480])
        assert azimuth == pytest.approx(90.0 + 15.0 * second, abs=0.5), second
        assert elevation == pytest.approx(0.0, abs=0.5)

    found = strips(scene)
    assert sorted(found) == ["demo", "demo-placed", "demo-placed.binaural"]
    for name in ("demo-placed", "demo-placed.binaural"):
        place = [compat.content_start(found[name]), compat.left_handle(found[name])]
        assert [*place, compat.right_handle(found[name])] == [10, 15, 147]
    mine = found["demo-placed"].omniaudio
    assert (mine.role, mine.placed, mine.directions) == ("FOA", "given", 1)
    assert found["demo-placed"].mute and not found["demo-placed.binaural"].mute
    request = takes.request_of(found["demo-placed"])
    assert (request.KIND, request.sources[0].name) == ("spatialize", "singer")

    # Again: another name, and the earlier one is left as it was.
    assert blender.ops.omniaudio.place_own_sound() == {"FINISHED"}
    assert (saved / "demo-placed2.wav").read_bytes() == (saved / "demo-placed.wav").read_bytes()


def test_directions_that_are_found(
    blender: Any, scene: Any, saved: Path, clips: Callable[..., Path]
) -> None:
    """Whatever is found, W is the recording, a steady tone, and the take says how sure it is."""
    from blender_addon import takes

    add_movie(scene, clips(2.0, 24.0), 10)
    scene.omniaudio.max_sources = 1
    assert blender.ops.omniaudio.place_own_sound() == {"FINISHED"}
    take = takes.current(scene)
    field, _ = soundfile.read(take.wav, dtype="float32")
    assert np.sqrt(np.mean(field[RATE // 2 : RATE, 0] ** 2)) == pytest.approx(0.177, abs=0.01)
    strip = takes.field_strip(scene, take.key)
    mine, request = strip.omniaudio, takes.request_of(strip)
    assert (mine.placed, request.max_sources, request.sources) == ("automatic", 1, ())
    assert 0.0 <= mine.confidence <= 1.0 and mine.directions <= 1


def test_a_placed_take_is_delivered_with_its_overlay(
    blender: Any, scene: Any, camera: Any, saved: Path, clips: Callable[..., Path]
) -> None:
    add_movie(scene, clips(2.0, 24.0), 10)
    add_carrier(blender, scene, (0.0, 3.0, 1.6))
    blender.ops.omniaudio.place_own_sound()
    done = blender.ops.omniaudio.deliver(filepath=str(saved / "out.wav"), files={"overlay"})
    assert done == {"FINISHED"}
    assert (saved / "out.overlay.mp4").is_file()


def test_another_recording_and_a_stem(
    blender: Any, scene: Any, saved: Path, camera: Any, clips: Callable[..., Path]
) -> None:
    """The recording of two halves: the stem's comes from the left, the rest from everywhere."""
    rng = np.random.default_rng(5)
    noise = (0.1 * rng.standard_normal(2 * RATE)).astype(np.float32)
    half = noise.copy()
    half[:RATE] = 0.0
    soundfile.write(saved / "field mic.wav", noise, RATE, subtype="FLOAT")
    soundfile.write(saved / "stem.wav", half, RATE, subtype="FLOAT")
    add_movie(scene, clips(2.0, 24.0), 10)
    scene.omniaudio.recording, scene.omniaudio.width = "//field mic.wav", 0.0
    item = add_carrier(blender, scene, (0.0, 3.0, 1.6))
    item.omniaudio.stem = "//stem.wav"
    blender.ops.omniaudio.place_own_sound()
    (wav,) = saved.glob("*-placed.wav")
    field, _ = soundfile.read(wav, dtype="float32")
    np.testing.assert_array_equal(field[:, 0], noise)
    assert not field[:RATE, 1:].any()
    np.testing.assert_allclose(field[RATE:, 1], noise[RATE:], atol=1e-7)


def test_a_clip_without_sound_says_so_and_the_button_too(
    blender: Any, scene: Any, movie: Any, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon import clips, spatializing

    path = saved / "silent.mp4"
    in_main(
        "import sys; from pathlib import Path;"
        "from tests.support.small_clip import make_small_clip as make;"
        "make(Path(sys.argv[1]), 2.0, 24.0, sound=False)",
        path,
    )
    silent = add_movie(scene, path, 10, channel=5)
    clip = clips.of_strip(scene, silent).clip
    assert spatializing.refusal(scene, clip) == ""  # nobody has looked yet
    with pytest.raises(RuntimeError, match=r"silent\.mp4 has no sound of its own to place"):
        blender.ops.omniaudio.place_own_sound()
    assert not list(saved.glob("*.wav"))
    assert "no sound of its own" in spatializing.refusal(scene, clip)
    assert spatializing.refusal(scene, DEMO) == ""
    scene.omniaudio.recording = str(DEMO)
    assert spatializing.refusal(scene, clip) == ""


def test_cancelled_nothing_is_left(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    from blender_addon import questions, spatializing
    from blender_addon.jobs import runner

    add_carrier(blender, scene, (0.0, 3.0, 1.6))
    task = spatializing.start(scene, movie)
    while not task.job:
        runner.tick()
        questions.poll()
    runner.cancel(task)
    runner.wait(task)
    assert task.state == "CANCELLED"
    assert list(strips(scene)) == ["demo"]
    assert [path.name for path in saved.iterdir() if "placed" in path.name] == []


def test_placed_sound_lies_under_what_is_generated(
    blender: Any,
    scene: Any,
    camera: Any,
    saved: Path,
    tiny_bundle: Path,
    clips: Callable[..., Path],
) -> None:
    """What is generated, less the same without it: the placed sound alone, from its side."""
    movie = add_movie(scene, clips(2.0, 24.0), 10)
    name = Path(movie.filepath).stem
    settings = scene.omniaudio
    settings.bundle, settings.yaw = str(tiny_bundle), math.radians(30)
    settings.mix, settings.bed = 0.5, "PLACED"
    with pytest.raises(RuntimeError, match="was placed yet that could lie under"):
        blender.ops.omniaudio.generate()
    settings.mix = 0.0
    blender.ops.omniaudio.generate()
    add_carrier(blender, scene, (0.0, 3.0, 1.6))
    settings.range, settings.first_frame, settings.last_frame = "FRAMES", 10, 57
    blender.ops.omniaudio.place_own_sound()
    settings.range, settings.mix = "CLIP", 0.5
    blender.ops.omniaudio.generate()
    generated, _ = soundfile.read(saved / f"{name}-take1.wav")
    both, _ = soundfile.read(saved / f"{name}-take2.wav")
    placed, _ = soundfile.read(saved / f"{name}-placed.wav")
    np.testing.assert_allclose(both - generated, 0.5 * placed, atol=1e-5)
    assert direction(placed)[0] == pytest.approx(90.0, abs=0.5)
    request = json.loads((saved / f"{name}-take2.json").read_text())["request"]
    assert request["mix_field"] == str(saved / f"{name}-placed.wav")
