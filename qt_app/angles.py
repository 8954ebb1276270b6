"""Orientations of a head, one at a time and without NumPy."""

from __future__ import annotations

import math


def quaternion(yaw: float, pitch: float, roll: float) -> tuple[float, float, float, float]:
    """The unit quaternion (w, x, y, z) of angles in radians, as `foa.rotation` has it.

    Yaw turns to the left, pitch up; a positive roll lifts the left ear.
    """
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    cp, sp = math.cos(pitch / 2), -math.sin(pitch / 2)
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    return (
        cy * cp * cr + sy * sp * sr,
        cy * cp * sr - sy * sp * cr,
        cy * sp * cr + sy * cp * sr,
        sy * cp * cr - cy * sp * sr,
    )
