"""The world's environment texture: its rotation, found by rendering a marker, and its movie."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mathutils import Matrix, Vector

from omniaudio_studio.errors import OptionError
from tests.blender.conftest import in_main

AZIMUTH, ELEVATION = math.radians(62.0), math.radians(17.0)  # of the marker, in the picture
SIZE = (512, 256)


def direction(azimuth: float, elevation: float) -> Vector:
    flat = math.cos(elevation)
    return Vector((math.cos(azimuth) * flat, math.sin(azimuth) * flat, math.sin(elevation)))


def make_environment(blender: Any, scene: Any, mapped: bool = True) -> Any:
    """A world with an environment texture behind a mapping; returns the texture's node."""
    world = blender.data.worlds.new("World")
    scene.world = world
    if blender.app.version < (5, 0):
        world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    background = tree.nodes.new("ShaderNodeBackground")
    output = tree.nodes.new("ShaderNodeOutputWorld")
    tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    if mapped:
        coordinates = tree.nodes.new("ShaderNodeTexCoord")
        mapping = tree.nodes.new("ShaderNodeMapping")
        tree.links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
        tree.links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    return texture


def mapping_of(scene: Any) -> Any:
    return next(node for node in scene.world.node_tree.nodes if node.type == "MAPPING")


def marker_picture(blender: Any) -> Any:
    """Black, with a white patch where the equirectangular convention has its direction."""
    width, height = SIZE
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[..., 3] = 1.0
    column = (math.pi - AZIMUTH) / (2 * math.pi) * width - 0.5
    row = (math.pi / 2 - ELEVATION) / math.pi * height - 0.5
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    pixels[np.hypot(u - column, v - row) < 6, :3] = 1.0
    image = blender.data.images.new("marker", width, height, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.flipud(pixels).ravel())  # Blender's rows begin at the bottom
    return image


