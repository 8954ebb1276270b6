"""Sprites are where and when their sounds are."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from omniaudio_studio.datasets.description import Distractor, Look
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.picture import SceneRenderer
from omniaudio_studio.datasets.scene import sample_scene, scene_rng
from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.direction import angular_error
from omniaudio_studio.foa.encoding import direction_vector

WIDTH, HEIGHT = 512, 256
AZIMUTH = np.pi - 2 * np.pi * (np.arange(WIDTH) + 0.5) / WIDTH
ELEVATION = np.pi / 2 - np.pi * (np.arange(HEIGHT) + 0.5) / HEIGHT
VECTORS = direction_vector(*np.meshgrid(AZIMUTH, ELEVATION))
SOLID = np.cos(ELEVATION)[:, None] * (np.pi / HEIGHT) * (2 * np.pi / WIDTH)


def coverage(frame: np.ndarray) -> np.ndarray:
    """How much of each pixel the white disk covers, over the background of 40."""
    return (frame[..., 0].astype(float) - 40) / 215


def centre(frame: np.ndarray) -> tuple[float, float]:
    """Direction of the disk's centroid on the sphere."""
    x, y, z = (VECTORS * coverage(frame) * SOLID).sum(axis=(1, 2))
    return float(np.arctan2(y, x)), float(np.arctan2(z, np.hypot(x, y)))


def diameter(frame: np.ndarray) -> float:
    """Angular diameter of a spherical cap of the disk's solid angle."""
    area = (coverage(frame) * SOLID).sum()
    return float(2 * np.arccos(1 - area / (2 * np.pi)))


@pytest.mark.parametrize(
    ("azimuth", "elevation"),
    [(0, 0), (90, 30), (-60, -45), (180, 10), (-179, 0), (178, -50), (30, 88), (0, 90), (120, -90)],
)
def test_a_sprite_is_drawn_in_its_direction(one_source, library, azimuth, elevation):
    """Across the seam and on the poles as anywhere else, with its own angular size."""
    scene = one_source(azimuth, elevation, pulse=0.0)
    frame = SceneRenderer(scene, library, WIDTH, HEIGHT).frame(1.0)
    assert angular_error(*centre(frame), np.radians(azimuth), np.radians(elevation)) < 0.006
    assert diameter(frame) == pytest.approx(np.radians(30), rel=0.04)


