"""Where a camera or a viewport looks is where the head looks, and the mixed streams say so too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy

# isort: split
import aud  # Blender's: there once bpy is
import numpy as np
import pytest
import soundfile
from mathutils import Euler, Matrix, Quaternion

from blender_addon.preview import orientation, viewpoint
from omniaudio_studio.foa.binaural import BinauralRenderer, default_filters, head_rotation
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.head_streams import STREAMS, HeadStreams

RATE = 48_000
ANGLES = [(0.0, 0.0, 0.0), (90.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 0.0, 25.0), (-130, 20, -50)]


@pytest.fixture(autouse=True)
def fresh() -> None:
    bpy.ops.wm.read_homefile(use_empty=False)


def camera() -> Any:
    return bpy.context.scene.camera


def aimed(yaw: float, pitch: float, roll: float) -> Quaternion:
    """A camera's rotation by Blender's own angles, from looking along +X with +Z up; degrees.

    Blender's Euler angles of a camera that stands upright: X lifts the view, Z turns it left; a
    turn about its own -Z comes before.
    """
    tilt = Euler((math.radians(90 + pitch), 0.0, math.radians(yaw - 90))).to_quaternion()
    return tilt @ Quaternion((0.0, 0.0, -1.0), math.radians(roll))


def seen(source: str = "CAMERA") -> np.ndarray:
    """The head's orientation, as the preview finds it."""
    bpy.context.view_layer.update()
    view = viewpoint.Viewpoint().rotation(bpy.context.scene, source)
    return np.array(orientation.head(view))


def viewport() -> Any:
    """The largest 3D viewport of the window."""
    (window,) = bpy.context.window_manager.windows
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    return max(areas, key=lambda area: area.width * area.height).spaces.active


