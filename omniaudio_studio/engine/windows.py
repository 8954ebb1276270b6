"""Long sounds as windows of the trained length that agree where they overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STRETCH = 1.05  # lengths up to this many trained ones are one window


@dataclass(frozen=True)
class Window:
    """Latent frames ``start`` to ``start + length``; the first ``overlap`` are known before."""

    start: int
    length: int
    overlap: int

    @property
    def end(self) -> int:
        """One past the last latent frame."""
        return self.start + self.length


def plan_windows(frames: int, length: int, overlap: int) -> list[Window]:
    """Windows that cover ``frames`` latent frames.

    Up to 1.05 trained lengths are one window. Longer ranges are consecutive windows of the trained
    length; the last is shifted back to end where the range does, so its overlap is larger.

    Parameters
    ----------
    frames
        Latent frames to cover, at least 1.
    length
        Trained length.
    overlap
        Latent frames that consecutive windows share, from 0 to ``length - 1``.
    """
    if frames <= int(length * STRETCH):
        return [Window(0, frames, 0)]
    windows = [Window(0, length, 0)]
    while (end := windows[-1].end) < frames:
        start = min(end - overlap, frames - length)
        windows.append(Window(start, length, end - start))
    return windows


def clamp(known: Array, noise: Array) -> Callable[[Array, float], Array]:
    """A sampler's ``before_step`` that holds a window's beginning to the previous window's end.

    x[overlap] = (1 - t) z + t eps, so that the overlap walks along the straight path from this
    window's own noise to what is already there, and is exactly that at t = 0.

    Parameters
    ----------
    known
        z, the previous window's latents in the overlap, (C, overlap).
    noise
        eps, this window's initial noise, (C, T) with T at least the overlap.
    """
    count = known.shape[1]
    eps = noise[:, :count]

    def before_step(x: Array, t: float) -> Array:
        if count == 0:
            return x
        x = x.copy()
        x[..., :count] = known if t == 0.0 else np.float32(1.0 - t) * known + np.float32(t) * eps
        return x

    return before_step


def context_inputs(known: Array, length: int) -> dict[str, Array]:
    """The DiT's `context` (1, C, T) and `context_mask` (1, 1, T) for a window.

    ``known`` (C, overlap) stands at the beginning, where the mask is 1; zeros elsewhere.
    """
    channels, count = known.shape
    context = np.zeros((1, channels, length), dtype=np.float32)
    mask = np.zeros((1, 1, length), dtype=np.float32)
    context[0, :, :count] = known
    mask[0, 0, :count] = 1.0
    return {"context": context, "context_mask": mask}