def seen(blender: Any, scene: Any, towards: Vector, folder: Path) -> np.ndarray:
    """What a camera of 40 x 40 degrees sees that looks there: (rows, columns), 0 to 1."""
    data = blender.data.cameras.new("eye")
    data.angle = math.radians(40)
    camera = blender.data.objects.new("eye", data)
    scene.collection.objects.link(camera)
    camera.rotation_euler = towards.to_track_quat("-Z", "Y").to_euler()
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.cycles.use_adaptive_sampling = False
    scene.world.cycles.sampling_method = "NONE"  # it takes seconds to prepare, for light alone
    scene.render.resolution_x = scene.render.resolution_y = 48
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(folder / "seen.exr")
    blender.ops.render.render(write_still=True)
    image = blender.data.images.load(scene.render.filepath)
    pixels = np.empty(48 * 48 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    blender.data.images.remove(image)
    return np.flipud(pixels.reshape(48, 48, 4)[..., 0])


ROTATIONS = [
    ("POINT", (0.0, 0.0, 0.0)),
    ("POINT", (0.0, 0.0, 50.0)),
    ("TEXTURE", (0.0, 0.0, 50.0)),
    ("VECTOR", (0.0, 0.0, -130.0)),
    ("POINT", (20.0, -35.0, 50.0)),
    ("TEXTURE", (20.0, -35.0, 50.0)),
]


@pytest.mark.parametrize(("kind", "degrees"), ROTATIONS)
def test_a_marker_is_rendered_where_the_field_has_it(
    blender: Any, scene: Any, tmp_path: Path, kind: str, degrees: tuple[float, float, float]
) -> None:
    """The sign of a mapping's rotation, whatever its vector type."""
    from blender_addon import world

    texture = make_environment(blender, scene)
    texture.image = marker_picture(blender)
    mapping = mapping_of(scene)
    mapping.vector_type = kind
    mapping.inputs["Rotation"].default_value = [math.radians(angle) for angle in degrees]

    in_field = Matrix.Rotation(-0.7, 3, "Z") @ direction(AZIMUTH, ELEVATION)
    towards = world.field_rotation(scene, 0.7) @ in_field
    view = seen(blender, scene, towards, tmp_path)
    assert view.max() > 0.5, "the marker is not in sight"
    rows, columns = np.nonzero(view > 0.5)
    # 48 pixels for 40 degrees: the middle of the view within 1 degree.
    assert abs(rows.mean() - 23.5) < 1.2
    assert abs(columns.mean() - 23.5) < 1.2


@pytest.mark.parametrize("muted", [False, True])
def test_an_object_turns_the_environment(
    blender: Any, scene: Any, tmp_path: Path, muted: bool
) -> None:
    """Texture Coordinate > Object: found by rendering, too; a muted mapping does nothing."""
    from blender_addon import world

    texture = make_environment(blender, scene)
    texture.image = marker_picture(blender)
    tree = scene.world.node_tree
    coordinates = next(node for node in tree.nodes if node.type == "TEX_COORD")
    mapping = mapping_of(scene)
    tree.links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    turner = blender.data.objects.new("turner", None)
    scene.collection.objects.link(turner)
    turner.rotation_euler = (0.2, -0.4, 0.9)
    coordinates.object = turner
    mapping.inputs["Rotation"].default_value = (0.0, 0.3, 0.5)
    mapping.mute = muted
    blender.context.view_layer.update()
    towards = world.field_rotation(scene, 0.0) @ direction(AZIMUTH, ELEVATION)
    view = seen(blender, scene, towards, tmp_path)
    assert view.max() > 0.5, "the marker is not in sight"
    rows, columns = np.nonzero(view > 0.5)
    assert abs(rows.mean() - 23.5) < 1.2
    assert abs(columns.mean() - 23.5) < 1.2


def test_what_comes_from_other_nodes_is_refused(blender: Any, scene: Any) -> None:
    from blender_addon import world

    make_environment(blender, scene).image = marker_picture(blender)
    tree = scene.world.node_tree
    coordinates = next(node for node in tree.nodes if node.type == "TEX_COORD")
    mapping = mapping_of(scene)
    value = tree.nodes.new("ShaderNodeCombineXYZ")
    link = tree.links.new(value.outputs[0], mapping.inputs["Rotation"])
    with pytest.raises(OptionError, match="rotation of the mapping node"):
        world.lookup(scene)
    tree.links.remove(link)
    tree.links.new(coordinates.outputs["Window"], mapping.inputs["Vector"])
    with pytest.raises(OptionError, match=r"\(Window\), which sound cannot follow"):
        world.lookup(scene)


@pytest.mark.parametrize("degrees", [0.0, 50.0, -130.0])
def test_the_worlds_front_is_the_fields(blender: Any, scene: Any, degrees: float) -> None:
    """With the world's own yaw, the field's axes are the world's."""
    from blender_addon import world

    make_environment(blender, scene).image = marker_picture(blender)
    mapping_of(scene).inputs["Rotation"].default_value = (0.0, 0.0, math.radians(degrees))
    yaw = world.front_yaw(scene)
    assert math.degrees(yaw) == pytest.approx(degrees, abs=1e-4)
    assert not world.is_tilted(scene)
    rotation = np.array(world.field_rotation(scene, yaw))
    np.testing.assert_allclose(rotation, np.eye(3), atol=1e-6)
    mapping_of(scene).inputs["Rotation"].default_value = (0.3, 0.0, 0.0)
    assert world.is_tilted(scene)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda node: setattr(node.inputs["Scale"], "default_value", (-1, 1, 1)), "mirrors"),
        (lambda node: setattr(node.inputs["Scale"], "default_value", (2, 1, 1)), "stretches"),
        (lambda node: setattr(node.inputs["Location"], "default_value", (1, 0, 0)), "moves"),
    ],
)
def test_what_is_no_rotation_is_refused(
    blender: Any, scene: Any, change: Callable[[Any], None], words: str
) -> None:
    from blender_addon import world

    make_environment(blender, scene).image = marker_picture(blender)
    change(mapping_of(scene))
    with pytest.raises(OptionError, match=words):
        world.lookup(scene)


def test_a_texture_without_mapping_is_not_turned(blender: Any, scene: Any) -> None:
    from blender_addon import world

    make_environment(blender, scene, mapped=False).image = marker_picture(blender)
    assert world.lookup(scene) == Matrix.Identity(3)


@pytest.mark.parametrize(
    ("source", "words"),
    [("FILE", "still picture"), ("SEQUENCE", "image sequence"), ("GENERATED", "still picture")],
)
def test_only_a_movie_has_sound(blender: Any, scene: Any, source: str, words: str) -> None:
    from blender_addon import clips

    texture = make_environment(blender, scene)
    texture.image = marker_picture(blender)
    texture.image.source = source
    with pytest.raises(OptionError, match=words):
        clips.find(scene, None)


@pytest.fixture
def grey_movie(tmp_path: Path) -> Path:
    """24 frames of growing brightness."""
    path = tmp_path / "grey.mp4"
    in_main(
        "import sys; from pathlib import Path; import numpy as np;"
        "from omniaudio_studio.media.video import VideoWriter\n"
        "with VideoWriter(Path(sys.argv[1]), 64, 32, 24) as writer:\n"
        "    for k in range(24): writer.write_frame(np.full((32, 64, 3), 20 + 9 * k, np.uint8))",
        path,
    )
    return path


