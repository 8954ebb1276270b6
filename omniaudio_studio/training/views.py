"""The two pictures that the starter looks at."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from omniaudio_studio.panorama.views import View

_MEAN, _STD = (0.45, 0.45, 0.45), (0.25, 0.25, 0.25)

#: The whole sphere, coarse.
EQUIRECT = View("equirect", "equirect", 320, 160, mean=_MEAN, std=_STD)
#: What lies ahead, finer.
FRONT = View("front", "perspective", 192, 192, fov=120.0, mean=_MEAN, std=_STD)

#: Pixels per feature cell, both ways (the frame encoder's stride).
CELL = 16


def front_directions(view: View = FRONT) -> Tensor:
    """Unit vectors (x front, y left, z up) of the cells of the front view, ``[K, 3]``."""
    columns, rows = view.width // CELL, view.height // CELL
    reach = math.tan(math.radians((view.fov or 90.0) / 2))
    across = (2 * (torch.arange(columns) + 0.5) / columns - 1) * reach
    down = (2 * (torch.arange(rows) + 0.5) / rows - 1) * reach * rows / columns
    v, u = torch.meshgrid(down, across, indexing="ij")
    vectors = torch.stack([torch.ones_like(u), -u, -v], dim=-1).flatten(0, 1)
    return vectors / vectors.norm(dim=-1, keepdim=True)