def test_the_background_is_untouched_elsewhere(one_source, library):
    scene = one_source(180, 0, pulse=0.0)
    frame = SceneRenderer(scene, library, WIDTH, HEIGHT).frame(1.0)
    away = (VECTORS[0] > -np.cos(np.radians(24))) & True
    assert (frame[away] == 40).all()
    assert (frame[HEIGHT // 2, [0, -1]] == 255).all()  # the disk covers the seam


def test_a_moving_sprite_follows_the_track(one_source, library):
    times = np.arange(41) / 20
    scene = one_source(150 + 55 * times, 20 * np.sin(3 * times), times)
    renderer = SceneRenderer(scene, library, WIDTH, HEIGHT)
    for t in (0.0, 0.33, 0.9, 1.61, 1.99):
        expected = scene.sources[0].direction(t)
        assert angular_error(*centre(renderer.frame(t)), *expected) < 0.008


def test_the_sprite_grows_in_step_with_the_sound(one_source, library):
    """The envelope steps up when the sound starts and falls when it stops, and so does the size."""
    scene = one_source(30, 0, on=0.0, off=2.0)
    source = scene.sources[0]
    step = np.zeros_like(source.envelope)
    step[100:150] = 1.0
    scene = replace(scene, sources=(replace(source, envelope=step),))
    renderer = SceneRenderer(scene, library, WIDTH, HEIGHT)
    assert diameter(renderer.frame(0.95)) == pytest.approx(np.radians(30), rel=0.04)
    assert diameter(renderer.frame(1.2)) == pytest.approx(np.radians(45), rel=0.04)
    assert diameter(renderer.frame(1.7)) == pytest.approx(np.radians(30), rel=0.04)


def test_off_is_invisible_or_still(one_source, library):
    times = np.arange(41) / 20
    hidden = one_source(40 * times, 0 * times, times, on=0.5, off=1.5)
    renderer = SceneRenderer(hidden, library, WIDTH, HEIGHT)
    assert (renderer.frame(0.3) == 40).all()
    assert (renderer.frame(1.6) == 40).all()
    assert coverage(renderer.frame(1.0)).sum() > 100
    stays = one_source(40 * times, 0 * times, times, on=0.5, off=1.5, stays=True)
    renderer = SceneRenderer(stays, library, WIDTH, HEIGHT)
    assert (renderer.frame(0.0) == renderer.frame(0.45)).all()
    assert angular_error(*centre(renderer.frame(0.2)), np.radians(20), 0) < 0.01
    assert (renderer.frame(1.55) == renderer.frame(1.95)).all()
    assert angular_error(*centre(renderer.frame(1.8)), np.radians(60), 0) < 0.01
    assert diameter(renderer.frame(0.2)) == pytest.approx(np.radians(30), rel=0.04)


def test_bounce_raises_and_tilt_turns(one_source, library):
    scene = one_source(0, 0, pulse=0.0, bounce=0.2)
    source = replace(scene.sources[0], envelope=np.ones_like(scene.sources[0].envelope))
    frame = SceneRenderer(replace(scene, sources=(source,)), library, WIDTH, HEIGHT).frame(1.0)
    assert np.degrees(centre(frame)[1]) == pytest.approx(6, abs=0.5)
    pose = SceneRenderer.pose(replace(source, tilt=0.3), 1.0)
    assert pose is not None and pose[3] == pytest.approx(0.3)
    assert SceneRenderer.pose(source, 5.0) is None


def test_left_and_up_of_a_sprite_are_left_and_up(one_source, library):
    """A picture whose upper left quarter is red shows red to the left and above its centre."""

    def red(mirror: bool, tilt: float = 0.0) -> tuple[float, float]:
        look = Look("noise/quarter.png", np.radians(30), mirror=mirror)
        scene = one_source(20, 10, pulse=0.0, tilt=tilt, look=look)
        source = replace(scene.sources[0], envelope=np.ones_like(scene.sources[0].envelope))
        frame = SceneRenderer(replace(scene, sources=(source,)), library, WIDTH, HEIGHT).frame(1.0)
        weight = (frame[..., 0] > 200) & (frame[..., 1] < 60)
        x, y, z = (VECTORS * weight * SOLID).sum(axis=(1, 2))
        azimuth, elevation = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
        return np.degrees(azimuth) - 20, np.degrees(elevation) - 10

    left, up = red(mirror=False)
    assert 5 < left < 10 and 5 < up < 10
    left, up = red(mirror=True)
    assert -10 < left < -5 and 5 < up < 10
    left, up = red(mirror=False, tilt=np.pi / 2)  # a quarter turn to the left (anticlockwise)
    assert 5 < left < 10 and -10 < up < -5


def test_hue_and_brightness_recolour_without_leaving_the_range(one_source, library):
    look = Look("noise/quarter.png", np.radians(30), hue=1 / 3, brightness=1.2)
    scene = one_source(0, 0, pulse=0.0, look=look)
    frame = SceneRenderer(scene, library, WIDTH, HEIGHT).frame(1.0)
    u, v = WIDTH // 2 - 10, HEIGHT // 2 - 10  # in the red quarter, turned to green
    assert frame[v, u, 1] > 240 and frame[v, u, 0] < 10


def test_the_background_turns_to_the_left(one_source, library):
    scene = one_source(0, 0, on=1.0)
    background = replace(scene.background, panorama="ramp.png")
    straight = SceneRenderer(replace(scene, background=background), library, 128, 64).frame(0)
    turned = replace(background, yaw=np.pi / 2)
    image = SceneRenderer(replace(scene, background=turned), library, 128, 64).frame(0)
    # What was in front (column 64) is on the left (column 32).
    assert image[10, 32, 0] == straight[10, 64, 0] == 64
    mirrored = SceneRenderer(
        replace(scene, background=replace(background, mirror=True)), library, 128, 64
    ).frame(0)
    assert (mirrored == straight[:, ::-1]).all()


def test_distractors_are_still_and_always_there(one_source, library):
    scene = one_source(0, 0, on=1.0)
    still = Distractor("tone", np.pi / 2, 0.0, Look("tone/disk.png", np.radians(20)))
    renderer = SceneRenderer(replace(scene, distractors=(still,)), library, WIDTH, HEIGHT)
    assert (renderer.frame(0.0) == renderer.frame(0.9)).all()
    assert angular_error(*centre(renderer.frame(0.0)), np.pi / 2, 0) < 0.01


@pytest.mark.parametrize("size", [(160, 80), (8, 4), (34, 100), (1024, 512)])
def test_every_size_shows_the_same_scene(size):
    library = MaterialLibrary()
    scene = sample_scene(scene_rng(3, 1), library, 2.0, (2, 2), "moving")
    frame = SceneRenderer(scene, library, *size).frame(1.0)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8
    small = SceneRenderer(scene, library, 64, 32).frame(1.0).astype(float)
    if size == (1024, 512):
        reduced = frame.reshape(32, 16, 64, 16, 3).mean(axis=(1, 3))
        assert np.abs(reduced - small).mean() < 6


def test_small_frames_are_fast():
    """Training draws hundreds of thousands: a millisecond each, here with much to spare."""
    library = MaterialLibrary()
    scene = sample_scene(scene_rng(0, 0), library, 8.0, (3, 3), "moving")
    renderer = SceneRenderer(scene, library, 160, 80)
    start = time.process_time()
    for k in range(50):
        renderer.frame(k / 8)
    assert (time.process_time() - start) / 50 < 0.01


def test_too_small_a_frame_is_refused(one_source, library):
    with pytest.raises(OptionError, match="4 x 4 are too small"):
        SceneRenderer(one_source(), library, 4, 4)
