"""From a map of evidence on the sphere over time to paths of single sources."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

NEIGHBOURS = 37
"""Cells that a path may go on to from one frame to the next, its own among them."""


class PathFinder:
    """The best path through maps of evidence: dynamic programming over cells of the sphere.

    A path collects the evidence of the cell it is in, frame by frame, and pays for the square of
    the angle of each step (Viterbi, "Error bounds for convolutional codes", IEEE Trans. Information
    Theory 1967).

    Parameters
    ----------
    vectors : (cells, 3)
        Unit vectors of the cells' middles.
    cost
        Evidence that a step of one radian costs.
    """

    def __init__(self, vectors: NDArray[np.float64], cost: float) -> None:
        self.vectors = vectors.astype(np.float32)
        angles = np.arccos(np.clip(vectors @ vectors.T, -1, 1))
        self._near = np.argsort(angles, axis=1, kind="stable")[:, :NEIGHBOURS]
        step = np.take_along_axis(angles, self._near, axis=1)
        self._cost = (cost * step**2).astype(np.float32)
        self.angles = angles.astype(np.float32)

    def best(self, evidence: Array, bonus: Array | None = None) -> NDArray[np.int64]:
        """The cells of the best path.

        Parameters
        ----------
        evidence : (frames, cells)
        bonus : (cells,), optional
            For beginning in a cell.

        Returns
        -------
        ndarray, int64, (frames,)
        """
        frames = len(evidence)
        total = evidence[0] + (0 if bonus is None else bonus)
        came_from = np.zeros((frames, evidence.shape[1]), np.int16)
        for frame in range(1, frames):
            # Steps are the same both ways, so that the near cells are also where one comes from.
            options = total[self._near] - self._cost
            choice = np.argmax(options, axis=1)
            rows = np.arange(len(choice))
            came_from[frame] = self._near[rows, choice]
            total = options[rows, choice] + evidence[frame]
        path = np.zeros(frames, np.int64)
        path[-1] = int(np.argmax(total))
        for frame in range(frames - 1, 0, -1):
            path[frame - 1] = came_from[frame, path[frame]]
        return path


def smoothed(values: Array, width: float) -> Array:
    """Over the first axis with a Gaussian of ``width`` frames, the ends repeated."""
    reach = max(1, int(np.ceil(3 * width)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    taps /= taps.sum()
    edges = [(reach, reach)] + [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, edges, mode="edge")
    out = np.zeros(values.shape, np.float64)
    for place, tap in enumerate(taps):
        out += tap * padded[place : place + len(values)]
    return out.astype(np.float32)


def normalised(vectors: Array) -> Array:
    """Vectors (..., 3) brought to unit length; a zero becomes the front."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    front = np.array([1, 0, 0], np.float32)
    return np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), front).astype(np.float32)
