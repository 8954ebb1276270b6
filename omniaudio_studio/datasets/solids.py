"""Rendered objects: solids of simple shapes, lit, as pictures with alpha. They have no class.

Each is found by sphere tracing (J. C. Hart, The Visual Computer 12, 1996): rays walk as far as the
distance to the surface says, which every shape here gives in closed form.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
#: Class of a rendered object in a scene.
SOLID = "solid"

_STEPS = 48
_NEAR = 2e-3


def _length(*parts: Points) -> Points:
    return np.asarray(np.sqrt(sum(part**2 for part in parts)))


def _box(p: Points, sides: Points, edge: float) -> Points:
    q = np.abs(p) - sides[:, None]
    outside = _length(*np.maximum(q, 0))
    return outside + np.minimum(q.max(axis=0), 0) - edge


def _tube(p: Points, radius: float, half: float) -> Points:
    q = np.stack([_length(p[0], p[1]) - radius, np.abs(p[2]) - half])
    return _length(*np.maximum(q, 0)) + np.minimum(q.max(axis=0), 0)


def _cone(p: Points, slope: float) -> Points:
    """From its tip at z = 0.7 down to z = -0.7; the lower bound of two half spaces."""
    side = (_length(p[0], p[1]) - slope * (0.7 - p[2])) / np.hypot(1, slope)
    return np.maximum(side, -0.7 - p[2])


def _shape(rng: np.random.Generator) -> Callable[[Points], Points]:
    """Distance to a random shape within the unit ball, at points (3, n)."""
    a, b, c = rng.uniform(0.25, 0.55, 3)
    kinds: tuple[Callable[[Points], Points], ...] = (
        lambda p: _length(*p) - 0.9,
        lambda p: _box(p, np.array([a, b, c]), 0.05),
        lambda p: _tube(p, a, 0.3 + b),
        lambda p: _cone(p, 0.3 + 0.4 * a),
        lambda p: _length(_length(p[0], p[1]) - 0.65, p[2]) - 0.12 - 0.3 * (a - 0.25),  # a torus
        lambda p: np.minimum(_length(*p) - 0.45, _tube(p, 0.18, 0.85)),  # a ball on a rod
    )
    return kinds[int(rng.integers(len(kinds)))]


def solid(number: int, side: int) -> NDArray[np.uint8]:
    """Solid ``number``: RGBA, uint8, (side, side, 4); the same number gives the same picture."""
    rng = np.random.default_rng([number, 5])
    distance = _shape(rng)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    axis = (np.arange(side) + 0.5) / side * 2.1 - 1.05
    x, y = np.meshgrid(axis, -axis)
    # Parallel rays along -z, in the shape's own axes.
    points = turn @ np.stack([x.ravel(), y.ravel(), np.full(x.size, 1.2)])
    ray = turn @ np.array([0.0, 0.0, -1.0])
    gap = np.zeros(x.size)
    for _ in range(_STEPS):
        gap = distance(points)
        points = points + ray[:, None] * gap
    # (Rays that pass by have walked on.)
    hit = (gap < _NEAR) & (_length(*points) < 1.3)
    steps = 1e-3 * np.eye(3)
    normal = np.stack(
        [distance(points + step[:, None]) - distance(points - step[:, None]) for step in steps]
    )
    normal /= np.maximum(_length(*normal), 1e-9)
    light = rng.normal(size=3) + np.array([0.0, 0.8, 1.0])
    light = turn @ (light / np.linalg.norm(light))
    lit = np.clip(light @ normal, 0, 1)
    shine = np.clip((light - ray) / np.linalg.norm(light - ray) @ normal, 0, 1) ** 40
    colour = rng.uniform(0.1, 1.0, 3)
    if rng.random() < 0.4:  # stripes
        bands = np.sin(points[2] * rng.uniform(6, 16)) > 0
        colour = np.where(bands[:, None], colour, rng.uniform(0.1, 1.0, 3))
    shade = colour * (0.3 + 0.7 * lit[:, None]) + rng.uniform(0, 0.6) * shine[:, None]
    picture = np.concatenate([shade.clip(0, 1), hit[:, None]], axis=1) * 255
    return np.round(picture).astype(np.uint8).reshape(side, side, 4)
