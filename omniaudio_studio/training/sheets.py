"""Sheets: still panoramas crowded with drawings, from which names are learnt.

A scene shows one to three things for seconds; a sheet shows a dozen at once. Nothing sounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.description import Distractor, Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import draw_background, draw_look
from omniaudio_studio.datasets.solids import SOLID
from omniaudio_studio.foa.encoding import direction_vector

#: Drawings on a sheet at most, and at least.
MOST_DRAWN, LEAST_DRAWN = 12, 6
#: Angle between the middles of two drawings, where room is found, in radians.
_APART = np.radians(28)
#: Share of rendered objects among them; they have no name.
_SOLIDS = 0.15
#: So that a sheet shares no generator with a scene of the same seed.
_SHEETS = 3


def draw_sheet(
    seed: int, index: int, library: MaterialLibrary, restyled: float
) -> tuple[Scene, NDArray[np.float32]]:
    """Sheet ``index``: a scene without sources, and what is drawn on it.

    Returns
    -------
    scene
    drawn : ndarray, float32, shape (MOST_DRAWN, 5)
        Class (-1: none, a rendered object), unit vector (x, y, z) to its middle, angular diameter
        in radians (0: nothing).
    """
    rng = np.random.default_rng([seed, index, _SHEETS])
    background = draw_background(rng, library, 0.3)
    drawn = np.zeros((MOST_DRAWN, 5), np.float32)
    drawn[:, 0] = -1
    items: list[Distractor] = []
    for number in range(int(rng.integers(LEAST_DRAWN, MOST_DRAWN + 1))):
        name = int(rng.integers(len(library.classes)))
        for _ in range(20):
            azimuth = float(rng.uniform(-np.pi, np.pi))
            elevation = float(np.clip(rng.normal(0, 0.45), -1.1, 1.1))
            vector = direction_vector(azimuth, elevation)
            if (drawn[:number, 1:4] @ vector < np.cos(_APART)).all():
                break
        called = SOLID if rng.random() < _SOLIDS else library.classes[name]
        look = draw_look(rng, library, called, restyled)
        items.append(Distractor(called, azimuth, elevation, look))
        drawn[number] = -1 if called == SOLID else name, *vector, look.size
    return Scene(1.0, (), background, tuple(items), seed=(seed, index)), drawn
