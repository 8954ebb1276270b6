"""Where the parts of a recording come from: shares per band and directions, over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Placement:
    """k sources over T frames and B bands.

    Attributes
    ----------
    times
        float64 (T,): middles of the frames, seconds of the clip, ascending.
    edges
        float64 (B + 1,): borders of the bands, hertz, ascending; the lowest band reaches down to 0
        and the highest up to half the sample rate.
    directions
        float32 (k, T, 3): unit vectors x, y, z.
    shares
        float32 (k, B, T): how much of the sound (of its pressure, not its power) in a band comes
        from each source, 0 to 1. Over the sources they add up to 1 at most; what is missing comes
        from nowhere in particular.
    confidence
        float32 (k, T): how sure each direction is, 0 to 1.
    """

    times: NDArray[np.float64]
    edges: NDArray[np.float64]
    directions: NDArray[np.float32]
    shares: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def __post_init__(self) -> None:
        sources, frames = self.directions.shape[:2]
        expected = (sources, self.edges.size - 1, frames)
        if (
            self.times.shape != (frames,)
            or self.directions.shape[2] != 3
            or self.shares.shape != expected
            or self.confidence.shape != (sources, frames)
        ):
            raise ValueError(
                f"expected shares of shape {expected} and a confidence and time per frame; found "
                f"{self.shares.shape}, {self.confidence.shape} and {self.times.shape}"
            )
