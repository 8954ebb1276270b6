"""Objects as hints, and what else of a generation is the scene's: front view, flat pictures."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mathutils import Vector

from omniaudio_studio.errors import OptionError
from tests.blender.conftest import interpolate
from tests.blender.test_sources import direction, key

RATE = 48_000


def add_hint(blender: Any, scene: Any, place: tuple[float, float, float]) -> Any:
    item = blender.data.objects.new("here", None)
    scene.collection.objects.link(item)
    item.location = place
    item.omniaudio.is_hint, item.omniaudio.strength = True, 0.7
    return item


def planned(scene: Any, movie: Any) -> Any:
    """The request of a scene."""
    from blender_addon import generation

    return generation.plan(scene, movie).requests[0]


def test_what_rests_is_one_hint(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    add_hint(blender, scene, (0.0, 4.0, 1.6 + 4.0))
    (hint,) = planned(scene, movie).hints
    assert (hint.start, hint.end, hint.strength) == (0.0, 6.0, 0.7)
    assert (hint.azimuth, hint.elevation) == pytest.approx((90.0, 45.0), abs=0.01)
    scene.omniaudio.yaw = math.radians(-40)  # +X, the front of the files, is there in the clip
    (hint,) = planned(scene, movie).hints
    assert hint.azimuth == pytest.approx(50.0, abs=0.01)


def test_a_hint_has_its_frames_and_keeps_to_the_range(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    item = add_hint(blender, scene, (0.0, 4.0, 1.6))
    mine = item.omniaudio
    mine.hint_range, mine.hint_first, mine.hint_last = "FRAMES", 34, 81
    (hint,) = planned(scene, movie).hints
    assert (hint.start, hint.end) == (pytest.approx(1.0), pytest.approx(3.0))
    settings = scene.omniaudio
    settings.range, settings.first_frame, settings.last_frame = "FRAMES", 58, 153
    (hint,) = planned(scene, movie).hints
    assert (hint.start, hint.end) == (pytest.approx(2.0), pytest.approx(3.0))
    settings.first_frame = 82
    assert planned(scene, movie).hints == ()
    mine.hint_range, item.hide_render = "CLIP", True
    assert planned(scene, movie).hints == ()


def test_what_moves_is_several_hints_that_overlap_as_they_fade(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    """90 degrees in three seconds, then at rest: a hint of each half second, and a long one."""
    from blender_addon import hints as addon
    from omniaudio_studio.foa.hints import FADE_SECONDS

    pivot = blender.data.objects.new("pivot", None)
    scene.collection.objects.link(pivot)
    pivot.location.z = 1.6
    item = add_hint(blender, scene, (3.0, 0.0, 0.0))
    item.parent = pivot
    for frame, degrees in ((10, 0.0), (82, 90.0)):
        pivot.rotation_euler.z = math.radians(degrees)
        pivot.keyframe_insert("rotation_euler", frame=frame)
    interpolate(pivot, "LINEAR")
    found = planned(scene, movie).hints
    assert found[0].start == 0.0 and found[-1].end == pytest.approx(6.0)
    assert 6 <= len(found) <= 7
    assert addon.FADE == FADE_SECONDS
    for before, after in pairwise(found):
        assert before.end - after.start == pytest.approx(FADE_SECONDS)
        assert after.start - before.start > 0.5 - FADE_SECONDS
    for hint in found:
        middle = max(0.0, min((hint.start + hint.end) / 2, 3.0))
        if hint.end < 3.0:
            assert hint.azimuth == pytest.approx(30.0 * middle, abs=4.0)
    assert found[-1].azimuth == pytest.approx(90.0, abs=5.0)


def test_pieces_of_a_path() -> None:
    from blender_addon.hints import pieces

    def heading(degrees: float) -> Vector:
        angle = math.radians(degrees)
        return Vector((math.cos(angle), math.sin(angle), 0.0))

    slow = [(k / 10, heading(0.4 * k)) for k in range(30)]  # 4 degrees a second
    spans = [(round(start, 3), round(end, 3)) for start, end, _ in pieces(slow, 0.1)]
    assert spans == [(0.0, 1.425), (1.175, 3.0)]  # the last 0.4 s belong to the second
    still = [(k / 10, heading(30.0)) for k in range(30)]
    ((start, end, towards),) = pieces(still, 0.1)
    assert (start, end) == (0.0, pytest.approx(3.0))
    assert towards.angle(heading(30.0)) < 1e-3
    fast = [(k / 10, heading(20.0 * k)) for k in range(12)]
    assert len(list(pieces(fast, 0.1))) == 2  # the last fifth of a second belongs to the second


def test_a_hint_needs_a_direction_and_a_listener(
    blender: Any, scene: Any, movie: Any, saved: Path, camera: Any
) -> None:
    item = add_hint(blender, scene, (0.0, 0.0, 1.6))
    with pytest.raises(OptionError, match=r"hint here is where the camera is at frame 10"):
        planned(scene, movie)
    key(item, 10, (0.0, 2.0, 1.6))
    scene.camera = None
    with pytest.raises(OptionError, match="the scene has none"):
        planned(scene, movie)


def test_the_generated_field_is_pulled(
    blender: Any, scene: Any, movie: Any, camera: Any, saved: Path
) -> None:
    """By a model whose fields have a direction. W stays, and without strength everything."""
    settings = scene.omniaudio
    settings.range, settings.first_frame, settings.last_frame = "FRAMES", 10, 57
    settings.use_steps, settings.steps = True, 4
    blender.ops.omniaudio.generate()
    item = add_hint(blender, scene, (0.0, 4.0, 1.6))
    item.omniaudio.strength = 0.0
    blender.ops.omniaudio.generate()
    item.omniaudio.strength = 1.0
    blender.ops.omniaudio.generate()
    plain, none, pulled = (
        soundfile.read(saved / f"demo-take{number}.wav", dtype="float32")[0] for number in (1, 2, 3)
    )
    np.testing.assert_array_equal(none, plain)
    np.testing.assert_allclose(pulled[:, 0], plain[:, 0], atol=1e-6)
    off = [abs(direction(field[RATE // 2 : 3 * RATE // 2])[0] - 90.0) for field in (plain, pulled)]
    assert off[1] < off[0] - 10.0, off
    (hint,) = json.loads((saved / "demo-take3.json").read_text())["request"]["hints"]
    assert hint == {
        "start": 0.0,
        "end": 2.0,
        "azimuth": 90.0,
        "elevation": 0.0,
        "strength": 1.0,
    }


def test_front_view_flat_pictures_and_ducking(
    blender: Any, scene: Any, movie: Any, saved: Path
) -> None:
    from blender_addon import spatializing

    request = planned(scene, movie)
    assert (request.front, request.hfov, request.camera) == (None, None, None)
    settings = scene.omniaudio
    settings.front_view = "AUTO"
    assert planned(scene, movie).front == "auto"
    settings.front_view, settings.front_azimuth = "ANGLE", math.radians(-33.5)
    assert planned(scene, movie).front == -33.5
    settings.projection, settings.hfov = "flat", math.radians(75)
    settings.camera_azimuth, settings.camera_elevation = math.radians(120), math.radians(-10)
    for request in (planned(scene, movie), spatializing.plan(scene, movie).request):
        assert (request.projection, request.hfov) == ("flat", 75.0)
        assert request.camera == (120.0, -10.0)
    settings.duck = 9.0  # of what lies under it: nothing does
    assert planned(scene, movie).duck == 0.0
    settings.mix = 0.5
    request = planned(scene, movie)
    assert (request.mix, request.duck, request.mix_field) == (0.5, 9.0, None)
