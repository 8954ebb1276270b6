"""The flat camera of the view, in plain Python: a mouse event needs a few numbers, not arrays.

Axes of the camera and of the world: x front, y left, z up. Angles in radians, with the signs of
`omniaudio_studio.foa.rotation`; tests hold the two together.
"""

from __future__ import annotations

import math

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

# Nearer to straight up or down than this, yaw and roll are one turn: all of it is called yaw.
_POLE = 1.0 - 1e-12


def wrapped(angle: float) -> float:
    """The same direction as an angle in (-pi, pi]."""
    if -math.pi < angle <= math.pi:
        return angle
    turned = math.remainder(angle, 2 * math.pi)
    return math.pi if turned <= -math.pi else turned


def vector(azimuth: float, elevation: float) -> Vector:
    """The unit vector of a direction."""
    flat = math.cos(elevation)
    return flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)


def angles(direction: Vector) -> tuple[float, float]:
    """Azimuth and elevation of a vector of any length."""
    x, y, z = direction
    return math.atan2(y, x), math.atan2(z, math.hypot(x, y))


def matrix(yaw: float, pitch: float, roll: float) -> Matrix:
    """Rz(yaw) Ry(-pitch) Rx(roll): from the camera's axes to the world's."""
    cy, sy = math.cos(yaw), math.sin(yaw)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return (
        (cy * cp, -sy * cr - cy * sp * sr, sy * sr - cy * sp * cr),
        (sy * cp, cy * cr - sy * sp * sr, -cy * sr - sy * sp * cr),
        (sp, cp * sr, cp * cr),
    )


def turned(turn: Matrix, v: Vector) -> Vector:
    """The matrix times the vector."""
    (a, b, c), (d, e, f), (g, h, i) = turn
    x, y, z = v
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


def turned_back(turn: Matrix, v: Vector) -> Vector:
    """The matrix's inverse (its transpose) times the vector."""
    (a, b, c), (d, e, f), (g, h, i) = turn
    x, y, z = v
    return a * x + d * y + g * z, b * x + e * y + h * z, c * x + f * y + i * z


def angles_of_quaternion(
    w: float, x: float, y: float, z: float
) -> tuple[float, float, float] | None:
    """Yaw, pitch and roll of a quaternion of any length; None if it is zero or not finite."""
    size = math.sqrt(w * w + x * x + y * y + z * z)
    if not math.isfinite(size) or size < 1e-9:
        return None
    w, x, y, z = w / size, x / size, y / size, z / size
    up = 2 * (x * z - w * y)
    if abs(up) >= _POLE:
        yaw = math.atan2(-2 * (x * y - w * z), 1 - 2 * (x * x + z * z))
        return yaw, math.copysign(math.pi / 2, up), 0.0
    return (
        math.atan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z)),
        math.asin(up),
        math.atan2(2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


def ray(x: float, y: float, width: float, height: float, fov: float) -> Vector:
    """The camera's unit vector at a place of its picture, (0, 0) the upper left corner's edge."""
    half = math.tan(fov / 2)
    left = half * (1 - 2 * x / width)
    up = half * (height - 2 * y) / width
    size = math.sqrt(1 + left * left + up * up)
    return 1 / size, left / size, up / size


def place(seen: Vector, width: float, height: float, fov: float) -> tuple[float, float] | None:
    """The inverse of `ray`, for vectors of any length; None for what is not in front."""
    front, left, up = seen
    if front <= 1e-9:
        return None
    half = math.tan(fov / 2)
    return (
        (1 - left / front / half) * width / 2,
        height / 2 - up / front / half * width / 2,
    )


def look_for(
    direction: Vector, seen: Vector, yaw: float, pitch: float, roll: float
) -> tuple[float, float]:
    """Yaw and pitch that bring the world's ``direction`` to the camera's ``seen``; roll stays.

    With c = Rx(roll) seen and c = (r cos a, c_y, r sin a), the elevation asks for
    r sin(pitch + a) = d_z, which has two solutions, one, or none; the one nearer to the present
    pitch is taken, so that a drag is continuous. Then the azimuths ask for yaw.

    Parameters
    ----------
    direction, seen : (float, float, float)
        Unit vectors.
    yaw, pitch, roll : float
        The present look; ``yaw`` stays where the azimuth says nothing (at a pole).
    """
    about_x = matrix(0.0, 0.0, roll)
    cx, cy, cz = turned(about_x, seen)
    size, lift = math.hypot(cx, cz), math.atan2(cz, cx)
    right = math.pi / 2
    if size < 1e-12:
        tilt = pitch
    else:
        rise = math.asin(min(max(direction[2] / size, -1.0), 1.0))
        choices = [wrapped(rise - lift), wrapped(math.pi - rise - lift)]
        allowed = [choice for choice in choices if abs(choice) <= right + 1e-9]
        if allowed:
            tilt = min(allowed, key=lambda choice: abs(choice - pitch))
        else:
            # Of the two ends the one that shows the direction nearer to the place.
            tilt = min(
                (-right, right),
                key=lambda end: abs(size * math.sin(end + lift) - direction[2]),
            )
        tilt = min(max(tilt, -right), right)
    x, y, _ = turned(matrix(0.0, tilt, 0.0), (cx, cy, cz))
    if math.hypot(x, y) < 1e-9 or math.hypot(direction[0], direction[1]) < 1e-9:
        return yaw, tilt
    return wrapped(math.atan2(direction[1], direction[0]) - math.atan2(y, x)), tilt