def test_the_worlds_movie_is_in_step(
    blender: Any, scene: Any, grey_movie: Path, tmp_path: Path
) -> None:
    """`content_start` is the frame that shows the movie's first picture, by rendering some."""
    from blender_addon import clips

    texture = make_environment(blender, scene)
    image = texture.image = blender.data.images.load(str(grey_movie))
    image.colorspace_settings.name = "Non-Color"
    user = texture.image_user
    user.frame_start, user.frame_offset, user.frame_duration = 30, 4, 20
    user.use_auto_refresh = True
    source = clips.of_world(scene)
    assert (source.left, source.right) == (30, 50)
    for frame in (30, 36, 44):
        scene.frame_set(frame)
        brightness = float(np.median(seen(blender, scene, Vector((1, 0, 0)), tmp_path))) * 255
        index = (brightness - 20) / 9
        assert index == pytest.approx(frame - source.content_start, abs=0.45), frame


def test_a_take_of_the_world(
    blender: Any, scene: Any, saved: Path, clips: Callable[..., Path], tiny_bundle: Path
) -> None:
    from blender_addon import compat, delivery, takes

    texture = make_environment(blender, scene)
    texture.image = blender.data.images.load(str(clips(2.0, 24.0)))
    user = texture.image_user
    user.frame_start, user.frame_duration = 5, 48
    mapping_of(scene).inputs["Rotation"].default_value = (0.0, 0.0, math.radians(90))
    scene.omniaudio.bundle = str(tiny_bundle)
    assert blender.ops.omniaudio.generate() == {"FINISHED"}
    (strip,) = [s for s in scene.sequence_editor.strips_all if s.omniaudio.role == "FOA"]
    place = (compat.content_start(strip), compat.left_handle(strip), compat.right_handle(strip))
    assert place == (5, 5, 53)
    name = strip.name
    request = json.loads((saved / f"{name}.json").read_text())["request"]
    assert request["yaw"] == 90.0
    take = takes.current(scene)
    np.testing.assert_allclose(delivery.field_rotation(scene, take), np.eye(3), atol=1e-6)
    # Turned on since: the field that is there turns with it.
    mapping_of(scene).inputs["Rotation"].default_value = (0.0, 0.0, math.radians(120))
    turned = delivery.field_rotation(scene, take) @ Vector((1, 0, 0))
    assert math.degrees(math.atan2(turned.y, turned.x)) == pytest.approx(-30.0, abs=1e-3)
    sound, _ = soundfile.read(saved / f"{name}.wav")
    assert sound.shape == (2 * 48_000, 4)
    # By hand it is the user's own.
    scene.omniaudio.yaw_from_world, scene.omniaudio.yaw = False, math.radians(-20)
    blender.ops.omniaudio.generate()
    latest = sorted(saved.glob("*take2.json"))[0]
    assert json.loads(latest.read_text())["request"]["yaw"] == -20.0
    straight, _ = soundfile.read(latest.with_suffix(".wav"))
    # The same field, turned by 110 degrees: what was at azimuth 90 of the clip is in front in one.
    np.testing.assert_allclose(straight[:, 0], sound[:, 0], atol=1e-6)
    turn = math.radians(110)
    y, x = sound[:, 1], sound[:, 3]
    np.testing.assert_allclose(straight[:, 1], math.cos(turn) * y + math.sin(turn) * x, atol=1e-5)


def test_a_loop_is_refused(blender: Any, scene: Any, clips: Callable[..., Path]) -> None:
    from blender_addon import clips as addon_clips

    texture = make_environment(blender, scene)
    texture.image = blender.data.images.load(str(clips(2.0, 24.0)))
    texture.image_user.use_cyclic = True
    with pytest.raises(OptionError, match="Cyclic off"):
        addon_clips.find(scene, None)


def test_a_strip_is_preferred_where_both_are_there(
    blender: Any, scene: Any, movie: Any, clips: Callable[..., Path]
) -> None:
    from blender_addon import clips as addon_clips

    texture = make_environment(blender, scene)
    texture.image = blender.data.images.load(str(clips(2.0, 24.0)))
    assert addon_clips.find(scene, movie).kind == "STRIP"
    scene.omniaudio.source = "WORLD"
    assert addon_clips.find(scene, movie).kind == "WORLD"
