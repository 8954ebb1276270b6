"""Which OSC messages turn the head, and what their numbers mean.

Sources
-------
IEM
    IEM Plug-in Suite, SceneRotator, `PluginProcessor.cpp` (interceptOSCMessage,
    calcRotationMatrix, updateEuler): the message turns the *scene*, by a right-handed rotation
    about x front, y left, z up, in degrees or as a quaternion w x y z; with the default sequence
    "Roll->Pitch->Yaw" it is Rz(yaw) Ry(pitch) Rx(roll). A tracker set up for it sends the head's
    turn reversed (MrHeadTracker's "inverse", nvsonic's "IEM Scene Rotator - inversed"). Every
    parameter also has an address of its own.
SPARTA
    Spatial_Audio_Framework, `yawPitchRoll2Rzyx`: /ypr and /yaw, /pitch, /roll hold the head's
    angles in degrees, right-handed about the same axes: yaw to the left, pitch nose *down*, roll to
    the right. COMPASS, dearVR and Supperware's Bridgehead ("yaw increasing anticlockwise") agree.
ambiX, Mach1, SALTE
    As read by the EBU's and BBC's EAR Production Suite (`orientation_osc.cpp`), which takes
    Mach1's angles as they are: "Yaw + = rotate right, Pitch + = rotate up, Roll + = tilt right"
    (README of Mach1Studios/M1-AirPodOSC). /quaternion means what IEM's does.

Trackers differ in their signs whatever the address says: the window can reverse each angle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qt_app.tracking.orientation import Quaternion, from_angles, inverse, unit


@dataclass(frozen=True)
class Address:
    """A message that is understood, for people."""

    address: str
    values: str
    used_by: str


KNOWN: tuple[Address, ...] = (
    Address("/SceneRotator/quaternions", "qw qx qy qz", "IEM SceneRotator, nvsonic, MrHeadTracker"),
    Address("/SceneRotator/ypr", "yaw pitch roll", "IEM SceneRotator, Headitude"),
    Address("/SceneRotator/yaw, pitch, roll", "one angle each", "IEM SceneRotator"),
    Address("/ypr", "yaw pitch roll", "SPARTA, COMPASS, dearVR, Supperware Bridgehead"),
    Address("/yaw, /pitch, /roll", "one angle each", "SPARTA, Virtuoso, Supperware Bridgehead"),
    Address("/quaternion", "qw qx qy qz", "SPARTA, ambiX, nvsonic"),
    Address("/rotation", "pitch yaw roll", "ambiX"),
    Address("/head_pose", "id x y z pitch yaw roll", "ambiX, camera trackers"),
    Address("/orientation", "yaw pitch roll", "Mach1, AirPods"),
    Address("/rendering/htrpy", "roll pitch yaw", "SALTE"),
)

_SCENE = "/scenerotator"
_ANGLES = ("yaw", "pitch", "roll")
_PARTS = ("qw", "qx", "qy", "qz")


class Decoder:
    """Turns messages into orientations of the head; keeps what single-angle messages said.

    Addresses are compared without regard to case, as JUCE's plug-ins do.
    """

    def __init__(self) -> None:
        self._scene = dict.fromkeys(_ANGLES, 0.0)
        self._head = dict.fromkeys(_ANGLES, 0.0)
        self._parts = [1.0, 0.0, 0.0, 0.0]

    def decode(self, address: str, values: Sequence[object]) -> Quaternion | None:
        """The head's orientation that a message stands for.

        Returns
        -------
        tuple of float or None
            A unit quaternion (w, x, y, z); None for another address, the wrong number or kind of
            values, values that are not finite, or a quaternion without length.
        """
        numbers = _numbers(values)
        if numbers is None:
            return None
        address = address.lower().rstrip("/")
        read = _WHOLE.get(address)
        if read is not None:
            count, make = read
            return make(numbers) if len(numbers) == count else None
        if len(numbers) != 1:
            return None
        return self._single(address, numbers[0])

    def _single(self, address: str, value: float) -> Quaternion | None:
        prefix, _, name = address.rpartition("/")
        if prefix == _SCENE and name in _PARTS:
            self._parts[_PARTS.index(name)] = value
            w, x, y, z = self._parts
            return _scene_quaternion((w, x, y, z))
        if prefix not in ("", _SCENE) or name not in _ANGLES:
            return None
        state = self._scene if prefix == _SCENE else self._head
        state[name] = value
        angles = [state[angle] for angle in _ANGLES]
        return _scene_angles(angles) if prefix == _SCENE else _sparta(angles)


def _numbers(values: Sequence[object]) -> list[float] | None:
    numbers = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not math.isfinite(value):
            return None
        numbers.append(float(value))
    return numbers


def _head(yaw: float, pitch: float, roll: float) -> Quaternion:
    """Degrees, signs of this app: left, up, tilted to the right."""
    return from_angles(math.radians(yaw), math.radians(pitch), math.radians(roll))


def _scene_quaternion(values: Sequence[float]) -> Quaternion | None:
    w, x, y, z = values
    scene = unit((w, x, y, z))
    return None if scene is None else inverse(scene)


def _scene_angles(values: Sequence[float]) -> Quaternion:
    yaw, pitch, roll = values
    return inverse(_head(yaw, -pitch, roll))


def _sparta(values: Sequence[float]) -> Quaternion:
    yaw, pitch, roll = values
    return _head(yaw, -pitch, roll)


def _mach1(values: Sequence[float]) -> Quaternion:
    yaw, pitch, roll = values
    return _head(-yaw, pitch, roll)


def _ambix(values: Sequence[float]) -> Quaternion:
    pitch, yaw, roll = values
    return _head(yaw, -pitch, -roll)


_Make = Callable[[Sequence[float]], Quaternion | None]
_WHOLE: dict[str, tuple[int, _Make]] = {
    f"{_SCENE}/quaternions": (4, _scene_quaternion),
    f"{_SCENE}/ypr": (3, _scene_angles),
    "/ypr": (3, _sparta),
    "/quaternion": (4, _scene_quaternion),
    "/rotation": (3, _ambix),
    "/head_pose": (7, lambda values: _ambix(values[4:])),
    "/orientation": (3, _mach1),
    "/rendering/htrpy": (3, lambda values: _mach1(values[::-1])),
}


def scene_message(head: Quaternion) -> tuple[str, tuple[float, ...]]:
    """What keeps the world still around this head in IEM's SceneRotator: its turn reversed."""
    return "/SceneRotator/quaternions", inverse(head)


def head_message(yaw: float, pitch: float, roll: float) -> tuple[str, tuple[float, ...]]:
    """The head's angles (radians, this app's signs) as SPARTA's plug-ins read them."""
    return "/ypr", (math.degrees(yaw), -math.degrees(pitch), math.degrees(roll))
