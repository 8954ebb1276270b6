"""Files for elsewhere: trimmed to the strip, and heard from where the camera looks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mathutils import Euler

from tests.blender.conftest import in_main, interpolate

RATE = 48_000


@pytest.fixture
def take(blender: Any, scene: Any, movie: Any, saved: Path, tiny_bundle: Path) -> Any:
    """A take of the demo clip, trimmed to frames 15 to 146."""
    from blender_addon import compat, takes

    compat.set_handles(movie, 15, 147)
    scene.omniaudio.bundle = str(tiny_bundle)
    assert blender.ops.omniaudio.generate() == {"FINISHED"}
    return takes.current(scene)


@pytest.fixture
def camera(blender: Any, scene: Any) -> Any:
    item = blender.data.objects.new("camera", blender.data.cameras.new("camera"))
    scene.collection.objects.link(item)
    scene.camera = item
    return item


def test_the_part_that_is_shown_bit_for_bit(
    blender: Any, scene: Any, take: Any, saved: Path
) -> None:
    output = saved / "out.wav"
    done = blender.ops.omniaudio.deliver(filepath=str(output), files={"binaural"})
    assert done == {"FINISHED"}
    whole, _ = soundfile.read(take.wav, dtype="float32")
    part, rate = soundfile.read(output, dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(part, whole[5 * 2000 : 137 * 2000])
    ears, _ = soundfile.read(saved / "out.binaural.wav")
    assert ears.shape == (132 * 2000, 2)
    sidecar = json.loads((saved / "out.json").read_text())
    assert sidecar["kind"] == "omniaudio-delivery"


def test_a_handle_before_the_content_delivers_the_content_alone(
    blender: Any, scene: Any, take: Any, saved: Path
) -> None:
    from blender_addon import compat, takes

    field = takes.field_strip(scene, take.key)
    compat.set_handles(field, 5, 100)
    blender.ops.omniaudio.deliver(filepath=str(saved / "out.wav"))
    whole, _ = soundfile.read(take.wav, dtype="float32")
    part, _ = soundfile.read(saved / "out.wav", dtype="float32")
    np.testing.assert_array_equal(part, whole[: 90 * 2000])


def test_all_that_is_offered_can_be_chosen(blender: Any, scene: Any) -> None:
    from omniaudio_studio.jobs.deliverables import DELIVERABLES, OFFERED

    flags = scene.omniaudio.bl_rna.properties["files"].enum_items
    assert [flag.identifier for flag in flags] == list(OFFERED)
    assert [flag.name for flag in flags] == [DELIVERABLES[name].short for name in OFFERED]
    scene.omniaudio.files = set(OFFERED)
    assert scene.omniaudio.files == set(OFFERED)


def test_a_video_leaves_blender_s_mixer_alone(
    blender: Any, scene: Any, take: Any, saved: Path
) -> None:
    """The clip's own pictures are copied; what Blender would mix and render does not matter."""
    scene.render.ffmpeg.audio_channels, scene.render.resolution_x = "STEREO", 64
    output = saved / "out.wav"
    done = blender.ops.omniaudio.deliver(filepath=str(output), files={"mov", "adm", "reaper"})
    assert done == {"FINISHED"}
    said = in_main(
        "import sys; from omniaudio_studio.media.probe import probe;"
        "info = probe(sys.argv[1]); print(info.width, info.audio.channels, info.audio.ambisonic)",
        saved / "out.360.mov",
    )
    width, channels, ambisonic = said.split()
    assert int(width) > 64 and (channels, ambisonic) == ("4", "True")
    assert (saved / "out.adm.wav").is_file()
    assert (saved / "out.reaper" / "out.rpp").is_file()
    assert scene.render.ffmpeg.audio_channels == "STEREO"


def test_names_are_free_in_all_that_is_written(
    blender: Any, scene: Any, take: Any, saved: Path
) -> None:
    from blender_addon import delivery

    (saved / "demo-take1-delivery.binaural.wav").touch()
    assert delivery.suggested(take).name == "demo-take1-delivery2.wav"


def test_nothing_is_overwritten_unasked(blender: Any, scene: Any, take: Any, saved: Path) -> None:
    output = saved / "out.wav"
    output.write_bytes(b"precious")
    with pytest.raises(RuntimeError, match="already exists"):
        blender.ops.omniaudio.deliver(filepath=str(output))
    assert output.read_bytes() == b"precious"
    assert blender.ops.omniaudio.deliver(filepath=str(output), overwrite=True) == {"FINISHED"}
    assert output.read_bytes() != b"precious"


