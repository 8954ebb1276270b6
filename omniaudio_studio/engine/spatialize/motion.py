"""What moves on the sphere, beside the camera's own turning.

Pictures are small panoramas of one value per pixel. Between two of them the camera's rotation is
estimated and undone; what still changes, moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.direction import azimuth_bins, elevation_bins
from omniaudio_studio.panorama.sphere import angles_to_vector

Array = NDArray[np.float32]

COLUMNS, ROWS = 144, 72
"""Pixels of the panoramas: 2.5 degrees each."""

CELL = 3
"""Pixels of a cell's side: 7.5 degrees."""

NOISE = 3.0 / 255
"""Change that a codec makes where nothing moves."""

CUT = 0.09
"""Mean change over the sphere beyond which a picture begins another shot."""

_LARGEST_TURN = 0.35  # radians between two pictures; what is beyond is no camera's turn
# Radius of a blur in pixels, and how often at most: from nothing, and from the turn before.
_ANEW = ((3, 3), (1, 3), (0, 2))
_ON = ((1, 1), (0, 2))
_NEXT = 0.05  # radians by which a turn may differ from the one before it
_SETTLED = 3e-3  # radians: a last step below it, and the turn is the right one
_RIDGE = 1e-6 * np.eye(3)  # keeps a picture without any slope from having no solution


@dataclass(frozen=True)
class Change:
    """From one picture to the next.

    Attributes
    ----------
    cells
        float32 (rows, columns) of cells: mean change beyond the noise, 0 to 1.
    overall
        Mean change over the sphere, before the camera's rotation was undone; 0 to 1.
    turn
        The camera's rotation as a vector (x, y, z), radians.
    """

    cells: Array
    overall: float
    turn: NDArray[np.float64]