def test_a_camera_that_follows_something_left_hears_it_in_front() -> None:
    target = bpy.data.objects.new("left", None)
    bpy.context.collection.objects.link(target)
    target.location = camera().location
    target.location.y += 3.0
    aim = camera().constraints.new("TRACK_TO")
    aim.target, aim.track_axis, aim.up_axis = target, "TRACK_NEGATIVE_Z", "UP_Y"
    head = seen()
    np.testing.assert_allclose(head, head_rotation(yaw=math.pi / 2), atol=1e-6)
    left = np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(head.T @ left, [1.0, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("angles", ANGLES)
def test_cameras_and_viewports_are_heads(angles: tuple[float, float, float]) -> None:
    expected = head_rotation(*np.radians(angles))
    camera().rotation_mode = "QUATERNION"
    camera().rotation_quaternion = aimed(*angles)
    camera().scale = (2.0, 0.5, 3.0)
    np.testing.assert_allclose(seen(), expected, atol=1e-6)

    region = viewport().region_3d
    assert region.view_perspective != "CAMERA"
    region.view_rotation = aimed(*angles)
    np.testing.assert_allclose(seen("VIEW"), expected, atol=1e-6)
    # Blender's own word for it: the view's matrix is the inverse of the camera's.
    region.view_rotation = (1.0, 0.0, 0.0, 0.0)
    region.view_matrix = aimed(*angles).to_matrix().to_4x4().inverted()
    np.testing.assert_allclose(seen("VIEW"), expected, atol=1e-6)


def test_an_animated_camera_is_followed() -> None:
    scene = bpy.context.scene
    camera().rotation_mode = "QUATERNION"
    for frame, yaw in ((1, 0.0), (11, 60.0)):
        camera().rotation_quaternion = aimed(yaw, 0.0, 0.0)
        camera().keyframe_insert("rotation_quaternion", frame=frame)
    for frame, yaw in ((1, 0.0), (11, 60.0), (6, 30.0)):
        scene.frame_set(frame)
        expected = head_rotation(math.radians(yaw))
        np.testing.assert_allclose(seen(), expected, atol=1e-5)


def test_a_viewport_that_looks_through_a_camera_is_that_camera() -> None:
    camera().rotation_euler = aimed(35.0, 0.0, 0.0).to_euler()
    viewport().region_3d.view_rotation = aimed(-90.0, 0.0, 0.0)
    viewport().region_3d.view_perspective = "CAMERA"
    np.testing.assert_allclose(seen("VIEW"), head_rotation(math.radians(35.0)), atol=1e-6)
    own = bpy.data.objects.new("own", bpy.data.cameras.new("own"))
    bpy.context.collection.objects.link(own)
    own.rotation_euler = aimed(-70.0, 0.0, 0.0).to_euler()
    viewport().use_local_camera, viewport().camera = True, own
    np.testing.assert_allclose(seen("VIEW"), head_rotation(math.radians(-70.0)), atol=1e-6)


def test_without_camera_and_viewport_the_front_counts() -> None:
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "VIEW_3D":
            area.type = "INFO"
    camera().rotation_euler = aimed(20.0, 0.0, 0.0).to_euler()
    np.testing.assert_allclose(seen("VIEW"), head_rotation(math.radians(20.0)), atol=1e-6)
    bpy.context.scene.camera = None
    np.testing.assert_allclose(seen("VIEW"), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(seen("CAMERA"), np.eye(3), atol=1e-6)


def test_of_several_viewports_the_one_that_was_turned_counts() -> None:
    areas = bpy.context.window_manager.windows[0].screen.areas
    large = viewport()
    other = next(area for area in areas if area.type not in ("VIEW_3D", "PROPERTIES"))
    other.type = "VIEW_3D"
    small = other.spaces.active
    assert small != large
    for space in (large, small):
        space.region_3d.view_perspective = "PERSP"
    large.region_3d.view_rotation = aimed(10.0, 0.0, 0.0)
    small.region_3d.view_rotation = aimed(20.0, 0.0, 0.0)
    follower = viewpoint.Viewpoint()

    def yaw() -> float:
        front = np.array(orientation.head(follower.rotation(bpy.context.scene, "VIEW")))[:, 0]
        return math.degrees(math.atan2(front[1], front[0]))

    assert yaw() == pytest.approx(10.0, abs=1e-3)
    small.region_3d.view_rotation = aimed(30.0, 0.0, 0.0)
    assert yaw() == pytest.approx(30.0, abs=1e-3)
    assert yaw() == pytest.approx(30.0, abs=1e-3)
    large.region_3d.view_rotation = aimed(40.0, 0.0, 0.0)
    assert yaw() == pytest.approx(40.0, abs=1e-3)
    other.type = "INFO"
    assert yaw() == pytest.approx(40.0, abs=1e-3)


def test_a_field_that_is_turned_against_the_world() -> None:
    # The field's front lies left in the world: who looks left looks at its front.
    field = Matrix.Rotation(math.pi / 2, 3, "Z")
    view = aimed(90.0, 0.0, 0.0).to_matrix()
    np.testing.assert_allclose(orientation.head(view, field), np.eye(3), atol=1e-6)
    tilted = Euler((0.3, -0.2, 1.0)).to_matrix()
    expected = np.array(tilted).T @ np.array(orientation.head(view))
    np.testing.assert_allclose(orientation.head(view, tilted), expected, atol=1e-6)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, list[Path]]:
    """A field with one source on the left and one behind, and its streams as files."""
    folder = tmp_path_factory.mktemp("streams")
    random = np.random.default_rng(0)
    foa = np.zeros((4, 20_000), np.float32)
    for azimuth, elevation in ((math.pi / 2, 0.2), (3.0, -0.5)):
        sound = random.standard_normal(foa.shape[1]) * 0.02
        foa += encode_plane_wave(sound.astype(np.float32), azimuth, elevation)
    streams = HeadStreams(default_filters(RATE)).process(foa)
    paths = []
    for (head, field), stream in zip(STREAMS, streams, strict=True):
        paths.append(folder / f"{head}{field}.flac")
        soundfile.write(paths[-1], stream.T, RATE, "PCM_24")
    return foa, paths


@pytest.mark.parametrize("angles", ANGLES)
def test_blender_mixes_what_the_renderer_renders(
    files: tuple[np.ndarray, list[Path]], angles: tuple[float, float, float]
) -> None:
    foa, paths = files
    head = orientation.head(aimed(*angles).to_matrix())
    mixed = None
    for path, volume in zip(paths, orientation.volumes(head, STREAMS), strict=True):
        sound = aud.Sound.file(str(path)).volume(volume)
        mixed = sound if mixed is None else mixed.mix(sound)
    renderer = BinauralRenderer(default_filters(RATE), foa.shape[1])
    ears = np.empty((2, foa.shape[1]), np.float32)
    renderer.process(foa, ears, head_rotation(*np.radians(angles)))
    error = np.abs(mixed.data().T - ears).max()
    assert error < 1e-5 * np.abs(ears).max()  # -100 dB