def test_an_overlay_and_other_formats(blender: Any, scene: Any, take: Any, saved: Path) -> None:
    output = saved / "out.wav"
    done = blender.ops.omniaudio.deliver(
        filepath=str(output), files={"overlay", "plot"}, subtype="pcm24", rate="44100"
    )
    assert done == {"FINISHED"}
    info = soundfile.info(output)
    assert (info.subtype, info.samplerate, info.frames) == ("PCM_24", 44_100, round(5.5 * 44_100))
    assert (saved / "out.png").stat().st_size > 10_000
    said = in_main(
        "import sys; from omniaudio_studio.media.probe import probe;"
        "info = probe(sys.argv[1]); print(info.duration, info.fps)",
        saved / "out.overlay.mp4",
    )
    duration, fps = (float(word) for word in said.split())
    assert duration == pytest.approx(5.5, abs=0.05)
    assert fps == pytest.approx(24.0, abs=0.1)
    assert not (saved / "out.binaural.wav").exists()


@pytest.mark.parametrize(
    ("euler", "angles"),
    [
        ((90, 0, -90), (0, 0, 0)),  # along +X, the field's front
        ((90, 0, 0), (90, 0, 0)),  # along +Y, its left
        ((90, 0, 90), (180, 0, 0)),
        ((120, 0, -90), (0, 30, 0)),  # looks up
        ((0, 0, -90), (0, -90, 0)),  # straight down, its top towards +X
    ],
)
def test_a_camera_as_a_head(
    blender: Any, euler: tuple[float, ...], angles: tuple[float, ...]
) -> None:
    from blender_addon.delivery import head_angles

    looks = Euler([math.radians(angle) for angle in euler], "XYZ").to_matrix()
    yaw, pitch, roll = (math.degrees(angle) for angle in head_angles(looks))
    if angles[0] == 180:
        yaw = abs(yaw)
    assert (yaw, pitch, roll) == pytest.approx(angles, abs=1e-3)


def test_any_orientation_comes_back(blender: Any) -> None:
    """The angles make the matrix again that has forward, left and up of the camera as columns."""
    from blender_addon.delivery import head_angles
    from omniaudio_studio.foa.rotation import rotation_matrix

    rng = np.random.default_rng(1)
    for _ in range(200):
        looks = Euler(rng.uniform(-np.pi, np.pi, 3), "XYZ").to_matrix()
        head = np.array([-looks.col[2], -looks.col[0], looks.col[1]]).T
        np.testing.assert_allclose(rotation_matrix(*head_angles(looks)), head, atol=2e-3)


def test_the_head_follows_the_camera(
    blender: Any, scene: Any, take: Any, saved: Path, camera: Any
) -> None:
    """Turned to the left half-way: as if the field had been turned to the right there."""
    from omniaudio_studio.foa.binaural import default_filters, head_rotation, render_binaural
    from omniaudio_studio.foa.rotation import rotate

    camera.rotation_euler = (math.pi / 2, 0.0, -math.pi / 2)
    camera.keyframe_insert("rotation_euler", frame=1)
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    camera.keyframe_insert("rotation_euler", frame=80)
    interpolate(camera, "CONSTANT")
    output = saved / "out.wav"
    blender.ops.omniaudio.deliver(filepath=str(output), head="CAMERA")
    field, _ = soundfile.read(output, dtype="float32")
    ears, _ = soundfile.read(saved / "out.binaural.wav", dtype="float32")
    scene.frame_set(1)
    filters = default_filters(RATE)
    ahead = render_binaural(field.T, RATE, filters=filters)
    left = render_binaural(rotate(field.T, head_rotation(math.pi / 2).T), RATE, filters=filters)
    turn = (80 - 15) * 2000
    settled = 3000  # a frame in which it turns, and the filters' length
    np.testing.assert_allclose(ears[: turn - settled], ahead.T[: turn - settled], atol=1e-4)
    np.testing.assert_allclose(ears[turn + settled :], left.T[turn + settled :], atol=1e-4)
    assert np.abs(ahead - left).max() > 0.01


def test_a_camera_is_needed_to_follow_it(blender: Any, scene: Any, take: Any, saved: Path) -> None:
    with pytest.raises(RuntimeError, match="no active camera to follow"):
        blender.ops.omniaudio.deliver(filepath=str(saved / "out.wav"), head="CAMERA")
    assert not (saved / "out.wav").exists()


def test_a_field_that_is_gone(blender: Any, scene: Any, take: Any, saved: Path) -> None:
    take.wav.unlink()
    with pytest.raises(RuntimeError, match=r"take is missing.*demo-take1\.wav"):
        blender.ops.omniaudio.deliver(filepath=str(saved / "out.wav"))