class Sphere:
    """A panorama's pixels as directions, and pictures on it turned."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        azimuth, elevation = azimuth_bins(columns), elevation_bins(rows)
        vectors = angles_to_vector(azimuth[None, :], elevation[:, None])
        self.vectors = vectors.astype(np.float32)  # (3, rows, columns)
        self.area = np.repeat(np.cos(elevation)[:, None], columns, axis=1).astype(np.float32)
        self._root = np.sqrt(self.area).ravel()
        # What a picture's slopes to the left and up are as a gradient g in space; d x g is what a
        # rotation changes (the rows of the least-squares problem).
        east = np.stack(
            np.broadcast_arrays(
                -np.sin(azimuth)[None, :], np.cos(azimuth)[None, :], np.zeros((rows, columns))
            )
        )
        north = np.cross(vectors, east, axis=0)
        left = np.cross(vectors, east / np.maximum(np.cos(elevation), 0.05)[:, None], axis=0)
        up = np.cross(vectors, north, axis=0)
        scale = -columns / (4 * np.pi)  # central differences, in radians
        self._left = (scale * left).astype(np.float32)
        self._up = (scale * up).astype(np.float32)

    def turned(self, picture: Array, turn: NDArray[np.float64]) -> Array:
        """The picture (rows, columns) with its world rotated by ``turn``."""
        import cv2

        matrix = cv2.Rodrigues(-np.asarray(turn, np.float64))[0].astype(np.float32)
        x, y, z = (matrix @ self.vectors.reshape(3, -1)).reshape(3, self.rows, self.columns)
        # Many times faster than NumPy's arctan2, and within 0.01 degrees of it. One column more on
        # either side, so that the seam is none.
        u = cv2.phase(-x, y) * np.float32(self.columns / (2 * np.pi)) + np.float32(0.5)
        v = cv2.phase(z, cv2.magnitude(x, y)) * np.float32(self.rows / np.pi) - np.float32(0.5)
        wide = np.concatenate([picture[:, -1:], picture, picture[:, :1]], axis=1)
        found = cv2.remap(wide, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def step(self, first: Array, second: Array) -> NDArray[Any]:
        """The small rotation that explains best how ``second`` differs from ``first``."""
        size = first.size
        middle = (first + second) / 2
        wide = np.concatenate([middle[:, -1:], middle, middle[:, :1]], axis=1)
        across = wide[:, :-2] - wide[:, 2:]
        up = np.zeros_like(middle)
        np.subtract(middle[:-2], middle[2:], out=up[1:-1])
        # I_t - I_(t-1) = -grad I . (w x d) = -w . (d x grad I): three rows, and what they explain.
        problem = np.empty((4, *middle.shape), np.float32)
        np.multiply(self._left, across, out=problem[:3])
        problem[:3] += self._up * up
        np.subtract(second, first, out=problem[3])
        problem = problem.reshape(4, size)
        root = self._root
        solution: NDArray[Any] = np.zeros(3)
        for _ in range(2):
            weighted = problem * root
            products = weighted @ weighted.T
            solution = np.linalg.solve(products[:3, :3] + _RIDGE, products[:3, 3])
            rest = np.abs(problem[3] - solution.astype(np.float32) @ problem[:3])
            scale = 1.5 * float(rest.sum()) / size + 1e-3
            root = self._root * np.sqrt(scale / np.maximum(rest, scale))
        return solution


class MotionMeter:
    """Compares each picture with the one before.

    The camera's rotation is the one that explains brightness best (Lucas and Kanade, "An iterative
    image registration technique", IJCAI 1981, with the sphere's rotations for the translations of
    the plane): for a small rotation w, I_t(d) - I_(t-1)(d) = -grad I . (w x d) over all directions
    d, solved by least squares that are weighted by solid angle, outliers less (Huber), and repeated
    from coarse to fine on pictures of half the size.
    """

    def __init__(self) -> None:
        self._sphere = Sphere(COLUMNS, ROWS)
        self._small = Sphere(COLUMNS // 2, ROWS // 2)
        self._area = self._sphere.area / self._sphere.area.sum()
        self._before: Array | None = None
        self._usual: NDArray[np.float64] = np.zeros(3)  # the turn before

    def __call__(self, picture: NDArray[np.uint8]) -> Change | None:
        """The change to this picture, uint8 (ROWS, COLUMNS, 3); None for the first one."""
        import cv2

        # No product of matrices: BLAS would set its threads to it, which go on waiting for more
        # where the decoder's could work.
        grey = np.asarray(
            cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2GRAY), np.float32
        )
        before, self._before = self._before, grey
        if before is None:
            return None
        change = np.abs(grey - before)
        overall = float((change * self._area).sum())
        turn = np.zeros(3)
        found = self._turn(before, grey) if overall > NOISE / 4 else turn
        if np.linalg.norm(found) > 3e-4:
            moved = self._sphere.turned(before, found)
            # A rotation that explains next to nothing is none.
            if float((np.abs(grey - moved) * self._area).sum()) < 0.95 * overall:
                change, turn = _forgiving(grey, moved), found
        return Change(self._pooled(np.maximum(change - NOISE, 0)), overall, turn)

    def _pooled(self, pixels: Array) -> Array:
        """Mean over the pixels of each cell, weighted by solid angle."""
        shape = (ROWS // CELL, CELL, COLUMNS // CELL, CELL)
        weighted = (pixels * self._area).reshape(shape).sum(axis=(1, 3))
        return np.asarray(weighted / self._area.reshape(shape).sum(axis=(1, 3)), np.float32)

    def _turn(self, before: Array, after: Array) -> NDArray[np.float64]:
        """The rotation vector that brings ``before`` onto ``after``."""
        first, second = _halved(before), _halved(after)
        if self._usual.any():
            # A camera mostly goes on as it did.
            turn, step = self._followed(first, second, self._usual, _ON)
            if step < _SETTLED and math.hypot(*(turn - self._usual)) < _NEXT:
                self._usual = turn
                return turn
        self._usual, _ = self._followed(first, second, np.zeros(3), _ANEW)
        return self._usual

    def _followed(
        self,
        first: Array,
        second: Array,
        turn: NDArray[np.float64],
        rounds: tuple[tuple[int, int], ...],
    ) -> tuple[NDArray[np.float64], float]:
        """The turn that a first guess comes to, and how long the last step was."""
        length = 0.0
        for blur, times in rounds:
            low, high = _blurred(first, blur), _blurred(second, blur)
            for _ in range(times):
                step = self._small.step(self._small.turned(low, turn) if turn.any() else low, high)
                turn = turn + step
                length = math.hypot(*step)
                if math.hypot(*turn) > _LARGEST_TURN:
                    return np.zeros(3), math.inf
                if length < 5e-4:
                    break
        return turn, length


def _halved(picture: Array) -> Array:
    import cv2

    rows, columns = picture.shape
    small = cv2.resize(picture, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _blurred(picture: Array, radius: int) -> Array:
    """A box twice over, which wraps around in azimuth; ``radius`` 0 leaves it as it is."""
    if not radius:
        return picture
    import cv2

    size, margin = (2 * radius + 1, 2 * radius + 1), 2 * radius
    wide = np.concatenate([picture[:, -margin:], picture, picture[:, :margin]], axis=1)
    for _ in range(2):
        wide = cv2.blur(wide, size, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(wide[:, margin:-margin], np.float32)


def _forgiving(after: Array, moved: Array) -> Array:
    """Change that not even the pixels beside can explain: interpolation blurs what turns."""
    import cv2

    wide = np.concatenate([moved[:, -1:], moved, moved[:, :1]], axis=1)
    box = np.ones((3, 3), np.uint8)
    high = cv2.dilate(wide, box)[:, 1:-1]
    low = cv2.erode(wide, box)[:, 1:-1]
    return np.asarray(np.maximum(np.maximum(after - high, low - after), 0), np.float32)
