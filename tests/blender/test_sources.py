"""Objects that are heard: their paths, speakers, and the field that they end up in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mathutils import Matrix

from omniaudio_studio.errors import MissingFileError, OptionError
from tests.blender.conftest import interpolate

RATE = 48_000
AHEAD = Matrix.Identity(3)  # the field's axes are the world's


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Ten seconds of a steady tone."""
    path = tmp_path / "töne.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 500 * np.arange(10 * RATE) / RATE), RATE)
    return path


def add_source(blender: Any, scene: Any, path: Path, name: str = "bee") -> Any:
    item = blender.data.objects.new(name, None)
    scene.collection.objects.link(item)
    item.omniaudio.is_source, item.omniaudio.file = True, str(path)
    return item


def key(item: Any, frame: int, place: tuple[float, float, float]) -> None:
    item.location = place
    item.keyframe_insert("location", frame=frame)


def test_places_are_read_frame_by_frame_from_the_camera(
    blender: Any, scene: Any, camera: Any, tone: Path
) -> None:
    from blender_addon import sources
    from blender_addon.strips import Placement

    parent = blender.data.objects.new("parent", None)
    scene.collection.objects.link(parent)
    item = add_source(blender, scene, tone)
    item.parent = parent
    parent.location.z = 1.6
    key(item, 10, (3.0, 0.0, 0.0))
    key(item, 20, (3.0, 10.0, 0.0))
    item.omniaudio.volume = 1.0
    item.omniaudio.keyframe_insert("volume", frame=10)
    item.omniaudio.volume = 0.5
    item.omniaudio.keyframe_insert("volume", frame=20)
    interpolate(item, "LINEAR")
    item.omniaudio.start = 16
    scene.frame_set(3)
    (source,) = sources.placed(scene, Placement(10, 10, 22), AHEAD)
    assert scene.frame_current == 3
    times = np.arange(11) / 24
    path, gain = followed(source, times)
    np.testing.assert_allclose(gain, np.linspace(1.0, 0.5, 11), atol=3e-3)
    expected = np.stack([np.full(11, 3.0), np.arange(11.0), np.zeros(11)], axis=1)
    off = np.linalg.norm(path - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert off.max() < 3.1e-3
    assert len(source.points) < 13


def followed(source: Any, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a source is at these times, and its gain, as the core follows its points."""
    from omniaudio_studio.foa.arcs import GreatCircleTrack

    points = np.array(source.points)
    distance = np.linalg.norm(points[:, 1:4], axis=1)
    track = GreatCircleTrack(points[:, 0], points[:, 1:4] / distance[:, None])
    along = track.at(times) * np.interp(times, points[:, 0], distance)[:, None]
    return along, np.interp(times, points[:, 0], points[:, 4])


@pytest.mark.parametrize("delay", [False, True])
def test_a_thinned_path_is_the_same_path(
    blender: Any, scene: Any, camera: Any, tone: Path, delay: bool
) -> None:
    """A pass close by, with a few points of its hundred; more where its pitch is heard."""
    from blender_addon import sources
    from blender_addon.strips import Placement

    item = add_source(blender, scene, tone)
    item.omniaudio.delay = delay
    key(item, 1, (-6.0, 2.0, 1.6))
    key(item, 101, (6.0, 2.0, 3.6))
    interpolate(item, "LINEAR")
    (source,) = sources.placed(scene, Placement(1, 1, 101), AHEAD)
    share = np.arange(101) / 100
    expected = np.stack([-6 + 12 * share, np.full(101, 2.0), 2 * share], axis=1)
    path, _ = followed(source, share * 100 / 24)
    off = np.linalg.norm(path - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert off.max() < (3e-5 if delay else 3.1e-3)
    assert len(source.points) < (102 if delay else 60)


def test_what_rests_needs_two_points(blender: Any, scene: Any, camera: Any, tone: Path) -> None:
    from blender_addon import sources
    from blender_addon.strips import Placement

    add_source(blender, scene, tone).location = (1.0, 2.0, 3.6)
    (source,) = sources.placed(scene, Placement(1, 1, 1000), AHEAD)
    assert source.points == (
        (0.0, 1.0, 2.0, pytest.approx(2.0), 1.0),
        (999 / 24, 1.0, 2.0, pytest.approx(2.0), 1.0),
    )


def test_the_camera_moves_and_markers_change_it(
    blender: Any, scene: Any, camera: Any, tone: Path
) -> None:
    from blender_addon import sources
    from blender_addon.strips import Placement

    add_source(blender, scene, tone).location = (5.0, 0.0, 1.6)
    other = camera.copy()
    scene.collection.objects.link(other)
    other.location = (5.0, 4.0, 1.6)
    for frame, eye in ((1, camera), (11, other)):
        scene.timeline_markers.new(eye.name, frame=frame).camera = eye
    (source,) = sources.placed(scene, Placement(1, 1, 21), AHEAD)
    path = {round(point[0] * 24) + 1: point[1:4] for point in source.points}
    assert path[10] == pytest.approx((5.0, 0.0, 0.0), abs=1e-5)
    assert path[11] == pytest.approx((0.0, -4.0, 0.0), abs=1e-5)


def test_hidden_objects_are_silent(blender: Any, scene: Any, camera: Any, tone: Path) -> None:
    from blender_addon import sources
    from blender_addon.strips import Placement

    item = add_source(blender, scene, tone)
    item.hide_render = True
    assert sources.objects(scene) == []
    item.hide_render = False
    item.keyframe_insert("hide_render", frame=1)
    item.hide_render = True
    item.keyframe_insert("hide_render", frame=5)
    interpolate(item, "CONSTANT")
    (source,) = sources.placed(scene, Placement(1, 1, 8), AHEAD)
    heard = [(round(24 * point[0]) + 1, point[4]) for point in source.points]
    assert heard == [(1, 1.0), (4, 1.0), (5, 0.0), (8, 0.0)]


def test_what_cannot_be_heard_is_refused(
    blender: Any, scene: Any, tone: Path, tmp_path: Path
) -> None:
    from blender_addon import sources

    item = add_source(blender, scene, tone)
    with pytest.raises(OptionError, match="active camera, and the scene has none"):
        sources.check(scene)
    item.omniaudio.file = ""
    with pytest.raises(OptionError, match="has no file"):
        sources.check(scene)
    item.omniaudio.file = str(tmp_path / "gone.wav")
    with pytest.raises(MissingFileError, match=r"sound source bee is missing.*gone\.wav"):
        sources.check(scene)


def test_speakers_become_sources(blender: Any, scene: Any, tone: Path) -> None:
    speaker = blender.data.speakers.new("horn")
    item = blender.data.objects.new("horn", speaker)
    scene.collection.objects.link(item)
    empty = blender.data.objects.new("mute", blender.data.speakers.new("mute"))
    scene.collection.objects.link(empty)
    speaker.sound = blender.data.sounds.load(str(tone))
    speaker.volume, speaker.attenuation = 0.7, 2.0
    speaker.distance_reference, speaker.distance_max = 1.5, 30.0
    assert blender.ops.omniaudio.convert_speakers() == {"FINISHED"}
    mine = item.omniaudio
    assert mine.is_source and speaker.muted
    assert Path(blender.path.abspath(mine.file)) == tone
    assert (mine.volume, mine.rolloff) == (pytest.approx(0.7), 2.0)
    assert (mine.reference, mine.use_max_distance, mine.max_distance) == (1.5, True, 30.0)
    assert not empty.omniaudio.is_source


def direction(field: np.ndarray) -> tuple[float, float]:
    """Azimuth and elevation in degrees, from the intensity vector."""
    _, y, z, x = (field * field[:, :1]).sum(axis=0)
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


def test_an_object_is_heard_where_it_is(
    blender: Any, scene: Any, movie: Any, saved: Path, camera: Any, tone: Path, tiny_bundle: Path
) -> None:
    """In the take's field, less the field as it was generated: the object alone."""
    item = add_source(blender, scene, tone)
    key(item, 10, (0.0, 8.0, 1.6))  # left of the front, +X, 8 m away
    item.location = (0.0, 8.0, 1.6)
    item.omniaudio.start = 10
    scene.omniaudio.bundle = str(tiny_bundle)
    assert blender.ops.omniaudio.generate() == {"FINISHED"}
    generated, _ = soundfile.read(saved / "demo-take1.wav")
    mixed, _ = soundfile.read(saved / "demo-take1-objects.wav")
    alone = mixed - generated
    azimuth, elevation = direction(alone[RATE : 5 * RATE])
    assert azimuth == pytest.approx(90.0, abs=0.5)
    assert elevation == pytest.approx(0.0, abs=0.5)
    # 8 m beyond the reference of 1 m: an eighth of 0.5.
    assert np.abs(alone[RATE:, 0]).max() == pytest.approx(0.5 / 8, rel=1e-3)
    strips = {strip.name: strip for strip in scene.sequence_editor.strips_all}
    assert sorted(strips) == ["demo", "demo-take1-objects", "demo-take1-objects.binaural"]
    mine = strips["demo-take1-objects"].omniaudio
    assert mine.objects == 1
    sidecar = json.loads((saved / "demo-take1-objects.json").read_text())
    assert sidecar["request"]["sources"][0]["name"] == "bee"

    # Moved, and placed anew on the same take: quick, and nothing is overwritten.
    before = (saved / "demo-take1-objects.wav").read_bytes()
    item.animation_data_clear()
    item.location = (-4.0, 0.0, 1.6 + 4.0)
    scene.omniaudio.stems = True
    assert blender.ops.omniaudio.place_objects() == {"FINISHED"}
    assert (saved / "demo-take1-objects.wav").read_bytes() == before
    moved, _ = soundfile.read(saved / "demo-take1-objects2.wav")
    azimuth, elevation = direction((moved - generated)[RATE : 5 * RATE])
    assert abs(azimuth) == pytest.approx(180.0, abs=0.5)
    assert elevation == pytest.approx(45.0, abs=0.5)

    # Its stem: the object alone, with its direction.
    (stem,) = (saved / "demo-take1-objects2.stems").glob("*.wav")
    (track,) = (saved / "demo-take1-objects2.stems").glob("*.csv")
    _, azimuth_, elevation_, _, gain = map(float, track.read_text().splitlines()[1].split(","))
    assert (abs(azimuth_), elevation_) == pytest.approx((180.0, 45.0), abs=0.5)
    heard, _ = soundfile.read(stem)
    np.testing.assert_allclose(
        heard[RATE : 5 * RATE] * gain, (moved - generated)[RATE : 5 * RATE, 0], atol=1e-4
    )


def test_a_moving_object_is_heard_along_its_way(
    blender: Any, scene: Any, movie: Any, saved: Path, camera: Any, tone: Path, tiny_bundle: Path
) -> None:
    item = add_source(blender, scene, tone)
    item.omniaudio.start, item.omniaudio.use_distance = 10, False
    pivot = blender.data.objects.new("pivot", None)
    scene.collection.objects.link(pivot)
    pivot.location.z = 1.6
    item.parent = pivot
    item.location = (3.0, 0.0, 0.0)
    pivot.rotation_euler.z = 0.0
    pivot.keyframe_insert("rotation_euler", frame=10)
    pivot.rotation_euler.z = math.radians(120)
    pivot.keyframe_insert("rotation_euler", frame=154)
    interpolate(pivot, "LINEAR")
    scene.omniaudio.bundle = str(tiny_bundle)
    blender.ops.omniaudio.generate()
    generated, _ = soundfile.read(saved / "demo-take1.wav")
    mixed, _ = soundfile.read(saved / "demo-take1-objects.wav")
    alone = mixed - generated
    for second in (0.5, 2.0, 3.5, 5.5):
        middle = round(second * RATE)
        azimuth, _ = direction(alone[middle - 480 : middle + 480])
        assert azimuth == pytest.approx(20.0 * second, abs=0.5), second


def test_an_object_in_a_field_that_is_turned_against_the_world(
    blender: Any,
    scene: Any,
    saved: Path,
    camera: Any,
    tone: Path,
    tiny_bundle: Path,
    clips: Callable[..., Path],
) -> None:
    """The environment is turned, the field keeps the clip's own front: it is heard where it is."""
    from tests.blender.test_world import make_environment, mapping_of

    texture = make_environment(blender, scene)
    texture.image = blender.data.images.load(str(clips(2.0, 24.0)))
    texture.image_user.frame_start, texture.image_user.frame_duration = 1, 48
    mapping_of(scene).inputs["Rotation"].default_value = (0.0, 0.0, math.radians(90))
    scene.omniaudio.bundle, scene.omniaudio.yaw_from_world = str(tiny_bundle), False
    item = add_source(blender, scene, tone)
    item.location = (3.0, 0.0, 1.6)  # +X of the world, which shows azimuth 90 of the clip
    blender.ops.omniaudio.generate()
    (mixed,) = saved.glob("*-objects.wav")
    generated, _ = soundfile.read(mixed.with_name(mixed.name.replace("-objects", "")))
    both, _ = soundfile.read(mixed)
    azimuth, _ = direction((both - generated)[RATE // 2 :])
    assert azimuth == pytest.approx(90.0, abs=0.5)


def test_two_objects_of_one_name_and_those_out_of_sight(
    blender: Any, scene: Any, camera: Any, tone: Path
) -> None:
    from blender_addon import sources
    from blender_addon.strips import Placement

    item = add_source(blender, scene, tone)
    item.location = (1.0, 0.0, 1.6)
    hidden = add_source(blender, scene, tone, "hidden from view")
    for frame, x in ((1, 2.0), (9, 4.0)):
        key(hidden, frame, (x, 0.0, 1.6))
    interpolate(hidden, "LINEAR")
    scene.frame_set(1)
    hidden.hide_set(True)
    left_out = blender.data.collections.new("left out")
    scene.collection.children.link(left_out)
    other = add_source(blender, scene, tone, "elsewhere")
    scene.collection.objects.unlink(other)
    left_out.objects.link(other)
    blender.context.view_layer.layer_collection.children["left out"].exclude = True
    found = sources.placed(scene, Placement(1, 1, 9), AHEAD)
    assert [source.name for source in found] == ["bee", "hidden from view"]
    assert found[1].points[-1][1] == pytest.approx(4.0, abs=1e-5)
    assert hidden.hide_get()
    blender.context.view_layer.layer_collection.children["left out"].exclude = False
    left_out.hide_render = True
    assert len(sources.objects(scene)) == 2


def test_a_take_whose_objects_fail_is_there_without_them(
    blender: Any,
    scene: Any,
    movie: Any,
    saved: Path,
    camera: Any,
    tmp_path: Path,
    tiny_bundle: Path,
) -> None:
    broken = tmp_path / "bee.wav"
    broken.write_text("no sound at all")
    add_source(blender, scene, broken)
    scene.omniaudio.bundle = str(tiny_bundle)
    with pytest.raises(RuntimeError, match=r"demo-take1\.wav is there, but without the objects"):
        blender.ops.omniaudio.generate()
    strips = sorted(strip.name for strip in scene.sequence_editor.strips_all)
    assert strips == ["demo", "demo-take1", "demo-take1.binaural"]
    assert not list(saved.glob("*objects*"))


def test_objects_need_a_take_and_a_source(blender: Any, scene: Any, camera: Any) -> None:
    with pytest.raises(RuntimeError, match="no take to place objects in"):
        blender.ops.omniaudio.place_objects()
