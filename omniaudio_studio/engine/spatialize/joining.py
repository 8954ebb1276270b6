"""Sections one after another: which source of one is which of the next."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.spatialize.evidence import Judged
from omniaudio_studio.foa.placement import Placement

Array = NDArray[np.float32]

_NEW = np.radians(60)  # a source that isn't found where one was


class SourceJoiner:
    """Puts sections' sources into ``sources`` lines that go on from section to section."""

    def __init__(self, sources: int, bands: int) -> None:
        self._sources, self._bands = sources, bands
        self._last = np.zeros((sources, 3), np.float32)  # 0: not yet used
        self._parts: list[tuple[Array, Array, Array]] = []

    @property
    def ends(self) -> Array | None:
        """Directions (k, 3) in which the lines in use ended; None before the first section."""
        used = np.linalg.norm(self._last, axis=1) > 0
        return self._last[used] if used.any() else None

    def add(self, section: Judged, *, begins_shot: bool = False) -> None:
        """Add the next section; after a cut the lines say nothing of where a source will be."""
        frames = section.directions.shape[1]
        directions = np.zeros((self._sources, frames, 3), np.float32)
        shares = np.zeros((self._sources, self._bands, frames), np.float32)
        confidence = np.zeros((self._sources, frames), np.float32)
        lines = self._lines(section.directions, begins_shot)
        for index, line in enumerate(lines):
            directions[line] = section.directions[index]
            shares[line] = section.shares[index]
            confidence[line] = section.confidence[index]
            self._last[line] = section.directions[index, -1]
        for line in set(range(self._sources)) - set(lines):
            # Silent, where it was last; the front where it never was.
            where = self._last[line] if self._last[line].any() else np.array([1, 0, 0])
            directions[line] = where
        self._parts.append((directions, shares, confidence))

    def _lines(self, directions: Array, begins_shot: bool) -> tuple[int, ...]:
        found = len(directions)
        best, least = tuple(range(found)), np.inf
        for lines in permutations(range(self._sources), found):
            cost = 0.0
            for index, line in enumerate(lines):
                known = self._last[line].any() and not begins_shot
                cosine = float(directions[index, 0] @ self._last[line]) if known else 0.0
                cost += float(np.arccos(np.clip(cosine, -1, 1))) if known else _NEW + 0.01 * line
            if cost < least:
                best, least = lines, cost
        return best

    def placement(self, times: NDArray[Any], edges: NDArray[Any]) -> Placement:
        """Everything, for frames whose middles are ``times``; lines that were never used are left
        out, all but the first."""
        directions, shares, confidence = (
            np.concatenate(parts, axis=axis)
            for parts, axis in zip(zip(*self._parts, strict=True), (1, 2, 1), strict=True)
        )
        used = confidence.max(axis=1) > 0
        used[0] = True
        return Placement(times, edges, directions[used], shares[used], confidence[used])
