"""What messages mean: signs against the rotations of the sound field."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate, rotation_from_quaternion, rotation_matrix
from qt_app.tracking.addresses import KNOWN, Decoder, head_message, scene_message
from qt_app.tracking.orientation import from_angles, to_angles


def degrees(address: str, *values: float) -> tuple[float, ...]:
    """The head's (yaw, pitch, roll) in degrees for a message."""
    turn = Decoder().decode(address, values)
    assert turn is not None
    return tuple(math.degrees(angle) for angle in to_angles(turn))


def iem_matrix(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """What SceneRotator does to (x, y, z), written out from its source ("Roll->Pitch->Yaw")."""
    ca, cb, cy = (math.cos(math.radians(angle)) for angle in (yaw, pitch, roll))
    sa, sb, sy = (math.sin(math.radians(angle)) for angle in (yaw, pitch, roll))
    return np.array(
        [
            [ca * cb, ca * sb * sy - sa * cy, ca * sb * cy + sa * sy],
            [sa * cb, sa * sb * sy + ca * cy, sa * sb * cy - ca * sy],
            [-sb, cb * sy, cb * cy],
        ]
    )


@pytest.mark.parametrize("angles", [(30, 0, 0), (0, 25, 0), (0, 0, -40), (70, -35, 120)])
def test_a_scene_turned_by_iem_is_a_head_turned_the_other_way(angles: tuple[float, ...]) -> None:
    head = Decoder().decode("/SceneRotator/ypr", angles)
    assert head is not None
    # A head at H hears the field turned by H's transpose: that is what the plug-in does.
    np.testing.assert_allclose(rotation_from_quaternion(*head).T, iem_matrix(*angles), atol=1e-12)


def test_iem_quaternions_turn_the_scene_about_the_same_axes() -> None:
    half = math.radians(50) / 2
    head = Decoder().decode("/SceneRotator/quaternions", (math.cos(half), 0.0, 0.0, math.sin(half)))
    assert head is not None
    np.testing.assert_allclose(rotation_from_quaternion(*head).T, iem_matrix(50, 0, 0), atol=1e-12)


def test_what_is_sent_to_iem_keeps_the_world_still() -> None:
    """A source at 60 degrees is in front of a head that looks there, through the plug-in too."""
    yaw = math.radians(60)
    address, (w, x, y, z) = scene_message(from_angles(yaw, 0.0, 0.0))
    assert address == "/SceneRotator/quaternions"
    field = encode_plane_wave(np.ones(4, np.float32), yaw, 0.0)
    turned = rotate(field, rotation_from_quaternion(w, x, y, z))
    np.testing.assert_allclose(turned[:, 0], [1, 0, 0, 1], atol=1e-6)  # W Y Z X: in front


@pytest.mark.parametrize("angles", [(20.0, 10.0, -5.0), (-170.0, -60.0, 80.0)])
def test_both_ways_of_sending_come_back_as_they_were(angles: tuple[float, ...]) -> None:
    yaw, pitch, roll = (math.radians(angle) for angle in angles)
    for address, values in (
        scene_message(from_angles(yaw, pitch, roll)),
        head_message(yaw, pitch, roll),
    ):
        assert degrees(address, *values) == pytest.approx(angles, abs=1e-9)


# Each tracker's own words for "left, nose up, tilted to the right" by 20, 10 and 5 degrees.
@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("/ypr", (20, -10, 5)),
        ("/orientation", (-20, 10, 5)),
        ("/rendering/htrpy", (5, 10, -20)),
        ("/rotation", (-10, 20, -5)),
        ("/head_pose", (0, 0.1, 0.2, 0.3, -10, 20, -5)),
        ("/YPR/", (20, -10, 5)),
    ],
)
def test_signs(address: str, values: tuple[float, ...]) -> None:
    assert degrees(address, *values) == pytest.approx((20, 10, 5), abs=1e-9)


def test_the_field_turns_under_a_sparta_tracker() -> None:
    """Looking 90 degrees to the left, what was on the left is in front."""
    head = Decoder().decode("/ypr", (90.0, 0.0, 0.0))
    assert head is not None
    field = encode_plane_wave(np.ones(2, np.float32), math.pi / 2, 0.0)
    turned = rotate(field, rotation_from_quaternion(*head).T)
    np.testing.assert_allclose(turned[:, 0], [1, 0, 0, 1], atol=1e-6)


def test_single_angles_add_up() -> None:
    decoder = Decoder()
    decoder.decode("/yaw", (20.0,))
    decoder.decode("/pitch", (-10.0,))
    turn = decoder.decode("/roll", (5.0,))
    assert turn is not None
    expected = rotation_matrix(math.radians(20), math.radians(10), math.radians(5))
    np.testing.assert_allclose(rotation_from_quaternion(*turn), expected, atol=1e-12)


def test_single_angles_of_the_scene_are_kept_apart() -> None:
    decoder = Decoder()
    decoder.decode("/yaw", (20.0,))
    turn = decoder.decode("/SceneRotator/yaw", (-30,))
    assert turn is not None
    assert math.degrees(to_angles(turn)[0]) == pytest.approx(30)


def test_single_parts_of_a_quaternion() -> None:
    decoder = Decoder()
    half = math.radians(40) / 2
    decoder.decode("/SceneRotator/qw", (math.cos(half),))
    turn = decoder.decode("/SceneRotator/qz", (-math.sin(half),))
    assert turn is not None
    assert math.degrees(to_angles(turn)[0]) == pytest.approx(40)


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("/ypr", (1.0, 2.0)),
        ("/ypr", (1.0, 2.0, "three")),
        ("/ypr", (1.0, 2.0, math.nan)),
        ("/ypr", (True, False, True)),
        ("/quaternion", (0.0, 0.0, 0.0, 0.0)),
        ("/SceneRotator/quaternions", (1.0, math.inf, 0.0, 0.0)),
        ("/yaw", ()),
        ("/volume", (0.5,)),
        ("", (0.5,)),
    ],
)
def test_anything_else_is_no_orientation(address: str, values: tuple[object, ...]) -> None:
    assert Decoder().decode(address, values) is None


def test_what_the_window_lists_is_understood() -> None:
    """Every address that people are shown decodes its values."""
    counts = {"qw qx qy qz": 4, "yaw pitch roll": 3, "pitch yaw roll": 3, "roll pitch yaw": 3}
    for known in KNOWN:
        if known.values == "one angle each":
            first, *others = known.address.split(", ")
            prefix = first.rpartition("/")[0]
            for one in (first, *(f"{prefix}/{name.lstrip('/')}" for name in others)):
                assert Decoder().decode(one, (10.0,)) is not None, one
        else:
            count = counts.get(known.values, 7)
            assert Decoder().decode(known.address, (0.5,) * count) is not None, known.address
