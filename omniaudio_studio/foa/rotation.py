"""Turning the field. The sounds move; to turn the listener's head, turn the field the other way.

Angles, in radians, are named as for an aircraft whose nose is the front. Each moves the sounds:

- yaw, about z (up): positive turns the front to the left (azimuths increase);
- pitch, about y (left): positive lifts the front up;
- roll, about x (front): positive lifts the left side up.

R = Rz(yaw) Ry(-pitch) Rx(roll), where Rx, Ry, Rz are right-handed rotations: roll is applied first,
then pitch, then yaw, each about fixed axes. W is not affected; X, Y, Z turn as a vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.convention import Foa, as_foa

_BLOCK = 1 << 15


def rotation_matrix(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """The matrix that acts on column vectors (x, y, z), shape (3, 3).

    Parameters
    ----------
    yaw, pitch, roll : float, radians
        Signs and order as in the module's description.
    """
    return rotation_from_quaternion(*quaternion_from_angles(yaw, pitch, roll))


def rotation_from_quaternion(
    w: ArrayLike, x: ArrayLike, y: ArrayLike, z: ArrayLike
) -> NDArray[np.float64]:
    """The matrix (..., 3, 3) of the quaternion w + x i + y j + z k, normalised first.

    i, j, k are the axes x (front), y (left), z (up). With q = (w, u):
    R = (w^2 - u.u) I + 2 u u^T + 2 w [u]x.

    Raises
    ------
    ValueError
        If the quaternion is zero or not finite.
    """
    given = np.stack(np.broadcast_arrays(w, x, y, z), axis=-1)
    unit = np.moveaxis(_unit(given.astype(np.float64)), -1, 0)
    a: NDArray[np.float64] = unit[0]
    b, c, d = unit[1:]
    rows = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a - b * b + c * c - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a - b * b - c * c + d * d],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def quaternion_from_angles(
    yaw: ArrayLike, pitch: ArrayLike, roll: ArrayLike
) -> NDArray[np.float64]:
    """The unit quaternion (w, x, y, z) of `rotation_matrix`'s angles; shape (4, ...).

    The product qz(yaw) qy(-pitch) qx(roll), each (cos half, sin half times its axis).
    """
    a, b, c = (np.asarray(angle, dtype=np.float64) / 2 for angle in (yaw, pitch, roll))
    cy, sy, cp, sp, cr, sr = np.cos(a), np.sin(a), np.cos(b), -np.sin(b), np.cos(c), np.sin(c)
    return np.stack(
        np.broadcast_arrays(
            cy * cp * cr + sy * sp * sr,
            cy * cp * sr - sy * sp * cr,
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
        )
    )


def rotate(foa: ArrayLike, matrix: ArrayLike) -> Foa:
    """Turn a field by a rotation matrix.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    matrix : array_like, shape (3, 3)
        Acts on (x, y, z).

    Returns
    -------
    ndarray, float32, shape (4, n)
    """
    field = as_foa(foa)
    turn = np.asarray(matrix, dtype=np.float64)
    if turn.shape != (3, 3):
        raise ValueError(f"expected a 3 x 3 rotation matrix, found {turn.shape}")
    # From (x, y, z) to the channels' order Y, Z, X.
    order = [1, 2, 0]
    turn = turn[np.ix_(order, order)].astype(np.float32)
    turned = np.empty(field.shape, dtype=np.float32)
    turned[0] = field[0]
    np.matmul(turn, field[1:], out=turned[1:])
    return turned


def rotate_yaw(foa: ArrayLike, yaw: float) -> Foa:
    """Turn a field to the left by ``yaw`` radians: a source at azimuth a moves to a + yaw."""
    field = as_foa(foa)
    cos, sin = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
    turned = np.empty(field.shape, dtype=np.float32)
    turned[0] = field[0]
    turned[1] = cos * field[1] + sin * field[3]
    turned[2] = field[2]
    turned[3] = cos * field[3] - sin * field[1]
    return turned


def rotate_along(foa: ArrayLike, times: ArrayLike, orientations: ArrayLike, rate: float) -> Foa:
    """Turn a field by a rotation that changes smoothly, interpolated for every sample.

    Between two orientations the field turns at constant angular speed about one axis, the short way
    round (spherical linear interpolation of quaternions); before the first and after the last it
    rests. There are no blocks within which the rotation stands still, hence no zipper noise.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    times : array_like, shape (k,)
        Seconds, ascending; sample 0 is at 0 s.
    orientations : array_like, shape (k, 4) or (k, 3)
        Quaternions (w, x, y, z), or angles (yaw, pitch, roll) in radians. Two orientations half a
        turn or more apart are joined the short way: give more of them to go the long way.
    rate : float
        Samples per second.

    Returns
    -------
    ndarray, float32, shape (4, n)
    """
    field = as_foa(foa)
    track = orientation_track(times, orientations)
    turned = np.empty(field.shape, dtype=np.float32)
    for start in range(0, field.shape[1], _BLOCK):
        stop = min(start + _BLOCK, field.shape[1])
        there = track.at(np.arange(start, stop) / rate)
        turned[:, start:stop] = rotate_each(field[:, start:stop], there)
    return turned


def rotate_each(foa: ArrayLike, quaternions: ArrayLike) -> Foa:
    """Turn every sample of a field by a rotation of its own.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    quaternions : array_like, shape (n, 4)
        Unit quaternions (w, x, y, z).

    Returns
    -------
    ndarray, float32, shape (4, n)
    """
    field = as_foa(foa)
    w, x, y, z = np.asarray(quaternions).astype(np.float32).T
    turned = np.empty(field.shape, dtype=np.float32)
    turned[0] = field[0]
    # v' = v + 2 w (u x v) + 2 u x (u x v), u = (x, y, z): cheaper than a matrix per sample.
    vy, vz, vx = field[1:]
    tx, ty, tz = 2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)
    turned[1] = vy + w * ty + (z * tx - x * tz)
    turned[2] = vz + w * tz + (x * ty - y * tx)
    turned[3] = vx + w * tx + (y * tz - z * ty)
    return turned


def orientation_track(times: ArrayLike, orientations: ArrayLike) -> GreatCircleTrack:
    """The path of `rotate_along`: unit quaternions (w, x, y, z), on which q and -q never mix.

    Parameters as there.
    """
    return GreatCircleTrack(times, _continuous(_quaternions(orientations)))


def _quaternions(orientations: ArrayLike) -> NDArray[np.float64]:
    given = np.atleast_2d(np.asarray(orientations, dtype=np.float64))
    if given.ndim == 2 and given.shape[1] == 3:
        return quaternion_from_angles(*given.T).T
    if given.ndim == 2 and given.shape[1] == 4:
        return _unit(given)
    raise ValueError(
        f"expected orientations of shape (k, 4), quaternions, or (k, 3), yaw pitch roll; "
        f"found {given.shape}"
    )


def _unit(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    if not np.all(np.isfinite(length) & (length > 0)):
        raise ValueError("expected quaternions that are finite and not zero")
    return quaternions / length


def _continuous(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """q and -q are the same rotation: pick signs so that neighbours are the short way apart."""
    dots = np.sum(quaternions[1:] * quaternions[:-1], axis=1)
    signs = np.cumprod(np.concatenate([[1.0], np.where(dots < 0, -1.0, 1.0)]))
    return quaternions * signs[:, None]
