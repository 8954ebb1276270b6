"""Orientations of a head as quaternions and angles, in plain Python: no array for four numbers.

Quaternions are (w, x, y, z), the axes x front, y left, z up. Angles are those of
`omniaudio_studio.foa.rotation`, of the head: yaw turns to the left, pitch lifts the nose, roll
lifts the left ear (tilts the head to the right); R = Rz(yaw) Ry(-pitch) Rx(roll), right-handed.
"""

from __future__ import annotations

import math

from qt_app.angles import quaternion as from_angles

__all__ = [
    "STRAIGHT",
    "Angles",
    "Front",
    "Quaternion",
    "after",
    "from_angles",
    "inverse",
    "to_angles",
    "unit",
]

Quaternion = tuple[float, float, float, float]
Angles = tuple[float, float, float]

STRAIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)
# Nearer to straight up or down than this, yaw and roll are one turn: all of it is called yaw.
_POLE = 1.0 - 1e-9


def to_angles(turn: Quaternion) -> Angles:
    """Yaw (-pi to pi), pitch (-pi/2 to pi/2) and roll (-pi to pi) of a unit quaternion."""
    w, x, y, z = turn
    up = 2 * (x * z - w * y)  # minus R[2][0]'s sign: R[2][0] = sin(pitch)
    if abs(up) >= _POLE:
        yaw = math.atan2(-2 * (x * y - w * z), 1 - 2 * (x * x + z * z))
        return (yaw, math.copysign(math.pi / 2, up), 0.0)
    return (
        math.atan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z)),
        math.asin(up),
        math.atan2(2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


def inverse(turn: Quaternion) -> Quaternion:
    """The turn back."""
    w, x, y, z = turn
    return (w, -x, -y, -z)


def after(second: Quaternion, first: Quaternion) -> Quaternion:
    """``first``, then ``second``, both about fixed axes: the product second x first."""
    a, b, c, d = second
    e, f, g, h = first
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def unit(turn: Quaternion) -> Quaternion | None:
    """The quaternion at length 1; None where it has no length or is not finite."""
    length = math.sqrt(sum(part * part for part in turn))
    if not math.isfinite(length) or length < 1e-6:
        return None
    w, x, y, z = (part / length for part in turn)
    return (w, x, y, z)


class Front:
    """What counts as straight ahead, for a tracker that sits askew and knows no front.

    A tracker's first orientation is Rz(yaw) M: where its own zero points in the room, and how it
    sits on the head. The head's orientation is then Rz(-yaw) T M^-1 for a later T: turns stay
    turns about the vertical although the tracker is tilted on the headband.
    """

    def __init__(self) -> None:
        self._room: Quaternion = STRAIGHT
        self._seat: Quaternion = STRAIGHT

    def take(self, turn: Quaternion) -> None:
        """Let this orientation be straight ahead from now on."""
        yaw, _, _ = to_angles(turn)
        self._room = from_angles(-yaw, 0.0, 0.0)
        self._seat = inverse(after(self._room, turn))

    def reset(self) -> None:
        """Take the tracker at its word again."""
        self._room = self._seat = STRAIGHT

    def apply(self, turn: Quaternion) -> Quaternion:
        """The head's orientation for a tracker's."""
        return after(after(self._room, turn), self._seat)
